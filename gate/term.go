package gate

import (
	"fmt"
	"math"
	"strconv"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

// term is one of the conditions that a check joins with &&. A comparison also
// has its two sides, to say by how much it failed.
type term struct {
	text        string
	op          string
	whole       cel.Program
	left, right cel.Program // nil unless op is one of comparisons
}

var comparisons = map[string]string{
	operators.Less: "<", operators.LessEquals: "<=", operators.Greater: ">",
	operators.GreaterEquals: ">=", operators.Equals: "==", operators.NotEquals: "!=",
}

// Gap says by how much a comparison of numbers failed.
type Gap struct {
	Term       string  `json:"term"` // the comparison, as the check has it
	Got        float64 `json:"got"`
	Op         string  `json:"op"`
	Needed     float64 `json:"needed"`
	Difference float64 `json:"difference"` // got - needed
}

// String returns "got 0.47, needed <= 0.41, difference 0.06".
func (g Gap) String() string {
	return fmt.Sprintf("got %s, needed %s %s, difference %s",
		short(g.Got), g.Op, short(g.Needed), short(g.Difference))
}

// short writes a number for people.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// terms splits a check at its outermost &&.
func terms(env *cel.Env, tree *cel.Ast) ([]term, error) {
	rep := tree.NativeRep()
	var out []term
	for _, e := range conjuncts(rep.Expr()) {
		t, err := newTerm(env, e, rep.SourceInfo())
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

func conjuncts(e ast.Expr) []ast.Expr {
	if e.Kind() != ast.CallKind || e.AsCall().FunctionName() != operators.LogicalAnd {
		return []ast.Expr{e}
	}
	var out []ast.Expr
	for _, arg := range e.AsCall().Args() {
		out = append(out, conjuncts(arg)...)
	}
	return out
}

func newTerm(env *cel.Env, e ast.Expr, info *ast.SourceInfo) (t term, err error) {
	if t.text, t.whole, err = part(env, e, info); err != nil {
		return t, err
	}
	if e.Kind() != ast.CallKind {
		return t, nil
	}
	call := e.AsCall()
	op, ok := comparisons[call.FunctionName()]
	if !ok {
		return t, nil
	}
	t.op = op
	if _, t.left, err = part(env, call.Args()[0], info); err == nil {
		_, t.right, err = part(env, call.Args()[1], info)
	}
	return t, err
}

// part compiles a part of a check by itself.
func part(env *cel.Env, e ast.Expr, info *ast.SourceInfo) (string, cel.Program, error) {
	text, err := cel.ExprToString(e, info)
	if err != nil {
		return "", nil, err
	}
	tree, issues := env.Compile(text)
	if issues.Err() != nil {
		return text, nil, issues.Err()
	}
	program, err := env.Program(tree, cel.CostLimit(maxCost))
	return text, program, err
}

// failed returns the first term that is false, nil when none is.
func failed(all []term, vars map[string]any) *term {
	for i := range all {
		if v, _, err := all[i].whole.Eval(vars); err == nil && v == types.False {
			return &all[i]
		}
	}
	return nil
}

// gap returns by how much a term failed, nil unless it compares finite numbers.
func (t *term) gap(vars map[string]any) *Gap {
	if t.op == "" {
		return nil
	}
	got, ok := number(t.left, vars)
	needed, also := number(t.right, vars)
	if !ok || !also {
		return nil
	}
	return &Gap{Term: t.text, Got: got, Op: t.op, Needed: needed, Difference: got - needed}
}

func number(p cel.Program, vars map[string]any) (float64, bool) {
	v, _, err := p.Eval(vars)
	if err != nil {
		return 0, false
	}
	x := math.NaN()
	switch v := v.(type) {
	case types.Double:
		x = float64(v)
	case types.Int:
		x = float64(v)
	case types.Uint:
		x = float64(v)
	}
	return x, !math.IsNaN(x) && math.Abs(x) <= math.MaxFloat64/2
}
