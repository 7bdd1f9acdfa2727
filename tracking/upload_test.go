package tracking_test

import (
	"io"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// upload begins an upload of two parts, of 4 and 3 bytes.
func (b *bench) upload() *tracking.Upload {
	b.Helper()
	r := b.run(tracking.NewRun{Experiment: "0"})
	u, err := b.svc.StartUpload(b.Context(), project, tracking.Place{Owner: tracking.RunOwner(r.ID),
		Path: "big.bin"}, tracking.NewUpload{Bytes: 7, PartBytes: 4})
	b.must(err)
	return u
}

func (b *bench) part(u *tracking.Upload, n int, text string) {
	b.Helper()
	_, err := b.svc.PutPart(b.Context(), project, u.ID, n, int64(len(text)), strings.NewReader(text))
	b.must(err)
}

// A part that says that it has another length than it must have does not cost the one
// that has come.
func TestPutPart_OfAnotherLengthLeavesWhatHasCome(t *testing.T) {
	b := open(t)
	u := b.upload()
	b.part(u, 1, "abcd")
	b.part(u, 2, "efg")
	_, err := b.svc.PutPart(t.Context(), project, u.ID, 1, 3, strings.NewReader("abc"))
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a part that is too short: %v", err)
	}
	if got, err := b.svc.Upload(t.Context(), project, u.ID); err != nil || len(got.Received) != 2 {
		t.Errorf("after it: %+v, %v", got, err)
	}
	b.must(b.svc.CompleteUpload(t.Context(), project, u.ID, nil, nil, ""))
}

// meanwhile does something before it yields its content.
type meanwhile struct {
	io.Reader
	do func()
}

func (m *meanwhile) Read(p []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.Reader.Read(p)
}

// Who may not complete an upload does not end the turns of those who write its parts.
func TestCompleteUpload_OfAnotherProjectDisturbsNobody(t *testing.T) {
	b := open(t)
	u := b.upload()
	body := &meanwhile{strings.NewReader("abcd"), func() {
		err := b.svc.CompleteUpload(t.Context(), other, u.ID, nil, nil, "")
		if !fairlead.Is(err, fairlead.NotFound) {
			t.Errorf("completed by another project: %v", err)
		}
	}}
	if _, err := b.svc.PutPart(t.Context(), project, u.ID, 1, 4, body); err != nil {
		t.Errorf("the part that was coming: %v", err)
	}
}
