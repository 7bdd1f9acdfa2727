package gate

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// Explanation says why a decision is as it is.
type Explanation struct {
	Record *Record `json:"decision"`
	Replay bool    `json:"replayed"` // it was computed again, and is the same
	Text   string  `json:"text"`     // for people, lines of plain text
}

// Explain tells which checks a decision had, what each needed, what it got and
// by how much it missed. With replay it is computed again first, and Conflict says
// that it does not come out the same.
func (s *Service) Explain(ctx context.Context, p fairlead.Project, id string,
	replay bool) (*Explanation, error) {
	r, err := s.Decision(ctx, p, id)
	if err != nil {
		return nil, err
	}
	e := &Explanation{Record: r, Replay: replay, Text: r.text()}
	if replay {
		e.Text += "  computed again from the stored policy and evidence: the same\n"
		err = s.Replay(ctx, p, id)
	}
	return e, err
}

func (r *Record) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s version %d %s the gate", r.Model, r.Version, r.Result)
	if r.Baseline != 0 {
		fmt.Fprintf(&b, ", compared with version %d", r.Baseline)
	}
	fmt.Fprintf(&b, " (%s, decision %s)\n", r.At.Format(time.RFC3339), r.ID)
	if r.Note != "" {
		fmt.Fprintf(&b, "  %s\n", r.Note)
	}
	for _, c := range r.Checks {
		fmt.Fprintf(&b, "  %-7s  %s: %s\n", c.State, c.Name, c.Check)
		if c.State != Green {
			fmt.Fprintf(&b, "           %s\n", c.Message)
		}
		for _, name := range slices.Sorted(maps.Keys(c.Values)) {
			fmt.Fprintf(&b, "           %s = %s\n", name, show(c.Values[name]))
		}
	}
	return b.String()
}

func show(v any) string {
	switch v := v.(type) {
	case float64:
		return short(v)
	case time.Time:
		return v.Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}
