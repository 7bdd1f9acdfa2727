package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
)

// A file that comes in parts is written once: each part goes to its place in one
// partial file, which becomes a stored one when it is whole. What the parts are, and
// which have come, the caller knows.

// partials holds the partial files by name.
const partials = "partial"

// Part is a piece of a partial file, and where in the file it lies.
type Part struct {
	At int64
	Object
}

// partial is a partial file that is in use.
type partial struct {
	mu    sync.RWMutex    // held shared for each write, and alone by who has seized it
	turns map[int64]*turn // by offset: whose part it is
	users int             // guarded by Store.receiving's lock
}

// receiving are the partial files that are in use, by name.
type receiving struct {
	mu    sync.Mutex
	files map[string]*partial
}

func (r *receiving) use(name string) *partial {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.files[name]
	if p == nil {
		p = &partial{turns: map[int64]*turn{}}
		if r.files == nil {
			r.files = map[string]*partial{}
		}
		r.files[name] = p
	}
	p.users++
	return p
}

func (r *receiving) leave(name string, p *partial) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.users--; p.users == 0 {
		delete(r.files, name)
	}
}

// turn writes one part. Its turn ends when the same part comes again, and when the file
// is seized: a sender that was given up must not write any more.
type turn struct {
	of        *partial
	file      *os.File
	from, end int64
}

var errTurnOver = fairlead.Errorf(fairlead.Conflict,
	"the part was sent again meanwhile, or its upload has ended")

// Write implements io.Writer.
func (t *turn) Write(b []byte) (int, error) {
	t.of.mu.RLock()
	defer t.of.mu.RUnlock()
	if t.of.turns[t.from] != t {
		return 0, errTurnOver
	}
	n, err := t.file.WriteAt(b, t.end)
	t.end += int64(n)
	return n, err
}

// undo gives back the room of a part that broke off, where the file system can.
func (t *turn) undo() {
	t.of.mu.RLock()
	defer t.of.mu.RUnlock()
	if t.of.turns[t.from] == t && t.end > t.from {
		unix.Fallocate(int(t.file.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE,
			t.from, t.end-t.from)
	}
}

// PutPart streams what r yields to its place in the partial file of that name, and
// returns when it is synced. A part that comes again takes the place of the earlier one,
// whose sender gets Conflict if it is still at it. Errors are those of Put.
func (s *Store) PutPart(ctx context.Context, name string, at int64, r io.Reader) (Object, error) {
	if err := s.db.Room(); err != nil {
		return Object{}, err
	}
	p := s.receiving.use(name)
	defer s.receiving.leave(name, p)
	p.mu.Lock()
	f, err := s.openPartial(name, os.O_WRONLY|os.O_CREATE)
	if err != nil {
		p.mu.Unlock()
		return Object{}, diskError("write a part", err)
	}
	defer f.Close()
	t := &turn{of: p, file: f, from: at, end: at}
	p.turns[at] = t
	p.mu.Unlock()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(t, sum), &reader{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		t.undo()
		return Object{}, diskError("write a part", err)
	}
	return Object{hex.EncodeToString(sum.Sum(nil)), n}, nil
}

// openPartial opens a partial file, which may be read-only since it was joined in vain.
func (s *Store) openPartial(name string, flag int) (*os.File, error) {
	name = partials + "/" + name
	if err := s.root.Chmod(name, 0o600); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s.root.OpenFile(name, flag, 0o600)
}

// Partial is a partial file that nobody else writes, joins or removes, until Release.
type Partial struct {
	s    *Store
	p    *partial
	name string
}

// Seize ends the turns of all who write the partial file, and keeps others out.
func (s *Store) Seize(name string) *Partial {
	p := s.receiving.use(name)
	p.mu.Lock()
	clear(p.turns)
	return &Partial{s, p, name}
}

// Release lets others have the file.
func (f *Partial) Release() {
	f.p.mu.Unlock()
	f.s.receiving.leave(f.name, f.p)
}

// DamagedParts says which parts, by their indices, are not there or not what was received.
type DamagedParts []int

// Error implements error.
func (d DamagedParts) Error() string {
	return fmt.Sprintf("%d parts of a file are not what was received", len(d))
}

// Join makes the partial file a stored one, of these parts one after another: each lies
// where the ones before it end, or behind them all. It reads the file once, and writes
// only parts of the latter kind. After an error, also one of check, which sees the whole,
// the parts are still there, and can be joined again.
func (f *Partial) Join(ctx context.Context, parts []Part, check func(Object) error) (Object,
	error) {
	if err := f.s.db.Room(); err != nil {
		return Object{}, err
	}
	file, err := f.s.openPartial(f.name, os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		all := make(DamagedParts, len(parts))
		for i := range all {
			all[i] = i
		}
		return Object{}, all
	}
	if err != nil {
		return Object{}, diskError("join parts", err)
	}
	defer file.Close()
	obj, err := joined(ctx, file, parts)
	if err != nil {
		return Object{}, diskError("join parts", err)
	}
	if err := check(obj); err != nil {
		return Object{}, err
	}
	if err := errors.Join(file.Truncate(obj.Bytes), file.Chmod(0o444)); err != nil {
		return Object{}, diskError("join parts", err)
	}
	if err := f.s.settle(ctx, []staging{{obj, partials + "/" + f.name}}); err != nil {
		return Object{}, err
	}
	return obj, f.Remove() // it is still there where the content was stored already
}

// joined brings the parts into their order and returns what they are together. What lay
// behind all parts and is gone was moved to its place before.
func joined(ctx context.Context, file *os.File, parts []Part) (Object, error) {
	info, err := file.Stat()
	if err != nil {
		return Object{}, err
	}
	whole := sha256.New()
	var end int64
	var damaged DamagedParts
	for i, part := range parts {
		if part.At != end && part.At+part.Bytes <= info.Size() {
			from := io.NewSectionReader(file, part.At, part.Bytes)
			if _, err := io.Copy(io.NewOffsetWriter(file, end), &reader{ctx, from}); err != nil {
				return Object{}, err
			}
		}
		sum := sha256.New()
		content := &reader{ctx, io.NewSectionReader(file, end, part.Bytes)}
		n, err := io.Copy(io.MultiWriter(whole, sum), content)
		if err != nil {
			return Object{}, err
		}
		if n != part.Bytes || hex.EncodeToString(sum.Sum(nil)) != part.Digest {
			damaged = append(damaged, i)
		}
		end += part.Bytes
	}
	if damaged != nil {
		return Object{}, damaged
	}
	return Object{hex.EncodeToString(whole.Sum(nil)), end}, nil
}

// Remove removes the partial file; one that is not there is fine.
func (f *Partial) Remove() error {
	err := f.s.root.Remove(partials + "/" + f.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Partials lists the names of the partial files.
func (s *Store) Partials() (names []string, err error) {
	entries, err := fs.ReadDir(s.root.FS(), partials)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
