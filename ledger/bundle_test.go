package ledger_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

// signed returns a ledger with 9 events that has a key, and the key.
func signed(t *testing.T) (*ledger.Ledger, string) {
	t.Helper()
	dir := t.TempDir()
	db, led := open(t, filepath.Join(dir, "f.db"))
	signer, err := ledger.OpenSigner(dir)
	if err != nil {
		t.Fatal(err)
	}
	led.SignWith(signer)
	for i := range int64(9) {
		if err := appendAlias(db, led, i); err != nil {
			t.Fatal(err)
		}
	}
	return led, signer.PublicKey()
}

func TestBundle_ProvesItsEventsWithoutTheLedger(t *testing.T) {
	led, key := signed(t)
	b, err := led.Bundle(t.Context(), "m", []int64{2, 3, 9})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(b, "", "\t") // as any program may write it again
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{key, ""} {
		got, err := ledger.CheckProof(text, key)
		if err != nil {
			t.Fatal(err)
		}
		if got.Size != 9 || len(got.Events) != 3 || got.Events[1].Seq != 3 ||
			string(got.Events[2].Body) != `{"model":"m","alias":"live","from":0,"to":8}` {
			t.Errorf("proven: %+v", got)
		}
	}
	rep, err := led.Verify(t.Context())
	if err != nil || rep.Checkpoints != 0 {
		t.Errorf("a proof that is read writes a checkpoint: %+v, %v", rep, err)
	}
}

