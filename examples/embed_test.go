package examples_test

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/examples"
)

var projects = []string{"bikes", "wine"}

func TestFS_HoldsWholeProjects(t *testing.T) {
	for _, project := range projects {
		for _, name := range []string{
			"fairlead.yaml", "requirements.txt", ".gitignore", "README.md", "train.py", "evaluate.py",
		} {
			if _, err := fs.Stat(examples.FS, path.Join(project, name)); err != nil {
				t.Errorf("%s: %v", project, err)
			}
		}
	}
}

func TestFS_HoldsNoDataAndNoLeftovers(t *testing.T) {
	err := fs.WalkDir(examples.FS, ".", func(name string, d fs.DirEntry, err error) error {
		base := path.Base(name)
		if base == "data" || base == "__pycache__" || strings.HasSuffix(base, ".csv") {
			t.Errorf("%s is embedded", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The projects share one environment, so that the second one needs no installing.
func TestProjects_HaveEqualRequirements(t *testing.T) {
	want, err := examples.FS.ReadFile("bikes/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	got, err := examples.FS.ReadFile("wine/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("wine/requirements.txt = %q, want bikes' %q", got, want)
	}
}

// An ordinary user's scripts are short and know no Fairlead module.
func TestScripts_AreShortAndPlain(t *testing.T) {
	scripts, err := fs.Glob(examples.FS, "*/*.py")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts = %v, %v", scripts, err)
	}
	for _, name := range scripts {
		text, err := examples.FS.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n > 60 {
			t.Errorf("%s has %d lines, want at most 60", name, n)
		}
		if bytes.Contains(text, []byte("import fairlead")) {
			t.Errorf("%s imports a Fairlead module", name)
		}
	}
}
