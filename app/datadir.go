package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
)

// The files of a data directory that others may look at.
const (
	lockFile   = "lock"
	serverFile = "server.json"
	portFile   = "port"
	dbFile     = "fairlead.db"
)

// dataDir is a data directory that this process alone uses.
type dataDir struct {
	path string
	lock *os.File
}

// openDataDir creates the directory when it is absent, checks that it can be
// written, and locks it.
func openDataDir(path string) (*dataDir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, unusable(path, err)
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
	URL string `json:"url"`
	PID int    `json:"pid"`
}

// ReadServer returns who serves a data directory, or an error when nobody has
// said so. A server that was killed leaves the file behind; whether it lives is
// for the lock, or an answer, to say.
func ReadServer(dir string) (*Server, error) {
	b, err := os.ReadFile(filepath.Join(dir, serverFile))
	if err != nil {
		return nil, err
	}
	var s Server
	return &s, json.Unmarshal(b, &s)
}

// announce says where the server answers, and keeps its port for the next one.
func (d *dataDir) announce(url string) error {
	b, err := json.Marshal(Server{URL: url, PID: os.Getpid()})
	if err != nil {
		return err
	}
	port := url[strings.LastIndex(url, ":")+1:]
	return errors.Join(d.replace(portFile, []byte(port)), d.replace(serverFile, b))
}

// replace writes a file at once: no reader sees a part of it.
func (d *dataDir) replace(name string, content []byte) error {
	tmp := filepath.Join(d.path, "."+name)
	if err := os.WriteFile(tmp, content, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, filepath.Join(d.path, name))
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
