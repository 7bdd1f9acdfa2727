package onnx

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// Runtime is the opened library. There is one a process; it is never closed.
type Runtime struct {
	path  string
	most  int           // calls that run at once
	calls *engine.Slots // as many
}

var (
	openMu sync.Mutex
	opened *Runtime
)

// Open opens the library at path for the whole process. Opening the same path
// again returns the same Runtime; another path is a Conflict. A file that is not
// there, or is no usable ONNX Runtime, is Unavailable and wraps engine.ErrAbsent.
func Open(path string) (*Runtime, error) {
	openMu.Lock()
	defer openMu.Unlock()
	if opened != nil {
		if path != opened.path {
			return nil, fairlead.Errorf(fairlead.Conflict,
				"ONNX Runtime is open from %s already; restart to use %s", opened.path, path)
		}
		return opened, nil
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable,
			"ONNX Runtime is not at %s; correct the path", path).Because(engine.ErrAbsent)
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable,
			"%s is not a usable ONNX Runtime (1.24 or newer is needed): %v", path, err).
			Because(engine.ErrAbsent)
	}
	n := max(2, runtime.GOMAXPROCS(0)) // also on one core the background leaves room
	opened = &Runtime{path: path, most: n, calls: engine.NewSlots(n)}
	return opened, nil
}

// Path is where the library was opened from.
func (r *Runtime) Path() string { return r.path }

// Version is the library's own version, such as 1.31.1.
func (r *Runtime) Version() string { return ort.GetVersion() }

// Find returns the path of ONNX Runtime's library. A hint is a library's path,
// which wins, or a directory, usually a Python environment, which is looked at
// last. Between them come FAIRLEAD_ONNXRUNTIME (either kind), the executable's
// directory, and the directories of tools. Without one the error is Unavailable and
// wraps engine.ErrAbsent.
func Find(hints ...string) (string, error) {
	dirs := []string{}
	for _, h := range hints {
		if isLibrary(h) {
			return h, nil
		}
		dirs = append(dirs, h)
	}
	if named := os.Getenv("FAIRLEAD_ONNXRUNTIME"); named != "" {
		if isLibrary(named) {
			return named, nil
		}
		if path := inDir(named); path != "" {
			return path, nil
		}
		return "", fairlead.Errorf(fairlead.Unavailable, "FAIRLEAD_ONNXRUNTIME names %s, where "+
			"there is no ONNX Runtime; correct it", named).Because(engine.ErrAbsent)
	}
	for _, dir := range append(ownDirs(), dirs...) {
		if path := inDir(dir); path != "" {
			return path, nil
		}
	}
	return "", fairlead.Errorf(fairlead.Unavailable, "ONNX Runtime is not installed, so ONNX models "+
		"cannot be served here; run `make setup`, or `pip install onnxruntime` and set "+
		"FAIRLEAD_ONNXRUNTIME to the environment's directory").Because(engine.ErrAbsent)
}

func isLibrary(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() &&
		strings.HasPrefix(filepath.Base(path), "libonnxruntime.")
}

// inDir looks in a directory of libraries, an unpacked release or an environment.
func inDir(dir string) string {
	if dir == "" {
		return ""
	}
	for _, sub := range []string{"", "lib", "lib/python*/site-packages/onnxruntime/capi",
		"onnxruntime/capi"} {
		for _, name := range []string{"libonnxruntime.so*", "libonnxruntime.*dylib"} {
			found, _ := fs.Glob(os.DirFS(dir), path.Join(sub, name)) // dir itself is no pattern
			slices.Sort(found)
			for _, file := range slices.Backward(found) {
				if library := filepath.Join(dir, file); isLibrary(library) {
					return library
				}
			}
		}
	}
	return ""
}

// ownDirs lists the executable's directory, and what is in the directories of tools.
func ownDirs() []string {
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(exe))
	}
	for _, tools := range engine.Tools() {
		inside, _ := os.ReadDir(tools)
		for _, e := range inside {
			dirs = append(dirs, filepath.Join(tools, e.Name()))
		}
	}
	return dirs
}
