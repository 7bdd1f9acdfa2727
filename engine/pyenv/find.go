package pyenv

import (
	"os"
	"os/exec"
	"path/filepath"

	"github.com/fairlead-ml/fairlead"
)

// FindUV returns the path of uv: the given one when it is not empty, else the one
// that FAIRLEAD_UV names, the first on PATH, or .tools/uv/bin/uv in a directory
// above the working directory or the executable. NotFound when there is none.
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
	for _, dir := range toolDirs() {
		path := filepath.Join(dir, ".tools", "uv", "bin", "uv")
		if _, err := exec.LookPath(path); err == nil {
			return path, nil
		}
	}
	return "", fairlead.Errorf(fairlead.NotFound,
		"uv is not installed; run `make setup`, or set FAIRLEAD_UV to its path")
}

// toolDirs lists the working directory, the executable's, and all above them.
func toolDirs() []string {
	var starts []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if exe, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(exe))
	}
	var dirs []string
	for _, d := range starts {
		for ; ; d = filepath.Dir(d) {
			dirs = append(dirs, d)
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	return dirs
}
