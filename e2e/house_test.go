// Package e2e_test tests the program as a whole: stories that a user could type, and
// the rules that keep the house in order.
//
// The files house_*_test.go are the rules: who may import whom, what is documented,
// that documented commands exist and run, that links resolve, and the table of
// routes. They need no Python and no network.
package e2e_test

//go:generate go test -run TestRoutes_StatePermissionAndLimit . -update

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
)

var update = flag.Bool("update", false, "write the generated documents anew")

const (
	module = "github.com/fairlead-ml/fairlead"
	root   = ".."
)

// The rooms of the house. A stage imports the platform and the stages before it.
var (
	platform = []string{"", "event", "store", "ledger", "stream", "spec", "blob", "auth", "job",
		"scm", "sink", "backup", "stat", "engine", "python"}
	stages = []string{"data", "tracking", "registry", "transfer", "pipeline", "gate", "release", "serving",
		"label", "monitor", "loop", "govern"}
	apis = []string{"api/inference", "api/mlflow", "api/ops", "api/rest", "ui"}
)

// leaves import nothing of the program but what is named here.
var leaves = map[string][]string{
	"":      {},
	"event": {""},
	"store": {""},
	"stat":  {""},
}

// goPackage is the part of `go list -json` that the rules look at.
type goPackage struct {
	ImportPath string
	Name       string
	Dir        string
	GoFiles    []string
	CgoFiles   []string
	Imports    []string
}

var listPackages = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,GoFiles,CgoFiles,Imports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
})

// packages lists the packages that have files beside tests.
func packages(t *testing.T) []goPackage {
	t.Helper()
	all, err := listPackages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return slices.DeleteFunc(slices.Clone(all), func(p goPackage) bool {
		return len(p.GoFiles)+len(p.CgoFiles) == 0
	})
}

// roomOf returns the room that an import path lies in: package job/shim is in job.
func roomOf(importPath string) string {
	rel := strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
	if api := strings.SplitN(rel, "/", 3); api[0] == "api" && len(api) > 1 {
		return api[0] + "/" + api[1]
	}
	room, _, _ := strings.Cut(rel, "/")
	return room
}

// mayImport says whether package files of one room may import another room.
func mayImport(from, to string) bool {
	if from == to {
		return true
	}
	if allowed, leaf := leaves[from]; leaf {
		return slices.Contains(allowed, to)
	}
	inPlatform, stage := slices.Contains(platform, to), slices.Index(stages, to)
	switch {
	case from == "cmd":
		return true
	case from == "app":
		return to != "cmd" && to != "examples"
	case from == "examples":
		return false
	case from == "bench":
		return to != "cmd"
	case slices.Contains(apis, from):
		return inPlatform || stage >= 0
	case slices.Contains(platform, from):
		return inPlatform
	}
	return inPlatform || stage >= 0 && stage < slices.Index(stages, from)
}

func TestHouse_ImportsPointLeft(t *testing.T) {
	known := slices.Concat(platform, stages, apis, []string{"app", "cmd", "examples", "bench", "e2e"})
	for _, p := range packages(t) {
		from := roomOf(p.ImportPath)
		if !slices.Contains(known, from) {
			t.Errorf("%s lies in no room of the house; give it its place in this test and in "+
				"docs/architecture.md", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			if imported != module && !strings.HasPrefix(imported, module+"/") {
				continue
			}
			if to := roomOf(imported); !mayImport(from, to) {
				t.Errorf("%s imports %s: calls go left, see docs/architecture.md", p.ImportPath, imported)
			}
		}
	}
}

func TestMayImport(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		want     bool
	}{
		{"registry", "tracking", true}, {"tracking", "registry", false}, {"loop", "data", true},
		{"data", "loop", false}, {"job", "data", false}, {"event", "ledger", false},
		{"stat", "store", false},
		{"api/rest", "loop", true}, {"api/rest", "api/mlflow", false}, {"gate", "api/rest", false},
		{"loop", "app", false}, {"api/rest", "app", false}, {"cmd", "app", true}, {"app", "cmd", false},
		{"examples", "", false}, {"engine", "job", true}, {"data", "examples", false},
	} {
		if got := mayImport(tt.from, tt.to); got != tt.want {
			t.Errorf("mayImport(%q, %q) = %v, want %v", tt.from, tt.to, got, tt.want)
		}
	}
}

// The example project's name may stand in the examples, in the demo command and in
// tests; anywhere else the product would know its demo.
func TestHouse_ProductDoesNotKnowItsDemo(t *testing.T) {
	word := regexp.MustCompile(`(?i)bike`)
	for _, name := range treeFiles(t, ".go") {
		if strings.HasPrefix(name, "examples/") || strings.HasPrefix(name, "cmd/fairlead/demo") ||
			strings.HasSuffix(name, "_test.go") {
			continue
		}
		for i, line := range strings.Split(readTree(t, name), "\n") {
			if word.MatchString(line) {
				t.Errorf("%s:%d mentions the demo: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}

// treeFiles lists the repository's files with the extension, by slash-separated path
// from its root, without what is built or fetched.
func treeFiles(t *testing.T, ext string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (name == "bin" || name == "node_modules" || name == "dist" ||
			strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		if !d.IsDir() && filepath.Ext(name) == ext {
			rel, err := filepath.Rel(root, path)
			names = append(names, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func readTree(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The route table is part of the documentation: whoever adds a way in sees in the
// diff what it asks of its caller.
func TestRoutes_StatePermissionAndLimit(t *testing.T) {
	a, err := app.New(t.Context(), app.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Stop(t.Context())
	var lines []string
	for _, r := range a.Routes() {
		writes := r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH"
		if r.Permission == "" || writes && r.BodyLimit == 0 {
			t.Errorf("route %s %s does not state its permission and body limit", r.Method, r.Path)
		}
		if r.BodyLimit == auth.Unlimited && r.Permission == auth.Public {
			t.Errorf("route %s %s takes bodies without limit from anyone", r.Method, r.Path)
		}
		lines = append(lines, r.String()+"\n")
	}
	slices.SortFunc(lines, func(a, b string) int {
		pa, pb := strings.Fields(a), strings.Fields(b) // method, permission, limit, path
		return cmp.Or(cmp.Compare(pa[3], pb[3]), cmp.Compare(pa[0], pb[0]))
	})
	golden(t, "docs/routes.txt", "method permission  max body  path\n"+strings.Join(lines, ""))
}

// golden compares a generated document with the one in the repository; -update
// writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(root, filepath.FromSlash(name))
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := readTree(t, name); got != want {
		t.Errorf("%s is out of date; write it anew with: go test ./e2e -run %s -update", name, t.Name())
	}
}
