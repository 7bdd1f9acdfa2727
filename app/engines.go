package app

import (
	"context"
	"log/slog"
	"path/filepath"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/onnx"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/engine/python"
	"github.com/fairlead-ml/fairlead/engine/worker"
)

// engines opens packages with the engine that each names.
type engines struct {
	envs *pyenv.Manager
	onnx *onnx.Engine
	dir  string
	log  *slog.Logger
}

func newEngines(envs *pyenv.Manager, library, dir string, log *slog.Logger) *engines {
	return &engines{envs: envs, dir: dir, log: log,
		onnx: onnx.New(onnx.Options{Library: library, Dir: dir, Log: log})}
}

func (e *engines) load(ctx context.Context, dir string) (engine.Predictor, *engine.Manifest, error) {
	m, err := engine.ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	load := e.onnx.Load
	if m.Engine == engine.EnginePython {
		load = e.loadPython
	}
	p, err := load(ctx, dir, m)
	return p, m, err
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
