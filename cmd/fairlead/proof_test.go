package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/ledger"
)

func TestAuditCheck_RefusesWhatWasTamperedWith(t *testing.T) {
	serveHere(t, elsewhere(t))
	made := command(t, "audit", "prove", "1")
	if made.status != 0 {
		t.Fatal(made)
	}
	other := "fairlead.ledger+33d7b496+AeHU4Q=="
	for name, tt := range map[string]struct {
		change func(p *ledger.Proof)
		after  string
		key    string
		says   string // empty: it is proven
	}{
		"as it is":  {func(*ledger.Proof) {}, "\n", "", ""},
		"number":    {func(p *ledger.Proof) { p.Seq++ }, "", "", "is of event 1 of"},
		"leaf":      {func(p *ledger.Proof) { p.Leaf[len(p.Leaf)-2]++ }, "", "", "not in the signed tree"},
		"other key": {func(*ledger.Proof) {}, "", other, "public key cannot be read"},
		"no head":   {func(p *ledger.Proof) { p.Checkpoint = "" }, "", "", "no signed checkpoint"},
		"appended":  {func(*ledger.Proof) {}, "{}", "", "goes on after its end"},
	} {
		t.Run(name, func(t *testing.T) {
			var p ledger.Proof
			if err := json.Unmarshal([]byte(made.out), &p); err != nil {
				t.Fatal(err)
			}
			tt.change(&p)
			text, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			write(t, "proof.json", string(text)+tt.after)
			got := command(t, "audit", "check", "proof.json", "--key", tt.key)
			if tt.says == "" {
				if got.status != 0 || !strings.Contains(got.out, "event 1 is proven") {
					t.Errorf("status %d: %s%s", got.status, got.out, got.stderr)
				}
			} else if got.status != 1 || got.out != "" || !strings.Contains(got.stderr, tt.says) {
				t.Errorf("status %d, stdout %q, stderr %q; want %q", got.status, got.out, got.stderr, tt.says)
			}
		})
	}
	write(t, "proof.json", made.out[:len(made.out)/2])
	if got := command(t, "audit", "check", "proof.json"); got.status != 1 ||
		!strings.Contains(got.stderr, "ends too early") {
		t.Errorf("truncated: %+v", got)
	}
}
