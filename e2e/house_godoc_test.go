package e2e_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// interfaceMethods need no comment of their own: they do what the interface of the
// standard library says.
var interfaceMethods = []string{"Error", "Unwrap", "Is", "As", "String", "Close", "Read", "Write",
	"Len", "Less", "Swap", "Scan", "Value", "MarshalJSON", "UnmarshalJSON", "MarshalText",
	"UnmarshalText", "MarshalYAML", "UnmarshalYAML", "ServeHTTP", "Type", "Format"}

func TestHouse_PublicNamesAreDocumented(t *testing.T) {
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	rootDir := abs + string(filepath.Separator)
	for _, p := range packages(t) {
		if p.Name == "main" {
			continue
		}
		d, fset := parsePackage(t, p)
		if !strings.HasPrefix(d.Doc, "Package "+p.Name+" ") {
			t.Errorf("%s has no package comment that begins with \"Package %s\"", p.ImportPath, p.Name)
		}
		c := &commentCheck{t: t, root: rootDir, fset: fset}
		c.values(d.Consts)
		c.values(d.Vars)
		c.funcs(d.Funcs)
		for _, typ := range d.Types {
			c.typ(typ)
		}
	}
}

func parsePackage(t *testing.T, p goPackage) (*doc.Package, *token.FileSet) {
	t.Helper()
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	d, err := doc.NewFromFiles(fset, files, p.ImportPath)
	if err != nil {
		t.Fatal(err)
	}
	return d, fset
}

// commentCheck reports exported names without a comment that begins with the name.
type commentCheck struct {
	t    *testing.T
	root string // cut off file names
	fset *token.FileSet
}

func (c *commentCheck) missing(pos token.Pos, name string) {
	where := c.fset.Position(pos)
	_, rel, _ := strings.Cut(where.Filename, c.root)
	c.t.Errorf("%s:%d: %s has no comment that begins with its name", rel, where.Line, name)
}

// begins accepts an article before the name, as the Go project does.
func begins(comment, name string) bool {
	for _, article := range []string{"", "A ", "An ", "The "} {
		if rest, ok := strings.CutPrefix(comment, article+name); ok &&
			(rest == "" || strings.ContainsAny(rest[:1], " ,.:\n'")) {
			return true
		}
	}
	return false
}

func (c *commentCheck) funcs(funcs []*doc.Func) {
	for _, f := range funcs {
		if !begins(f.Doc, f.Name) {
			c.missing(f.Decl.Pos(), f.Name)
		}
	}
}

func (c *commentCheck) typ(typ *doc.Type) {
	if !begins(typ.Doc, typ.Name) {
		c.missing(typ.Decl.Pos(), typ.Name)
	}
	c.values(typ.Consts)
	c.values(typ.Vars)
	c.funcs(typ.Funcs)
	for _, m := range typ.Methods {
		if !slices.Contains(interfaceMethods, m.Name) && !begins(m.Doc, m.Name) {
			c.missing(m.Decl.Pos(), typ.Name+"."+m.Name)
		}
	}
}

// values checks constants and variables: one alone is documented by its name, those
// of a group by the group's comment, their own, or the comment on their line.
func (c *commentCheck) values(values []*doc.Value) {
	for _, v := range values {
		for _, s := range v.Decl.Specs {
			spec, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			for _, name := range spec.Names {
				grouped := v.Decl.Lparen.IsValid() && (v.Doc != "" || spec.Doc.Text()+spec.Comment.Text() != "")
				if name.IsExported() && !grouped && !begins(v.Doc, name.Name) {
					c.missing(name.Pos(), name.Name)
				}
			}
		}
	}
}
