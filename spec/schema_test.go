package spec

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaID = "https://raw.githubusercontent.com/" +
	"fairlead-ml/fairlead/main/docs/fairlead.schema.json"

// generateSchema returns the JSON Schema that the types and their tags describe.
func generateSchema(t *testing.T, c comments) []byte {
	t.Helper()
	g := &schemaGenerator{comments: c}
	g.Reflector = jsonschema.Reflector{
		DoNotReference: true, Anonymous: true, RequiredFromJSONSchemaTags: true, Mapper: g.mapped,
	}
	s := g.reflect(specType)
	s.Version, s.ID = jsonschema.Version, schemaID
	s.Title, s.Description = FileName, c.about(specType)
	return marshal(t, s)
}

// schemaGenerator adds to what the reflector knows about Go types what the tags
// of this package say.
type schemaGenerator struct {
	jsonschema.Reflector
	comments comments
}

func (g *schemaGenerator) reflect(typ reflect.Type) *jsonschema.Schema {
	s := g.ReflectFromType(typ)
	s.Version = ""
	g.extend(typ, s)
	return s
}

// mapped returns the schemas of types that the file writes in its own way.
func (g *schemaGenerator) mapped(typ reflect.Type) *jsonschema.Schema {
	switch typ {
	case reflect.TypeFor[Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: durationPattern,
			Examples: []any{"30s", "6h", "7d"}}
	case reflect.TypeFor[Amount]():
		return oneOf(&jsonschema.Schema{Type: "number", Minimum: "0"},
			&jsonschema.Schema{Type: "string", Pattern: percentPattern})
	case reflect.TypeFor[Red]():
		return &jsonschema.Schema{Type: "string", Pattern: redPattern, Examples: []any{"2 of 3"}}
	case reflect.TypeFor[Date]():
		return &jsonschema.Schema{Type: "string", Format: "date"}
	case reflect.TypeFor[[]Param]():
		values := &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{}}
		return &jsonschema.Schema{Type: "object", AdditionalProperties: values}
	case specType:
		return nil
	}
	isKeyed := func(t reflect.Type) bool {
		return reflect.PointerTo(t).Implements(reflect.TypeFor[keyed]())
	}
	if typ.Kind() == reflect.Slice && isKeyed(typ.Elem()) {
		return &jsonschema.Schema{Type: "object", AdditionalProperties: g.reflect(typ.Elem())}
	}
	if typ == reflect.TypeFor[map[string]Approval]() {
		return &jsonschema.Schema{Type: "object", AdditionalProperties: g.reflect(typ.Elem())}
	}
	return nil
}

func oneOf(schemas ...*jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{OneOf: schemas}
}

// extend adds the tags of a struct's fields to its schema, and to those below.
func (g *schemaGenerator) extend(typ reflect.Type, s *jsonschema.Schema) {
	s.Description = g.comments.about(typ)
	for _, f := range reflect.VisibleFields(typ) {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Tag.Get("file") != "" {
			s.Properties.Delete(key)
		}
		if fileKey(f) == "" {
			continue
		}
		property, _ := s.Properties.Get(key)
		below := f.Type
		if below.Kind() == reflect.Pointer {
			below = below.Elem()
		}
		if below.Kind() == reflect.Struct && property.Properties != nil {
			g.extend(below, property)
		}
		applyTags(f, property)
		property.Description = g.comments.meaning(typ, f)
		if f.Tag.Get("required") != "" {
			s.Required = append(s.Required, key)
		}
	}
	if fields := fieldsOf(typ); fields["at_least"].Name != "" && fields["at_most"].Name != "" {
		s.OneOf = []*jsonschema.Schema{{Required: []string{"at_least"}}, {Required: []string{"at_most"}}}
	}
}

func applyTags(f reflect.StructField, s *jsonschema.Schema) {
	if keys := f.Tag.Get("keys"); keys != "" {
		s.PropertyNames = &jsonschema.Schema{Pattern: forms[keys].pattern}
	}
	if text, ok := f.Tag.Lookup("default"); ok {
		s.Default = text
		if kind := f.Type.Kind(); kind != reflect.String && kind != reflect.Struct {
			s.Default = json.RawMessage(text)
		}
	}
	value := s
	if f.Type.Kind() == reflect.Slice && s.Items != nil {
		value = s.Items
	}
	for _, v := range enumValues(f.Tag.Get("enum")) {
		value.Enum = append(value.Enum, v)
	}
	if name := f.Tag.Get("form"); name != "" {
		value.Pattern = forms[name].pattern
	}
	if f.Tag.Get("unit") != "" {
		value.Type, value.Pattern = "string", percentPattern
	} else {
		value.Minimum = json.Number(f.Tag.Get("min"))
		value.Maximum = json.Number(f.Tag.Get("max"))
		value.ExclusiveMinimum = json.Number(f.Tag.Get("above"))
	}
	if f.Tag.Get("number") == "text" {
		allowNumbers(f, s)
	}
}

