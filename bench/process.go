package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under measurement, in a process group of its own.
type process struct {
	cmd   *exec.Cmd
	url   string
	log   bytes.Buffer
	ready time.Duration // from the start of the process to its first good answer
	done  chan struct{}
}

// readyMax bounds the start of a server; MLflow takes ten to forty seconds.
const readyMax = 3 * time.Minute

// launch starts a server that will listen on a free port, and waits until it
// answers path with 200.
func launch(ctx context.Context, path string, command func(port string) *exec.Cmd) (
	*process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: command(port), url: "http://127.0.0.1:" + port, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		close(p.done)
	}()
	if err := p.await(ctx, path); err != nil {
		p.stop()
		return nil, fmt.Errorf("%s: %w; it printed:\n%s", p.cmd.Args[0], err, p.log.String())
	}
	p.ready = time.Since(began)
	return p, nil
}

// freePort returns a port that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// await asks every millisecond: a refused connection costs next to nothing.
func (p *process) await(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, readyMax)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+path, nil)
		if err != nil {
			return err
		}
		if res, err := client.Do(req); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-p.done:
			return errors.New("it ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("it does not answer %s: %w", path, ctx.Err())
		}
	}
}

// stopMax bounds a graceful stop.
const stopMax = 10 * time.Second

// stop ends the group: gracefully, then whatever is left of it.
func (p *process) stop() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(stopMax):
	}
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
}

// memory is in MB of 2^20 bytes: what is resident, and the proportional share of
// it, where pages that several processes map count once.
type memory struct {
	rss, pss  float64
	processes int
}

// memory sums the processes of the group.
func (p *process) memory() (m memory, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return m, err
	}
	for _, stat := range stats {
		if groupOf(readText(stat)) != p.cmd.Process.Pid {
			continue
		}
		rollup, err := os.ReadFile(filepath.Join(filepath.Dir(stat), "smaps_rollup"))
		if err != nil {
			continue // it has just ended
		}
		m.rss += field(string(rollup), "Rss:")
		m.pss += field(string(rollup), "Pss:")
		m.processes++
	}
	if m.processes == 0 {
		return m, errors.New("the memory of the server cannot be read in /proc")
	}
	return m, nil
}

// groupOf returns the process group in a /proc/PID/stat: the third field after the
// command in parentheses.
func groupOf(stat string) int {
	_, rest, _ := strings.Cut(stat[strings.LastIndex(stat, ")")+1:], " ")
	fields := strings.Fields(rest)
	if len(fields) < 3 {
		return 0
	}
	n, _ := strconv.Atoi(fields[2])
	return n
}

// field returns a line of smaps_rollup in MB.
func field(text, name string) float64 {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			kb, _ := strconv.ParseFloat(f[1], 64)
			return kb / 1024
		}
	}
	return 0
}

// serve starts the program on a data directory.
func (b *bench) serve(ctx context.Context, dir string) (*process, error) {
	return launch(ctx, "/readyz", func(port string) *exec.Cmd {
		return exec.CommandContext(ctx, b.program, "serve", "--listen", "127.0.0.1:"+port, "--data", dir)
	})
}

// serveMLflow starts `mlflow server` as its manual says: SQLite in dir/mlflow.db, local
// artifacts, everything else by default.
func (b *bench) serveMLflow(ctx context.Context, dir string) (*process, error) {
	bin, err := b.install(ctx, "mlflow", "mlflow", b.versions["MLFLOW_VERSION"])
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return launch(ctx, "/health", func(port string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "mlflow"), "server", "--host", "127.0.0.1",
			"--port", port, "--backend-store-uri", "sqlite:///"+filepath.Join(dir, "mlflow.db"),
			"--artifacts-destination", filepath.Join(dir, "artifacts"))
		cmd.Dir = dir
		cmd.Env = peerEnv(bin)
		return cmd
	})
}

// serveFastTrackML starts FastTrackML with its defaults, which do not sync a write
// before it is acknowledged: SQLite in dir/fml.db.
func (b *bench) serveFastTrackML(ctx context.Context, dir string) (*process, error) {
	// Its Python dependencies are for its client; the server is one program.
	bin, err := b.install(ctx, "fasttrackml", "fml", b.versions["FASTTRACKML_VERSION"], "--no-deps")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return launch(ctx, "/health", func(port string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "fml"), "server", "--log-level", "error",
			"--listen-address", "127.0.0.1:"+port,
			"--database-uri", "sqlite://"+filepath.Join(dir, "fml.db"),
			"--default-artifact-root", filepath.Join(dir, "artifacts"))
		cmd.Dir = dir
		return cmd
	})
}

// peerEnv lets a peer find its own tools first, and send nothing to anyone.
func peerEnv(bin string) []string {
	return append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "VIRTUAL_ENV="+filepath.Dir(bin),
		"DO_NOT_TRACK=true", "MLFLOW_DISABLE_TELEMETRY=true", "DVC_NO_ANALYTICS=true")
}

// install returns the bin directory of an environment with one pinned package,
// and makes it when the package's program is not there.
func (b *bench) install(ctx context.Context, name, program, version string, flags ...string) (
	string, error) {
	if version == "" {
		return "", fmt.Errorf("versions.mk names no version of %s", name)
	}
	env := filepath.Join(b.tools, "bench-"+name+"-"+version)
	bin := filepath.Join(env, "bin")
	if _, err := os.Stat(filepath.Join(bin, program)); err == nil {
		return bin, nil
	}
	progress("installing %s %s", name, version)
	uv := filepath.Join(b.tools, "uv", "bin", "uv")
	for _, args := range [][]string{
		{"venv", "--quiet", "--clear", env},
		append([]string{"pip", "install", "--quiet", "--compile-bytecode", "--python",
			filepath.Join(bin, "python"), name + "==" + version}, flags...),
	} {
		if _, err := output(exec.CommandContext(ctx, uv, args...)); err != nil {
			return "", fmt.Errorf("install %s %s: %w", name, version, err)
		}
	}
	return bin, nil
}

// output runs a command and returns what it printed on stdout; an error has what
// it printed on stderr.
func output(cmd *exec.Cmd) ([]byte, error) {
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, exit.Stderr)
	}
	return out, err
}
