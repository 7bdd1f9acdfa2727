package pyenv

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// readyName marks a complete environment; it is renamed into place last.
const readyName = "fairlead-env.json"

// Options configure a Manager.
type Options struct {
	Root   string // where environments live; created when absent
	UV     string // path of uv; empty: FAIRLEAD_UV, PATH, a .tools directory above
	Python string // default interpreter: a path or a version; empty: python3
	Log    *slog.Logger
}

// Manager builds environments under one root directory. It is safe for concurrent
// use, and several processes may share a root.
type Manager struct {
	root   string
	python string
	tool   installer
	log    *slog.Logger
}

// Env is a published environment.
type Env struct {
	Key     string `json:"key"`
	Dir     string `json:"-"`
	Python  string `json:"-"`       // path of the environment's interpreter
	Version string `json:"version"` // for example 3.11.7
	Lock    string `json:"lock"`    // exact requirements, one name==version [--hash=…] a line
}

// New returns a manager. Without uv it falls back to venv and pip, but a uv that is
// named and absent is NotFound; without a Python, Ensure says so.
func New(opts Options) (*Manager, error) {
	root, err := filepath.Abs(opts.Root)
	if err != nil || opts.Root == "" {
		return nil, fmt.Errorf("environments root %q: %w", opts.Root, os.ErrInvalid)
	}
	for _, d := range []string{"envs", "requests", "locks"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			return nil, fmt.Errorf("environments root: %w", err)
		}
	}
	m := &Manager{root: root, python: opts.Python, log: opts.Log}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	uv, err := FindUV(opts.UV)
	switch {
	case err == nil:
		m.tool = uvTool{path: uv}
	case opts.UV != "" || os.Getenv("FAIRLEAD_UV") != "":
		return nil, err
	default:
		m.tool = pipTool{}
	}
	return m, nil
}

// Installer names the tool that builds environments: uv or pip.
func (m *Manager) Installer() string { return m.tool.name() }

// Ensure returns the environment for the requirements and builds it when there is
// none. It needs neither network nor a process when it has been built before
// (about 0.1 ms). progress, which may be nil, receives the installer's lines.
// Requirements that cannot be resolved are Invalid, with the installer's reason.
func (m *Manager) Ensure(
	ctx context.Context, req Requirements, progress func(string),
) (*Env, error) {
	text, err := req.normalize()
	if err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(string) {}
	}
	selector := req.Python
	if selector == "" {
		selector = m.python
	}
	request := digest(m.tool.name(), platform(), selector, text)
	if env, ok := m.requested(request); ok {
		return env, nil
	}
	held, err := lockFile(ctx, filepath.Join(m.root, "locks", "request-"+request))
	if err != nil {
		return nil, err
	}
	defer unlock(held)
	if env, ok := m.requested(request); ok {
		return env, nil
	}
	env, err := m.resolveAndBuild(ctx, text, selector, progress)
	if err != nil {
		return nil, err
	}
	return env, writeFile(filepath.Join(m.root, "requests", request), []byte(env.Key))
}

// Lookup returns the published environment with the key.
func (m *Manager) Lookup(key string) (*Env, bool) {
	if !validKey(key) {
		return nil, false
	}
	dir := filepath.Join(m.root, "envs", key)
	b, err := os.ReadFile(filepath.Join(dir, readyName))
	if err != nil {
		return nil, false
	}
	env := &Env{Dir: dir, Python: interpreter(dir)}
	if json.Unmarshal(b, env) != nil || env.Key != key {
		return nil, false
	}
	// The interpreter is a link to the system's, which may be gone.
	if _, err := os.Stat(env.Python); err != nil {
		return nil, false
	}
	return env, true
}

func (m *Manager) requested(request string) (*Env, bool) {
	b, err := os.ReadFile(filepath.Join(m.root, "requests", request))
	if err != nil {
		return nil, false
	}
	return m.Lookup(string(b))
}

func (m *Manager) resolveAndBuild(
	ctx context.Context, text, selector string, progress func(string),
) (*Env, error) {
	started := time.Now()
	py, err := m.tool.python(ctx, selector)
	if err != nil {
		return nil, err
	}
	lock, err := m.tool.resolve(ctx, py, text, progress)
	if err != nil {
		return nil, err
	}
	key := digest("env", m.tool.name(), platform(), py.version, lock)
	held, err := lockFile(ctx, filepath.Join(m.root, "locks", "env-"+key))
	if err != nil {
		return nil, err
	}
	defer unlock(held)
	if env, ok := m.Lookup(key); ok {
		return env, nil
	}
	p := plan{py: py, lock: lock, options: optionLines(text), held: held}
	env, err := m.build(ctx, key, p, progress)
	if err != nil {
		return nil, err
	}
	m.log.InfoContext(ctx, "python environment built", "key", key, "installer", m.tool.name(),
		"seconds", time.Since(started).Seconds())
	return env, nil
}

// build fills the environment's directory and publishes it. What a killed builder
// left behind is removed first: the caller holds the key's lock.
func (m *Manager) build(
	ctx context.Context, key string, p plan, progress func(string),
) (*Env, error) {
	dir := filepath.Join(m.root, "envs", key)
	p.dir = dir
	if err := os.RemoveAll(dir); err != nil {
		return nil, fmt.Errorf("clear environment: %w", err)
	}
	exact, err := m.tool.install(ctx, p, progress)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	env := &Env{Key: key, Dir: dir, Python: interpreter(dir), Version: p.py.version, Lock: exact}
	b, err := json.MarshalIndent(env, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("publish environment: %w", err)
	}
	return env, writeFile(filepath.Join(dir, readyName), b)
}

// Environ returns base with the environment activated. It drops what would change
// the environment's meaning, and PYTHONDONTWRITEBYTECODE: an environment is not
// compiled when it is built (8 s for mlflow's dependencies), so the first import
// must leave its bytecode behind, or each later process pays for it again (2.8 s
// against 1.0 s for `import mlflow`).
func (e *Env) Environ(base []string) []string {
	bin := filepath.Dir(e.Python)
	path := bin
	out := make([]string, 0, len(base)+2)
	for _, kv := range base {
		name, value, _ := strings.Cut(kv, "=")
		switch name {
		case "PATH":
			path = bin + string(os.PathListSeparator) + value
		case "VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE":
		default:
			out = append(out, kv)
		}
	}
	return append(out, "PATH="+path, "VIRTUAL_ENV="+e.Dir)
}

func platform() string { return runtime.GOOS + "-" + runtime.GOARCH }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}

func validKey(key string) bool {
	b, err := hex.DecodeString(key)
	return err == nil && len(b) == 12
}

func writeFile(path string, b []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}
