package spec_test

import (
	"os"
	"testing"

	"github.com/fairlead-ml/fairlead/spec"
)

// example reads a file of testdata.
func example(t *testing.T, name string) string {
	t.Helper()
	src, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

func TestParse_ReadsExamples(t *testing.T) {
	for _, name := range []string{"bikes", "flights"} {
		s, err := spec.Parse(spec.FileName, []byte(example(t, name)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if s.Model != s.Project {
			t.Errorf("%s: model %q, want the project's name", name, s.Model)
		}
	}
}
