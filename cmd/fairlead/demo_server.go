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

// startServer starts the server of the demo's data directory. One that a demo before
// left is ended first: of a demo that was killed it may just be ending by itself.
func startServer(ctx context.Context, d *demo) (*demoServer, error) {
	s := &demoServer{data: d.dataDir()}
	if err := stopOldServer(d.dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.data, 0o700); err != nil {
		return nil, err
	}
	d.say.now("the server starts")
	if err := s.spawn(d); err != nil {
		return nil, err
	}
	deadline := time.After(startWait)
	for {
		if now, err := app.FindServer(ctx, s.data); err == nil && now.PID == s.pid {
			s.url = now.URL
			d.say.line("the server is ready at %s", s.url)
			return s, nil
		}
		select {
		case err := <-s.done:
			return nil, fmt.Errorf("the server ended (%w); its log is %s", err, s.logFile())
		case <-deadline:
			return nil, errors.Join(fmt.Errorf("the server was not ready in %s; its log is %s", startWait,
				s.logFile()), s.stop())
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
	cmd := exec.Command(self, "serve", "--data", s.data, "--listen", "127.0.0.1:0", "--project",
		demoProject)
	environments, err := environmentsDir()
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(), "FAIRLEAD_ENVIRONMENTS="+environments)
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
	if s.done == nil {
		return nil // it has ended
	}
	if err := syscall.Kill(s.pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case <-s.done:
		s.done = nil
		return nil
	case <-time.After(stopWait):
		return fairlead.Errorf(fairlead.Unavailable, "the server (pid %d) does not end", s.pid)
	}
}

// stopWait bounds the end of the server, in wall time.
const stopWait = stopMax + 5*time.Second

// stopOldServer ends a server that serves the demo's data directory, and waits until
// it has let the directory go, also for one that is ending already.
func stopOldServer(dir string) error {
	data := filepath.Join(dir, "data")
	asked := 0
	for deadline := time.Now().Add(stopWait); app.InUse(data); time.Sleep(20 * time.Millisecond) {
		old, err := app.FindServer(context.Background(), data)
		if time.Now().After(deadline) {
			return fairlead.Errorf(fairlead.Unavailable, "a server (pid %d) holds %s and does not end",
				asked, data)
		}
		if err != nil || old.PID == asked {
			continue // it has not said who it is, or is on its way
		}
		asked = old.PID
		if err := syscall.Kill(asked, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}
