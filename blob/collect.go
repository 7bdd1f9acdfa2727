package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// collectChunk bounds the blobs deleted at once, so that writers wait briefly, and
// collectPage those looked at in one read.
const (
	collectChunk = 200
	collectPage  = 5000
)

// Grace is how long content that nothing refers to stays, in wall time: longer than from
// storing what a step or an upload has brought to referring to it.
const Grace = 24 * time.Hour

// Usage is what the store holds, in bytes.
type Usage struct {
	Bytes  int64 // all of it
	Unused int64 // of them, what nothing refers to: a collection takes it once it is old enough
}

// Usage returns what the store holds.
func (s *Store) Usage(ctx context.Context) (u Usage, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		u, err = usage(tx)
		return err
	})
	return u, err
}

// UsageOf returns the bytes of the files that the project refers to, each counted once.
func (s *Store) UsageOf(ctx context.Context, p fairlead.Project) (bytes int64, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(`select coalesce(sum(bytes), 0) from blob
			where digest in (select digest from blob_ref where project_k = ?)`, p.K).Scan(&bytes)
	})
	return bytes, err
}

// Collect deletes what nothing refers to and no Put has touched for olderThan
// (wall time), and returns the bytes it freed. The grace period is the time that a
// caller has between Put and Link; it must not be shorter than the longest of
// these. Collect is safe beside any other method; it waits for the end of a Keep.
func (s *Store) Collect(ctx context.Context, olderThan time.Duration) (freed int64, err error) {
	s.kept.Lock()
	defer s.kept.Unlock()
	cutoff := s.clock.Now().Add(-olderThan)
	for last := ""; ; {
		var garbage []Object
		err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
			garbage, last, err = garbageAfter(tx, fairlead.MS(cutoff), last, collectPage)
			return err
		})
		if err != nil {
			return freed, fmt.Errorf("collect blobs: %w", err)
		}
		for some := range slices.Chunk(garbage, collectChunk) {
			bytes, err := s.collectRows(ctx, cutoff, some)
			freed += bytes
			if err != nil {
				return freed, fmt.Errorf("collect blobs: %w", err)
			}
		}
		if last == "" {
			break
		}
	}
	bytes, err := s.collectOrphans(ctx, cutoff)
	if err != nil {
		return freed, fmt.Errorf("collect blobs: %w", err)
	}
	return freed + bytes, nil
}

// collectRows deletes what is still garbage of these: rows first and files after. A crash
// between leaves a file without a row, which the next collection finds, and never a row
// without a file.
func (s *Store) collectRows(ctx context.Context, cutoff time.Time, objects []Object) (freed int64,
	err error) {
	s.placing.Lock()
	defer s.placing.Unlock()
	var dead []Object
	err = s.db.Free(ctx, store.Bulk, func(tx *store.Tx) (err error) {
		dead, err = deleteGarbage(tx, fairlead.MS(cutoff), objects)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, o := range dead {
		err := s.root.Remove(place(o.Digest))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return freed, err
		}
		freed += o.Bytes
	}
	return freed, nil
}

// collectOrphans deletes old files that have no row: what a crash left between
// the renaming of a file and the commit of its row, or the reverse on deletion.
func (s *Store) collectOrphans(ctx context.Context, cutoff time.Time) (freed int64, err error) {
	dirs, err := fs.ReadDir(s.root.FS(), ".")
	for _, dir := range dirs {
		if err != nil {
			break
		}
		if _, bad := hex.DecodeString(dir.Name()); bad == nil && dir.IsDir() {
			var n int64
			n, err = s.collectOrphansIn(ctx, dir.Name(), cutoff)
			freed += n
		}
	}
	return freed, err
}

func (s *Store) collectOrphansIn(ctx context.Context, dir string, cutoff time.Time) (freed int64,
	err error) {
	entries, err := fs.ReadDir(s.root.FS(), dir)
	if err != nil {
		return 0, err
	}
	var known map[string]bool
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		known, err = storedWith(tx, dir)
		return err
	})
	for _, e := range entries {
		if err != nil {
			return freed, err
		}
		digest, ours := digestOf(dir + "/" + e.Name())
		if !ours || known[digest] {
			continue
		}
		var n int64
		n, err = s.removeOrphan(ctx, digest, e, cutoff)
		freed += n
	}
	return freed, err
}

// removeOrphan removes a file that had no row, unless it is young or has got one.
func (s *Store) removeOrphan(ctx context.Context, digest string, e fs.DirEntry,
	cutoff time.Time) (int64, error) {
	info, err := e.Info()
	if err != nil || !info.ModTime().Before(cutoff) {
		return 0, nil // gone meanwhile, or too young
	}
	s.placing.Lock()
	defer s.placing.Unlock()
	var known bool
	err = s.db.Read(ctx, func(tx *store.Tx) (err error) {
		known, err = stored(tx, digest)
		return err
	})
	if err != nil || known {
		return 0, err
	}
	return info.Size(), s.root.Remove(place(digest))
}

// digestOf is the inverse of place.
func digestOf(name string) (string, bool) {
	if len(name) != 65 || name[2] != '/' {
		return "", false
	}
	digest := name[:2] + name[3:]
	_, err := hex.DecodeString(digest)
	return digest, err == nil
}
