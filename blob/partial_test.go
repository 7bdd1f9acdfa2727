package blob_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

func (f *fixture) part(t *testing.T, at int64, text string) blob.Part {
	t.Helper()
	obj, err := f.PutPart(t.Context(), "p", at, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return blob.Part{At: at, Object: obj}
}

func (f *fixture) join(t *testing.T, parts ...blob.Part) (blob.Object, error) {
	t.Helper()
	p := f.Seize("p")
	defer p.Release()
	return p.Join(t.Context(), parts, func(blob.Object) error { return nil })
}

// wants checks that the object is stored, and is that text.
func (f *fixture) wants(t *testing.T, obj blob.Object, text string) {
	t.Helper()
	sum := sha256.Sum256([]byte(text))
	if obj != (blob.Object{Digest: hex.EncodeToString(sum[:]), Bytes: int64(len(text))}) {
		t.Errorf("stored %v, want the digest of %q", obj, text)
	}
	if err := f.link("joined", obj); err != nil {
		t.Fatal(err)
	}
	if got, err := f.read("joined"); got != text {
		t.Errorf("read %q, %v", got, err)
	}
	if content, temporary := f.stored(t); len(content) != 1 || len(temporary) != 0 {
		t.Errorf("files %v %v", content, temporary)
	}
}

func TestJoin_StoresPartsInTheirOrder(t *testing.T) {
	f := open(t)
	last := f.part(t, 1000, "tail") // came when nobody knew where it begins
	f.part(t, 5, "wrong")
	first := f.part(t, 0, "first")
	second := f.part(t, 5, "secnd")
	obj, err := f.join(t, first, second, last)
	if err != nil {
		t.Fatal(err)
	}
	f.wants(t, obj, "firstsecndtail")
	if names, err := f.Partials(); err != nil || len(names) > 0 {
		t.Errorf("left %v, %v", names, err)
	}
}

func TestJoin_SaysWhichPartsAreNotWhatWasReceived(t *testing.T) {
	f := open(t)
	parts := []blob.Part{f.part(t, 0, "first"), f.part(t, 5, "secnd"), f.part(t, 10, "third")}
	file := filepath.Join(f.dir, "blobs", "partial", "p")
	if err := os.WriteFile(file, []byte("firstXXXXXthi"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := f.join(t, parts...)
	var damaged blob.DamagedParts
	if !errors.As(err, &damaged) || !slices.Equal(damaged, blob.DamagedParts{1, 2}) {
		t.Errorf("damaged %v, %v", damaged, err)
	}
	f.part(t, 5, "secnd")
	f.part(t, 10, "third")
	refused := errors.New("not this")
	p := f.Seize("p")
	_, err = p.Join(t.Context(), parts, func(o blob.Object) error { return refused })
	p.Release()
	if !errors.Is(err, refused) {
		t.Errorf("joined what was refused: %v", err)
	}
	obj, err := f.join(t, parts...)
	if err != nil {
		t.Fatal(err)
	}
	f.wants(t, obj, "firstsecndthird")
	if _, err := f.join(t, parts...); !errors.As(err, &damaged) || len(damaged) != 3 {
		t.Errorf("joined again: %v", err)
	}
}

// refuseRows lets the database take no rows of content, until the returned function is
// called.
func (f *fixture) refuseRows(t *testing.T) (end func()) {
	t.Helper()
	exec := func(statement string) {
		t.Helper()
		err := f.write(func(tx *store.Tx) error { _, err := tx.Exec(statement); return err })
		if err != nil {
			t.Fatal(err)
		}
	}
	exec("create trigger refused before insert on blob begin select raise(abort, 'refused'); end")
	return func() { exec("drop trigger refused") }
}

// What the database does not take is not lost: the parts can be joined again.
func TestJoin_ThatGetsNoRowKeepsTheParts(t *testing.T) {
	f := open(t)
	parts := []blob.Part{f.part(t, 0, "first"), f.part(t, 1000, "tail")}
	end := f.refuseRows(t)
	if _, err := f.join(t, parts...); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatalf("joined without a row: %v", err)
	}
	if content, _ := f.stored(t); len(content) > 0 {
		t.Errorf("content without a row: %v", content)
	}
	end()
	obj, err := f.join(t, parts...)
	if err != nil {
		t.Fatal(err)
	}
	f.wants(t, obj, "firsttail")
}

func TestPut_ThatGetsNoRowLeavesNothing(t *testing.T) {
	f := open(t)
	defer f.refuseRows(t)()
	_, err := f.Put(t.Context(), strings.NewReader("text"))
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("stored without a row: %v", err)
	}
	if content, temporary := f.stored(t); len(content)+len(temporary) > 0 {
		t.Errorf("left %v %v", content, temporary)
	}
}

// Content that is stored already leaves no partial file.
func TestJoin_OfWhatIsStoredRemovesTheParts(t *testing.T) {
	f := open(t)
	f.put(t, "same")
	obj, err := f.join(t, f.part(t, 0, "same"))
	if err != nil {
		t.Fatal(err)
	}
	f.wants(t, obj, "same")
	if names, err := f.Partials(); err != nil || len(names) > 0 {
		t.Errorf("left %v, %v", names, err)
	}
}

// slow is content that comes in two pieces, the second when it is let go.
type slow struct {
	pieces []string
	came   chan struct{}
	more   chan struct{}
}

func (s *slow) Read(b []byte) (int, error) {
	switch len(s.pieces) {
	case 0:
		return 0, io.EOF
	case 1:
		close(s.came)
		<-s.more
	}
	n := copy(b, s.pieces[0])
	s.pieces = s.pieces[1:]
	return n, nil
}

// putSlowly begins to put a part, and returns what lets it go on and says how it ended.
func (f *fixture) putSlowly(at int64, first, second string) (goOn func() error) {
	s := &slow{[]string{first, second}, make(chan struct{}), make(chan struct{})}
	ended := make(chan error)
	go func() {
		_, err := f.PutPart(context.Background(), "p", at, s)
		ended <- err
	}()
	<-s.came
	return func() error { close(s.more); return <-ended }
}

// A sender that was given up must not write into what came after it.
func TestPutPart_ALaterSenderTakesItsPlace(t *testing.T) {
	f := open(t)
	goOn := f.putSlowly(0, "ol", "d")
	part := f.part(t, 0, "new")
	if err := goOn(); !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("the first sender: %v", err)
	}
	obj, err := f.join(t, part)
	if err != nil {
		t.Fatal(err)
	}
	f.wants(t, obj, "new")
}

func TestJoin_KeepsSendersOutOfWhatIsStored(t *testing.T) {
	f := open(t)
	part := f.part(t, 0, "new")
	goOn := f.putSlowly(0, "n", "OT")
	obj, err := f.join(t, part)
	if err != nil {
		t.Fatal(err)
	}
	if err := goOn(); !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("a sender writes on: %v", err)
	}
	f.wants(t, obj, "new")
}

func TestPutPart_ThatBreaksOffTakesNoRoom(t *testing.T) {
	f := open(t)
	half := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), failing{errors.New("boom")})
	if _, err := f.PutPart(t.Context(), "p", 0, half); err == nil {
		t.Error("a part that broke off is there")
	}
	info, err := os.Stat(filepath.Join(f.dir, "blobs", "partial", "p"))
	if err != nil {
		t.Fatal(err)
	}
	if blocks := info.Sys().(*syscall.Stat_t).Blocks; blocks > 8 {
		t.Errorf("%d blocks are taken", blocks)
	}
	p := f.Seize("p")
	defer p.Release()
	if err := errors.Join(p.Remove(), p.Remove()); err != nil {
		t.Error(err)
	}
}
