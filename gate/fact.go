package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// FactDoc documents one row of the table of facts that checks can read.
type FactDoc struct {
	Name string // `<…>` stands for a part that the project chooses
	Type string // double | int | string | bool | timestamp
	Doc  string
}

// table is the whole vocabulary of checks. The reference page is made from it. What
// a project names, its metrics, is below roots of its own, where nothing else is.
var table = []FactDoc{
	{"candidate.<metric>", "double", "what `evaluate` prints for the candidate on the holdout; " +
		"dots in a metric's name nest (candidate.fairness.carrier.impact_ratio), a name with other " +
		"characters is read by index (candidate[\"f1@5\"])"},
	{"live.<metric>", "double", "the same for the live version, on the same holdout; " +
		"absent before the first release"},
	{"version.candidate", "int", "the candidate's version number"},
	{"version.live", "int", "the live version's number; absent before the first release"},
	{"error.candidate", "string", "why `evaluate` failed for the candidate; absent when it did not"},
	{"error.live", "string", "why `evaluate` failed for the live version; absent when it did not"},
	{"packaging.engine", "string", "what runs the candidate's package: onnx or python"},
	{"packaging.max_relative", "double", "the largest relative difference between the " +
		"package's outputs and the Python model's; absent when they are the same program"},
	{"holdout.dataset", "string", "the dataset that both were evaluated on; " +
		"absent when there is none"},
	{"holdout.version", "int", "and its version"},
	{"holdout.rows", "int", "how many rows it has"},
	{"holdout.reads", "int", "how many evaluations by earlier gates have read it; one that was " +
		"interrupted and begun again is one, and one whose result is known already reads nothing"},
	{"project.name", "string", "the project"},
	{"project.risk", "string", "its risk class: minimal, limited or high"},
	{"now", "timestamp", "stream time of the model's endpoint when the gate ran; " +
		"wall time before its first request"},
}

// Table returns the documentation of every fact that checks can read.
func Table() []FactDoc { return slices.Clone(table) }

// The roots that are open: below them are the project's metrics, and only these.
const (
	candidateRoot = "candidate"
	liveRoot      = "live"
)

func openRoot(root string) bool { return root == candidateRoot || root == liveRoot }

// roots returns what facts begin with, in the order of the table.
func roots() []string {
	var out []string
	for _, d := range table {
		root, _, _ := strings.Cut(d.Name, ".")
		if !slices.Contains(out, root) {
			out = append(out, root)
		}
	}
	return out
}

// documented reports whether the table has the name, or leaves it to projects.
func documented(name string) bool {
	root, _, _ := strings.Cut(name, ".")
	return openRoot(root) ||
		slices.ContainsFunc(table, func(d FactDoc) bool { return d.Name == name })
}

// Facts are typed values by name, such as "candidate.wape". A value is a
// float64, int64, string, bool or time.Time (UTC, whole milliseconds); NewFacts
// makes them so. The JSON form states each type and is canonical: equal facts
// have equal bytes, also with NaN among them.
type Facts map[string]any

// NewFacts returns the facts with their values brought to the five types; Invalid
// for a value of any other type or an empty name.
func NewFacts(values map[string]any) (Facts, error) {
	out := make(Facts, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, ok := factValue(values[name])
		if !ok || name == "" {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"the fact %q is a %T; a fact is a number, a text, a boolean or a time", name, values[name])
		}
		out[name] = v
	}
	return out, nil
}

func factValue(v any) (any, bool) {
	switch v := v.(type) {
	case float64, int64, string, bool:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case time.Time:
		return v.UTC().Truncate(time.Millisecond), v.Year() >= 0 && v.Year() <= 9999
	}
	return nil, false
}

// Digest returns the SHA-256 of the canonical JSON form, in hex.
func (f Facts) Digest() (string, error) {
	b, err := json.Marshal(f)
	if err != nil {
		return "", err
	}
	return digest(b), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Float returns a number among the facts as a float64.
func (f Facts) Float(name string) (float64, bool) {
	switch v := f[name].(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	}
	return 0, false
}

// typed is the JSON form of one value.
type typed struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

// MarshalJSON writes {"name": {"type": …, "value": …}} with sorted names. A
// double that JSON cannot write is the text "NaN", "+Inf" or "-Inf".
func (f Facts) MarshalJSON() ([]byte, error) {
	out := make(map[string]typed, len(f))
	for name, v := range f {
		t, err := newTyped(v)
		if err != nil {
			return nil, fmt.Errorf("fact %s: %w", name, err)
		}
		out[name] = t
	}
	return json.Marshal(out)
}

func newTyped(v any) (typed, error) {
	t := typed{}
	switch x := v.(type) {
	case float64:
		t.Type = "double"
		if math.IsNaN(x) || math.IsInf(x, 0) {
			v = strconv.FormatFloat(x, 'g', -1, 64)
		}
	case int64:
		t.Type = "int"
	case string:
		t.Type = "string"
	case bool:
		t.Type = "bool"
	case time.Time:
		t.Type, v = "timestamp", x.UTC()
	default:
		return t, fmt.Errorf("a %T is no fact", v)
	}
	var err error
	t.Value, err = json.Marshal(v)
	return t, err
}

// UnmarshalJSON reads what MarshalJSON wrote; anything else is Invalid.
func (f *Facts) UnmarshalJSON(b []byte) error {
	var in map[string]typed
	if err := json.Unmarshal(b, &in); err != nil {
		return fairlead.Errorf(fairlead.Invalid, "read facts: %w", err)
	}
	out := make(Facts, len(in))
	for name, t := range in {
		v, err := t.read()
		if err != nil {
			return fairlead.Errorf(fairlead.Invalid, "read fact %s: %w", name, err)
		}
		out[name] = v
	}
	*f = out
	return nil
}

func (t typed) read() (any, error) {
	switch t.Type {
	case "double":
		return t.double()
	case "int":
		return decode[int64](t.Value)
	case "string":
		return decode[string](t.Value)
	case "bool":
		return decode[bool](t.Value)
	case "timestamp":
		at, err := decode[time.Time](t.Value)
		return at.UTC(), err
	}
	return nil, fmt.Errorf("there is no type %q", t.Type)
}

func (t typed) double() (float64, error) {
	if text, err := decode[string](t.Value); err == nil {
		return strconv.ParseFloat(text, 64)
	}
	return decode[float64](t.Value)
}

func decode[T any](b []byte) (v T, err error) {
	err = json.Unmarshal(b, &v)
	return v, err
}
