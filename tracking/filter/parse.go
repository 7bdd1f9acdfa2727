package filter

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
)

// The most comparisons of a filter and terms of an order_by: engines bound the
// depth of a condition and the number of joins.
const (
	maxComparisons = 200
	maxOrders      = 20
	maxDepth       = 50   // of parentheses and NOTs
	maxPattern     = 1000 // bytes; the time of a match is this times the text's length
)

// Parse reads a filter; the empty one is nil. NOT binds closer than AND, and AND
// closer than OR. Errors are Invalid, worded as MLflow words them, and say where.
func Parse(s string, l *Language) (Expr, error) {
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, lang: l}
	if p.peek().kind == end {
		return nil, nil
	}
	e, err := p.disjunction()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != end {
		return nil, t.refused("Invalid clause(s) in filter string: '%s'; join comparisons with AND or OR",
			clip(t.raw))
	}
	return e, nil
}

// ParseOrder reads one term of an order_by: a key, then ASC (the default) or DESC.
func ParseOrder(s string, l *Language) (Order, error) {
	tokens, err := lex(s)
	if err != nil {
		return Order{}, err
	}
	bad := fairlead.Errorf(fairlead.Invalid, "Invalid order_by clause '%s'. "+
		"Expected a key such as `metrics.auc`, then ASC or DESC.", clip(s))
	if tokens[0].kind != word {
		return Order{}, bad
	}
	kind, key, err := l.identify(tokens[0].prefix, tokens[0].value, true)
	if err != nil {
		return Order{}, err
	}
	o := Order{Kind: kind, Key: key}
	rest := tokens[1:]
	switch rest[0].keyword() {
	case "DESC":
		o.Desc = true
		rest = rest[1:]
	case "ASC":
		rest = rest[1:]
	}
	if rest[0].kind != end {
		return Order{}, bad
	}
	return o, nil
}

// ParseOrders reads an order_by; a key may come once.
func ParseOrders(terms []string, l *Language) (out []Order, err error) {
	if len(terms) > maxOrders {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"`order_by` has %d terms; at most %d are read", len(terms), maxOrders)
	}
	for _, t := range terms {
		o, err := ParseOrder(t, l)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(x Order) bool { return x.Kind == o.Kind && x.Key == o.Key }) {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"`order_by` contains duplicate fields: %s", clip(t))
		}
		out = append(out, o)
	}
	return out, nil
}

// ParseKeys reads names such as metrics.auc, as they stand in a filter.
func ParseKeys(names []string, l *Language) (out []Key, err error) {
	for _, s := range names {
		tokens, err := lex(s)
		if err != nil {
			return nil, err
		}
		if len(tokens) != 2 || tokens[0].kind != word {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"Expected a name such as `metrics.auc`, got '%s'", clip(s))
		}
		kind, key, err := l.identify(tokens[0].prefix, tokens[0].value, true)
		if err != nil {
			return nil, err
		}
		out = append(out, Key{kind, key})
	}
	return out, nil
}

type parser struct {
	tokens []token
	at     int
	lang   *Language
	depth  int
	open   int    // parentheses
	read   int    // comparisons
	place  *Place // where the text ends; nil where nobody asks
}

// refused is an error about the token, which says where it is.
func (t token) refused(format string, args ...any) error {
	raw := t.raw
	if t.kind == end {
		raw = ""
	}
	return placed(t.at, raw, format, args...)
}

