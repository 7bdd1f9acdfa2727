package pyenv

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// FindUV returns the path of uv: the given one when it is not empty, else the one
// that FAIRLEAD_UV names, the first on PATH, or uv/bin/uv in a directory of
// engine.Tools. NotFound when there is none.
func FindUV(given string) (string, error) {
	if given == "" {
		given = os.Getenv("FAIRLEAD_UV")
	}
	if given != "" {
		path, err := exec.LookPath(given)
		if err != nil {
			return "", fairlead.Errorf(fairlead.NotFound, "uv is not at %s; correct the path", given)
		}
		return filepath.Abs(path)
	}
	if path, err := exec.LookPath("uv"); err == nil {
		return filepath.Abs(path)
	}
	for _, tools := range engine.Tools() {
		path := filepath.Join(tools, "uv", "bin", "uv")
		if _, err := exec.LookPath(path); err == nil {
			return path, nil
		}
	}
	return "", fairlead.Errorf(fairlead.NotFound,
		"uv is not installed; run `make setup`, or set FAIRLEAD_UV to its path")
}
