package pyenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine/child"
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
	lock    string   // what resolve returned
	options string   // the option lines of the requirements, for example --find-links
	held    *os.File // the lock of dir, which lasts as long as anything that may write there
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
	return keepHashes(out, text), nil
}

// keepHashes adds to a resolved text the hashes that the requirements demand: uv
// leaves them out, or replaces them by those of its index. A package that stands there
// under several markers may have the hashes of each.
func keepHashes(resolved, text string) string {
	demanded := map[string]string{}
	for line := range strings.Lines(text) {
		if pin, hashes, ok := strings.Cut(strings.TrimSpace(line), " --hash"); ok {
			demanded[packageName(pin)] += " --hash" + hashes
		}
	}
	var b strings.Builder
	for line := range strings.Lines(resolved) {
		line = strings.TrimSuffix(line, "\n")
		b.WriteString(line + demanded[packageName(line)] + "\n")
	}
	return b.String()
}

var nameSeparators = regexp.MustCompile(`[-_.]+`)

// packageName returns the name that a requirement begins with, in its normal form.
func packageName(line string) string {
	return nameSeparators.ReplaceAllString(strings.ToLower(packageNames.FindString(line)), "-")
}

func (t uvTool) install(
	ctx context.Context, p plan, progress func(string),
) (string, error) {
	_, err := run(ctx, command{path: t.path, env: uvEnv(), held: p.held, args: []string{
		"venv", "--quiet", "--no-project", "--no-config", "--python", p.py.path, p.dir}})
	if err != nil {
		return "", fmt.Errorf("create environment: %w", err)
	}
	_, err = run(ctx, command{path: t.path, env: uvEnv(), stdin: p.options + p.lock,
		held: p.held, progress: progress, args: []string{"pip", "install", "--no-config", "--no-deps",
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
	_, err := run(ctx, command{path: p.py.path, held: p.held, args: []string{"-m", "venv", p.dir}})
	if err != nil {
		return "", fmt.Errorf("create environment: %w", err)
	}
	list := filepath.Join(p.dir, "requirements.in")
	if err := os.WriteFile(list, []byte(p.lock), 0o644); err != nil {
		return "", fmt.Errorf("create environment: %w", err)
	}
	pip := []string{"-m", "pip", "--disable-pip-version-check"}
	_, err = run(ctx, command{path: interpreter(p.dir), progress: progress, quietOut: true,
		held: p.held, args: append(pip, "install", "--no-compile", "--progress-bar=off", "-r", list)})
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
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) ||
		fairlead.Is(cause, fairlead.Unavailable) && !errors.Is(cause, fs.ErrNotExist) {
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
	switch {
	case !errors.As(err, &failed):
		return err
	case failed.mayPass():
		return fairlead.Errorf(fairlead.Unavailable,
			"the requirements cannot be installed now: %s", failed.message())
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
	quietOut bool     // send stdout to progress too, and return nothing
	held     *os.File // a lock that the tool and what it starts inherit; may be nil
}

type commandError struct {
	stderr string
	cause  *exec.ExitError
}

// passing are the words of uv, pip and the system for what is not the requirements'
// fault.
var passing = []string{"Failed to fetch", "error sending request", "connection broken by",
	"Temporary failure in name resolution", "No space left on device", "Cannot allocate memory"}

// mayPass reports whether the tool failed for a reason of the network's or the
// machine's.
func (e *commandError) mayPass() bool {
	return child.Killed(e.cause.ProcessState) || slices.ContainsFunc(passing, func(words string) bool {
		return strings.Contains(e.stderr, words)
	})
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

// installing are the variables of the server that installers see besides those that
// any child may: where packages come from, and by which way.
var installing = []string{"UV_*", "PIP_*", "NETRC", "TMPDIR", "XDG_CACHE_HOME",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy",
	"no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}

// run runs a tool and returns its standard output.
func run(ctx context.Context, c command) (string, error) {
	cmd := exec.Command(c.path, c.args...)
	cmd.Env = append(child.Environ(installing...), c.env...)
	cmd.Stdin = strings.NewReader(c.stdin)
	if c.held != nil {
		cmd.ExtraFiles = []*os.File{c.held}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if c.progress != nil {
		lines := &lineWriter{line: c.progress}
		cmd.Stderr = io.MultiWriter(&stderr, lines)
		if c.quietOut {
			cmd.Stdout = lines
		}
	}
	err := child.Run(ctx, cmd)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", &commandError{stderr: stderr.String(), cause: exit}
	}
	return stdout.String(), err
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
