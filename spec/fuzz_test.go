package spec_test

import (
	"errors"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
)

// FuzzParse demands that any input is either read or refused with problems that
// stand somewhere in the file.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"bikes", "flights", "everything"} {
		f.Add([]byte(example(f, name)))
	}
	for _, text := range []string{"", "project: a\n", "a: &b [*b]", "{[", "? a\n: b", "- - - x",
		"project: \"\\0\"", "a: |\n  b\n\tc", "%YAML 1.2\n---\na: !!int x", "project: a\r\ndata:\r\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := spec.Parse(spec.FileName, src)
		if err == nil {
			if s.Project == "" || s.Model == "" {
				t.Fatal("a project without a name was read")
			}
			return
		}
		var e *fairlead.Error
		if !errors.As(err, &e) || e.Code != fairlead.Invalid {
			t.Fatalf("not an Invalid error: %v", err)
		}
		problems := e.Detail["problems"].([]spec.Problem)
		if len(problems) == 0 || len(problems) > 20 {
			t.Fatalf("%d problems", len(problems))
		}
		for _, p := range problems {
			if p.Line < 1 || p.Column < 1 || p.Message == "" {
				t.Fatalf("problem %+v", p)
			}
		}
	})
}