func TestBundle_ShowsEachChange(t *testing.T) {
	led, key := signed(t)
	other, otherKey := signed(t)
	bundle := func(led *ledger.Ledger, seqs ...int64) *ledger.Bundle {
		b, err := led.Bundle(t.Context(), "m", seqs)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	foreign, more := bundle(other, 2, 5), bundle(led, 2, 5, 8)
	body := `{"model":"m","alias":"live","from":0,"to":1}`
	for name, tt := range map[string]struct {
		change func(b *ledger.Bundle)
		key    string
		want   string
	}{
		"body": {func(b *ledger.Bundle) {
			b.Events[0].Body = strings.Replace(b.Events[0].Body, `"to":1`, `"to":7`, 1)
		}, key, "body"},
		"salt":    {func(b *ledger.Bundle) { b.Events[0].Salt = "00" }, key, "body"},
		"odd":     {func(b *ledger.Bundle) { b.Events[0].Salt = "x" }, key, "body"},
		"actor":   {func(b *ledger.Bundle) { b.Events[0].Leaf = strings.Replace(b.Events[0].Leaf, `"m"`, `"n"`, 1) }, key, "not in the signed tree"},
		"leaf":    {func(b *ledger.Bundle) { b.Events[0].Leaf = "{}" }, key, "leaf"},
		"path":    {func(b *ledger.Bundle) { b.Events[0].Path = b.Events[1].Path }, key, "not in the signed tree"},
		"short":   {func(b *ledger.Bundle) { b.Events[0].Path = nil }, key, "not in the signed tree"},
		"hex":     {func(b *ledger.Bundle) { b.Events[0].Path[0] = "xx" }, key, "path"},
		"head":    {func(b *ledger.Bundle) { b.Checkpoint = strings.Replace(b.Checkpoint, "\n9\n", "\n8\n", 1) }, key, "checkpoint has no valid signature: it was changed after"},
		"none":    {func(b *ledger.Bundle) { b.Checkpoint = "" }, key, "checkpoint has no valid signature"},
		"key":     {func(*ledger.Bundle) {}, otherKey, "another one, fairlead.ledger+"},
		"own key": {func(b *ledger.Bundle) { b.PublicKey = otherKey }, "", "another one, fairlead.ledger+"},
		"another server's head": {func(b *ledger.Bundle) { b.Checkpoint = foreign.Checkpoint }, key,
			"checkpoint has no valid signature of the key"},
		"another server's proof":  {func(b *ledger.Bundle) { *b = *foreign }, key, "another one, fairlead.ledger+"},
		"another server's events": {func(b *ledger.Bundle) { b.Events = foreign.Events }, key, "not in the signed tree"},
		"another server's list":   {func(b *ledger.Bundle) { b.List = foreign.List }, key, "list of the proof has no valid signature of the key"},
		"order": {func(b *ledger.Bundle) { b.Events[0], b.Events[1] = b.Events[1], b.Events[0] }, key,
			"not in the order"},
		"left out":     {func(b *ledger.Bundle) { b.Events = b.Events[:1] }, key, "event 5 is missing from the proof"},
		"all left out": {func(b *ledger.Bundle) { b.Events = nil }, key, "event 2 is missing from the proof"},
		"twice":        {func(b *ledger.Bundle) { b.Events = append(b.Events, b.Events[1]) }, key, "as often"},
		"appended": {func(b *ledger.Bundle) { b.Events = append(b.Events, more.Events[2]) }, key,
			"event 8 was added to the proof"},
		"exchanged":       {func(b *ledger.Bundle) { b.Events[1] = more.Events[2] }, key, "event 5 is missing"},
		"subject":         {func(b *ledger.Bundle) { b.Subject = "n" }, key, `was made about "m"`},
		"time":            {func(b *ledger.Bundle) { b.MadeMS++ }, key, "time"},
		"no list":         {func(b *ledger.Bundle) { b.List = "" }, key, "list of the proof has no valid signature"},
		"head as list":    {func(b *ledger.Bundle) { b.List = b.Checkpoint }, key, "changed after it was signed"},
		"list of another": {func(b *ledger.Bundle) { b.List = more.List }, key, "event 8 is missing"},
		"no key":          {func(*ledger.Bundle) {}, "x", "public key"},
		"format":          {func(b *ledger.Bundle) { b.Format = "" }, key, "no proof"},
		"document": {func(b *ledger.Bundle) {
			b.Documents = []ledger.Document{{Name: "policy", SHA256: "00", Text: "x"}}
		}, key, "policy does not match"},
		"stray document": {func(b *ledger.Bundle) {
			b.Documents = []ledger.Document{ledger.NewDocument("policy", "x")}
		}, key, "no event of the proof names policy"},
	} {
		b := bundle(led, 2, 5)
		if b.Events[0].Body != body {
			t.Fatal(b)
		}
		tt.change(b)
		_, err := b.Check(tt.key)
		code := fairlead.CodeOf(err)
		if err == nil || code != fairlead.Conflict && code != fairlead.Invalid ||
			!strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestBundle_RefusesWhatIsNotThere(t *testing.T) {
	led, _ := signed(t)
	if _, err := led.Bundle(t.Context(), "m", []int64{10}); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("an event that is not: %v", err)
	}
	_, err := led.Bundle(t.Context(), "m", make([]int64, ledger.MaxBundle+1))
	if !fairlead.Is(err, fairlead.Exhausted) {
		t.Errorf("too many: %v", err)
	}
	_, unsigned := open(t, filepath.Join(t.TempDir(), "f.db"))
	if _, err := unsigned.Bundle(t.Context(), "m", nil); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("without a key: %v", err)
	}
}

func TestBundle_HasItsDocuments(t *testing.T) {
	db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
	signer, err := ledger.OpenSigner(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	led.SignWith(signer)
	d := ledger.NewDocument("policy", "x")
	if err := db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := led.Append(t.Context(), tx, project, "m", time.Time{},
			event.AliasMoved{Model: "m", Alias: d.SHA256})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b, err := led.Bundle(t.Context(), "m", []int64{1}, d)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.Check(""); err != nil || len(got.Documents) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	b.Documents = nil
	if _, err := b.Check(""); err == nil || !strings.Contains(err.Error(), `document "policy" is missing`) {
		t.Errorf("without its document: %v", err)
	}
}

func TestCheckProof_OfOneEvent(t *testing.T) {
	led, key := signed(t)
	_, otherKey := signed(t)
	for name, tt := range map[string]struct {
		change func(p *ledger.Proof)
		key    string
		want   string // empty: it holds
	}{
		"as it is":       {func(*ledger.Proof) {}, key, ""},
		"by its own key": {func(*ledger.Proof) {}, "", ""},
		"without a body": {func(p *ledger.Proof) { *p = *p.WithoutBody() }, key, ""},
		"body":           {func(p *ledger.Proof) { p.Body = []byte("{}") }, key, "event 4: its body does not match"},
		"body alone":     {func(p *ledger.Proof) { p.Salt = nil }, key, "event 4: its body does not match"},
		"leaf": {func(p *ledger.Proof) {
			p.Leaf = []byte(strings.Replace(string(p.Leaf), `"seq":4`, `"seq":5`, 1))
		}, key, "not in the signed tree"},
		"path":   {func(p *ledger.Proof) { p.Path = p.Path[1:] }, key, "not in the signed tree"},
		"number": {func(p *ledger.Proof) { p.Seq = 5 }, key, "is of event 4 of 9"},
		"root":   {func(p *ledger.Proof) { p.Root = "00" }, key, "says something else"},
		"head":   {func(p *ledger.Proof) { p.Checkpoint = "" }, key, "no signed checkpoint"},
		"key":    {func(*ledger.Proof) {}, otherKey, "another one, fairlead.ledger+"},
	} {
		p, err := led.Prove(t.Context(), 4)
		if err != nil {
			t.Fatal(err)
		}
		tt.change(p)
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ledger.CheckProof(text, tt.key)
		switch {
		case tt.want == "" && (err != nil || got.Size != 9 || got.Events[0].Seq != 4):
			t.Errorf("%s: %+v, %v", name, got, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestCheckProof_RefusesWhatIsNone(t *testing.T) {
	led, _ := signed(t)
	b, err := led.Bundle(t.Context(), "m", []int64{2, 5})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                              "not the JSON",
		"[]":                            "not the JSON",
		"{}":                            "no proof",
		`{"events":1}`:                  "not the JSON",
		string(whole[:len(whole)/2]):    "ends too early",
		string(whole) + string(whole):   "goes on after its end",
		string(whole) + " and more":     "goes on after its end",
		`{"format":"fairlead-proof/1"}`: "its format",
	} {
		_, err := ledger.CheckProof([]byte(text), "")
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
	if _, err := ledger.CheckProof(append(whole, '\n'), ""); err != nil {
		t.Errorf("with a line's end: %v", err)
	}
}
