package python

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/worker"
	scripts "github.com/fairlead-ml/fairlead/python"
)

// Options configure a worker for an MLflow model.
type Options struct {
	Python   string   // interpreter of the model's environment
	Environ  []string // the worker's environment variables
	ModelDir string   // an MLflow model directory

	// Worker is the rest of the worker's options: Signature, Dir and what has a
	// default. Path, Args and Env are set here.
	Worker worker.Options
}

// Start starts a worker and waits until it has loaded the model; see worker.Start.
// An interpreter that is gone is Unavailable, and wraps engine.ErrAbsent.
func Start(ctx context.Context, opts Options) (*worker.Worker, error) {
	if _, err := os.Stat(opts.Python); errors.Is(err, fs.ErrNotExist) {
		return nil, fairlead.Errorf(fairlead.Unavailable,
			"the model's Python %s is not on this machine any more; package the version again",
			opts.Python).Because(engine.ErrAbsent)
	}
	config, err := configuration(opts)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.Worker.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("worker directory: %w", err)
	}
	script := filepath.Join(opts.Worker.Dir, "fairlead_worker.py")
	if err := writeScript(script); err != nil {
		return nil, fmt.Errorf("worker script: %w", err)
	}
	w := opts.Worker
	w.Path, w.Args, w.Env = opts.Python, []string{script, config}, environ(opts.Environ)
	return worker.Start(ctx, w)
}

// writeScript puts the worker's script at path, whole. It leaves one that is there
// already: there may be no room for another.
func writeScript(path string) error {
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, scripts.Worker) {
		return nil
	}
	part := path + ".part"
	defer os.Remove(part) // there no more, once it is renamed
	if err := os.WriteFile(part, scripts.Worker, 0o644); err != nil {
		return err
	}
	return os.Rename(part, path)
}

// Load starts a worker for a Python package directory.
func Load(ctx context.Context, dir string, m *engine.Manifest, opts Options) (*worker.Worker, error) {
	if m.Engine != engine.EnginePython {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the package is for the %s engine, not python", m.Engine)
	}
	opts.ModelDir = filepath.Join(dir, filepath.FromSlash(m.Model))
	opts.Worker.Signature = m.Signature
	return Start(ctx, opts)
}

// configuration is the script's argument.
func configuration(opts Options) (string, error) {
	type field struct {
		Name string      `json:"name"`
		Kind engine.Kind `json:"kind"`
	}
	sig := opts.Worker.Signature
	fields := make([]field, len(sig.Inputs))
	for i, f := range sig.Inputs {
		fields[i] = field{f.Name, f.Kind}
	}
	config, err := json.Marshal(map[string]any{
		"model": opts.ModelDir, "inputs": fields, "tensor": sig.Tensor != ""})
	if err != nil {
		return "", fmt.Errorf("worker configuration: %w", err)
	}
	return string(config), nil
}

// environ drops what is the server's own or would change the environment, keeps
// numeric libraries to one thread, as many workers share a machine, and keeps
// mlflow from reporting its use.
func environ(given []string) []string {
	env := slices.DeleteFunc(slices.Clone(given), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH":
			return true
		}
		return strings.HasPrefix(name, "FAIRLEAD_")
	})
	return append([]string{"OMP_NUM_THREADS=1", "MLFLOW_DISABLE_TELEMETRY=true"},
		append(env, "PYTHONUNBUFFERED=1")...)
}
