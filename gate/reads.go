package gate

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// read is one place where a check names a fact, or a group of facts.
type read struct {
	path []string // "candidate", "fairness", "carrier"
	asks bool     // by has(…): the fact may be missing
	id   int64    // of the expression, for its position
}

func (r read) name() string { return strings.Join(r.path, ".") }

// guarded reports whether the check itself asks if the fact, or a group that it
// belongs to, is there.
func (r read) guarded(all []read) bool {
	return slices.ContainsFunc(all, func(g read) bool {
		return g.asks && len(g.path) <= len(r.path) && slices.Equal(g.path, r.path[:len(g.path)])
	})
}

// reads lists the facts that an expression names, each as far as its name is
// written out, in the order of the expression.
func reads(e ast.Expr) []read {
	w := walker{roots: roots()}
	w.walk(e, nil)
	return w.found
}

type walker struct {
	roots []string
	found []read
}

// walk visits e; local holds the names that comprehensions have bound.
func (w *walker) walk(e ast.Expr, local []string) {
	if r, ok := w.chain(e, local); ok {
		w.found = append(w.found, r)
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		w.walk(e.AsSelect().Operand(), local)
	case ast.CallKind:
		w.walkCall(e.AsCall(), local)
	case ast.ListKind:
		for _, item := range e.AsList().Elements() {
			w.walk(item, local)
		}
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.walk(entry.AsMapEntry().Key(), local)
			w.walk(entry.AsMapEntry().Value(), local)
		}
	case ast.ComprehensionKind:
		w.walkComprehension(e.AsComprehension(), local)
	}
}

func (w *walker) walkCall(c ast.CallExpr, local []string) {
	if c.IsMemberFunction() {
		w.walk(c.Target(), local)
	}
	for _, arg := range c.Args() {
		w.walk(arg, local)
	}
}

func (w *walker) walkComprehension(c ast.ComprehensionExpr, local []string) {
	w.walk(c.IterRange(), local)
	w.walk(c.AccuInit(), local)
	inner := append(slices.Clone(local), c.IterVar(), c.IterVar2(), c.AccuVar())
	w.walk(c.LoopCondition(), inner)
	w.walk(c.LoopStep(), inner)
	w.walk(c.Result(), inner)
}

// chain returns the fact that a chain of selections and constant indexes names.
func (w *walker) chain(e ast.Expr, local []string) (read, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		name := e.AsIdent()
		ok := slices.Contains(w.roots, name) && !slices.Contains(local, name)
		return read{path: []string{name}, id: e.ID()}, ok
	case ast.SelectKind:
		s := e.AsSelect()
		r, ok := w.chain(s.Operand(), local)
		return read{append(slices.Clone(r.path), s.FieldName()), s.IsTestOnly(), e.ID()}, ok
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() != operators.Index || c.Args()[1].Kind() != ast.LiteralKind {
			return read{}, false
		}
		key, text := c.Args()[1].AsLiteral().(types.String)
		r, ok := w.chain(c.Args()[0], local)
		return read{append(slices.Clone(r.path), string(key)), false, e.ID()}, ok && text
	}
	return read{}, false
}
