package spec

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var update = flag.Bool("update", false, "write the schema and the reference page anew")

const pageFile = "../docs/fairlead-yaml.md"

// TestReference_IsCurrent keeps the schema and the tables of the reference page
// equal to what the types and their comments say; -update writes them.
func TestReference_IsCurrent(t *testing.T) {
	page, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	comments := readComments(t)
	current := generateSchema(t, comments)
	for name, want := range map[string][]byte{
		"fairlead.schema.json":         current,
		"../docs/fairlead.schema.json": current,
		pageFile:                       fillTables(t, page, comments),
	} {
		if *update {
			if err := os.WriteFile(name, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if have, err := os.ReadFile(name); err != nil || !bytes.Equal(have, want) {
			t.Errorf("%s is not current: run go generate ./spec", name)
		}
	}
}

// TestReference_EveryFieldIsExplained demands a comment on each type and field.
func TestReference_EveryFieldIsExplained(t *testing.T) {
	comments := readComments(t)
	eachType(specType, func(typ reflect.Type) {
		if comments[typ.Name()] == "" {
			t.Errorf("%s has no comment", typ.Name())
		}
		for _, f := range reflect.VisibleFields(typ) {
			if fileKey(f) != "" && comments.of(typ, f) == "" {
				t.Errorf("%s.%s has no comment", typ.Name(), f.Name)
			}
		}
	})
}

// TestDuration_EveryFieldSaysItsClock demands the tag `clock` on each Duration.
func TestDuration_EveryFieldSaysItsClock(t *testing.T) {
	durations := 0
	eachType(specType, func(typ reflect.Type) {
		for _, f := range reflect.VisibleFields(typ) {
			clock := f.Tag.Get("clock")
			isDuration := f.Type == reflect.TypeFor[Duration]()
			if isDuration != (clock == "stream" || clock == "wall") {
				t.Errorf("%s.%s: clock %q", typ.Name(), f.Name, clock)
			}
			if isDuration {
				durations++
			}
		}
	})
	if durations < 8 {
		t.Errorf("only %d durations were looked at", durations)
	}
}

// TestTags_AreKnown demands that tags name forms, and that defaults can be set.
func TestTags_AreKnown(t *testing.T) {
	eachType(specType, func(typ reflect.Type) {
		for _, f := range reflect.VisibleFields(typ) {
			for _, tag := range []string{"form", "keys"} {
				if name := f.Tag.Get(tag); name != "" && forms[name].re == nil {
					t.Errorf("%s.%s: no form %q", typ.Name(), f.Name, name)
				}
			}
			if values := enumValues(f.Tag.Get("enum")); values != nil {
				if value, ok := f.Tag.Lookup("default"); ok && !contains(values, value) {
					t.Errorf("%s.%s: default %q is not a value", typ.Name(), f.Name, value)
				}
			}
		}
		setDefaults(reflect.New(typ).Elem(), "")
	})
}

func contains(list []string, text string) bool {
	return strings.Contains("|"+strings.Join(list, "|")+"|", "|"+text+"|")
}

// eachType calls visit for a struct type and for those that it is made of, once
// each, in the order of the fields.
func eachType(root reflect.Type, visit func(reflect.Type)) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			walk(typ.Elem())
			return
		}
		if typ.Kind() != reflect.Struct || seen[typ] || reflect.PointerTo(typ).Implements(textType) {
			return
		}
		seen[typ] = true
		if typ != reflect.TypeFor[NamedData]() {
			visit(typ)
		}
		for i := range typ.NumField() {
			walk(typ.Field(i).Type)
		}
	}
	walk(root)
}

// comments holds the text of comments by "Type" and "Type.Field".
type comments map[string]string

// readComments reads the comments of the package's types from its source.
func readComments(t *testing.T) comments {
	t.Helper()
	out := comments{}
	files, _ := filepath.Glob("*.go")
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				out.read(g)
			}
		}
	}
	return out
}

