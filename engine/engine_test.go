package engine_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

func field(name string, kind engine.Kind, required bool) engine.Field {
	return engine.Field{Name: name, Kind: kind, Required: required}
}

func TestParseSignature_ReadsMLflowsForms(t *testing.T) {
	cases := []struct {
		name, in, out string
		want          engine.Signature
	}{
		{"columns", `[{"type":"long","name":"hr","required":true},` +
			`{"type":"double","name":"hum","required":false}]`,
			`[{"type":"double","name":"riders","required":true}]`,
			engine.Signature{
				Inputs:  []engine.Field{field("hr", "long", true), field("hum", "double", false)},
				Outputs: []engine.Field{field("riders", "double", true)}}},
		{"older optional",
			`[{"type":"string","name":"a","optional":true},{"type":"string","name":"b"}]`, "",
			engine.Signature{
				Inputs: []engine.Field{field("a", "string", false), field("b", "string", true)}}},
		{"unnamed tensors", `[{"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,2]}}]`,
			`[{"type":"tensor","tensor-spec":{"dtype":"int64","shape":[-1]}}]`,
			engine.Signature{
				Inputs:  []engine.Field{field("x0", "float", false), field("x1", "float", false)},
				Outputs: []engine.Field{field("prediction", "long", true)}, Tensor: "input"}},
		{"a named tensor",
			`[{"type":"tensor","name":"pixels","tensor-spec":{"dtype":"uint8","shape":[-1,2]}}]`,
			`[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,2]}}]`,
			engine.Signature{
				Inputs: []engine.Field{field("pixels_0", "integer", true), field("pixels_1", "integer", true)},
				Outputs: []engine.Field{
					field("prediction_0", "double", false), field("prediction_1", "double", false)},
				Tensor: "pixels"}},
		{"nothing", "", "null", engine.Signature{}},
	}
	for _, c := range cases {
		got, err := engine.ParseSignature(c.in, c.out)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", c.name, got, err)
		}
	}
}

func TestParseSignature_RefusesWhatCannotBeServed(t *testing.T) {
	cases := []struct {
		in   string
		code fairlead.Code
	}{
		{`{`, fairlead.Invalid},
		{`[{"type":"array","name":"a"}]`, fairlead.Unimplemented},
		{`[{"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,28,28]}}]`,
			fairlead.Unimplemented},
		{`[{"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1,-1]}}]`, fairlead.Unimplemented},
		{`[{"type":"tensor","tensor-spec":{"dtype":"complex64","shape":[-1]}}]`, fairlead.Unimplemented},
		{`[{"type":"tensor","name":"a"}]`, fairlead.Invalid},
		{`[{"type":"long","name":"a"},{"type":"long","name":"a"}]`, fairlead.Invalid},
	}
	for _, c := range cases {
		if _, err := engine.ParseSignature(c.in, ""); !fairlead.Is(err, c.code) {
			t.Errorf("%s: %v", c.in, err)
		}
	}
}

