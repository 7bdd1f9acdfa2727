package spec_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/spec"
)

func TestDuration_ReadsAndPrints(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		text    string
		want    time.Duration
		printed string
	}{
		{"30s", 30 * time.Second, "30s"}, {"15m", 15 * time.Minute, "15m"}, {"6h", 6 * time.Hour, "6h"},
		{"7d", 7 * day, "7d"}, {"60d", 60 * day, "60d"}, {"2w", 14 * day, "14d"}, {"24h", day, "1d"},
		{"500ms", 500 * time.Millisecond, "500ms"}, {"1h30m", 90 * time.Minute, "90m"},
		{"1d12h", 36 * time.Hour, "36h"}, {"0s", 0, "0s"}, {"5200w", 36400 * day, "36400d"},
	} {
		got, err := spec.ParseDuration(c.text)
		if err != nil || got.Duration != c.want {
			t.Errorf("%s: got %v, %v, want %v", c.text, got.Duration, err, c.want)
		}
		if got.String() != c.printed {
			t.Errorf("%s: printed as %s, want %s", c.text, got, c.printed)
		}
		if again, err := spec.ParseDuration(got.String()); err != nil || again != got {
			t.Errorf("%s: read back as %v, %v", c.text, again, err)
		}
	}
}

func TestDuration_RefusesOtherForms(t *testing.T) {
	for _, text := range []string{"", "7", "d", "-7d", "+7d", "1.5h", "7 d", "7days", "1y", "7D",
		"1e3s", "1h1h", "1m1h", "99999999999999999999s", "36501d", "300w36000d", "٣d"} {
		if got, err := spec.ParseDuration(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

func TestScalars_KeepTheirTextInJSON(t *testing.T) {
	type row struct {
		D spec.Duration
		A spec.Amount
		R spec.Red
		U spec.Date
	}
	for _, text := range []string{
		`{"D":"36h","A":"30%","R":"2 of 3","U":"2027-06-30"}`,
		`{"D":"0s","A":"0.03","R":"5 of 5","U":"2024-02-29"}`,
		`{"D":"14d","A":"12.5%","R":"1 of 1","U":"2027-12-31"}`,
	} {
		var r row
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			t.Fatal(err)
		}
		if b, err := json.Marshal(r); err != nil || string(b) != text {
			t.Errorf("got %s, %v, want %s", b, err, text)
		}
	}
}

func TestAmount_IsAbsoluteOrRelative(t *testing.T) {
	for _, c := range []struct {
		text            string
		reference, want float64
	}{{"0.03", 0.7, 0.03}, {"30%", 0.5, 0.15}, {"30%", -0.5, 0.15}, {"0", 3, 0}} {
		var a spec.Amount
		if err := a.UnmarshalText([]byte(c.text)); err != nil || a.Of(c.reference) != c.want {
			t.Errorf("%s of %v: got %v, %v, want %v", c.text, c.reference, a.Of(c.reference), err, c.want)
		}
	}
	for _, text := range []string{"", "-1", "-3%", "nan", "inf", "%", "1e400", "3 %"} {
		var a spec.Amount
		if err := a.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %s", text, a)
		}
	}
}

func TestDate_LastsUntilItsEnd(t *testing.T) {
	var d spec.Date
	if err := d.UnmarshalText([]byte("2027-06-30")); err != nil {
		t.Fatal(err)
	}
	if want := time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC); !d.End().Equal(want) {
		t.Errorf("got %v, want %v", d.End(), want)
	}
}

// TestSpec_IsReadableAsJSON keeps the form in which the API shows a spec.
func TestSpec_IsReadableAsJSON(t *testing.T) {
	b, err := json.Marshal(parse(t, "project: a\nrelease: {live: {lateness: 5m}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"project":"a","risk":"minimal","model":"a","release":[{"name":"live",` +
		`"strategy":"replace","log":"buffered","lateness":"5m","keep":1}]}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestFloat_KeepsItsKindInJSON(t *testing.T) {
	s, err := spec.Parse("f", []byte(`project: p
pipeline: {steps: {s: {run: x, params: {a: 1.0, b: 1, c: 2.5e3, d: 1e30, e: -0.0, f: [1.0, {g: 2.0}],
  h: 1e-3, i: '1e-3', j: 1e999}}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s.Pipeline.Steps[0].Params)
	const want = `{"a":1.0,"b":1,"c":2500.0,"d":1e+30,"e":-0.0,"f":[1.0,{"g":2.0}],"h":0.001,"i":"1e-3","j":"1e999"}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v, want %s", b, err, want)
	}
}
