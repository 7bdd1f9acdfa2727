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
	Model     Kind = "model" // a logged model; MLflow's own filters have none
)

// prefixes are all the spellings of a kind.
var prefixes = map[string]Kind{
	"attribute": Attribute, "attributes": Attribute, "attr": Attribute, "run": Attribute,
	"metric": Metric, "metrics": Metric,
	"parameter": Param, "parameters": Param, "param": Param, "params": Param,
	"tag": Tag, "tags": Tag,
	"dataset": Dataset, "datasets": Dataset,
	"model": Model, "models": Model,
}

// KindOf returns the kind that a prefix stands for, in any of its spellings.
func KindOf(prefix string) (Kind, bool) {
	kind, ok := prefixes[prefix]
	return kind, ok
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
	Like         Op = "LIKE"     // case-sensitive; % is any text, _ any character
	ILike        Op = "ILIKE"    // the same, blind to ASCII case
	Contains     Op = "CONTAINS" // holds the text as it is, blind to ASCII case
	In           Op = "IN"
	NotIn        Op = "NOT IN"
	IsNull       Op = "IS NULL"
	IsNotNull    Op = "IS NOT NULL"

	between    Op = "BETWEEN" // read as two comparisons, both ends included
	notBetween Op = "NOT BETWEEN"
)

var (
	numberOps = []Op{Equal, NotEqual, Less, LessEqual, Greater, GreaterEqual, between, notBetween, In,
		NotIn, IsNull, IsNotNull}
	textOps = []Op{Equal, NotEqual, Like, ILike, Contains, In, NotIn, IsNull, IsNotNull}
)

// Expr is a filter as a tree: a Comparison, All, Any or Not. Each is true or false of
// an item, and nothing else: a comparison with a value that the item does not have is
// false, but for IS NULL, and so its NOT is true. The empty filter is nil.
//
// String writes it in the language: it parses to the same tree again.
type Expr interface {
	String() string
	each(fn func(Comparison))
}

// Comparison is one condition. Value is a string or a float64; IN and NOT IN have a
// List of either instead, IS NULL and IS NOT NULL neither.
type Comparison struct {
	Kind  Kind
	Key   string
	Op    Op
	Value any
	List  []any
}

// All is true where all of its two or more parts are.
type All []Expr

// Any is true where one of its two or more parts is.
type Any []Expr

// Not is true where X is false.
type Not struct{ X Expr }

// Comparisons returns all the comparisons of a filter in the order of the text.
func Comparisons(e Expr) (out []Comparison) {
	if e != nil {
		e.each(func(c Comparison) { out = append(out, c) })
	}
	return out
}

// Conjuncts returns the parts that must all be true, and are no All themselves.
func Conjuncts(e Expr) (out []Expr) {
	all, ok := e.(All)
	if !ok && e != nil {
		return []Expr{e}
	}
	for _, x := range all {
		out = append(out, Conjuncts(x)...)
	}
	return out
}

func (c Comparison) each(fn func(Comparison)) { fn(c) }
func (a All) each(fn func(Comparison))        { eachOf(a, fn) }
func (a Any) each(fn func(Comparison))        { eachOf(a, fn) }
func (n Not) each(fn func(Comparison))        { n.X.each(fn) }

func eachOf(parts []Expr, fn func(Comparison)) {
	for _, x := range parts {
		x.each(fn)
	}
}

// Order is one term of an order_by.
type Order struct {
	Kind Kind
	Key  string
	Desc bool
}

// Key names something that an item may have a value of.
type Key struct {
	Kind Kind
	Key  string
}

// Language says what one kind of list is searched and ordered by.
type Language struct {
	Kinds   []Kind            // allowed prefixes, attributes included
	Texts   []string          // attributes with text values
	Numbers []string          // attributes with numbers (times are Unix milliseconds)
	Aliases map[string]string // other names of attributes
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
		if !slices.Contains(valid, key) {
			return "", "", fairlead.Errorf(fairlead.Invalid,
				"Invalid attribute key '%s' specified. Valid keys are %s", key, list(valid))
		}
	case Dataset, Model:
		if valid := keysOf[kind]; !slices.Contains(valid, key) || ordering {
			return "", "", fairlead.Errorf(fairlead.Invalid,
				"Invalid %s key '%s' specified. Valid keys are %s", kind, key, list(valid))
		}
	}
	return kind, key, nil
}

// keysOf are the keys of what has a fixed set of them, and no order.
var keysOf = map[Kind][]string{
	Dataset: {"name", "digest", "context"},
	Model:   {"name", "model_id", "model_type"},
}

// numeric reports whether values of the key are numbers.
func (l *Language) numeric(kind Kind, key string) bool {
	return kind == Metric || kind == Attribute && slices.Contains(l.Numbers, key)
}

// comparators returns what may stand between the key and its value.
func (l *Language) comparators(kind Kind, key string) []Op {
	if l.numeric(kind, key) {
		return numberOps
	}
	return textOps
}

// list writes names the way MLflow's messages do.
func list[T ~string](names []T) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "'" + string(n) + "'"
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