func (c comments) read(g *ast.GenDecl) {
	for _, s := range g.Specs {
		typ := s.(*ast.TypeSpec)
		c[typ.Name.Name] = oneLine(g.Doc.Text())
		fields, ok := typ.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range fields.Fields.List {
			for _, name := range f.Names {
				c[typ.Name.Name+"."+name.Name] = oneLine(f.Doc.Text())
			}
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// of returns the comment of a field; a promoted one has it at its own type.
func (c comments) of(typ reflect.Type, f reflect.StructField) string {
	for len(f.Index) > 1 {
		typ = typ.Field(f.Index[0]).Type
		f = typ.FieldByIndex(f.Index[1:])
	}
	return c[typ.Name()+"."+f.Name]
}

// meaning returns a field's comment as a sentence about the key: without the Go
// name in front, and with the clock of a duration.
func (c comments) meaning(typ reflect.Type, f reflect.StructField) string {
	text := c.of(typ, f)
	text = strings.TrimPrefix(text, f.Name+" ")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "is "), "are ")
	if clock := f.Tag.Get("clock"); clock != "" {
		text = strings.TrimSuffix(text, ".") + ". Measured in " + clock + " time."
	}
	return upper(text)
}

// about returns a type's comment with the names of fields within its sentences
// as their keys.
func (c comments) about(typ reflect.Type) string {
	text, first := c[typ.Name()], true
	return goWord.ReplaceAllStringFunc(text, func(word string) string {
		opens := first || strings.HasPrefix(word, ". ")
		first = false
		f, ok := typ.FieldByName(word)
		if opens || !ok || fileKey(f) == "" {
			return word
		}
		return "`" + fileKey(f) + "`"
	})
}

var goWord = regexp.MustCompile(`(\. )?\b[A-Z][A-Za-z]*\b`)

func upper(text string) string {
	if text == "" {
		return ""
	}
	r := []rune(text)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

var tableMark = regexp.MustCompile(`(?s)<!-- table (\w+) -->\n.*?<!-- end -->`)

// fillTables writes the tables between the marks of the reference page, and
// demands one for each type.
func fillTables(t *testing.T, page []byte, c comments) []byte {
	t.Helper()
	types := map[string]reflect.Type{}
	eachType(specType, func(typ reflect.Type) {
		if len(keysOf(typ)) > 0 {
			types[typ.Name()] = typ
		}
	})
	filled := tableMark.ReplaceAllStringFunc(string(page), func(mark string) string {
		name := tableMark.FindStringSubmatch(mark)[1]
		typ, ok := types[name]
		if !ok {
			t.Errorf("%s has a table %s, of which there is no type", pageFile, name)
			return mark
		}
		delete(types, name)
		return fmt.Sprintf("<!-- table %s -->\n%s<!-- end -->", name, table(typ, c))
	})
	for name := range types {
		t.Errorf("%s has no table for %s: add <!-- table %s --> and <!-- end -->", pageFile, name, name)
	}
	return []byte(filled)
}

func table(typ reflect.Type, c comments) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n", c.about(typ))
	fields := fieldsOf(typ)
	for _, key := range keysOf(typ) {
		f := fields[key]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", key, valueWord(f), defaultWord(f), c.meaning(typ, f))
	}
	return b.String() + "\n"
}

func defaultWord(f reflect.StructField) string {
	switch value, ok := f.Tag.Lookup("default"); {
	case f.Tag.Get("required") != "":
		return "**required**"
	case ok:
		return "`" + value + "`"
	}
	return ""
}

// valueWord says what may stand as a field's value.
func valueWord(f reflect.StructField) string {
	if values := enumValues(f.Tag.Get("enum")); values != nil {
		list := "`" + strings.Join(values, "`, `") + "`"
		if f.Type.Kind() == reflect.Slice {
			return "list of " + list
		}
		return list
	}
	if keys := f.Tag.Get("keys"); keys != "" {
		return keyedWord(f.Type.Elem(), keys)
	}
	if f.Type.Kind() == reflect.Slice {
		element := f
		element.Type = f.Type.Elem()
		return "list of " + strings.TrimSuffix(valueWord(element), "s") + "s"
	}
	return plainWord(f)
}

func keyedWord(element reflect.Type, keys string) string {
	word := map[string]string{"name": "name", "text": "column", "param": "name",
		"search": "`step.param`", "variable": "variable"}[keys]
	switch {
	case element == reflect.TypeFor[Param]():
		return word + ": list of values, …"
	case element.Kind() == reflect.Struct:
		return fmt.Sprintf("%s: %s, …", word, link(element))
	case element.Kind() == reflect.String:
		return word + ": text, …"
	}
	return word + ": any value, …"
}

func plainWord(f reflect.StructField) string {
	typ := f.Type
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case typ == reflect.TypeFor[Duration]():
		return "duration, " + f.Tag.Get("clock") + " time"
	case typ == reflect.TypeFor[Amount]():
		return "number or percentage"
	case typ == reflect.TypeFor[Red]():
		return "`N of M`"
	case typ == reflect.TypeFor[Date]():
		return "date"
	case f.Tag.Get("unit") != "":
		return "percentage"
	case typ.Kind() == reflect.Struct:
		return link(typ)
	case f.Tag.Get("number") != "":
		return "text"
	}
	return map[reflect.Kind]string{reflect.String: "text", reflect.Bool: "`true`, `false`",
		reflect.Int: "whole number", reflect.Int64: "whole number", reflect.Float64: "number",
		reflect.Interface: "value"}[typ.Kind()] + boundsWord(f.Tag)
}

func boundsWord(tag reflect.StructTag) string {
	var b strings.Builder
	for _, bound := range []struct{ tag, sign string }{{"min", "≥"}, {"above", ">"}, {"max", "≤"}} {
		if value := tag.Get(bound.tag); value != "" {
			b.WriteString(", " + bound.sign + " " + value)
		}
	}
	return b.String()
}

func link(typ reflect.Type) string {
	name := strings.TrimPrefix(typ.Name(), "Named")
	return fmt.Sprintf("[%s](#%s)", strings.ToLower(name), strings.ToLower(name))
}

// marshal writes JSON as the repository keeps it.
func marshal(t *testing.T, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestParse_ShowsProblemsAsRecorded keeps the whole message; -update records it.
func TestParse_ShowsProblemsAsRecorded(t *testing.T) {
	src, err := os.ReadFile("testdata/wrong.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse(FileName, src)
	if err == nil {
		t.Fatal("the wrong file was read")
	}
	const name = "testdata/wrong.txt"
	if *update {
		if err := os.WriteFile(name, []byte(err.Error()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, _ := os.ReadFile(name); string(want) != err.Error()+"\n" {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
}