// placed is an error about raw, which is at a character of the filter, from 1. Its details
// "at" and "length" say so to programs, in characters.
func placed(at int, raw, format string, args ...any) error {
	return fairlead.Errorf(fairlead.Invalid, format+", at character %d", append(args, at)...).
		With("at", at).With("length", utf8.RuneCountInString(raw))
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

// takeKeyword consumes the keyword if it is next.
func (p *parser) takeKeyword(keyword string) bool {
	if p.peek().keyword() != keyword {
		return false
	}
	p.at++
	return true
}

// deeper reads what is one level deeper; levels are bounded.
func (p *parser) deeper(then func() (Expr, error)) (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.peek().refused("the filter is nested more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	return then()
}

func (p *parser) disjunction() (Expr, error) {
	parts, err := p.chain("OR", p.conjunction)
	if len(parts) == 1 {
		return parts[0], err
	}
	return Any(parts), err
}

func (p *parser) conjunction() (Expr, error) {
	parts, err := p.chain("AND", p.negation)
	if len(parts) == 1 {
		return parts[0], err
	}
	return All(parts), err
}

// joins are the words that may follow a part.
func (p *parser) joins() []string {
	if p.open > 0 {
		return []string{"AND", "OR", ")"}
	}
	return []string{"AND", "OR"}
}

// chain reads one part, and more while the keyword follows.
func (p *parser) chain(keyword string, part func() (Expr, error)) (out []Expr, err error) {
	for {
		e, err := part()
		if err != nil {
			return nil, err
		}
		p.wants(WantJoin, p.joins()...)
		if out = append(out, e); !p.takeKeyword(keyword) {
			return out, nil
		}
	}
}

func (p *parser) negation() (Expr, error) {
	p.wants(WantKey, "NOT", "(")
	if p.takeKeyword("NOT") {
		e, err := p.deeper(p.negation)
		return Not{e}, err
	}
	if p.peek().raw == "(" {
		p.next()
		p.open++
		e, err := p.deeper(p.disjunction)
		p.open--
		if t := p.next(); err == nil && t.raw != ")" {
			err = t.refused("Invalid clause(s) in filter string: expected ')', found '%s'", clip(t.raw))
		}
		return e, err
	}
	return p.comparison()
}

func (p *parser) comparison() (Expr, error) {
	var c Comparison
	t := p.next()
	if t.kind != word {
		return nil, t.refused("Invalid comparison clause. Expected an identifier, found '%s'", clip(t.raw))
	}
	var err error
	if c.Kind, c.Key, err = p.lang.identify(t.prefix, t.value, false); err != nil {
		return nil, t.refused("%w", err)
	}
	operator := p.peek()
	p.wantsFor(&c, WantComparator, opWords(p.lang.comparators(c.Kind, c.Key))...)
	if c.Op, err = p.operator(); err != nil {
		return nil, err
	}
	if ops := p.lang.comparators(c.Kind, c.Key); !slices.Contains(ops, c.Op) {
		return nil, operator.refused("Invalid comparator '%s' for %s '%s'. "+
			"Valid comparators are %s", c.Op, c.Kind, c.Key, list(ops))
	}
	if err := p.count(t, c.Op); err != nil {
		return nil, err
	}
	switch c.Op {
	case IsNull, IsNotNull:
	case In, NotIn:
		c.List, err = p.list(&c)
	case between, notBetween:
		return p.deeper(func() (Expr, error) { return p.between(c) })
	default:
		c.Value, err = p.value(&c)
	}
	return c, err
}

// count bounds the comparisons.
func (p *parser) count(t token, op Op) error {
	if p.read++; op == between || op == notBetween {
		p.read++
	}
	if p.read > maxComparisons {
		return t.refused("the filter has more than %d comparisons", maxComparisons)
	}
	return nil
}

// between reads the two bounds, which are both included, as two comparisons.
func (p *parser) between(c Comparison) (Expr, error) {
	low, high := c, c
	low.Op, high.Op = GreaterEqual, LessEqual
	if c.Op == notBetween {
		low.Op, high.Op = Less, Greater
	}
	var err error
	if low.Value, err = p.value(&low); err != nil {
		return nil, err
	}
	p.wantsFor(&c, WantJoin, "AND")
	if !p.takeKeyword("AND") {
		t := p.peek()
		return nil, t.refused("Invalid comparison clause. Expected AND and the upper bound, found '%s'",
			clip(t.raw))
	}
	if high.Value, err = p.value(&high); err != nil {
		return nil, err
	}
	if c.Op == notBetween {
		return Any{low, high}, nil
	}
	return All{low, high}, nil
}

func (p *parser) operator() (Op, error) {
	t := p.next()
	switch {
	case t.raw == "<>":
		return NotEqual, nil
	case t.kind == symbol:
		return Op(t.raw), nil
	}
	switch k := t.keyword(); k {
	case "LIKE", "ILIKE", "CONTAINS", "IN", "BETWEEN":
		return Op(k), nil
	case "NOT":
		p.wants(WantComparator, "IN", "BETWEEN")
		if p.takeKeyword("IN") {
			return NotIn, nil
		}
		if p.takeKeyword("BETWEEN") {
			return notBetween, nil
		}
	case "IS":
		op := IsNull
		p.wants(WantComparator, "NULL", "NOT NULL")
		if p.takeKeyword("NOT") {
			p.wants(WantComparator, "NULL")
			op = IsNotNull
		}
		if p.takeKeyword("NULL") {
			return op, nil
		}
	}
	return "", t.refused("Invalid comparison clause. Expected a comparator, found '%s'", clip(t.raw))
}

// value reads one value that the key can be compared with.
func (p *parser) value(c *Comparison) (any, error) {
	p.wantsFor(c, WantValue)
	t := p.next()
	if p.lang.numeric(c.Kind, c.Key) {
		v, err := strconv.ParseFloat(t.raw, 64)
		if t.kind != number || err != nil {
			return nil, t.refused("Expected numeric value type for %s '%s'. Found %s", c.Kind, c.Key,
				clip(t.raw))
		}
		return v, nil
	}
	v, ok := textValue(t)
	if !ok {
		return nil, t.refused(
			"Expected a quoted string value for %s (e.g. 'my-value'). Got value %s", c.Kind, clip(t.raw))
	}
	if (c.Op == Like || c.Op == ILike || c.Op == Contains) && len(v) > maxPattern {
		return nil, t.refused("the pattern for %s '%s' has more than %d bytes", c.Kind, c.Key, maxPattern)
	}
	return v, nil
}

// textValue accepts single quotes, and double quotes as MLflow does.
func textValue(t token) (string, bool) {
	if t.kind == text {
		return t.value, true
	}
	if t.kind == word && strings.HasPrefix(t.raw, `"`) {
		v, n := quoted(t.raw)
		return v, n == len(t.raw)
	}
	return "", false
}

// list reads the values of IN.
func (p *parser) list(c *Comparison) (out []any, err error) {
	bad := p.peek().refused("While parsing a list in the query, expected a non-empty list of %s "+
		"values, but got ill-formed list near '%s'", p.lang.valueType(c), clip(p.peek().raw))
	p.wantsFor(c, WantComparator, "(")
	if p.next().raw != "(" {
		return nil, bad
	}
	for {
		v, err := p.value(c)
		if err != nil {
			return nil, bad
		}
		out = append(out, v)
		p.wantsFor(c, WantJoin, ",", ")")
		switch p.next().raw {
		case ")":
			return out, nil
		case ",":
		default:
			return nil, bad
		}
	}
}

// valueType names what the key is compared with.
func (l *Language) valueType(c *Comparison) string {
	if l.numeric(c.Kind, c.Key) {
		return "number"
	}
	return "string"
}
