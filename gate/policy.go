package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/ext"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
)

// Bounds of one check. A comparison costs about 5; the limit allows a few
// thousand facts to be walked and ends what would not end.
const (
	maxCost  = 100_000
	maxChars = 4000
	maxDepth = 60
)

// Policy is the compiled gates of a fairlead.yaml. It does not change and is safe
// for concurrent use.
type Policy struct {
	gates  []spec.Gate
	checks []check
	text   string
}

type check struct {
	program cel.Program
	reads   []read
	terms   []term
}

// policyFormat grows when the language of checks changes its meaning. Format 1 had
// the facts about versions among their metrics.
const policyFormat = 2

// policyText is the stored form of a policy.
type policyText struct {
	Format int         `json:"format"`
	Gates  []spec.Gate `json:"gates"`
}

// CompileError is one thing that is wrong in a check.
type CompileError struct {
	Gate    string `json:"gate"`
	Line    int    `json:"line"`   // within the check, from 1
	Column  int    `json:"column"` // in characters, from 1
	Message string `json:"message"`
}

func (e CompileError) Error() string {
	return fmt.Sprintf("gate %s, line %d, column %d of its check: %s",
		e.Gate, e.Line, e.Column, e.Message)
}

// Compile reads the gates. What is wrong with any of them is one Invalid error,
// whose detail "problems" holds a []CompileError.
func Compile(gates []spec.Gate) (*Policy, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	p := &Policy{gates: gates}
	var problems []CompileError
	for _, g := range gates {
		c, found := compile(env, g)
		p.checks = append(p.checks, c)
		problems = append(problems, found...)
	}
	if len(problems) > 0 {
		return nil, compileFailure(problems)
	}
	text, err := json.Marshal(policyText{policyFormat, gates})
	p.text = string(text)
	return p, err
}

// Parse is spec.Parse for a file that is to be applied: its checks are compiled too,
// and what is wrong in them is shown as the rest, where it stands in the file.
func Parse(file string, src []byte) (*spec.Spec, error) {
	s, err := spec.Parse(file, src)
	if err != nil {
		return nil, err
	}
	_, err = Compile(s.Gates)
	var e *fairlead.Error
	if !errors.As(err, &e) {
		return s, err
	}
	var problems []spec.Problem
	found, _ := e.Detail["problems"].([]CompileError)
	for _, c := range found {
		problems = append(problems, spec.Problem{Line: c.Line, Column: c.Column,
			Path: "gates." + c.Gate + ".check", Message: c.Message})
	}
	return nil, spec.Locate(file, src, problems)
}

func compileFailure(problems []CompileError) error {
	var all []error
	for _, e := range problems {
		all = append(all, e)
	}
	return fairlead.Errorf(fairlead.Invalid, "%s", errors.Join(all...)).With("problems", problems)
}

// ReadPolicy compiles the text that a decision has stored.
func ReadPolicy(text string) (*Policy, error) {
	var in policyText
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "read policy: %w", err)
	}
	if in.Format != policyFormat {
		return nil, fairlead.Errorf(fairlead.Unimplemented,
			"the policy has format %d, this program reads %d; use the fairlead that wrote it",
			in.Format, policyFormat)
	}
	return Compile(in.Gates)
}

// Text returns the policy as decisions store it.
func (p *Policy) Text() string { return p.text }

// Digest returns the SHA-256 of Text, in hex.
func (p *Policy) Digest() string { return digest([]byte(p.text)) }

// measures reports whether a check reads what evaluate prints for candidate or live.
func (p *Policy) measures(root string) bool {
	for _, c := range p.checks {
		for _, r := range c.reads {
			if r.path[0] == root {
				return true
			}
		}
	}
	return false
}

// environment declares the roots of the facts and the language of checks: CEL
// with its math, strings, lists and sets extensions.
func environment() (*cel.Env, error) {
	opts := []cel.EnvOption{
		cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.EnableMacroCallTracking(),
		cel.ParserExpressionSizeLimit(maxChars), cel.ParserRecursionLimit(maxDepth),
		ext.Math(), ext.Strings(), ext.Lists(), ext.Sets(),
	}
	for _, root := range roots() {
		kind := cel.MapType(cel.StringType, cel.DynType)
		if root == "now" {
			kind = cel.TimestampType
		}
		opts = append(opts, cel.Variable(root, kind))
	}
	return cel.NewEnv(opts...)
}

func compile(env *cel.Env, g spec.Gate) (check, []CompileError) {
	tree, issues := env.Compile(g.Check)
	if issues.Err() != nil {
		return check{}, explainIssues(g, issues.Errors())
	}
	if out := tree.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return check{}, []CompileError{{g.Name, 1, 1, fmt.Sprintf(
			"a check is true or false, this one is a %s; compare it with something", out)}}
	}
	c := check{reads: reads(tree.NativeRep().Expr())}
	if found := undocumented(g, tree, c.reads); len(found) > 0 {
		return check{}, found
	}
	program, err := env.Program(tree, cel.CostLimit(maxCost))
	if err == nil {
		c.program = program
		c.terms, err = terms(env, tree)
	}
	if err != nil {
		return check{}, []CompileError{{g.Name, 1, 1, err.Error()}}
	}
	return c, nil
}

func explainIssues(g spec.Gate, issues []*common.Error) []CompileError {
	var out []CompileError
	for _, i := range issues {
		out = append(out, CompileError{g.Name, i.Location.Line(), i.Location.Column() + 1,
			reword(i.Message)})
	}
	return out
}

// reword says in our terms what CEL says in its own.
func reword(message string) string {
	if name, ok := strings.CutPrefix(message, "undeclared reference to '"); ok {
		name, _, _ = strings.Cut(name, "'")
		return fmt.Sprintf("there is no %q; facts begin with %s", name, strings.Join(roots(), ", "))
	}
	message = strings.TrimPrefix(message, "Syntax error: ")
	if input, _, ok := strings.Cut(message, " expecting {"); ok { // all that might follow
		input = strings.TrimPrefix(input, "mismatched input ")
		if input == "'<EOF>'" {
			return "the check ends here, and something is missing"
		}
		return input + " is not expected here"
	}
	return message
}

// undocumented finds names in a closed group of facts that the table lacks.
func undocumented(g spec.Gate, tree *cel.Ast, all []read) []CompileError {
	var out []CompileError
	for _, r := range all {
		if len(r.path) == 1 || documented(r.name()) {
			continue
		}
		at := position(tree.NativeRep(), r.id)
		out = append(out, CompileError{g.Name, at.Line(), at.Column() + 1,
			fmt.Sprintf("there is no fact %q; %s has %s", r.name(), r.path[0], members(r.path[0]))})
	}
	return out
}

func position(tree *ast.AST, id int64) common.Location {
	return tree.SourceInfo().GetStartLocation(id)
}

func members(root string) string {
	var out []string
	for _, d := range table {
		if rest, ok := strings.CutPrefix(d.Name, root+"."); ok {
			out = append(out, rest)
		}
	}
	return strings.Join(out, ", ")
}
