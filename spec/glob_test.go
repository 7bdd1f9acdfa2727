package spec_test

import (
	"testing"

	"github.com/fairlead-ml/fairlead/spec"
)

func TestMatchFile_TakesGlobs(t *testing.T) {
	for _, c := range []struct {
		glob, file string
		want       bool
	}{
		{"data/a.csv", "data/a.csv", true},
		{"./data/a.csv", "data/a.csv", true},
		{"data/*.csv", "data/a.csv", true},
		{"data/*.csv", "data/x/a.csv", false},
		{"data/**/*.csv", "data/x/y/a.csv", true},
		{"data/**/*.csv", "data/a.csv", true},
		{"**", "any/thing", true},
		{"data", "data/a.csv", false},
		{"a[b", "a[b", true},
	} {
		if got := spec.MatchFile(c.glob, c.file); got != c.want {
			t.Errorf("MatchFile(%q, %q) = %v", c.glob, c.file, got)
		}
	}
}
