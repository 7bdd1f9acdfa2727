package scm_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/store"
)

var project = fairlead.Project{K: 1, Name: "one"}

func service(t testing.TB) *scm.Service {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")},
		blob.Schema(), scm.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	blobs, err := blob.New(db, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return scm.New(db, blobs, fairlead.NewFakeClock(time.UnixMilli(1e12)))
}

// repo is a real Git repository of the test's own.
type repo struct {
	t   testing.TB
	dir string
}

func newRepo(t testing.TB) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("left out: git is not installed")
	}
	r := &repo{t, t.TempDir()}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=Ada Ünal", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Bo",
		"GIT_COMMITTER_EMAIL=bo@example.org", "GIT_AUTHOR_DATE=1300000000 +0100",
		"GIT_COMMITTER_DATE=1300000001 -0500")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(name, text string, mode os.FileMode) {
	r.t.Helper()
	full := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) commit(message string) string {
	r.t.Helper()
	r.git("add", "--all", ".")
	r.git("commit", "-q", "-m", message)
	return r.git("rev-parse", "HEAD")
}

// odd is a tree whose sorting and names a careless reader gets wrong.
var odd = map[string]os.FileMode{
	"foo": 0o644, "foo.txt": 0o644, "foo-bar/x": 0o644, "foo0": 0o644, "a/b/c/d": 0o644,
	"a.b": 0o644, "a-": 0o644, "space and 'quotes\"/ü ß.py": 0o644, "run.sh": 0o755,
	"日本/語": 0o644, "-dash": 0o644, "...": 0o644, "empty": 0o644, "dir.git/x": 0o644,
	strings.Repeat("long/", 40) + "name": 0o755,
}

func oddRepo(t testing.TB) *repo {
	r := newRepo(t)
	for name, mode := range odd {
		text := name
		if name == "empty" {
			text = ""
		}
		r.write(name, text, mode)
	}
	if err := os.MkdirAll(filepath.Join(r.dir, "nothing/here"), 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

func packed(t testing.TB, dir string, allowDirty bool) (io.Reader, scm.Commit) {
	t.Helper()
	f, c, err := scm.Pack(t.Context(), dir, allowDirty)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, c
}

func TestImport_TreeIsWhatGitWrites(t *testing.T) {
	r := oddRepo(t)
	sha := r.commit("First line\n\nMore: ü\n")
	s := service(t)
	f, claimed := packed(t, filepath.Join(r.dir, "a"), false) // from within a directory
	c, err := s.Import(t.Context(), project, f, claimed)
	if err != nil {
		t.Fatal(err)
	}
	if want := r.git("write-tree"); c.Tree != want || c.ID() != sha || c.Dirty {
		t.Errorf("tree %s of %s, dirty %v, want %s of %s", c.Tree, c.ID(), c.Dirty, want, sha)
	}
	got, err := s.Get(t.Context(), project, sha)
	if err != nil || got.Author != "Ada Ünal <ada@example.org>" || got.TimeMS != 1300000001000 ||
		got.Message != "First line\n\nMore: ü" || got.Subject() != "First line" {
		t.Errorf("stored %+v, %v", got, err)
	}
	other := fairlead.Project{K: 2, Name: "two"}
	if _, err := s.Get(t.Context(), other, sha); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another project sees it: %v", err)
	}
}

func TestCheckout_IsTheCommittedTreeAndWritable(t *testing.T) {
	r := oddRepo(t)
	sha := r.commit("x")
	s := service(t)
	f, claimed := packed(t, r.dir, false)
	if _, err := s.Import(t.Context(), project, f, claimed); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := s.Checkout(t.Context(), project, sha, dir); err != nil {
		t.Fatal(err)
	}
	for name, mode := range odd {
		want, _ := os.ReadFile(filepath.Join(r.dir, name))
		got, err := os.ReadFile(filepath.Join(dir, name))
		info, _ := os.Stat(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(got, want) || info.Mode() != mode {
			t.Errorf("%s: %q, mode %v, %v", name, got, info.Mode(), err)
		}
	}
	names, err := s.Files(t.Context(), project, sha, "")
	if err != nil || len(names) != len(odd) || !slices.IsSorted(names) {
		t.Errorf("files %q, %v", names, err)
	}
	text, err := s.File(t.Context(), project, sha, "a/b/c/d")
	if err != nil || string(text) != "a/b/c/d" {
		t.Errorf("file %q, %v", text, err)
	}
	if _, err := s.File(t.Context(), project, sha, "a/../foo"); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a path with ..: %v", err)
	}
	err = s.Checkout(t.Context(), project, strings.Repeat("0", 40), dir)
	if !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("unknown commit: %v", err)
	}
}

