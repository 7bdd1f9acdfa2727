package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/onnx"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/engine/python"
	"github.com/fairlead-ml/fairlead/engine/worker"
)

// engines opens packages with the engine that each names. ONNX Runtime is opened
// with the first model that needs it.
type engines struct {
	envs    *pyenv.Manager
	library string
	dir     string
	log     *slog.Logger

	mu      sync.Mutex
	runtime *onnx.Runtime
}

func newEngines(envs *pyenv.Manager, library, dir string, log *slog.Logger) *engines {
	return &engines{envs: envs, library: library, dir: dir, log: log}
}

// probeMax bounds the trial of a model in a child process, in wall time.
const probeMax = 30 * time.Second

func (e *engines) load(ctx context.Context, dir string) (engine.Predictor, *engine.Manifest, error) {
	m, err := engine.ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	if m.Engine == engine.EnginePython {
		p, err := e.loadPython(ctx, dir, m)
		return p, m, err
	}
	rt, err := e.onnx()
	if err != nil {
		return nil, nil, err
	}
	probe, cancel := context.WithTimeout(ctx, probeMax)
	defer cancel()
	if err := onnx.Probe(probe, "", rt.Path(), dir); err != nil {
		return nil, nil, err
	}
	p, err := rt.Load(dir, m)
	return p, m, err
}

func (e *engines) onnx() (*onnx.Runtime, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.runtime != nil {
		return e.runtime, nil
	}
	path, err := onnx.Find(e.library)
	if err != nil {
		return nil, err
	}
	e.runtime, err = onnx.Open(path)
	return e.runtime, err
}

func (e *engines) loadPython(ctx context.Context, dir string, m *engine.Manifest) (
	engine.Predictor, error) {
	env, ok := e.envs.Lookup(m.Environment)
	if !ok {
		return nil, fairlead.Errorf(fairlead.Unavailable,
			"the model's Python environment %.12s is not on this machine; package the version again",
			m.Environment).Because(engine.ErrAbsent)
	}
	return python.Load(ctx, dir, m, python.Options{
		Python: env.Python, Environ: env.Environ(nil),
		Worker: worker.Options{Dir: filepath.Join(e.dir, "workers", filepath.Base(dir)), Log: e.log},
	})
}
