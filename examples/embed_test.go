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

// The program carries the examples: only a table that weighs next to nothing is in it.
func TestFS_HoldsLittleDataAndNoLeftovers(t *testing.T) {
	const most = 32 << 10 // bytes of all tables
	bytes := int64(0)
	err := fs.WalkDir(examples.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path.Base(name) == "__pycache__" {
			t.Errorf("%s is embedded", name)
		}
		if strings.HasSuffix(name, ".csv") {
			info, err := d.Info()
			if err != nil {
				return err
			}
			bytes += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if bytes > most {
		t.Errorf("the tables have %d bytes, more than %d", bytes, most)
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
