package registry

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// MLflow's limits, in characters.
const (
	maxName     = 256
	maxAlias    = 255
	maxTagKey   = 250
	maxTagValue = 100_000
)

func validateModelName(name string) error {
	if name == "" {
		return fairlead.Errorf(fairlead.Invalid, "Registered model name cannot be empty.")
	}
	if strings.ContainsAny(name, "/:") || strings.ContainsFunc(name, func(r rune) bool {
		return r < ' ' || r == utf8.RuneError
	}) {
		return fairlead.Errorf(fairlead.Invalid,
			"Invalid model name '%s'. Names cannot contain '/' or ':' or control characters.", name)
	}
	return validateLength("name", maxName, name)
}

func validateLength(what string, limit int, value string) error {
	if utf8.RuneCountInString(value) > limit {
		return fairlead.Errorf(fairlead.Invalid,
			"'%s' exceeds the maximum length of %d characters", what, limit)
	}
	return nil
}

func validateTags(tags []Tag) error {
	for _, t := range tags {
		if err := tracking.ValidateName("key", t.Key); err != nil {
			return err
		}
		if err := validateLength("key", maxTagKey, t.Key); err != nil {
			return err
		}
		if err := validateLength("value", maxTagValue, t.Value); err != nil {
			return err
		}
	}
	return nil
}

var (
	aliasForm    = regexp.MustCompile(`^[\w\-]+$`)
	versionAlias = regexp.MustCompile(`^[vV]\d+$`)
)

func validateAlias(alias string) error {
	switch {
	case !aliasForm.MatchString(alias):
		return fairlead.Errorf(fairlead.Invalid, "Invalid alias name: '%s'. Names may only contain "+
			"alphanumerics, underscores (_), and dashes (-).", alias)
	case versionAlias.MatchString(alias):
		return fairlead.Errorf(fairlead.Invalid, "Version alias name '%s' is reserved.", alias)
	case strings.EqualFold(alias, latestAlias):
		return fairlead.Errorf(fairlead.Invalid, "'latest' alias name (case insensitive) is reserved.")
	}
	return validateLength("alias", maxAlias, alias)
}
