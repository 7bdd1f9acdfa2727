package packager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/child"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	scripts "github.com/fairlead-ml/fairlead/python"
)

// DefaultTimeout bounds one packaging.
const DefaultTimeout = 5 * time.Minute

// LockName is the file with the exact requirements, in every package.
const LockName = "requirements.lock"

// outputTail is how much of the script's output an error may show.
const outputTail = 2 << 10

// Options configure one packaging.
type Options struct {
	// Env is the model's environment together with the converters. Without
	// converters in it the result is a Python package.
	Env *pyenv.Env
	// Serving is the model's environment alone, which a Python package will run
	// in; nil means Env.
	Serving *pyenv.Env
	// NoConverters says why Env has no converters, for the package's reason.
	NoConverters string
	ModelDir     string        // an MLflow model directory; only read
	OutDir       string        // the package; must be empty or absent
	Inputs       string        // recorded inputs: .parquet, or .json (a list of row objects)
	Timeout      time.Duration // 0 means DefaultTimeout
}

// result is what the script writes: a manifest with MLflow's form of a signature. One
// for Python without a reason is from before the conversion, which then never ended.
type result struct {
	Error     string `json:"error"`
	Engine    string `json:"engine"`
	Model     string `json:"model"`
	Python    string `json:"python"`
	Converter string `json:"converter"`
	Signature struct {
		Inputs  string `json:"inputs"`
		Outputs string `json:"outputs"`
	} `json:"signature"`
	Parity *engine.Parity `json:"parity"`
}

// Package packages the model into OutDir and returns the manifest that it wrote
// there. A model that does not load, or fails on the recorded inputs, is Invalid, also
// when it takes longer than Timeout; a Python that somebody kills before the model has
// answered is Unavailable. One that merely cannot be converted is a Python package, also
// when its conversion crashes, is killed or takes too long. On an error OutDir is left
// empty.
func Package(ctx context.Context, opts Options) (*engine.Manifest, error) {
	if opts.Serving == nil {
		opts.Serving = opts.Env
	}
	if opts.Timeout <= 0 {
		opts.Timeout = DefaultTimeout
	}
	if err := emptyDir(opts.OutDir); err != nil {
		return nil, err
	}
	m, err := opts.build(ctx)
	if err == nil {
		err = m.Write(opts.OutDir)
	}
	if err != nil {
		return nil, errors.Join(err, clearDir(opts.OutDir, ""))
	}
	return m, nil
}

func (o Options) build(ctx context.Context) (*engine.Manifest, error) {
	res, err := o.runScript(ctx)
	if err != nil {
		return nil, err
	}
	if err := clearDir(o.OutDir, res.Model); err != nil {
		return nil, fmt.Errorf("package model: %w", err)
	}
	sig, err := engine.ParseSignature(res.Signature.Inputs, res.Signature.Outputs)
	if err != nil {
		return nil, fmt.Errorf("package model: %w", err)
	}
	m := &engine.Manifest{
		Version: engine.ManifestVersion, Engine: res.Engine, Model: res.Model, Signature: sig,
		Lock: LockName, Python: res.Python, Parity: res.Parity, Converter: res.Converter,
	}
	if m.Engine == engine.EnginePython {
		m.Environment, m.Python = o.Serving.Key, o.Serving.Version
		if o.NoConverters != "" {
			m.Parity.Reason = o.NoConverters
		}
	}
	lock := filepath.Join(o.OutDir, LockName)
	if err := os.WriteFile(lock, []byte(o.Serving.Lock), 0o644); err != nil {
		return nil, fmt.Errorf("package model: %w", err)
	}
	return m, nil
}

// runScript runs the packaging script in a scratch directory.
func (o Options) runScript(ctx context.Context) (*result, error) {
	scratch, err := os.MkdirTemp("", "fairlead-package-")
	if err != nil {
		return nil, fmt.Errorf("package model: %w", err)
	}
	defer os.RemoveAll(scratch)
	script := filepath.Join(scratch, "fairlead_package.py")
	if err := os.WriteFile(script, scripts.Packager, 0o644); err != nil {
		return nil, fmt.Errorf("package model: %w", err)
	}
	args := []string{script}
	report := filepath.Join(scratch, "result.json")
	for _, p := range []string{o.ModelDir, o.OutDir, o.Inputs, report} {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, fmt.Errorf("package model: %w", err)
		}
		args = append(args, abs)
	}
	end, err := o.run(ctx, scratch, args)
	if err != nil {
		return nil, err
	}
	res, err := readResult(report)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fairlead.Errorf(end.code,
			"the model's Python %s before it had answered the recorded inputs: %s", end.how, end.said)
	}
	if err == nil && res.Engine == engine.EnginePython && res.Parity.Reason == "" {
		res.Parity.Reason = "the conversion " + end.how
	}
	return res, err
}

func readResult(path string) (*result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("package model: %w", err)
	}
	var res result
	if err := json.Unmarshal(b, &res); err != nil {
		return nil, fmt.Errorf("package model: result: %w", err)
	}
	if res.Error != "" {
		return nil, fairlead.Errorf(fairlead.Invalid, "%s", res.Error)
	}
	return &res, nil
}

// ending is how the script came to its end.
type ending struct {
	how  string        // such as "crashed (signal: aborted)"
	said string        // the last of its output
	code fairlead.Code // of an error, when it left no result
}

// run runs the environment's Python to its end.
func (o Options) run(ctx context.Context, dir string, args []string) (ending, error) {
	limited, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	cmd := exec.Command(o.Env.Python, args...)
	cmd.Dir = dir
	// Without a fixed hash seed the converters order attributes by chance.
	cmd.Env = append(o.Env.Environ(child.Environ()), "PYTHONHASHSEED=0", "OMP_NUM_THREADS=1",
		"MLFLOW_DISABLE_TELEMETRY=true")
	out := &tail{limit: outputTail}
	cmd.Stdout, cmd.Stderr = out, out
	err := child.Run(limited, cmd)
	if ctx.Err() != nil {
		return ending{}, ctx.Err()
	}
	end := ending{said: strings.TrimSpace(out.buf.String()), code: fairlead.Invalid}
	var exit *exec.ExitError
	switch {
	case limited.Err() != nil:
		end.how = fmt.Sprintf("was stopped after %v", o.Timeout)
	case err != nil && !errors.As(err, &exit):
		return ending{}, err
	case child.Killed(cmd.ProcessState):
		end.how, end.code = fmt.Sprintf("was killed (%v)", cmd.ProcessState), fairlead.Unavailable
	case child.Crashed(cmd.ProcessState):
		end.how = fmt.Sprintf("crashed (%v)", cmd.ProcessState)
	default:
		end.how = fmt.Sprintf("ended (%v)", cmd.ProcessState)
	}
	return end, nil
}

// tail keeps the last limit bytes that are written to it.
type tail struct {
	buf   bytes.Buffer
	limit int
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if extra := t.buf.Len() - t.limit; extra > 0 {
		t.buf.Next(extra)
	}
	return len(p), nil
}

func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("package directory: %w", err)
	}
	if len(entries) > 0 {
		return fairlead.Errorf(fairlead.Conflict, "the package directory %s is not empty", dir)
	}
	return nil
}

// clearDir removes what is in dir, except for what has the name keep.
func clearDir(dir, keep string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != keep {
			err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
