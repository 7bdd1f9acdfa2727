package fairlead_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/fairlead-ml/fairlead"
)

// Beside its place and nowhere else is the file on the same disk.
func TestWriteFile_StaysInTheWorkingDirectory(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	t.Chdir(t.TempDir())
	if err := fairlead.WriteFile("key", []byte("text")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile("key"); err != nil || string(b) != "text" {
		t.Errorf("the file is %q, %v", b, err)
	}
}

func TestWriteFile_ReplacesTheWholeFileOrNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.WriteFile(path, []byte("a longer text than the next"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := fairlead.WriteFile(path, []byte("next")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if b, _ := os.ReadFile(path); err != nil || string(b) != "next" || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %q, %v, %v", b, info, err)
	}
	taken := filepath.Join(dir, "taken")
	if err := os.MkdirAll(filepath.Join(taken, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := fairlead.WriteFile(taken, []byte("next")); err == nil {
		t.Error("a directory was replaced")
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 2 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}
