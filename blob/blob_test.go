package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

var (
	project = fairlead.Project{K: 1, Name: "one"}
	other   = fairlead.Project{K: 2, Name: "two"}
	run     = blob.Owner{Kind: "run", ID: "r1"}
)

type fixture struct {
	*blob.Store
	db    *store.DB
	dir   string
	clock *fairlead.FakeClock
}

func open(t testing.TB) *fixture {
	t.Helper()
	return openIn(t, t.TempDir())
}

func openIn(t testing.TB, dir string) *fixture {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")},
		blob.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	clock := fairlead.NewFakeClock(time.Now())
	s, err := blob.New(db, dir, blob.WithClock(clock))
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{s, db, dir, clock}
}

func (f *fixture) put(t testing.TB, text string) blob.Object {
	t.Helper()
	obj, err := f.Put(t.Context(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return obj
}

func (f *fixture) write(fn func(tx *store.Tx) error) error {
	return f.db.Write(context.Background(), store.Control, fn)
}

func (f *fixture) link(path string, obj blob.Object) error {
	return f.write(func(tx *store.Tx) error { return f.Link(tx, project, run, path, obj) })
}

func (f *fixture) mustLink(t *testing.T, path, text string) {
	t.Helper()
	if err := f.link(path, f.put(t, text)); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) read(path string) (string, error) {
	b, err := f.ReadFile(context.Background(), project, run, path, 1<<20)
	return string(b), err
}

// stored lists the content files on disk, and the temporary ones.
func (f *fixture) stored(t *testing.T) (content, temporary []string) {
	t.Helper()
	root := filepath.Join(f.dir, "blobs")
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if strings.HasPrefix(rel, "tmp/") || strings.HasPrefix(rel, "partial/") {
			temporary = append(temporary, rel)
		} else {
			content = append(content, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return content, temporary
}

func TestPut_StoresContentOnceUnderItsSHA256ReadOnly(t *testing.T) {
	f := open(t)
	a, b := f.put(t, "hello"), f.put(t, "hello")
	sum := sha256.Sum256([]byte("hello"))
	if a != b || a.Digest != hex.EncodeToString(sum[:]) || a.Bytes != 5 {
		t.Errorf("objects %v and %v", a, b)
	}
	content, temporary := f.stored(t)
	if len(content) != 1 || content[0] != a.Digest[:2]+"/"+a.Digest[2:] || len(temporary) != 0 {
		t.Errorf("files %v, temporary %v", content, temporary)
	}
	info, err := os.Stat(filepath.Join(f.dir, "blobs", content[0]))
	if err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
}

func TestPut_FailedReaderLeavesNothing(t *testing.T) {
	f := open(t)
	boom := errors.New("boom")
	_, err := f.Put(t.Context(), io.MultiReader(strings.NewReader("half"), failing{boom}))
	if !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Put(ctx, strings.NewReader("x")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled put: %v", err)
	}
	if content, temporary := f.stored(t); len(content)+len(temporary) != 0 {
		t.Errorf("left %v %v", content, temporary)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestNew_RemovesWhatAnInterruptedWriteLeft(t *testing.T) {
	f := open(t)
	half := filepath.Join(f.dir, "blobs", "tmp", "half")
	if err := os.WriteFile(half, []byte("x"), 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.New(f.db, f.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("temporary file is still there: %v", err)
	}
}

func TestLink_ReadsThroughProjectAndOwnerOnly(t *testing.T) {
	f := open(t)
	f.mustLink(t, "model/weights.bin", "w")
	if got, err := f.read("model/weights.bin"); err != nil || got != "w" {
		t.Errorf("read %q, %v", got, err)
	}
	for name, try := range map[string]func() error{
		"another project": func() error {
			_, err := f.Stat(t.Context(), other, run, "model/weights.bin")
			return err
		},
		"another owner": func() error {
			_, _, err := f.Open(t.Context(), project, blob.Owner{Kind: "run", ID: "r2"}, "model/weights.bin")
			return err
		},
		"another kind": func() error {
			_, _, err := f.Path(t.Context(), project, blob.Owner{Kind: "logged_model", ID: "r1"},
				"model/weights.bin")
			return err
		},
		"a directory": func() error { _, err := f.read("model"); return err },
	} {
		if err := try(); !fairlead.Is(err, fairlead.NotFound) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestLink_ReplacesAndUnlinkRemoves(t *testing.T) {
	f := open(t)
	f.mustLink(t, "a.txt", "old")
	f.mustLink(t, "./a.txt", "new")
	if got, err := f.read("a.txt"); err != nil || got != "new" {
		t.Errorf("read %q, %v", got, err)
	}
	unlink := func() error {
		return f.write(func(tx *store.Tx) error { return f.Unlink(tx, project, run, "a.txt") })
	}
	if err := unlink(); err != nil {
		t.Fatal(err)
	}
	if err := unlink(); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("second unlink: %v", err)
	}
	f.mustLink(t, "a.txt", "x")
	f.mustLink(t, "b/c.txt", "y")
	err := f.write(func(tx *store.Tx) error { return f.UnlinkAll(tx, project, run) })
	if all, e := f.Files(t.Context(), project, run, ""); err != nil || e != nil || len(all) != 0 {
		t.Errorf("left %v, errors %v %v", all, err, e)
	}
}

func TestLink_KeepsPathsATree(t *testing.T) {
	f := open(t)
	f.mustLink(t, "ä/model/x", "1")
	obj := f.put(t, "2")
	for _, path := range []string{"ä", "ä/model", "ä/model/x/y"} {
		if err := f.link(path, obj); !fairlead.Is(err, fairlead.Conflict) {
			t.Errorf("link %s: %v", path, err)
		}
	}
	if err := f.link("ä/model/xy", obj); err != nil {
		t.Errorf("a sibling with the same beginning: %v", err)
	}
	err := f.write(func(tx *store.Tx) error {
		return f.LinkAll(tx, project, run, "new", []blob.Entry{
			{Path: "a", Object: obj}, {Path: "b", Object: obj}, {Path: "a/c", Object: obj}})
	})
	if !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("entries that contradict each other: %v", err)
	}
}

func TestLink_RefusesContentThatIsNotStored(t *testing.T) {
	f := open(t)
	err := f.link("a", blob.Object{Digest: strings.Repeat("0", 64), Bytes: 1})
	if !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("error %v", err)
	}
}

func TestList_ShowsOneLevelAndFilesShowsAll(t *testing.T) {
	f := open(t)
	for _, path := range []string{"b.txt", "model/MLmodel", "model/data/w", "model/data/z", "modelx"} {
		f.mustLink(t, path, path)
	}
	for prefix, want := range map[string]string{
		"":           "b.txt model/ modelx",
		".":          "b.txt model/ modelx",
		"model":      "model/MLmodel model/data/",
		"model/":     "model/MLmodel model/data/",
		"model/data": "model/data/w model/data/z",
		"b.txt":      "",
		"absent":     "",
	} {
		entries, err := f.List(t.Context(), project, run, prefix)
		if got := names(entries); err != nil || got != want {
			t.Errorf("list %q: %q, want %q; %v", prefix, got, want, err)
		}
	}
	all, err := f.Files(t.Context(), project, run, "model")
	if got := names(all); err != nil || got != "model/MLmodel model/data/w model/data/z" {
		t.Errorf("files %q, %v", got, err)
	}
	if _, err := f.List(t.Context(), project, run, "../x"); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("list above the owner: %v", err)
	}
}

func names(entries []blob.Entry) string {
	var out []string
	for _, e := range entries {
		name := e.Path
		if e.IsDir {
			name += "/"
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPutDir_ComesBackFromMaterializeReadOnly(t *testing.T) {
	f := open(t)
	src := t.TempDir()
	want := map[string]string{"MLmodel": "flavour", "data/w.bin": "w", "data/deep/ünï code.txt": "w"}
	writeTree(t, src, want)
	if err := os.Symlink("data/w.bin", filepath.Join(src, "link")); err != nil {
		t.Fatal(err)
	}
	entries, err := f.PutDir(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	err = f.write(func(tx *store.Tx) error { return f.LinkAll(tx, project, run, "m/n", entries) })
	if err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "out")
	if err := f.Materialize(t.Context(), project, run, "m/n", dst); err != nil {
		t.Fatal(err)
	}
	want["link"] = "w"
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(dst, name))
		info, _ := os.Lstat(filepath.Join(dst, name))
		if err != nil || string(got) != text || info.Mode() != 0o444 {
			t.Errorf("%s: %q, mode %v, %v", name, got, info.Mode(), err)
		}
	}
	err = f.Materialize(t.Context(), project, run, "m/n", dst)
	if !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("a second time over the first: %v", err)
	}
	err = f.Materialize(t.Context(), project, run, "absent", dst)
	if !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("nothing below the prefix: %v", err)
	}
}

func TestMaterialize_CopyCannotReachTheOriginal(t *testing.T) {
	f := open(t)
	f.mustLink(t, "w", "original")
	dst := t.TempDir()
	if err := f.Materialize(t.Context(), project, run, "", dst); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dst, "w")
	err := errors.Join(os.Chmod(name, 0o644), os.WriteFile(name, []byte("changed"), 0))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := f.read("w"); got != "original" {
		t.Errorf("the store now has %q", got)
	}
}

func TestMaterialize_DoesNotFollowALinkOutOfItsDirectory(t *testing.T) {
	f := open(t)
	f.mustLink(t, "sub/w", "x")
	dst, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dst, "sub")); err != nil {
		t.Fatal(err)
	}
	if err := f.Materialize(t.Context(), project, run, "", dst); err == nil {
		t.Error("written through a link that leaves the directory")
	}
	if got, _ := os.ReadDir(outside); len(got) != 0 {
		t.Errorf("outside has %v", got)
	}
}

func TestPutDir_RefusesWhatLeavesTheDirectory(t *testing.T) {
	f := open(t)
	for name, target := range map[string]string{
		"absolute": "/etc/hostname", "parent": "../x", "dangling": "nothing", "directory": "sub",
	} {
		dir := t.TempDir()
		writeTree(t, dir, map[string]string{"sub/a": "a", "b": "b"})
		if err := os.Symlink(target, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		if _, err := f.PutDir(t.Context(), dir); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s link: %v", name, err)
		}
	}
	if content, temporary := f.stored(t); len(content)+len(temporary) != 0 {
		t.Errorf("left %v %v", content, temporary)
	}
}

func TestCollect_TakesOnlyWhatIsUnreferencedAndOld(t *testing.T) {
	f := open(t)
	f.mustLink(t, "kept", "kept")
	f.put(t, "garbage")
	f.clock.Advance(2 * time.Hour)
	f.put(t, "young")
	freed, err := f.Collect(t.Context(), time.Hour)
	if err != nil || freed != int64(len("garbage")) {
		t.Errorf("freed %d, %v", freed, err)
	}
	if content, _ := f.stored(t); len(content) != 2 {
		t.Errorf("files %v, want the kept and the young one", content)
	}
	if got, err := f.read("kept"); err != nil || got != "kept" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestCollect_PutAgainStartsTheGracePeriodAnew(t *testing.T) {
	f := open(t)
	f.put(t, "again")
	f.clock.Advance(2 * time.Hour)
	obj := f.put(t, "again")
	if freed, err := f.Collect(t.Context(), time.Hour); err != nil || freed != 0 {
		t.Errorf("freed %d, %v", freed, err)
	}
	if err := f.link("a", obj); err != nil {
		t.Error(err)
	}
}

func TestCollect_GoesThroughManyBlobs(t *testing.T) {
	f := open(t)
	const n = 12_000 // more than are looked at, or deleted, at once
	f.mustLink(t, "kept", "kept")
	for from := 0; from < n; from += 1000 {
		err := f.write(func(tx *store.Tx) error {
			for i := from; i < from+1000; i++ {
				sum := sha256.Sum256(fmt.Append(nil, i))
				_, err := tx.Exec("insert into blob (digest, bytes, touched_ms) values (?, 1, 0)",
					hex.EncodeToString(sum[:]))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	freed, err := f.Collect(t.Context(), time.Hour)
	if err != nil || freed != n {
		t.Errorf("freed %d, %v", freed, err)
	}
	u, err := f.Usage(t.Context())
	if err != nil || u.Bytes != 4 || u.Unused != 0 {
		t.Errorf("there is %+v, %v", u, err)
	}
}

func TestCollect_FindsFilesThatACrashLeftWithoutARow(t *testing.T) {
	f := open(t)
	dir := filepath.Join(f.dir, "blobs", "ab")
	orphan := filepath.Join(dir, strings.Repeat("0", 62))
	writeTree(t, dir, map[string]string{strings.Repeat("0", 62): "lost"})
	f.clock.Advance(2 * time.Hour)
	freed, err := f.Collect(t.Context(), time.Hour)
	if _, e := os.Stat(orphan); err != nil || freed != 4 || !errors.Is(e, fs.ErrNotExist) {
		t.Errorf("freed %d, %v; stat %v", freed, err, e)
	}
}

func TestCollect_IsSafeBesidePut(t *testing.T) {
	f := open(t)
	stop := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			// The clock moves a minute between touching and collecting, and the
			// grace period is none: only references and the lock protect.
			f.clock.Advance(time.Minute)
			if _, err := f.Collect(context.Background(), 0); err != nil {
				t.Error(err)
				return
			}
		}
	})
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := range 40 {
				path, text := fmt.Sprintf("%d/%d", w, i), fmt.Sprint(i%7)
				obj, err := f.Put(context.Background(), strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				switch err := f.link(path, obj); {
				case fairlead.Is(err, fairlead.Precondition): // collected before the link: said so
				case err != nil:
					t.Error(err)
				default:
					if got, err := f.read(path); err != nil || got != text {
						t.Errorf("linked content is %q, %v", got, err)
					}
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	collector.Wait()
}

func TestPut_IsSafeBesideItself(t *testing.T) {
	f := open(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := f.Put(context.Background(), bytes.NewReader(big)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if content, temporary := f.stored(t); len(content) != 1 || len(temporary) != 0 {
		t.Errorf("files %v, temporary %v", content, temporary)
	}
}
