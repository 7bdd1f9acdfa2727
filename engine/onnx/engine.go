package onnx

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/child"
	"github.com/fairlead-ml/fairlead/engine/worker"
)

// tryMax bounds the trial of a model in a child process, in wall time.
const tryMax = 30 * time.Second

// marksName is the file, in the data directory, of what was being called.
const marksName = "models.marks"

// Options configure an Engine.
type Options struct {
	Library string // what Find is asked for
	Dir     string // the data directory: for the marks, and what children print
	Log     *slog.Logger
}

// Engine loads ONNX packages for one data directory. It opens the library, and the
// marks of the process before, with the first of them.
//
// A model is first loaded in a child process, which warms it and compares its answer
// with the recorded one; then in this process. One that was being called when the
// server died by a signal stays in its child, until the server's next start; one
// that crashes there stays in a child for as long as it and the library are the same.
type Engine struct {
	opts Options

	mu      sync.Mutex
	runtime *Runtime
	marks   *marks
}

// New returns an engine. It needs no library yet.
func New(opts Options) *Engine {
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	return &Engine{opts: opts}
}

// Load loads the ONNX model of a package directory. A model that crashes, or does
// not answer as recorded, is Invalid; one that does not answer in time is
// Unavailable, and so is a machine without the library (engine.ErrAbsent).
func (e *Engine) Load(ctx context.Context, dir string, m *engine.Manifest) (
	engine.Predictor, error) {
	rt, err := e.open()
	if err != nil {
		return nil, err
	}
	content, err := readModel(dir, m)
	if err != nil {
		return nil, err
	}
	mk, mustBeApart := e.marks.take(keyOf(rt, content))
	w, err := e.start(ctx, rt, dir, m, mk)
	if err == nil && mustBeApart {
		e.opts.Log.Warn("ONNX model runs in a process of its own", "package", filepath.Base(dir),
			"reason", mk.reason())
		return w, nil
	}
	if err != nil {
		mk.forget()
		return nil, err
	}
	w.Close()
	if err := os.RemoveAll(e.childDir(dir)); err != nil {
		e.opts.Log.Warn("what a model's trial printed is not removed", "error", err)
	}
	return rt.load(content, m, mk)
}

// open opens the library and the marks, once.
func (e *Engine) open() (*Runtime, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runtime != nil {
		return e.runtime, nil
	}
	path, err := Find(e.opts.Library)
	if err != nil {
		return nil, err
	}
	rt, err := Open(path)
	if err != nil {
		return nil, err
	}
	if e.marks, err = openMarks(filepath.Join(e.opts.Dir, marksName)); err != nil {
		e.opts.Log.Warn("a crash of an ONNX model will not be remembered", "error", err)
		e.marks = &marks{all: make([]mark, marksBytes/64)}
	}
	e.runtime = rt
	return rt, nil
}

// Apart returns the number of models that must not run in this process: those that
// have crashed, and those that are under suspicion.
func (e *Engine) Apart() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.marks == nil {
		return 0
	}
	return e.marks.apart()
}

// start loads the package in a child process.
func (e *Engine) start(ctx context.Context, rt *Runtime, dir string, m *engine.Manifest, mk *mark) (
	*worker.Worker, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("load ONNX model: %w", err)
	}
	return worker.Start(ctx, worker.Options{
		Path: ownExecutable, Env: childEnv(rt.path, dir), Signature: m.Signature,
		Dir: e.childDir(dir), Log: e.opts.Log, StartTimeout: tryMax,
		Ended: func(s *os.ProcessState) {
			if child.Crashed(s) {
				mk.state.Store(crashed)
				e.opts.Log.Error("ONNX model crashed", "package", filepath.Base(dir), "exit", s.String())
			}
		},
	})
}

func (e *Engine) childDir(dir string) string {
	return filepath.Join(e.opts.Dir, "workers", filepath.Base(dir))
}

// keyOf tells models apart, and runs of the same one by different libraries.
func keyOf(rt *Runtime, content []byte) (key [sha256.Size]byte) {
	h := sha256.New()
	fmt.Fprintln(h, rt.Version())
	h.Write(content)
	h.Sum(key[:0])
	return key
}

func readModel(dir string, m *engine.Manifest) ([]byte, error) {
	if m.Engine != engine.EngineONNX {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the package is for the %s engine, not onnx", m.Engine)
	}
	content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(m.Model)))
	if err != nil {
		return nil, fmt.Errorf("load ONNX model: %w", err)
	}
	return content, nil
}