func FuzzParseSignature(f *testing.F) {
	f.Add(`[{"type":"long","name":"hr","required":true}]`)
	f.Add(`[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,3]}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		sig, err := engine.ParseSignature(text, "")
		if err != nil {
			return
		}
		for _, field := range sig.Inputs {
			if field.Name == "" || field.Kind == "" {
				t.Errorf("%q gives %+v", text, field)
			}
		}
	})
}

var bikes = engine.Signature{Inputs: []engine.Field{
	field("hr", engine.Long, true), field("holiday", engine.Boolean, true),
	field("temp", engine.Double, true), field("hum", engine.Double, false),
	field("day", engine.Integer, false), field("at", engine.Datetime, false),
	field("carrier", engine.String, false)}}

// valid is a batch of two rows that fits bikes, with its optional columns left out.
func valid() []engine.Column {
	return []engine.Column{
		engine.Floats64("temp", 0.5, 0.25), engine.Ints64("hr", 3, 4), engine.Floats64("holiday", 0, 1)}
}

func with(columns []engine.Column, more engine.Column) *engine.Frame {
	return engine.NewFrame(append(columns, more)...)
}

func TestValidate_NamesWhatBreaksTheSignature(t *testing.T) {
	nan := math.NaN()
	cases := []struct {
		name  string
		frame *engine.Frame
		want  string
	}{
		{"absent", engine.NewFrame(valid()[:2]...), `required input "holiday" (boolean) is missing`},
		{"misspelt", with(valid()[:2], engine.Floats64("holliday", 0, 0)), `"holliday"`},
		{"null", engine.NewFrame(engine.Floats64("temp", 1, nan), valid()[1], valid()[2]),
			`"temp" is null in row 1`},
		{"fraction", engine.NewFrame(valid()[0], engine.Floats64("hr", 3, 3.5), valid()[2]),
			`"hr" must be long, and row 1 has 3.5`},
		{"text", engine.NewFrame(engine.Strings("temp", "a", "b"), valid()[1], valid()[2]),
			`"temp" must be double, not string`},
		{"number for text", with(valid(), engine.Floats64("carrier", 1, 2)),
			`"carrier" must be string, not double`},
		{"two for a boolean", with(valid()[:2], engine.Floats64("holiday", 0, 2)), `row 1 has 2`},
		{"a boolean for a number", engine.NewFrame(valid()[1], valid()[2],
			engine.Column{Name: "temp", Kind: engine.Boolean, Floats: []float64{0, 1}}), `not boolean`},
		{"beyond 32 bits", with(valid(), engine.Floats64("day", 1, 1<<31)), `must be integer`},
		{"no time", with(valid(), engine.Strings("at", "2011-03-01", "noon")), `row 1 has noon`},
		{"empty", engine.NewFrame(), "no rows"},
		{"ragged", with(valid(), engine.Floats64("hum", 1)), `"hum" has 1 rows`},
		{"twice", with(valid(), engine.Floats64("temp", 1, 1)), "given twice"},
		{"unknown kind", engine.NewFrame(engine.Column{Name: "x", Kind: "blob", Strings: []string{"a"}}),
			`unknown type`},
	}
	for _, c := range cases {
		err := bikes.Validate(c.frame)
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestArrange_OrdersDropsAndFills(t *testing.T) {
	in := engine.NewFrame(append(valid(), engine.Floats64("registered", 9, 9))...)
	out, err := bikes.Arrange(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Columns) != len(bikes.Inputs) {
		t.Fatalf("%d columns", len(out.Columns))
	}
	for i, f := range bikes.Inputs {
		c := out.Columns[i]
		if c.Name != f.Name || c.Kind != f.Kind || c.Len() != 2 {
			t.Errorf("column %d is %+v", i, c)
		}
		if given := i < 3; c.Missing(0) == given {
			t.Errorf("%s: missing is %v", c.Name, c.Missing(0))
		}
	}
	if got := bikes.Extra(in); !reflect.DeepEqual(got, []string{"registered"}) {
		t.Errorf("extra %v", got)
	}
}

func TestColumn_KeepsLargeIntegers(t *testing.T) {
	big := int64(1)<<53 + 1
	c := engine.Ints64("id", big)
	if c.Value(0) != big || c.Missing(0) {
		t.Errorf("got %v", c.Value(0))
	}
}

func manifest() *engine.Manifest {
	return &engine.Manifest{
		Version: engine.ManifestVersion, Engine: engine.EngineONNX, Model: "model.onnx",
		Signature: bikes, Lock: "requirements.lock", Python: "3.11.7", Converter: "skl2onnx 1.20.0",
		Parity: &engine.Parity{Rows: 3, Tolerance: 1e-5, MaxRelative: engine.Number(math.Inf(1)),
			Worst: &engine.ParityRow{Index: 1, Inputs: map[string]any{"hr": 3.0, "hum": nil},
				Python: engine.Number(math.NaN()), ONNX: 2.5}}}
}

func TestManifest_ComesBackAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.onnx"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	want := manifest()
	if err := want.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := engine.ReadManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	python, relative := float64(got.Parity.Worst.Python), float64(got.Parity.MaxRelative)
	if !math.IsNaN(python) || !math.IsInf(relative, 1) {
		t.Errorf("parity %+v", got.Parity)
	}
	got.Parity.Worst.Python, want.Parity.Worst.Python = 0, 0
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func TestReadManifest_RefusesWhatIsNoPackage(t *testing.T) {
	dir := t.TempDir()
	if _, err := engine.ReadManifest(dir); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("an empty directory: %v", err)
	}
	changes := map[string]func(*engine.Manifest){
		"version 2":      func(m *engine.Manifest) { m.Version = 2 },
		"unknown engine": func(m *engine.Manifest) { m.Engine = "tensorflow" },
		"outside":        func(m *engine.Manifest) { m.Model = "../model.onnx" },
		"absolute lock":  func(m *engine.Manifest) { m.Lock = "/etc/passwd" },
		"no model":       func(m *engine.Manifest) { m.Model = "" },
		"absent model":   func(m *engine.Manifest) { m.Model = "other.onnx" },
		"the same name": func(m *engine.Manifest) {
			m.Signature.Outputs = append(bikes.Inputs[:1:1], bikes.Inputs[0])
		},
	}
	for name, change := range changes {
		m := manifest()
		change(m)
		if err := m.Write(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := engine.ReadManifest(dir); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	b, err := json.Marshal(manifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1,"engine":"onnx","model":"a","parity":{"max_relative":"-Infinity"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := engine.ParseManifest(b)
		if err == nil && !filepath.IsLocal(m.Model) {
			t.Errorf("%s names %s", b, m.Model)
		}
	})
}
