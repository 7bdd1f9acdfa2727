package tracking

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
)

// MLflow's limits. Lengths count characters.
const (
	maxMetrics             = 1000
	maxParams              = 100
	maxTags                = 100
	maxEntities            = 1000
	maxKey                 = 250
	maxParamValue          = 6000
	maxTagValue            = 8000
	maxExperimentName      = 500
	maxExperimentTagValue  = 20000
	maxDatasets            = 1000
	maxLinks               = 1000
	maxDatasetName         = 500
	maxDatasetDigest       = 36
	maxDatasetSchema       = 1048575
	maxDatasetSource       = 65535
	maxDatasetProfile      = 16777215
	maxInputTagKey         = 255
	maxInputTagValue       = 500
	maxLoggedModelNameSize = 256
)

// ErrValue returns MLflow's error for a value that a parameter cannot have.
func ErrValue(param string, value any, why string) error {
	b, err := json.Marshal(value)
	if err != nil {
		b = []byte(fmt.Sprintf("%q", fmt.Sprint(value)))
	}
	if why != "" {
		why = ": " + why
	} else {
		why = "."
	}
	return fairlead.Errorf(fairlead.Invalid, "Invalid value %s for parameter '%s' supplied%s",
		b, param, why)
}

// ErrMissing returns MLflow's error for a parameter that must be given.
func ErrMissing(param string) error {
	return fairlead.Errorf(fairlead.Invalid, "Missing value for required parameter '%s'.", param)
}

// ValidateName checks the key of a metric, param or tag: letters, digits and
// `_ - . : / space`, and a clean relative path, because tools write them as files.
func ValidateName(param, name string) error {
	if plainName(name) {
		return nil
	}
	if strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_-. :/", r)
	}) {
		return ErrValue(param, name, "Names may only contain alphanumerics, underscores (_), "+
			"dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).")
	}
	clean := path.Clean(name)
	if clean != name || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") ||
		strings.HasPrefix(clean, "/") {
		return ErrValue(param, name, fmt.Sprintf("Names may be treated as files in certain cases, "+
			"and must not resolve to other names when treated as such. "+
			"This name would resolve to '%s'", clean))
	}
	return nil
}

// plainName recognises the ordinary names fast: they have neither dots nor slashes
// and are ASCII.
func plainName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
			c == '_' || c == '-' || c == ' ' || c == ':') {
			return false
		}
	}
	return name != ""
}

func validateLength(what string, limit int, value string) error {
	if len(value) > limit && utf8.RuneCountInString(value) > limit {
		return fairlead.Errorf(fairlead.Invalid,
			"'%s' exceeds the maximum length of %d characters", what, limit)
	}
	return nil
}

// ValidateKey checks the key of a metric, param or tag: its form, as ValidateName does,
// and its length.
func ValidateKey(param, what, key string) error {
	if err := ValidateName(param, key); err != nil {
		return err
	}
	return validateLength(what+" key", maxKey, key)
}

// validateTagKey is ValidateKey for tags, whose length MLflow names otherwise.
func validateTagKey(param, key string) error {
	if err := ValidateName(param, key); err != nil {
		return err
	}
	return validateLength(param, maxKey, key)
}

// truncate cuts a value that is too long, as MLflow does with params and tags: a
// training must not fail on a long description.
func truncate(value string, limit int) string {
	if len(value) <= limit || utf8.RuneCountInString(value) <= limit {
		return value
	}
	return string([]rune(value)[:limit])
}

func validateExperiment(name string, tags []Tag) error {
	if name == "" {
		return ErrValue("name", name, "Experiment name must not be empty")
	}
	if err := validateLength("name", maxExperimentName, name); err != nil {
		return err
	}
	for _, t := range tags {
		if err := validateExperimentTag(t); err != nil {
			return err
		}
	}
	return nil
}

func validateExperimentTag(t Tag) error {
	if err := validateTagKey("key", t.Key); err != nil {
		return err
	}
	return validateLength("value", maxExperimentTagValue, t.Value)
}

// check checks the whole batch before anything is written, and returns it with
// values cut to their limits. A lone entity is named in errors without its place.
func (b Batch) check() (Batch, error) {
	if err := b.checkSizes(); err != nil {
		return b, err
	}
	b.Params, b.Tags = slices.Clone(b.Params), slices.Clone(b.Tags)
	b.Metrics = slices.Clone(b.Metrics)
	for i := range b.Metrics {
		if b.Metrics[i].check("") != nil {
			return b, b.Metrics[i].check(b.place("metrics", i))
		}
	}
	for i := range b.Tags {
		t := &b.Tags[i]
		if err := validateTagKey(b.place("tags", i)+"key", t.Key); err != nil {
			return b, err
		}
		t.Value = truncate(t.Value, maxTagValue)
	}
	return b, checkParams(b.Params, func(i int) string { return b.place("params", i) })
}

// place says where in the batch an entity stands.
func (b *Batch) place(list string, i int) string {
	if b.single {
		return ""
	}
	return fmt.Sprintf("%s[%d].", list, i)
}

func (b *Batch) checkSizes() error {
	total := len(b.Metrics) + len(b.Params) + len(b.Tags)
	for _, l := range []struct {
		what     string
		limit, n int
	}{{"metrics", maxMetrics, len(b.Metrics)}, {"params", maxParams, len(b.Params)},
		{"tags", maxTags, len(b.Tags)}, {"metrics, params, and tags", maxEntities, total}} {
		if l.n > l.limit {
			return fairlead.Errorf(fairlead.Invalid, "A batch logging request can contain at most "+
				"%d %s. Got %d %s. Please split up %s across multiple requests and try again.",
				l.limit, l.what, l.n, l.what, l.what)
		}
	}
	return nil
}

// checkParams checks params and cuts their values to the limit, in place.
func checkParams(params []Param, place func(i int) string) error {
	seen := make(map[string]bool, len(params))
	for i := range params {
		p := &params[i]
		if err := ValidateKey(place(i)+"key", "Param", p.Key); err != nil {
			return err
		}
		p.Value = truncate(p.Value, maxParamValue)
		if seen[p.Key] {
			return fairlead.Errorf(fairlead.Invalid, "Duplicate parameter keys have been submitted: "+
				"['%s']. Please ensure the request contains only one param value per param key.", p.Key)
		}
		seen[p.Key] = true
	}
	return nil
}

// pythonFloat writes a number as Python does: 1 is 1.0.
func pythonFloat(v float64) string {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if strings.ContainsAny(s, ".eNI") {
		return s
	}
	return s + ".0"
}

// check checks one point and brings infinities into the range of finite floats.
func (m *Metric) check(at string) error {
	if err := ValidateName(at+"name", m.Key); err != nil {
		return err
	}
	if err := validateLength("Metric name", maxKey, m.Key); err != nil {
		return err
	}
	if m.TimestampMS < 0 {
		return ErrValue(at+"timestamp", m.TimestampMS, fmt.Sprintf("metric '%s' (value=%s). "+
			"Timestamp must be a nonnegative long (64-bit integer) ", m.Key, pythonFloat(m.Value)))
	}
	m.Value = max(-math.MaxFloat64, min(math.MaxFloat64, m.Value))
	return nil
}
