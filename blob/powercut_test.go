package blob_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/store/powercut"
)

func TestMain(m *testing.M) { powercut.Main(m, victim) }

const (
	victimWriters = 4
	victimFiles   = 15 // of each writer in a session
)

func openVictim(ctx context.Context, dir string) (*store.DB, *blob.Store, error) {
	db, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "f.db"), Readers: 1,
		Reserve: 64 << 10}, blob.Schema())
	if err != nil {
		return nil, nil, err
	}
	s, err := blob.New(db, dir)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, s, nil
}

// victim stores files from several goroutines, one by one and two at once, and says
// each that is acknowledged.
func victim(dir string, session int) error {
	ctx := context.Background()
	db, s, err := openVictim(ctx, dir)
	if err != nil {
		return err
	}
	var group errgroup.Group
	for writer := range victimWriters {
		group.Go(func() error {
			for n := session * victimFiles; n < (session+1)*victimFiles; n++ {
				b := s.NewBatch()
				defer b.Discard()
				for file := range 1 + n%2 {
					path := fmt.Sprint(writer, "/", n+100*file)
					if _, err := b.Add(ctx, path, strings.NewReader(victimContent(path))); err != nil {
						return err
					}
				}
				entries, err := b.Store(ctx)
				if err != nil {
					return err
				}
				err = db.Write(ctx, store.Client, func(tx *store.Tx) error {
					return s.LinkAll(tx, project, run, "", entries)
				})
				if err != nil {
					return err
				}
				for _, e := range entries {
					fmt.Println(e.Path)
				}
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), s.Close(), db.Close())
}

// victimContent is the content of a path: 32 bytes to 12 KiB. All writers store the same,
// so that they meet at files and directories.
func victimContent(path string) string {
	sum := sha256.Sum256([]byte(filepath.Base(path)))
	return strings.Repeat(string(sum[:]), 1+int(sum[0])+int(sum[1])/2)
}

// checkVictim looks for each acknowledged file, and for rows whose files are not whole.
func checkVictim(dir string, acks []string) error {
	ctx := context.Background()
	db, s, err := openVictim(ctx, dir)
	if err != nil {
		return err
	}
	defer db.Close()
	defer s.Close()
	if _, err := blob.Check(ctx, db, filepath.Join(dir, "blobs")); err != nil {
		return err
	}
	for _, path := range acks {
		f, _, err := s.Open(ctx, project, run, path)
		if err != nil {
			return fmt.Errorf("%s was acknowledged: %w", path, err)
		}
		b, err := io.ReadAll(f)
		f.Close()
		if err != nil || string(b) != victimContent(path) {
			return fmt.Errorf("%s has %d bytes that are not its own: %w", path, len(b), err)
		}
	}
	return nil
}

func TestPowerCut_KeepsWhatWasStored(t *testing.T) {
	t.Parallel()
	log := powercut.Victim(t)
	for _, err := range log.Cut(t, 150, checkVictim) {
		t.Error(err)
	}
	if n, want := len(log.Acks(log.Len()-1)), victimWriters*(2*victimFiles+victimFiles); n != want {
		t.Errorf("%d files were acknowledged, want %d", n, want)
	}
}

// Each of the syncs is needed, and the model knows it.
func TestPowerCut_NeedsEachSync(t *testing.T) {
	t.Parallel()
	log := powercut.Victim(t)
	for what, pattern := range map[string]string{
		"the content":             `^blobs/tmp/`,
		"its name":                `^blobs/[0-9a-f]{2}$`,
		"the name of a directory": `^blobs$`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			worse := log.WithoutSyncsOf(regexp.MustCompile(pattern).MatchString)
			if wrong := worse.Cut(t, 50, checkVictim); len(wrong) < 5 {
				t.Errorf("without its sync only %d power cuts did damage", len(wrong))
			}
		})
	}
}
