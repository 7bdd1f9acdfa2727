package gate_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/gate"
)

var update = flag.Bool("update", false, "write the table of facts in the reference page anew")

const (
	page  = "../docs/gates.md"
	begin = "<!-- facts: made from package gate by go generate ./gate -->\n"
	end   = "<!-- end -->"
)

// The page's table is what Table says; go generate ./gate writes it.
func TestReference_HasTheTableOfFacts(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	want := before + begin + markdown() + end + after
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(b) != want {
		t.Errorf("%s is not current; run go generate ./gate", page)
	}
}

func markdown() string {
	var b strings.Builder
	b.WriteString("| fact | type | |\n|---|---|---|\n")
	for _, d := range gate.Table() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, d.Type, d.Doc)
	}
	return b.String()
}
