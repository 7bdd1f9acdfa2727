package registry

import (
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// stages are MLflow's, in their canonical spelling.
var stages = []string{StageNone, "Staging", "Production", "Archived"}

// canonicalStage finds a stage whatever its case.
func canonicalStage(stage string) (string, error) {
	for _, s := range stages {
		if strings.EqualFold(s, stage) {
			return s, nil
		}
	}
	return "", fairlead.Errorf(fairlead.Invalid, "Invalid Model Version stage: %s. Value must be one "+
		"of %s.", stage, strings.Join(stages, ", "))
}
