package filter

import (
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// Kind is what a comparison looks at, by MLflow's name.
type Kind string

// The kinds. A key without a prefix is an attribute.
const (
	Attribute Kind = "attribute"
	Metric    Kind = "metric"
	Param     Kind = "parameter"
	Tag       Kind = "tag"
	Dataset   Kind = "dataset"
)

// prefixes are all the spellings of a kind.
var prefixes = map[string]Kind{
	"attribute": Attribute, "attributes": Attribute, "attr": Attribute, "run": Attribute,
	"metric": Metric, "metrics": Metric,
	"parameter": Param, "parameters": Param, "param": Param, "params": Param,
	"tag": Tag, "tags": Tag,
	"dataset": Dataset, "datasets": Dataset,
}

// Op is a comparator in upper case.
type Op string

// The comparators.
const (
	Equal        Op = "="
	NotEqual     Op = "!="
	Less         Op = "<"
	LessEqual    Op = "<="
	Greater      Op = ">"
	GreaterEqual Op = ">="
	Like         Op = "LIKE"  // case-sensitive; % is any text, _ any character
	ILike        Op = "ILIKE" // the same, blind to ASCII case
	In           Op = "IN"
	NotIn        Op = "NOT IN"
	IsNull       Op = "IS NULL"
	IsNotNull    Op = "IS NOT NULL"
)

var (
	numberOps = []Op{Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual}
	textOps   = []Op{Equal, NotEqual, Like, ILike}
)

// Comparison is one condition. Value is a string or a float64; IN and NOT IN have
// a List instead, IS NULL and IS NOT NULL neither.
type Comparison struct {
	Kind  Kind
	Key   string
	Op    Op
	Value any
	List  []string
}

// Order is one term of an order_by.
type Order struct {
	Kind Kind
	Key  string
	Desc bool
}

// Language says what one kind of list is searched and ordered by.
type Language struct {
	Kinds      []Kind            // allowed prefixes, attributes included
	Texts      []string          // attributes with text values
	Numbers    []string          // attributes with numbers (times are Unix milliseconds)
	Orders     []string          // further attributes that can only be ordered by
	Lists      []string          // text attributes that IN and NOT IN accept
	Aliases    map[string]string // other names of attributes
	Null       bool              // tags and params know IS NULL and IS NOT NULL
	KeyedLists bool              // tags and params know IN and NOT IN
}

// identify turns prefix and key as written into kind and key.
func (l *Language) identify(prefix, key string, ordering bool) (Kind, string, error) {
	kind, ok := prefixes[prefix]
	if !ok || !slices.Contains(l.Kinds, kind) {
		return "", "", fairlead.Errorf(fairlead.Invalid,
			"Invalid entity type '%s'. Valid values are %s", prefix, list(l.Kinds))
	}
	switch kind {
	case Attribute:
		if a, ok := l.Aliases[key]; ok {
			key = a
		}
		valid := slices.Concat(l.Texts, l.Numbers)
		if ordering {
			valid = append(valid, l.Orders...)
		}
		if !slices.Contains(valid, key) {
			return "", "", fairlead.Errorf(fairlead.Invalid,
				"Invalid attribute key '%s' specified. Valid keys are %s", key, list(valid))
		}
	case Dataset:
		if !slices.Contains(datasetKeys, key) || ordering {
			return "", "", fairlead.Errorf(fairlead.Invalid,
				"Invalid dataset key '%s' specified. Valid keys are %s", key, list(datasetKeys))
		}
	}
	return kind, key, nil
}

var datasetKeys = []string{"name", "digest", "context"}

// numeric reports whether values of the key are numbers.
func (l *Language) numeric(kind Kind, key string) bool {
	return kind == Metric || kind == Attribute && slices.Contains(l.Numbers, key)
}

// comparators returns what may stand between the key and its value.
func (l *Language) comparators(kind Kind, key string) []Op {
	if l.numeric(kind, key) {
		return numberOps
	}
	ops, keyed := slices.Clone(textOps), kind == Tag || kind == Param
	if kind == Dataset || kind == Attribute && slices.Contains(l.Lists, key) ||
		keyed && l.KeyedLists {
		ops = append(ops, In, NotIn)
	}
	if keyed && l.Null {
		ops = append(ops, IsNull, IsNotNull)
	}
	return ops
}

// list writes names the way MLflow's messages do.
func list[T ~string](names []T) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "'" + string(n) + "'"
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
