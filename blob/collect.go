package blob

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// collectChunk bounds the blobs deleted at once, so that writers wait briefly.
const collectChunk = 200

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

// Collect deletes what nothing refers to and no Put has touched for olderThan
// (wall time), and returns the bytes it freed. The grace period is the time that a
// caller has between Put and Link; it must not be shorter than the longest of
// these. Collect is safe beside any other method; it waits for the end of a Keep.
func (s *Store) Collect(ctx context.Context, olderThan time.Duration) (freed int64, err error) {
	s.kept.Lock()
	defer s.kept.Unlock()
	cutoff := s.clock.Now().Add(-olderThan)
	for {
		n, bytes, err := s.collectRows(ctx, cutoff)
		freed += bytes
		if err != nil {
			return freed, fmt.Errorf("collect blobs: %w", err)
		}
		if n < collectChunk {
			break
		}
	}
	bytes, err := s.collectOrphans(ctx, cutoff)
	if err != nil {
		return freed, fmt.Errorf("collect blobs: %w", err)
	}
	return freed + bytes, nil
}

// collectRows deletes rows first and files after: a crash between leaves a file
// without a row, which the next collection finds, and never a row without a file.
func (s *Store) collectRows(ctx context.Context, cutoff time.Time) (n int, freed int64, err error) {
	s.placing.Lock()
	defer s.placing.Unlock()
	var dead []Object
	err = s.db.Write(ctx, store.Bulk, func(tx *store.Tx) (err error) {
		dead, err = deleteGarbage(tx, fairlead.MS(cutoff), collectChunk)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	for _, o := range dead {
		err := s.root.Remove(place(o.Digest))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return len(dead), freed, err
		}
		freed += o.Bytes
	}
	return len(dead), freed, nil
}

// collectOrphans deletes old files that have no row: what a crash left between
// the renaming of a file and the commit of its row, or the reverse on deletion.
func (s *Store) collectOrphans(ctx context.Context, cutoff time.Time) (freed int64, err error) {
	err = fs.WalkDir(s.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == tmp || name == partials {
				return fs.SkipDir
			}
			return ctx.Err()
		}
		n, err := s.removeOrphan(ctx, name, d, cutoff)
		freed += n
		return err
	})
	return freed, err
}

func (s *Store) removeOrphan(ctx context.Context, name string, d fs.DirEntry,
	cutoff time.Time) (int64, error) {
	digest, ok := digestOf(name)
	info, err := d.Info()
	if !ok || err != nil || !info.ModTime().Before(cutoff) {
		return 0, nil // not ours, gone meanwhile, or too young
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
	return info.Size(), s.root.Remove(name)
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
