package keeper

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// lateInit are packages of the standard library that sort behind those of the program.
var lateInit = map[string]bool{"path": true, "path/filepath": true}

// Anything else would be initialised before it, and so would all that sorts
// before that: see doc.go.
func TestKeeper_ImportsOnlyTheStandardLibrary(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if path := strings.Trim(i.Path.Value, `"`); strings.Contains(path, ".") || lateInit[path] {
				t.Errorf("%s imports %s", file, i.Path.Value)
			}
		}
	}
}