// allowNumbers lets a number stand for its text.
func allowNumbers(f reflect.StructField, s *jsonschema.Schema) {
	text := &jsonschema.Schema{Type: "string", Pattern: s.Pattern}
	either := []*jsonschema.Schema{text, {Type: "number", Minimum: s.Minimum, Maximum: s.Maximum}}
	if f.Type.Kind() == reflect.Map {
		text.Pattern = ""
		s.AdditionalProperties = oneOf(append(either, &jsonschema.Schema{Type: "boolean"})...)
		return
	}
	s.Type, s.Pattern, s.OneOf = "", "", either
	s.Minimum, s.Maximum = "", ""
}

// compileSchema returns the checked-in schema, checked itself against its draft.
func compileSchema(t *testing.T) *validator.Schema {
	t.Helper()
	document, err := validator.UnmarshalJSON(strings.NewReader(string(Schema())))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(schemaID, document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(schemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON returns a YAML text as the values that the schema is checked against.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	b, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	v, err := validator.UnmarshalJSON(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchema_AcceptsExamples(t *testing.T) {
	s := compileSchema(t)
	files := []string{"testdata/bikes.yaml", "testdata/flights.yaml", "testdata/everything.yaml"}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asJSON(t, string(src))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := Parse(name, src); err != nil {
			t.Error(err)
		}
	}
}

// TestSchema_AgreesWithParse changes one line of an example at a time into
// something wrong that a schema can know; both must refuse it.
func TestSchema_AgreesWithParse(t *testing.T) {
	s := compileSchema(t)
	src, err := os.ReadFile("testdata/everything.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new string }{
		{"project: everything", "project: Every Thing"},
		{"project: everything", "owners: x"},
		{"risk: high", "risk: huge"},
		{"at_least: 0.8", "at_leest: 0.8"},
		{"at_least: 0.8", "at_least: 0.8\n  at_most: 1"},
		{"last: 60d", "last: 60"},
		{"type: number", "type: float"},
		{"version: 3.11", "version: 2.7"},
		{"retries: 2", "retries: -2"},
		{"cache: false", "cache: perhaps"},
		{"tries: 12", "tries: 1.5"},
		{"[5%, 25%, 100%]", "[5, 25, 100]"},
		{"worse_by: 10%", "worse_by: much"},
		{"red: 3 of 5", "red: often"},
		{"until: 2027-06-30", "until: soon"},
		{"roles: [business-owner", "roles: [boss"},
	} {
		t.Run(c.new, func(t *testing.T) {
			text := strings.Replace(string(src), c.old, c.new, 1)
			if text == string(src) {
				t.Fatalf("%q is not in the example", c.old)
			}
			if err := s.Validate(asJSON(t, text)); err == nil {
				t.Error("the schema accepts it")
			}
			if _, err := Parse(FileName, []byte(text)); err == nil {
				t.Error("Parse accepts it")
			}
		})
	}
}

var snippetMark = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestPage_SnippetsAreValid reads each snippet of the reference page, alone if
// it is a whole file, else in place of the same parts of an example.
func TestPage_SnippetsAreValid(t *testing.T) {
	s := compileSchema(t)
	page, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.ReadFile("testdata/bikes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	snippets := snippetMark.FindAllStringSubmatch(string(page), -1)
	if len(snippets) < 5 {
		t.Fatalf("only %d snippets were found", len(snippets))
	}
	for i, m := range snippets {
		text := m[1]
		if !strings.Contains("\n"+text, "\nproject:") {
			text = replaceParts(string(base), text)
		}
		if _, err := Parse(fmt.Sprintf("snippet %d", i+1), []byte(text)); err != nil {
			t.Error(err)
		} else if err := s.Validate(asJSON(t, text)); err != nil {
			t.Errorf("snippet %d: %v", i+1, err)
		}
	}
}

var partStart = regexp.MustCompile(`(?m)^[a-z]`)

// parts splits a file at its top-level keys.
func parts(text string) (keys []string, bodies map[string]string) {
	bodies = map[string]string{}
	starts := partStart.FindAllStringIndex(text, -1)
	for i, at := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		body := text[at[0]:end]
		key, _, _ := strings.Cut(body, ":")
		keys = append(keys, key)
		bodies[key] = body
	}
	return keys, bodies
}

func replaceParts(base, snippet string) string {
	keys, bodies := parts(base)
	more, replaced := parts(snippet)
	for _, key := range more {
		if _, ok := bodies[key]; !ok {
			keys = append(keys, key)
		}
		bodies[key] = replaced[key]
	}
	var b strings.Builder
	for _, key := range keys {
		b.WriteString(bodies[key])
	}
	return b.String()
}
