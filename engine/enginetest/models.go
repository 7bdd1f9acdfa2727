package enginetest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	scripts "github.com/fairlead-ml/fairlead/python"
)

//go:embed models.py
var modelsScript []byte

// Models returns a directory with one MLflow model directory for each case that
// models.py names, and inputs.parquet and inputs.json to record. It is made once
// for each version of the script. Treat it as read-only.
func Models(t testing.TB) string {
	t.Helper()
	env := Env(t, Training, scripts.Converters)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append([]byte(env.Key), modelsScript...))
	dir := filepath.Join(cache, "fairlead-test", "models", hex.EncodeToString(sum[:8]))
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command(env.Python, "-c", string(modelsScript), tmp)
	cmd.Env = env.Environ(os.Environ())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("train the test models: %v\n%s", err, out)
	}
	// Another process may have been quicker; its models are the same.
	if err := os.Rename(tmp, dir); err != nil {
		if _, missing := os.Stat(dir); missing != nil {
			t.Fatal(err)
		}
	}
	return dir
}
