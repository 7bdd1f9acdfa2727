package registry

import (
	"strings"

	"github.com/fairlead-ml/fairlead"
)

const stageArchived = "Archived"

// MLflow's stages in their canonical spelling; of the active ones, one version can take
// the place of all others.
var (
	activeStages = []string{"Staging", "Production"}
	stages       = []string{StageNone, "Staging", "Production", stageArchived}
)

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
