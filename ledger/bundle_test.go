package ledger_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/ledger"
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
	read, err := ledger.ReadBundle(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{key, ""} {
		got, err := read.Check(key)
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
	_, otherKey := signed(t)
	body := `{"model":"m","alias":"live","from":0,"to":1}`
	for name, tt := range map[string]struct {
		change func(b *ledger.Bundle)
		key    string
		want   string
	}{
		"body": {func(b *ledger.Bundle) {
			b.Events[0].Body = strings.Replace(b.Events[0].Body, `"to":1`, `"to":7`, 1)
		}, key, "body"},
		"salt":   {func(b *ledger.Bundle) { b.Events[0].Salt = "00" }, key, "body"},
		"odd":    {func(b *ledger.Bundle) { b.Events[0].Salt = "x" }, key, "body"},
		"actor":  {func(b *ledger.Bundle) { b.Events[0].Leaf = strings.Replace(b.Events[0].Leaf, `"m"`, `"n"`, 1) }, key, "not in the signed tree"},
		"leaf":   {func(b *ledger.Bundle) { b.Events[0].Leaf = "{}" }, key, "leaf"},
		"path":   {func(b *ledger.Bundle) { b.Events[0].Path = b.Events[1].Path }, key, "not in the signed tree"},
		"short":  {func(b *ledger.Bundle) { b.Events[0].Path = nil }, key, "not in the signed tree"},
		"hex":    {func(b *ledger.Bundle) { b.Events[0].Path[0] = "xx" }, key, "path"},
		"head":   {func(b *ledger.Bundle) { b.Checkpoint = strings.Replace(b.Checkpoint, "\n9\n", "\n8\n", 1) }, key, "signature"},
		"none":   {func(b *ledger.Bundle) { b.Checkpoint = "" }, key, "signature"},
		"key":    {func(*ledger.Bundle) {}, otherKey, "signature"},
		"no key": {func(*ledger.Bundle) {}, "x", "public key"},
		"format": {func(b *ledger.Bundle) { b.Format = "" }, key, "no proof"},
		"document": {func(b *ledger.Bundle) {
			b.Documents = []ledger.Document{{Name: "policy", SHA256: "00", Text: "x"}}
		}, key, "policy does not match"},
		"stray document": {func(b *ledger.Bundle) {
			b.Documents = []ledger.Document{ledger.NewDocument("policy", "x")}
		}, key, "no event of the proof names policy"},
	} {
		b, err := led.Bundle(t.Context(), "m", []int64{2, 5})
		if err != nil || b.Events[0].Body != body {
			t.Fatal(err, b)
		}
		tt.change(b)
		_, err = b.Check(tt.key)
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
	for _, text := range []string{"", "[]", `{"events":1}`} {
		if _, err := ledger.ReadBundle([]byte(text)); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
