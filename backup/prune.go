package backup

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
)

// Pruned counts what was removed from a place for backups because no backup there needs it.
type Pruned struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
	// Kept says why nothing was removed, where that could not be told.
	Kept string `json:"kept,omitempty"`
}

// list writes the digests of a backup's blobs, in order, one in a line.
type list struct {
	f   *os.File
	buf *bufio.Writer
	sum hash.Hash
	n   int64
}

func createList(path string) (*list, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	l := &list{f: f, sum: sha256.New()}
	l.buf = bufio.NewWriter(io.MultiWriter(f, l.sum))
	return l, nil
}

func (l *list) add(o blob.Object) error {
	n, err := fmt.Fprintln(l.buf, o.Digest)
	l.n += int64(n)
	return err
}

// close ends the list, also after an error.
func (l *list) close(err error) (File, error) {
	err = errors.Join(err, l.buf.Flush(), l.f.Sync(), l.f.Close())
	return File{listFile, hex.EncodeToString(l.sum.Sum(nil)), l.n}, err
}

// needed reads the lists of all backups of a place side by side, by digest.
type needed []*reading

// reading is a list that is being read.
type reading struct {
	f    *os.File
	in   *bufio.Scanner
	next string // digest; empty at the end
}

func (r *reading) advance() error {
	last := r.next
	r.next = ""
	if !r.in.Scan() {
		return r.in.Err()
	}
	next := r.in.Text()
	if len(next) != sha256.Size*2 || next <= last {
		return fmt.Errorf("%s is no list of digests in their order", r.f.Name())
	}
	r.next = next
	return nil
}

// openLists opens the lists of all whole backups. Where one has none, or another one than
// its manifest says, nothing may be removed: why says so.
func openLists(place string) (all needed, why string, err error) {
	entries, err := os.ReadDir(place)
	if err != nil {
		return nil, "", err
	}
	for _, e := range entries {
		dir := filepath.Join(place, e.Name())
		if e.Name() == blobsDir || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if info, err := os.Stat(dir); err != nil { // such as a link to a disk that is not there
			return all, fmt.Sprintf("%s cannot be read: %v", e.Name(), err), nil
		} else if !info.IsDir() {
			continue
		}
		m, err := Open(dir)
		if fairlead.Is(err, fairlead.NotFound) {
			continue // something else
		}
		if err != nil {
			why = fmt.Sprintf("the backup %s cannot be read: %s", e.Name(), fairlead.MessageOf(err))
			return all, why, nil
		}
		got, err := describe(filepath.Join(dir, listFile))
		if errors.Is(err, fs.ErrNotExist) || err == nil && got != m.List {
			return all, fmt.Sprintf("the backup %s does not say what it needs", e.Name()), nil
		}
		if err != nil {
			return all, "", err
		}
		f, err := os.Open(filepath.Join(dir, listFile))
		if err != nil {
			return all, "", err
		}
		r := &reading{f: f, in: bufio.NewScanner(f)}
		all = append(all, r)
		if err := r.advance(); err != nil {
			return all, "", err
		}
	}
	return all, "", nil
}

func (all needed) close() {
	for _, r := range all {
		r.f.Close()
	}
}

// has reports whether a backup needs the digest; digests are asked for in order.
func (all needed) has(digest string) (found bool, err error) {
	for _, r := range all {
		for r.next != "" && r.next < digest {
			if err := r.advance(); err != nil {
				return false, err
			}
		}
		found = found || r.next == digest
	}
	return found, nil
}

// prune removes the content that no backup of the place needs. Who calls it has the lock.
func prune(place string) (p Pruned, err error) {
	lists, why, err := openLists(place)
	defer lists.close()
	if err != nil || why != "" {
		return Pruned{Kept: why}, err
	}
	blobs, err := os.OpenRoot(filepath.Join(place, blobsDir))
	if err != nil {
		return p, err
	}
	defer blobs.Close()
	for first := range 256 {
		dir := fmt.Sprintf("%02x", first)
		entries, err := fs.ReadDir(blobs.FS(), dir) // by name
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, err
		}
		for _, e := range entries {
			if err := p.visit(blobs, dir, e, lists); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// visit removes a blob unless it is needed; what is no blob stays.
func (p *Pruned) visit(blobs *os.Root, dir string, e fs.DirEntry, lists needed) error {
	if len(e.Name()) != sha256.Size*2-len(dir) || !e.Type().IsRegular() {
		return nil
	}
	found, err := lists.has(dir + e.Name())
	if err != nil || found {
		return err
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	p.Files, p.Bytes = p.Files+1, p.Bytes+info.Size()
	return blobs.Remove(dir + "/" + e.Name())
}