func TestPack_TakesRawContentWhateverTheAttributes(t *testing.T) {
	r := newRepo(t)
	r.write(".gitattributes",
		"*.txt text eol=crlf ident\nhidden export-ignore\nv export-subst\n", 0o644)
	r.write("a.txt", "one\r\ntwo $Id$\r\n", 0o644)
	r.write("hidden", "h", 0o644)
	r.write("v", "$Format:%H$", 0o644)
	sha := r.commit("x")
	s := service(t)
	f, claimed := packed(t, r.dir, false)
	if _, err := s.Import(t.Context(), project, f, claimed); err != nil {
		t.Fatal(err)
	}
	got, err := s.File(t.Context(), project, sha, "a.txt")
	if err != nil || string(got) != "one\ntwo $Id$\n" {
		t.Errorf("content %q, %v", got, err)
	}
}

func TestPack_DirtyTreeIsRefusedUnlessAllowed(t *testing.T) {
	r := newRepo(t)
	r.write("a.py", "1", 0o644)
	r.write("gone.py", "1", 0o644)
	r.write(".gitignore", "*.log\n", 0o644)
	sha := r.commit("x")
	r.write("noise.log", "ignored", 0o644)
	if _, c := packed(t, r.dir, false); c.ID() != sha {
		t.Errorf("an ignored file makes %s", c.ID())
	}
	r.write("a.py", "2", 0o644)
	r.write("new file.py", "3", 0o755)
	os.Remove(filepath.Join(r.dir, "gone.py"))
	_, _, err := scm.Pack(t.Context(), r.dir, false)
	if !fairlead.Is(err, fairlead.Precondition) ||
		!strings.Contains(err.Error(), "a.py, gone.py, new file.py") {
		t.Errorf("error %v", err)
	}
	before := r.git("count-objects") + r.git("status", "--porcelain")
	f, claimed := packed(t, r.dir, true)
	if after := r.git("count-objects") + r.git("status", "--porcelain"); after != before {
		t.Errorf("packing changed the repository from %q to %q", before, after)
	}
	s := service(t)
	c, err := s.Import(t.Context(), project, f, claimed)
	if err != nil {
		t.Fatal(err)
	}
	r.git("add", "--all", ".")
	if want := r.git("write-tree"); c.Tree != want || !c.Dirty || c.ID() != sha+"+dirty."+want[:7] ||
		c.ID() != claimed.ID() {
		t.Errorf("snapshot %s with tree %s, want tree %s", c.ID(), c.Tree, want)
	}
	if got, err := s.File(t.Context(), project, c.ID(), "a.py"); err != nil || string(got) != "2" {
		t.Errorf("content %q, %v", got, err)
	}
	_, err = s.File(t.Context(), project, c.ID(), "gone.py")
	if !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("deleted file: %v", err)
	}
}

