package loop

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Explanation says what the loop does for a model, and why.
type Explanation struct {
	Model    string   `json:"model"`
	Paused   bool     `json:"paused"`
	Active   *Case    `json:"active,omitempty"`
	Waiting  []*Case  `json:"waiting,omitempty"`
	Recent   []*Case  `json:"recent"`
	Retrains int      `json:"retrains"`
	Failures int      `json:"failures_in_a_row"`
	Note     string   `json:"note"` // the last thing it did or left, and why
	Lines    []string `json:"explanation"`
}

// Explain returns why the loop did or did not act on the model.
func (s *Service) Explain(ctx context.Context, p fairlead.Project, model string) (*Explanation, error) {
	e := &Explanation{Model: model}
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		m, err := readModel(tx, p, model)
		if err != nil {
			return err
		}
		e.Paused, e.Retrains, e.Failures, e.Note = m.paused, m.retrains, m.failures, m.note
		if e.Active, err = activeCase(tx, p, model); err != nil {
			return err
		}
		if e.Waiting, err = waitingCases(tx, p, model); err != nil {
			return err
		}
		if e.Recent, err = listCases(tx, p, model, 0, 10); err != nil {
			return err
		}
		at, err := s.now(tx, p, model)
		if err != nil {
			return err
		}
		rev, err := s.Projects.Current(tx, p)
		if err != nil {
			return err
		}
		why, _ := m.mayRetrain(rev.Spec.Monitor, at)
		e.Lines = e.lines(why, at)
		return nil
	})
	return e, err
}

func (e *Explanation) lines(why string, at time.Time) []string {
	out := []string{"stream time is " + at.Format(time.RFC3339)}
	if e.Active != nil {
		line := fmt.Sprintf("case %s (%s) is %s", e.Active.ID, e.Active.Cause, e.Active.State)
		if e.Active.Version != 0 {
			line += fmt.Sprintf(" with version %d", e.Active.Version)
		}
		out = append(out, line)
	} else {
		out = append(out, "no case is active")
	}
	for _, c := range e.Waiting {
		out = append(out, fmt.Sprintf("case %s (%s) waits: %s", c.ID, c.Cause, c.Reason))
	}
	if why == "" {
		out = append(out, "an incident would start a retraining now")
	} else {
		out = append(out, "an incident would start no retraining: "+why)
	}
	if e.Note != "" {
		out = append(out, "last: "+e.Note)
	}
	for _, c := range e.Recent {
		if c.State == Closed {
			out = append(out, fmt.Sprintf("%s  case %s (%s), version %d: %s, %s",
				c.ClosedAt.Format(time.DateOnly), c.ID, c.Cause, c.Version, c.Outcome, c.Reason))
		}
	}
	return out
}

// Case returns one case.
func (s *Service) Case(ctx context.Context, p fairlead.Project, id string) (c *Case, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		c, err = readCase(tx, p, id)
		return err
	})
	return c, err
}

// Cases lists the project's cases, the newest first; model may be empty.
func (s *Service) Cases(ctx context.Context, p fairlead.Project, model, page string, limit int) (out fairlead.Page[*Case], err error) {
	var before int64
	filter := "cases/" + p.Name + "/" + model
	if err := fairlead.DecodeCursor(page, filter, &before); err != nil {
		return out, err
	}
	if limit <= 0 || limit > 500 {
		limit = 100
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		out.Items, err = listCases(tx, p, model, before, limit+1)
		return err
	})
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		out.Next = fairlead.EncodeCursor(filter, out.Items[limit-1].k)
	}
	return out, err
}
