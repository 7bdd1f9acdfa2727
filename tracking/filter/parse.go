package filter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// The most comparisons of a filter and terms of an order_by: engines bound the
// depth of a condition and the number of joins.
const (
	maxComparisons = 200
	maxOrders      = 20
	maxPattern     = 1000 // bytes; the time of a match is this times the text's length
)

// Parse reads a filter. All of the returned comparisons must hold. The empty
// filter has none. Errors are Invalid, worded as MLflow words them.
func Parse(s string, l *Language) ([]Comparison, error) {
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, lang: l}
	if p.peek().kind == end {
		return nil, nil
	}
	return p.conjunction()
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

type parser struct {
	tokens []token
	at     int
	lang   *Language
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

func (p *parser) conjunction() (out []Comparison, err error) {
	for {
		c, err := p.comparison()
		if err != nil {
			return nil, err
		}
		if out = append(out, c); len(out) > maxComparisons {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"the filter has more than %d comparisons", maxComparisons)
		}
		t := p.next()
		if t.kind == end {
			return out, nil
		}
		if t.keyword() != "AND" {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"Invalid clause(s) in filter string: '%s'; join comparisons with AND", clip(t.raw))
		}
	}
}

func (p *parser) comparison() (c Comparison, err error) {
	t := p.next()
	if t.kind != word {
		return c, fairlead.Errorf(fairlead.Invalid,
			"Invalid comparison clause. Expected an identifier, found '%s'", clip(t.raw))
	}
	if c.Kind, c.Key, err = p.lang.identify(t.prefix, t.value, false); err != nil {
		return c, err
	}
	if c.Op, err = p.operator(); err != nil {
		return c, err
	}
	if ops := p.lang.comparators(c.Kind, c.Key); !slices.Contains(ops, c.Op) {
		return c, fairlead.Errorf(fairlead.Invalid, "Invalid comparator '%s' for %s '%s'. "+
			"Valid comparators are %s", c.Op, c.Kind, c.Key, list(ops))
	}
	switch c.Op {
	case IsNull, IsNotNull:
		return c, nil
	case In, NotIn:
		c.List, err = p.list()
		return c, err
	}
	return c, p.value(&c)
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
	case "LIKE", "ILIKE", "IN":
		return Op(k), nil
	case "NOT":
		if p.next().keyword() == "IN" {
			return NotIn, nil
		}
	case "IS":
		n := p.next()
		if n.keyword() == "NULL" {
			return IsNull, nil
		}
		if n.keyword() == "NOT" && p.next().keyword() == "NULL" {
			return IsNotNull, nil
		}
	}
	return "", fairlead.Errorf(fairlead.Invalid,
		"Invalid comparison clause. Expected a comparator, found '%s'", clip(t.raw))
}

// value reads the one value of a comparison.
func (p *parser) value(c *Comparison) error {
	t := p.next()
	if p.lang.numeric(c.Kind, c.Key) {
		v, err := strconv.ParseFloat(t.raw, 64)
		if t.kind != number || err != nil {
			return fairlead.Errorf(fairlead.Invalid,
				"Expected numeric value type for %s '%s'. Found %s", c.Kind, c.Key, clip(t.raw))
		}
		c.Value = v
		return nil
	}
	v, ok := textValue(t)
	if !ok {
		return fairlead.Errorf(fairlead.Invalid,
			"Expected a quoted string value for %s (e.g. 'my-value'). Got value %s",
			c.Kind, clip(t.raw))
	}
	if (c.Op == Like || c.Op == ILike) && len(v) > maxPattern {
		return fairlead.Errorf(fairlead.Invalid,
			"the pattern for %s '%s' has more than %d bytes", c.Kind, c.Key, maxPattern)
	}
	c.Value = v
	return nil
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

func (p *parser) list() (out []string, err error) {
	bad := fairlead.Errorf(fairlead.Invalid,
		"While parsing a list in the query, expected a non-empty list of string values, "+
			"but got ill-formed list near '%s'", clip(p.peek().raw))
	if p.next().raw != "(" {
		return nil, bad
	}
	for {
		v, ok := textValue(p.next())
		if !ok {
			return nil, bad
		}
		out = append(out, v)
		switch p.next().raw {
		case ")":
			return out, nil
		case ",":
		default:
			return nil, bad
		}
	}
}
