package release

import (
	"context"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Turn is one change of a rollout, with where it then stood and on what evidence. It
// never changes. Of rollouts that ended before turns were kept there is the last one.
type Turn struct {
	What     string    `json:"what"` // started | stepped | asked | finished
	Step     int       `json:"step"` // that it stands at from then on
	Percent  float64   `json:"percent"`
	Reason   string    `json:"reason,omitempty"`
	Actor    string    `json:"actor,omitempty"` // who caused it, "kind:name"
	Evidence Paired    `json:"evidence"`        // the newest then
	At       time.Time `json:"at"`              // stream time
	Time     time.Time `json:"time,omitzero"`   // wall time; zero: it was not kept
}

// Finding is paired evidence about a rollout as it was recorded: cumulated from the
// rollout's beginning, and the block that it added.
type Finding struct {
	Paired
	From     time.Time `json:"from"` // of the newest block, stream time
	To       time.Time `json:"to"`
	Recorded time.Time `json:"recorded"` // wall time
}

// History is how a rollout went, step by step.
type History struct {
	Rollout  *Rollout  `json:"rollout"`
	Turns    []Turn    `json:"turns"`
	Findings []Finding `json:"findings"` // the newest 1,000, in order

	Steps    []float64 `json:"steps"`        // percentages of a canary, by the plan
	Needed   int64     `json:"needed"`       // labels that each step waits for; 0: none
	Labels   int64     `json:"labels"`       // that the present step has
	AtMostMS int64     `json:"at_most_ms"`   // how long a step waits; 0: as long as it takes
	Due      time.Time `json:"due,omitzero"` // when it asks a human, stream time
}

// History returns the turns of a rollout and the evidence that was found meanwhile;
// NotFound for a rollout of another project.
func (s *Service) History(ctx context.Context, p fairlead.Project, id string) (*History, error) {
	h := &History{Findings: []Finding{}}
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if h.Rollout, err = s.Rollout(tx, p, id); err != nil {
			return err
		}
		h.plan()
		if h.Turns, err = readTurns(tx, id); err != nil {
			return err
		}
		all, err := s.Gate.OfRollout(tx, p, id)
		for _, e := range all {
			if paired, ok := readPaired(e); ok && e.Kind == gate.KindPaired {
				h.Findings = append(h.Findings, Finding{paired, e.From, e.To, e.Created})
			}
		}
		return err
	})
	return h, err
}

// plan fills in what the rollout waits for.
func (h *History) plan() {
	r := h.Rollout
	h.Steps, h.Needed, h.Due = []float64{}, int64(r.Plan.Hold.Labels), r.due()
	h.AtMostMS = r.Plan.Hold.AtMost.Milliseconds()
	if r.Strategy == spec.Canary {
		h.Steps = r.Plan.Steps
	}
	if r.Active() {
		h.Labels = r.labels()
	}
}

// note keeps what an event tells of the rollout.
func (t *transition) note(ctx context.Context, name string) error {
	r := t.after.rollout
	evidence := r.Evidence
	evidence.Before = nil // the turns and findings before have it
	return insertTurn(t.tx, r.ID, Turn{What: strings.TrimPrefix(name, "rollout."), Step: r.Step,
		Percent: r.Percent, Reason: r.Reason, Actor: fairlead.ActorFrom(ctx).String(),
		Evidence: evidence, At: t.at, Time: t.Clock.Now()})
}
