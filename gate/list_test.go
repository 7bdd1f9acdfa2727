package gate_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/store"
)

func TestDecisions_ListsTheNewestFirst(t *testing.T) {
	w := newWorld(t)
	w.wape = map[int64]float64{1: 0.41, 2: 0.47}
	var ids []string
	for _, version := range []int64{1, 2, 2} {
		r, err := w.run(version, 0)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	list := func(f gate.Filter, limit int) (out []string) {
		for token, first := "", true; first || token != ""; first = false {
			page, err := w.gates.Decisions(t.Context(), w.project, f, token, limit)
			if err != nil || len(page.Items) > limit {
				t.Fatal(page, err)
			}
			for _, r := range page.Items {
				if len(r.Checks) == 0 || r.Policy == "" {
					t.Errorf("decision %+v has lost what it was made from", r)
				}
				out = append(out, r.ID)
			}
			token = page.Next
		}
		return out
	}
	want := fmt.Sprint([]string{ids[2], ids[1], ids[0]})
	if got := fmt.Sprint(list(gate.Filter{Model: "bikes"}, 1)); got != want {
		t.Errorf("one by one %s, want %s", got, want)
	}
	if got := fmt.Sprint(list(gate.Filter{Model: "bikes"}, 100)); got != want {
		t.Errorf("at once %s, want %s", got, want)
	}
	if got := list(gate.Filter{Model: "bikes", Version: 1}, 100); fmt.Sprint(got) != fmt.Sprint(ids[:1]) {
		t.Errorf("of version 1: %s", got)
	}
	if got := list(gate.Filter{Model: "bikes", AsOf: time.UnixMilli(1)}, 100); got != nil {
		t.Errorf("before the first: %s", got)
	}
	if got := list(gate.Filter{Model: "nobody"}, 100); got != nil {
		t.Errorf("of no model: %s", got)
	}
	next, err := w.gates.Decisions(t.Context(), w.project, gate.Filter{Model: "bikes"}, "", 1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.gates.Decisions(t.Context(), w.project, gate.Filter{Model: "other"}, next.Next, 1)
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a token of another list: %v", err)
	}
	err = w.db.Read(t.Context(), func(tx *store.Tx) error {
		newest, err := w.gates.Newest(tx, w.project, []string{"bikes", "nobody"})
		if len(newest) != 1 || newest["bikes"].ID != ids[2] {
			t.Errorf("newest %+v", newest)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
