package pyenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// python is an interpreter outside any of our environments.
type python struct {
	path    string
	version string // for example 3.11.7
}

// plan is what is to be installed where.
type plan struct {
	py      python
	dir     string
	lock    string // what resolve returned
	options string // the option lines of the requirements, for example --find-links
}

// installer is one way of building environments: uv, or venv with pip.
type installer interface {
	name() string
	// python finds the interpreter that the selector (a path, a version or nothing) means.
	python(ctx context.Context, selector string) (python, error)
	// resolve returns the text that the environment's key is made of.
	resolve(ctx context.Context, py python, text string, progress func(string)) (string, error)
	// install fills p.dir, and returns the exact requirements that are in it.
	install(ctx context.Context, p plan, progress func(string)) (string, error)
}

// uvTool resolves first, so that texts with the same outcome share an environment.
type uvTool struct{ path string }

func (uvTool) name() string { return "uv" }

func (t uvTool) python(ctx context.Context, selector string) (python, error) {
	args := []string{"python", "find", "--system", "--no-project"}
	if selector != "" {
		args = append(args, selector)
	}
	out, err := run(ctx, command{path: t.path, args: args, env: uvEnv()})
	if err != nil {
		return python{}, noPython(selector, err)
	}
	return describe(ctx, strings.TrimSpace(out))
}

func (t uvTool) resolve(
	ctx context.Context, py python, text string, progress func(string),
) (string, error) {
	out, err := run(ctx, command{path: t.path, env: uvEnv(), stdin: text, progress: progress,
		args: []string{"pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-config",
			"--python", py.path, "-"}})
	if err != nil {
		return "", unresolved(err)
	}
	return out, nil
}

func (t uvTool) install(
	ctx context.Context, p plan, progress func(string),
) (string, error) {
	_, err := run(ctx, command{path: t.path, env: uvEnv(), args: []string{
		"venv", "--quiet", "--no-project", "--no-config", "--python", p.py.path, p.dir}})
	if err != nil {
		return "", fmt.Errorf("create environment: %w", err)
	}
	_, err = run(ctx, command{path: t.path, env: uvEnv(), stdin: p.options + p.lock,
		progress: progress, args: []string{"pip", "install", "--no-config", "--no-deps",
			"--python", interpreter(p.dir), "-r", "-"}})
	if err != nil {
		return "", unresolved(err)
	}
	return p.lock, nil
}

// uvEnv keeps uv from using another environment, and from downloading a Python.
func uvEnv() []string {
	return []string{"VIRTUAL_ENV=", "UV_PYTHON_DOWNLOADS=never", "UV_NO_PROGRESS=1"}
}

// pipTool cannot resolve without installing: its key is the text itself.
type pipTool struct{}

func (pipTool) name() string { return "pip" }

func (pipTool) python(ctx context.Context, selector string) (python, error) {
	names := []string{"python3", "python"}
	if selector != "" {
		names = []string{selector, "python" + selector}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return describe(ctx, path)
		}
	}
	return python{}, noPython(selector, exec.ErrNotFound)
}

func (pipTool) resolve(_ context.Context, _ python, text string, _ func(string)) (string, error) {
	return text, nil
}

func (pipTool) install(
	ctx context.Context, p plan, progress func(string),
) (string, error) {
	if _, err := run(ctx, command{path: p.py.path, args: []string{"-m", "venv", p.dir}}); err != nil {
		return "", fmt.Errorf("create environment: %w", err)
	}
	list := filepath.Join(p.dir, "requirements.in")
	if err := os.WriteFile(list, []byte(p.lock), 0o644); err != nil {
		return "", fmt.Errorf("create environment: %w", err)
	}
	pip := []string{"-m", "pip", "--disable-pip-version-check"}
	_, err := run(ctx, command{path: interpreter(p.dir), progress: progress, quietOut: true,
		args: append(pip, "install", "--no-compile", "--progress-bar=off", "-r", list)})
	if err != nil {
		return "", unresolved(err)
	}
	out, err := run(ctx, command{path: interpreter(p.dir), args: append(pip, "freeze")})
	if err != nil {
		return "", fmt.Errorf("list environment: %w", err)
	}
	return out, nil
}

func interpreter(dir string) string {
	return filepath.Join(dir, "bin", "python")
}

func describe(ctx context.Context, path string) (python, error) {
	out, err := run(ctx, command{path: path, args: []string{"-c",
		"import platform, sys; print(sys.executable, platform.python_version(), sep='\\n')"}})
	real, version, ok := strings.Cut(strings.TrimSpace(out), "\n")
	if err != nil || !ok {
		return python{}, noPython(path, err)
	}
	return python{path: real, version: version}, nil
}

func noPython(selector string, cause error) error {
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	what := "no Python was found; install Python 3.11 or say where it is"
	if selector != "" {
		what = fmt.Sprintf("no Python %q was found; install it or name another", selector)
	}
	return fairlead.Errorf(fairlead.Precondition, "%s", what)
}

// unresolved turns an installer's complaint into an error that a caller can act on.
func unresolved(err error) error {
	var failed *commandError
	if !errors.As(err, &failed) {
		return err
	}
	return fairlead.Errorf(fairlead.Invalid,
		"the requirements cannot be installed: %s", failed.message())
}

type command struct {
	path     string
	args     []string
	env      []string
	stdin    string
	progress func(string)
	quietOut bool // send stdout to progress too, and return nothing
}

type commandError struct {
	stderr string
	cause  error
}

func (e *commandError) Error() string { return e.message() }

func (e *commandError) Unwrap() error { return e.cause }

// message is what the tool said, without its decoration: at most 12 lines.
func (e *commandError) message() string {
	const most = 12
	var lines []string
	for line := range strings.Lines(e.stderr) {
		line = strings.TrimSpace(strings.Trim(strings.TrimSpace(line), "×│╰─▶├"))
		line = strings.TrimPrefix(strings.TrimPrefix(line, "error: "), "ERROR: ")
		if line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return e.cause.Error()
	}
	if len(lines) > most {
		lines = append(lines[:most], "…")
	}
	return strings.Join(lines, " ")
}

// run runs a tool in a process group of its own and returns its standard output.
func run(ctx context.Context, c command) (string, error) {
	cmd := exec.CommandContext(ctx, c.path, c.args...)
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdin = strings.NewReader(c.stdin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if c.progress != nil {
		lines := &lineWriter{line: c.progress}
		cmd.Stderr = io.MultiWriter(&stderr, lines)
		if c.quietOut {
			cmd.Stdout = lines
		}
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", &commandError{stderr: stderr.String(), cause: err}
	}
	return stdout.String(), nil
}

// lineWriter calls line for each complete, non-empty line.
type lineWriter struct {
	buf  bytes.Buffer
	line func(string)
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.buf.Write(p)
	for {
		i := bytes.IndexByte(w.buf.Bytes(), '\n')
		if i < 0 {
			return len(p), nil
		}
		text := strings.TrimSpace(string(w.buf.Next(i + 1)))
		if text != "" && !strings.HasPrefix(text, "+ ") { // uv's list of all packages
			w.line(text)
		}
	}
}