func TestImport_CommitCannotBeClaimedFalsely(t *testing.T) {
	r := newRepo(t)
	r.write("a.py", "1", 0o644)
	r.commit("first")
	_, first := packed(t, r.dir, false)
	r.write("a.py", "2", 0o644)
	r.commit("second")
	s := service(t)
	for name, claim := range map[string]func(c *scm.Commit){
		"files of another commit": func(c *scm.Commit) { *c = first },
		"another sha":             func(c *scm.Commit) { c.SHA = first.SHA },
		"an edited object":        func(c *scm.Commit) { c.Object = append(c.Object, '!') },
		"no object":               func(c *scm.Commit) { c.Object = nil },
	} {
		f, c := packed(t, r.dir, false)
		claim(&c)
		if _, err := s.Import(t.Context(), project, f, c); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	f, c := packed(t, r.dir, false)
	c.Dirty = true // said dirty, and is clean
	got, err := s.Import(t.Context(), project, f, c)
	if err != nil || got.Dirty || got.ID() != c.SHA {
		t.Errorf("snapshot %+v, %v", got, err)
	}
}

func TestImport_Again_ChangesNothing(t *testing.T) {
	r := newRepo(t)
	r.write("a.py", "1", 0o644)
	r.commit("x")
	s := service(t)
	for range 2 {
		f, c := packed(t, r.dir, false)
		if _, err := s.Import(t.Context(), project, f, c); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPack_SaysWhatToDo(t *testing.T) {
	empty := newRepo(t)
	link := newRepo(t)
	link.write("a", "1", 0o644)
	if err := os.Symlink("a", filepath.Join(link.dir, "link")); err != nil {
		t.Fatal(err)
	}
	link.commit("x")
	sub := newRepo(t)
	sub.write("a", "1", 0o644)
	sub.commit("x")
	sub.git("update-index", "--add", "--cacheinfo", "160000,"+sub.git("rev-parse", "HEAD")+",vendored")
	sub.git("commit", "-q", "-m", "submodule")
	if err := os.Mkdir(filepath.Join(sub.dir, "vendored"), 0o755); err != nil {
		t.Fatal(err)
	}
	odd := newRepo(t)
	odd.write(`back\slash`, "1", 0o644)
	odd.commit("x")
	none := newRepo(t)
	none.git("commit", "-q", "--allow-empty", "-m", "x")
	for name, c := range map[string]struct {
		dir  string
		code fairlead.Code
		says string
	}{
		"not a repository": {t.TempDir(), fairlead.Precondition, "git init"},
		"no directory":     {filepath.Join(t.TempDir(), "none"), fairlead.Precondition, "git rev-parse"},
		"no commit":        {empty.dir, fairlead.Precondition, "no commit yet"},
		"no files":         {none.dir, fairlead.Invalid, "no files"},
		"symbolic link":    {link.dir, fairlead.Invalid, `"link" is a symbolic link`},
		"submodule":        {sub.dir, fairlead.Invalid, `"vendored" is a submodule`},
		"backslash":        {odd.dir, fairlead.Invalid, "backslash"},
	} {
		_, _, err := scm.Pack(t.Context(), c.dir, true)
		if !fairlead.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s: %v", name, fairlead.CodeOf(err), err)
		}
	}
}

// object is a commit object for a tree that the test need not know.
func object(tree string) ([]byte, string) {
	text := "tree " + tree + "\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nm\n"
	sum := sha1.Sum([]byte(fmt.Sprintf("commit %d\x00%s", len(text), text)))
	return []byte(text), hex.EncodeToString(sum[:])
}

func anyCommit() scm.Commit {
	raw, sha := object(strings.Repeat("1", 40))
	return scm.Commit{SHA: sha, Object: raw, Dirty: true}
}

func archive(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, h.Size)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestImport_RefusesHostileArchives(t *testing.T) {
	s := service(t)
	one := tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 1}
	for name, raw := range map[string][]byte{
		"empty":          archive(t),
		"not a tar":      []byte(strings.Repeat("garbage ", 200)),
		"cut short":      archive(t, one)[:512],
		"parent":         archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "../a"}),
		"absolute":       archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "/etc/passwd"}),
		"not clean":      archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "./a"}),
		"git's own":      archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "x/.GIT/config"}),
		"symbolic link":  archive(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/"}),
		"hard link":      archive(t, one, tar.Header{Typeflag: tar.TypeLink, Name: "l", Linkname: "a"}),
		"device":         archive(t, tar.Header{Typeflag: tar.TypeChar, Name: "null"}),
		"twice":          archive(t, one, one),
		"file, then dir": archive(t, one, tar.Header{Typeflag: tar.TypeReg, Name: "a/b"}),
		"dir, then file": archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "a/b"}, one),
	} {
		_, err := s.Import(t.Context(), project, bytes.NewReader(raw), anyCommit())
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %s: %v", name, fairlead.CodeOf(err), err)
		}
	}
}

// endless yields tar headers of empty files without end.
type endless struct {
	n   int
	buf bytes.Buffer
}

func (e *endless) Read(b []byte) (int, error) {
	if e.buf.Len() == 0 {
		e.n++
		w := tar.NewWriter(&e.buf)
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: fmt.Sprint(e.n)}); err != nil {
			return 0, err
		}
	}
	return e.buf.Read(b)
}

func TestImport_IsBounded(t *testing.T) {
	s := service(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h := &tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: scm.MaxBytes + 1}
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{"bytes": &b, "headers": &endless{}} {
		_, err := s.Import(t.Context(), project, r, anyCommit())
		if !fairlead.Is(err, fairlead.Exhausted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPack_IgnoresTheVariablesOfAHook(t *testing.T) {
	r := newRepo(t)
	r.write("a", "1", 0o644)
	sha := r.commit("x")
	t.Setenv("GIT_DIR", "/nonexistent")
	t.Setenv("GIT_INDEX_FILE", "/nonexistent")
	src, err := scm.Look(t.Context(), r.dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	if src.Commit.ID() != sha {
		t.Errorf("commit %s, want %s", src.Commit.ID(), sha)
	}
}

func FuzzImport(f *testing.F) {
	s := service(f)
	f.Add(archive(f, tar.Header{Typeflag: tar.TypeReg, Name: "a/b", Size: 3}), "")
	f.Add([]byte("x"), "tree \nauthor \ncommitter \n\n")
	f.Add([]byte{}, "author A <a> 99999999999999999999 +0\ncommitter >\ntree 0")
	f.Fuzz(func(t *testing.T, archive []byte, extra string) {
		c := anyCommit()
		if extra != "" {
			c.Object = []byte(extra)
			sum := sha1.Sum([]byte(fmt.Sprintf("commit %d\x00%s", len(extra), extra)))
			c.SHA = hex.EncodeToString(sum[:])
		}
		got, err := s.Import(context.Background(), project, bytes.NewReader(archive), c)
		if err != nil {
			if code := fairlead.CodeOf(err); code == fairlead.Internal {
				t.Errorf("code %s: %v", code, err)
			}
			return
		}
		if got.SHA != c.SHA || len(got.Tree) != 40 {
			t.Errorf("imported %+v", got)
		}
		names, err := s.Files(context.Background(), project, got.ID(), "")
		if err != nil || len(names) == 0 {
			t.Errorf("files %q, %v", names, errors.Join(err))
		}
	})
}
