package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/ops"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/backup"
)

// The files of a data directory that others may look at.
const (
	lockFile   = "lock"
	serverFile = "server.json"
	portFile   = "port"
	dbFile     = backup.DatabaseFile
)

// dataDir is a data directory that this process alone uses.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir creates the directory when it is absent, closes it to other users,
// checks that it can be written, and locks it.
func openDataDir(path string) (*dataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, unusable(path, err)
	}
	if err := closeToOthers(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unusable(path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, unusable(path, err)
		}
		return nil, fairlead.Errorf(fairlead.Conflict,
			"the data directory %s is in use by another fairlead%s; stop it, "+
				"or choose another directory with --data", path, holder(path))
	}
	return &dataDir{path: path, lock: f}, nil
}

// InUse reports whether a process uses the data directory, or is about to end its use.
func InUse(path string) bool {
	f, err := os.Open(filepath.Join(path, lockFile))
	if err != nil {
		return false // nobody has used it
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// closeToOthers takes from other users what the directory's mode gives them: the
// database holds requests and tokens. A directory that holds something else is not
// ours to close.
func closeToOthers(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unusable(path, err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if !ours(path) {
		return fairlead.Errorf(fairlead.Precondition,
			"the data directory %s is open to other users and holds other files; "+
				"choose one of its own with --data, or close it: chmod 700 %s", path, path)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		if !errors.Is(err, fs.ErrPermission) {
			return unusable(path, err)
		}
		return fairlead.Errorf(fairlead.Precondition,
			"the data directory %s is open to other users and is another user's; "+
				"its owner closes it with chmod 700, or choose another one with --data", path).Because(err)
	}
	return nil
}

// ours reports whether a directory is a data directory, or could become one: it is
// empty, but for what a new file system has.
func ours(path string) bool {
	if _, err := os.Lstat(filepath.Join(path, dbFile)); err == nil {
		return true
	}
	entries, err := os.ReadDir(path)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() != "lost+found"
	})
}

func unusable(path string, err error) error {
	reason := err
	var pe *fs.PathError
	if errors.As(err, &pe) {
		reason = pe.Err
	}
	return fairlead.Errorf(fairlead.Precondition,
		"the data directory %s cannot be used (%s); make it writable, or choose another one with --data",
		path, reason)
}

// holder names the server that holds the directory, when it has said who it is.
func holder(path string) string {
	s, err := ReadServer(path)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (pid %d, %s)", s.PID, s.URL)
}

func (d *dataDir) close() error {
	err := os.Remove(filepath.Join(d.path, serverFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, d.lock.Close())
}

// Server is what a running server says of itself in its data directory.
type Server struct {
	URL   string `json:"url"`
	PID   int    `json:"pid"`
	Token string `json:"-"` // the owner's, once the server has proven that it is this one
}

// ReadServer returns who serves a data directory, or an error when nobody has
// said so. A server that was killed leaves the file behind: ask FindServer whether
// it lives.
func ReadServer(dir string) (*Server, error) {
	b, err := os.ReadFile(filepath.Join(dir, serverFile))
	if err != nil {
		return nil, err
	}
	var s Server
	return &s, json.Unmarshal(b, &s)
}

// FindServer returns the living server of a data directory. It answers at its address
// and proves that it knows the owner's token before anybody sends it there: after a
// kill another program may have the port, and another process the id.
func FindServer(ctx context.Context, dir string) (*Server, error) {
	s, err := ReadServer(dir)
	if err != nil {
		return nil, err
	}
	if s.Token, err = auth.ReadOwner(dir); err != nil {
		return nil, err
	}
	proven, err := ops.Challenge(ctx, s.URL, s.Token)
	if err != nil {
		return nil, err
	}
	s.URL, s.PID = proven.URL, proven.PID
	return s, nil
}

// announce says where the server answers, and keeps its port for the next one.
func (a *App) announce(ctx context.Context) {
	server, err := json.Marshal(Server{URL: a.URL(), PID: os.Getpid()})
	if err == nil {
		err = a.dir.replace(serverFile, server)
	}
	if err != nil {
		a.opt.Log.Error("the server cannot say where it answers; commands need --server", "err", err)
	}
	if err := a.keepPort(ctx); err != nil {
		a.opt.Log.Warn("the port cannot be kept for the next server", "err", err)
	}
}

// keepPort notes the port for the next server that takes any. When this one had to
// take another than the one noted, steps that live still look for a server there.
func (a *App) keepPort(ctx context.Context) error {
	if strings.HasSuffix(a.opt.Listen, ":0") && a.dir.lastPort() != "" {
		if live, err := a.Jobs.HasSteps(ctx); live || err != nil {
			return err
		}
	}
	_, port, err := net.SplitHostPort(a.listener.Addr().String())
	if err != nil {
		return err
	}
	return a.dir.replace(portFile, []byte(port))
}

func (d *dataDir) replace(name string, content []byte) error {
	return fairlead.WriteFile(filepath.Join(d.path, name), content)
}

// lastPort returns the port of the server that ran here before, so that a
// training that outlived it finds its tracking server again; empty when unknown.
func (d *dataDir) lastPort() string {
	b, err := os.ReadFile(filepath.Join(d.path, portFile))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// minFree is the room below which the directory counts as full, in bytes: about
// what the database needs to go on for a while.
const minFree = 16 << 20

// writable reports, without writing, whether the directory's file system has room
// and takes writes.
func (d *dataDir) writable() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(d.path, &fs); err != nil {
		return unusable(d.path, &os.PathError{Op: "statfs", Path: d.path, Err: err})
	}
	free := int64(fs.Bavail) * int64(fs.Bsize)
	switch {
	case fs.Flags&unix.ST_RDONLY != 0:
		return unusable(d.path, syscall.EROFS)
	case free < minFree:
		return fairlead.Errorf(fairlead.Exhausted,
			"the disk of the data directory %s is full (%d MiB left); free some room", d.path, free>>20)
	}
	return nil
}
