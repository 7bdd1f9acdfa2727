package release

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Explanation says where a rollout stands and what it waits for.
type Explanation struct {
	Rollout *Rollout  `json:"rollout"`
	Labels  int64     `json:"labels"`       // since the present step began
	Needed  int64     `json:"needed"`       // for the present step; 0: it waits for no labels
	Due     time.Time `json:"due,omitzero"` // when it asks a human, stream time
	Text    string    `json:"text"`         // for people, lines of plain text
}

// Explain tells what a rollout does, on which evidence, and what comes next.
func (s *Service) Explain(ctx context.Context, p fairlead.Project, id string) (*Explanation,
	error) {
	var r *Rollout
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		r, err = s.Rollout(tx, p, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &Explanation{Rollout: r, Due: r.due()}
	if r.State != Finished {
		out.Labels, out.Needed = r.labels(), int64(r.Plan.Hold.Labels)
	}
	out.Text = out.text()
	return out, nil
}

func (e *Explanation) text() string {
	r := e.Rollout
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s of version %d", r.Endpoint, r.Strategy, r.To)
	if r.From != 0 {
		fmt.Fprintf(&b, " over version %d", r.From)
	}
	if r.Strategy == spec.Canary && r.State != Finished {
		fmt.Fprintf(&b, ", step %d of %d (%g%% of the requests)", r.Step, len(r.Plan.Steps), r.Percent)
	}
	fmt.Fprintf(&b, " (%s)\n", r.ID)
	for _, line := range []string{r.Note, e.stands(), e.evidence(), r.Waits()} {
		if line != "" {
			fmt.Fprintf(&b, "  %s\n", line)
		}
	}
	return b.String()
}

func (e *Explanation) stands() string {
	r := e.Rollout
	switch r.State {
	case Finished:
		return fmt.Sprintf("%s at %s: %s", r.Outcome, r.Ended.Format(time.RFC3339), r.Reason)
	case Waiting:
		return "asks a human: " + r.Reason
	}
	return r.Reason
}

func (e *Explanation) evidence() string {
	p := e.Rollout.Evidence
	if p.Blocks == 0 && p.Failed == 0 {
		return ""
	}
	text := fmt.Sprintf("evidence: %d labels in %d blocks, "+
		"loss %.4g against %.4g of the live version, wealth %.3g", p.Labels, p.Blocks,
		p.LossCandidate, p.LossLive, p.Wealth)
	if a := e.Rollout.Plan.Abort; a != nil {
		text += fmt.Sprintf(" (rolled back at %g)", 1/a.Alpha)
	}
	if p.Failed > 0 {
		text += "; " + p.failures(e.Rollout)
	}
	return text
}

// Waits says which evidence an active rollout waits for, and until when; empty when it
// waits for none.
func (r *Rollout) Waits() string {
	if !r.Active() || r.Plan.Hold.Labels == 0 {
		return ""
	}
	text := fmt.Sprintf("this step has %d of %d labels since %s", r.labels(), r.Plan.Hold.Labels,
		r.StepAt.Format(time.RFC3339))
	if due := r.due(); !due.IsZero() {
		text += ", and asks a human at " + due.Format(time.RFC3339)
	}
	if r.worse() {
		text += "; it is neither widened nor promoted while its newest loss is above what is tolerated"
	}
	return text
}
