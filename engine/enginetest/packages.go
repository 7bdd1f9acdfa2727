package enginetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/packager"
	scripts "github.com/fairlead-ml/fairlead/python"
)

// Package returns the package of one of models.py's models, compared on one of its
// tables of inputs. It is made once for each version of the scripts. Treat it as
// read-only.
func Package(t testing.TB, name, inputs string) (string, *engine.Manifest) {
	t.Helper()
	models := Models(t)
	sum := sha256.New()
	fmt.Fprintln(sum, filepath.Base(models), name, inputs)
	sum.Write(scripts.Packager)
	dir := filepath.Join(models, "packages", hex.EncodeToString(sum.Sum(nil)[:8]))
	if m, err := engine.ReadManifest(dir); err == nil {
		return dir, m
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	m, err := packager.Package(t.Context(), packager.Options{
		Env: Env(t, Training, scripts.Converters), OutDir: tmp,
		ModelDir: filepath.Join(models, name), Inputs: filepath.Join(models, inputs)})
	if err != nil {
		t.Fatal(err)
	}
	// Another process may have been quicker; its package is the same.
	if err := os.Rename(tmp, dir); err != nil {
		if _, missing := engine.ReadManifest(dir); missing != nil {
			t.Fatal(err)
		}
	}
	return dir, m
}
