package e2e_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	limitRow = regexp.MustCompile("(?m)^\\| (.+?) \\| ([0-9][^|]*?) \\| (?:`([^`]+)`)? ?\\|$")
	limitOf  = regexp.MustCompile(`^([0-9,]+)(?: (KiB|MiB|GiB|s|min|h|days|bytes|characters))?$`)
)

var limitUnits = map[string]int64{"": 1, "bytes": 1, "characters": 1, "KiB": 1 << 10, "MiB": 1 << 20,
	"GiB": 1 << 30, "s": int64(time.Second), "min": int64(time.Minute), "h": int64(time.Hour),
	"days": int64(24 * time.Hour)}

// Every number of docs/limits.md is that of the constant beside it.
func TestHouse_LimitsAreThoseOfTheSource(t *testing.T) {
	rows := limitRow.FindAllStringSubmatch(readTree(t, "docs/limits.md"), -1)
	if len(rows) < 60 {
		t.Fatalf("only %d limits were found; is the extraction right?", len(rows))
	}
	packages, unheld := map[string]constants{}, 0
	for _, row := range rows {
		what, says, source := row[1], row[2], row[3]
		m := limitOf.FindStringSubmatch(says)
		if m == nil {
			t.Errorf("%s: the limit %q is not a number with a unit", what, says)
			continue
		}
		n, err := strconv.ParseInt(strings.ReplaceAll(m[1], ",", ""), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if source == "" {
			unheld++
			continue
		}
		dot := strings.LastIndex(source, ".")
		dir, name := source[:dot], source[dot+1:]
		if packages[dir] == nil {
			packages[dir] = constantsOf(t, dir)
		}
		got, ok := packages[dir].value(&ast.Ident{Name: name})
		if !ok {
			t.Errorf("%s: there is no constant %s", what, source)
			continue
		}
		if v, exact := constant.Int64Val(constant.ToInt(got)); !exact || v != n*limitUnits[m[2]] {
			t.Errorf("%s: the page says %s, and %s is %s", what, says, source, got)
		}
	}
	if unheld > 2 { // that of an option, and of a field's default
		t.Errorf("%d limits name no constant", unheld)
	}
}

// constants are a package's, by name.
type constants map[string]ast.Expr

func constantsOf(t *testing.T, dir string) constants {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the package %s: %d files, %v", dir, len(files), err)
	}
	out := constants{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, spec := range g.Specs {
				for i, v := range spec.(*ast.ValueSpec).Values {
					out[spec.(*ast.ValueSpec).Names[i].Name] = v
				}
			}
		}
	}
	return out
}

// durations are the units that constants are written in.
var durations = map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second,
	"Minute": time.Minute, "Hour": time.Hour}

// value computes a constant expression; false for what it does not know.
func (c constants) value(e ast.Expr) (v constant.Value, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		v = constant.MakeFromLiteral(e.Value, e.Kind, 0)
		return v, v.Kind() != constant.Unknown
	case *ast.ParenExpr:
		return c.value(e.X)
	case *ast.Ident:
		if c[e.Name] == nil {
			return nil, false
		}
		return c.value(c[e.Name])
	case *ast.SelectorExpr:
		d, ok := durations[e.Sel.Name]
		return constant.MakeInt64(int64(d)), ok
	case *ast.BinaryExpr:
		x, okX := c.value(e.X)
		y, okY := c.value(e.Y)
		if !okX || !okY {
			return nil, false
		}
		if e.Op == token.SHL {
			n, exact := constant.Uint64Val(y)
			return constant.Shift(x, e.Op, uint(n)), exact
		}
		return constant.BinaryOp(x, e.Op, y), true
	}
	return nil, false
}
