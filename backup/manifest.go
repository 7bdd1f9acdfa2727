package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
)

const (
	format       = 1 // of the manifest and of what it describes
	manifestFile = "manifest.json"
	blobsDir     = "blobs"
	listFile     = "blobs.txt"
	unfinished   = ".new-" // begins the name of a backup that is being written
)

// DatabaseFile is the database's name, in a data directory and in a backup.
const DatabaseFile = "fairlead.db"

// keyFiles are the secrets of a data directory: the owner's token, the key that signs
// the ledger, and the one that encrypts the secrets of webhooks.
var keyFiles = []string{"token", "ledger.key", "webhook.key"}

// Manifest says what a backup holds.
type Manifest struct {
	Format    int         `json:"format"`
	Fairlead  string      `json:"fairlead"` // the version that wrote it
	CreatedMS int64       `json:"created_ms"`
	Files     []File      `json:"files"` // beside the manifest
	Blobs     blob.Copied `json:"blobs"` // which ones, the database says
	List      File        `json:"list"`  // their digests, so that others can be told from them
	Path      string      `json:"-"`     // of the backup's directory
	Pruned    Pruned      `json:"-"`
}

// File is a file of a backup.
type File struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // lower-case hexadecimal
	Bytes  int64  `json:"bytes"`
}

// Open reads the manifest of a backup: of dir itself, or of the newest one in it.
func Open(dir string) (*Manifest, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); errors.Is(err, fs.ErrNotExist) {
		if dir, err = newest(dir); err != nil {
			return nil, err
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, fmt.Errorf("open a backup: %w", err)
	}
	m := &Manifest{Path: dir}
	if err := json.Unmarshal(b, m); err != nil || m.Format < 1 {
		return nil, fairlead.Errorf(fairlead.Conflict, "%s in %s is damaged", manifestFile,
			dir).Because(err)
	}
	if m.Format > format {
		return nil, fairlead.Errorf(fairlead.Precondition,
			"the backup %s was written by a newer fairlead (%s); use that version", dir, m.Fairlead)
	}
	for _, f := range m.Files {
		if f.Name != DatabaseFile && !slices.Contains(keyFiles, f.Name) {
			return nil, fairlead.Errorf(fairlead.Conflict, "%s in %s names %q, which no backup has",
				manifestFile, dir, f.Name)
		}
	}
	return m, nil
}

// newest returns the newest backup in a place for backups.
func newest(dir string) (string, error) {
	entries, err := os.ReadDir(dir) // by name
	if err != nil {
		return "", fairlead.Errorf(fairlead.NotFound, "there is no backup in %s", dir).Because(err)
	}
	for _, e := range slices.Backward(entries) {
		path := filepath.Join(dir, e.Name())
		_, err := os.Stat(filepath.Join(path, manifestFile))
		if err == nil && !strings.HasPrefix(e.Name(), ".") {
			return path, nil
		}
	}
	return "", fairlead.Errorf(fairlead.NotFound, "there is no backup in %s that was finished", dir)
}

// blobs is the directory of the content that backups of one place share.
func (m *Manifest) blobs() string { return filepath.Join(filepath.Dir(m.Path), blobsDir) }

// fetch copies the backup's files into dir, and compares them with their digests.
func (m *Manifest) fetch(dir string) error {
	if !slices.ContainsFunc(m.Files, func(f File) bool { return f.Name == DatabaseFile }) {
		return fairlead.Errorf(fairlead.Conflict, "the backup %s has no %s", m.Path, DatabaseFile)
	}
	for _, want := range m.Files {
		got, err := copyFile(filepath.Join(m.Path, want.Name), filepath.Join(dir, want.Name))
		if errors.Is(err, fs.ErrNotExist) {
			return fairlead.Errorf(fairlead.Conflict, "%s of the backup %s is missing", want.Name, m.Path)
		}
		if err != nil {
			return err
		}
		if got != want {
			return fairlead.Errorf(fairlead.Conflict,
				"%s of the backup %s is damaged: it has %d bytes with SHA-256 %s", want.Name, m.Path,
				got.Bytes, got.SHA256)
		}
	}
	return nil
}

// copyFile copies a file, synced and readable by the owner alone, and describes it.
func copyFile(from, to string) (File, error) {
	src, err := os.Open(from)
	if err != nil {
		return File{}, err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return File{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(dst, sum), src)
	err = errors.Join(err, dst.Sync(), dst.Close())
	return File{filepath.Base(to), hex.EncodeToString(sum.Sum(nil)), n}, err
}

// describe reads a file for its digest.
func describe(path string) (File, error) {
	f, err := os.Open(path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return File{filepath.Base(path), hex.EncodeToString(sum.Sum(nil)), n}, err
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// said gives what the destination's disk does not allow its code. The database speaks of
// the disk of the data directory, also where it writes to another one.
func said(op, dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT),
		fairlead.Is(err, fairlead.Exhausted):
		return fairlead.Errorf(fairlead.Exhausted, "the disk of %s is full; free some room and try again",
			dir).Because(err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission),
		errors.Is(err, syscall.ENOTDIR):
		return fairlead.Errorf(fairlead.Precondition,
			"%s is no directory that can be written; choose another one", dir).Because(err)
	}
	return fmt.Errorf("%s: %w", op, err)
}
