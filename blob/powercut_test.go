package blob_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/store/powercut"
)

// victimVar names the directory in which a process of this test program stores files
// until it ends, while it is recorded.
const victimVar = "FAIRLEAD_TEST_VICTIM"

func TestMain(m *testing.M) {
	dir := os.Getenv(victimVar)
	if dir == "" {
		os.Exit(m.Run())
	}
	for session := range 2 { // the second one finds directories and files in their places
		if err := victim(dir, session); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(0)
}

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

func recorded(t *testing.T) *powercut.Log {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimVar+"="+dir)
	log, err := powercut.Record(cmd, dir)
	if errors.Is(err, powercut.ErrNoTracing) {
		t.Skipf("LEFT OUT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// lossy cuts the power at random moments, opens what is then on the disk, and returns
// what is wrong there.
func lossy(t *testing.T, log *powercut.Log, cuts int) (wrong []error) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("REPORT: seed %d", seed)
	chance, disk := rand.New(rand.NewPCG(seed, 0)), log.Disk()
	for i := range cuts {
		at := (i*log.Len() + chance.IntN(log.Len())) / cuts
		disk.Go(at)
		dir, err := os.MkdirTemp(t.TempDir(), "cut")
		if err != nil {
			t.Fatal(err)
		}
		if err := disk.AfterLoss(dir, chance); err != nil {
			t.Fatal(err)
		}
		if err := checkVictim(t.Context(), dir, log.Acks(at)); err != nil {
			wrong = append(wrong, fmt.Errorf("power cut at %d of %d: %w", at, log.Len(), err))
		}
		os.RemoveAll(dir)
	}
	return wrong
}

// checkVictim looks for each acknowledged file, and for rows whose files are not whole.
func checkVictim(ctx context.Context, dir string, acks []string) error {
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
	log := recorded(t)
	for _, err := range lossy(t, log, 150) {
		t.Error(err)
	}
	if n, want := len(log.Acks(log.Len()-1)), victimWriters*(2*victimFiles+victimFiles); n != want {
		t.Errorf("%d files were acknowledged, want %d", n, want)
	}
}

// Each of the syncs is needed, and the model knows it.
func TestPowerCut_NeedsEachSync(t *testing.T) {
	t.Parallel()
	log := recorded(t)
	for what, pattern := range map[string]string{
		"the content":             `^blobs/tmp/`,
		"its name":                `^blobs/[0-9a-f]{2}$`,
		"the name of a directory": `^blobs$`,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			worse := log.WithoutSyncsOf(regexp.MustCompile(pattern).MatchString)
			if wrong := lossy(t, worse, 50); len(wrong) < 5 {
				t.Errorf("without its sync only %d power cuts did damage", len(wrong))
			}
		})
	}
}
