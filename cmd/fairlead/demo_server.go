package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
)

// demoServer is the real server in a process of its own, as users run it.
type demoServer struct {
	url  string
	data string
	pid  int
	done chan error // closed when a process of ours has ended; nil for one that was running
}

// startWait bounds the start of the server, in wall time.
const startWait = 30 * time.Second

// startServer starts the server of the demo's data directory, or takes over one
// that a killed demo left.
func startServer(ctx context.Context, d *demo) (*demoServer, error) {
	s := &demoServer{data: d.dataDir()}
	if old, err := app.ReadServer(s.data); err == nil && alive(ctx, newHTTP(), old.URL) {
		d.say.line("the server of the demo before still runs at %s", old.URL)
		s.url, s.pid = old.URL, old.PID
		return s, nil
	}
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return nil, err
	}
	if err := s.spawn(d); err != nil {
		return nil, err
	}
	deadline := time.After(startWait)
	for {
		if now, err := app.ReadServer(s.data); err == nil && now.PID == s.pid && alive(ctx, newHTTP(), now.URL) {
			s.url = now.URL
			d.say.line("the server is ready at %s", s.url)
			return s, nil
		}
		select {
		case err := <-s.done:
			return nil, fmt.Errorf("the server ended (%w); its log is %s", err, s.logFile())
		case <-deadline:
			return nil, errors.Join(fmt.Errorf("the server was not ready in %s; its log is %s", startWait, s.logFile()), s.stop())
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), s.stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *demoServer) logFile() string { return filepath.Join(filepath.Dir(s.data), "server.log") }

// spawn starts the process. It ends with the demo, also when that is killed, unless
// the demo keeps it.
func (s *demoServer) spawn(d *demo) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(self, "serve", "--data", s.data, "--listen", "127.0.0.1:0", "--project", demoProject)
	if os.Getenv("FAIRLEAD_ENVIRONMENTS") == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return err
		}
		cmd.Env = append(os.Environ(), "FAIRLEAD_ENVIRONMENTS="+filepath.Join(cache, "fairlead", "environments"))
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if !d.keep {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
	}
	s.done = make(chan error, 1)
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the signal of Pdeathsig comes when the thread ends, not the process
		err := cmd.Start()
		started <- err
		if err == nil {
			s.done <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.pid = cmd.Process.Pid
	return nil
}

// client returns a client with the owner's token, as the command line is.
func (s *demoServer) client(project string) *client {
	token, _ := auth.ReadOwner(s.data) // a wrong token is refused by the server, which says so
	return &client{base: s.url, project: project, token: token, http: newHTTP(),
		close: func(context.Context) error { return nil }}
}

// stop ends the server gracefully and waits for it.
func (s *demoServer) stop() error {
	if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	deadline := time.Now().Add(stopMax + 5*time.Second)
	for time.Now().Before(deadline) {
		if s.ended() {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fairlead.Errorf(fairlead.Unavailable, "the server (pid %d) does not end", s.pid)
}

func (s *demoServer) ended() bool {
	if s.done != nil {
		select {
		case <-s.done:
			s.done = nil
			s.pid = 0
			return true
		default:
			return false
		}
	}
	return s.pid == 0 || errors.Is(syscall.Kill(s.pid, 0), syscall.ESRCH)
}

// stopOldServer ends a server that serves the demo's data directory.
func stopOldServer(dir string) error {
	data := filepath.Join(dir, "data")
	old, err := app.ReadServer(data)
	if err != nil || !alive(context.Background(), newHTTP(), old.URL) {
		return nil
	}
	return (&demoServer{data: data, pid: old.PID, url: old.URL}).stop()
}
