package release

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/stat"
)

// States of a rollout.
const (
	Running  = "running"       // gathers evidence
	Waiting  = "waiting_human" // could not, for as long as it may; a human promotes or rolls back
	Finished = "finished"
)

// Outcomes of a finished rollout.
const (
	Promoted   = "promoted"   // its version is live
	RolledBack = "rolledback" // on evidence, or by somebody
	Aborted    = "aborted"    // what it was compared with is no longer live
)

// Rollout is the way of one version into one environment. Its times are stream time, and
// wall time until the endpoint's stream has begun; StepAt is then set to the beginning.
type Rollout struct {
	ID          string           `json:"id"`
	Case        string           `json:"case,omitempty"`
	Endpoint    string           `json:"endpoint"`
	Environment string           `json:"environment"`
	Model       string           `json:"model"`
	From        int64            `json:"from"` // the live version that it started from; 0: none
	To          int64            `json:"to"`
	Strategy    string           `json:"strategy"`       // replace | canary | shadow: what is done
	Note        string           `json:"note,omitempty"` // why that is not what the file says
	Plan        spec.Environment `json:"plan"`           // the file's settings when it started
	State       string           `json:"state"`          // running | waiting_human | finished
	Outcome     string           `json:"outcome,omitempty"`
	Reason      string           `json:"reason,omitempty"` // for the state it is in
	Step        int              `json:"step"`             // from 1; 0 for replace
	Percent     float64          `json:"percent"`          // of the requests that To answers
	StepAt      time.Time        `json:"step_at"`          // when the step began
	StepLabels  int64            `json:"step_labels"`      // labels when the step began
	Evidence    Paired           `json:"evidence"`         // the newest
	Started     time.Time        `json:"started"`
	Changed     time.Time        `json:"changed"`
	Ended       time.Time        `json:"ended,omitzero"`
}

// Paired is evidence from requests that candidate and live both scored, cumulated
// since the rollout began.
type Paired struct {
	Evidence      string  `json:"evidence,omitempty"` // its id
	Labels        int64   `json:"labels"`             // requests with ground truth
	Blocks        int64   `json:"blocks"`             // of the sequential test
	Wealth        float64 `json:"wealth"`             // of the bet on a worse candidate (an e-value)
	Rejected      bool    `json:"rejected"`           // the candidate is worse than is tolerated
	LossCandidate float64 `json:"loss_candidate"`     // sum over the labelled requests
	LossLive      float64 `json:"loss_live"`
	LossTolerated float64 `json:"loss_tolerated"`     // the candidate's, at which it would not be worse
	Requests      int64   `json:"requests,omitempty"` // that the live version answered
	Failed        int64   `json:"failed,omitempty"`   // of them, those that the candidate could not
	Note          string  `json:"note,omitempty"`     // why the newest block says nothing
	Before        []Sums  `json:"before,omitempty"`   // older evidence, as far back as one hold
}

// Sums are the cumulated losses at an earlier time.
type Sums struct {
	Labels        int64   `json:"labels"`
	LossCandidate float64 `json:"loss_candidate"`
	LossLive      float64 `json:"loss_live"`
	LossTolerated float64 `json:"loss_tolerated"`
}

// failures says how much of what the live version answered the candidate could not.
func (p Paired) failures(r *Rollout) string {
	return fmt.Sprintf("version %d could not answer %d of %d requests that version %d answered",
		r.To, p.Failed, p.Requests, r.From)
}

// after returns p with as much of the evidence before it as the newest `hold` labels
// reach back.
func (p Paired) after(old Paired, hold int64) Paired {
	before := append(slices.Clone(old.Before), Sums{old.Labels, old.LossCandidate, old.LossLive,
		old.LossTolerated})
	for len(before) > 1 && before[1].Labels <= p.Labels-hold {
		before = before[1:]
	}
	p.Before = before
	return p
}

// recent returns the losses over the newest labels: one hold of them, or all that
// there are.
func (p Paired) recent() Sums {
	var before Sums
	if len(p.Before) > 0 {
		before = p.Before[0]
	}
	return Sums{p.Labels - before.Labels, p.LossCandidate - before.LossCandidate,
		p.LossLive - before.LossLive, p.LossTolerated - before.LossTolerated}
}

// Active reports whether the rollout is not finished.
func (r *Rollout) Active() bool { return r.State != Finished }

// labels returns how many labels have come since the present step began.
func (r *Rollout) labels() int64 { return r.Evidence.Labels - r.StepLabels }

// held reports whether the present step has the evidence that it waits for.
func (r *Rollout) held() bool {
	return r.Plan.Hold.Labels > 0 && r.labels() >= int64(r.Plan.Hold.Labels)
}

// worse reports whether the candidate's loss over the newest hold of labels is above
// what is tolerated. It proves nothing, and so rolls nothing back; but no step is
// widened on it, and nothing is promoted. It looks at the newest labels only: two bad
// days at the start must not hold an honest candidate for weeks.
func (r *Rollout) worse() bool {
	recent := r.Evidence.recent()
	return r.Plan.Abort != nil && recent.LossCandidate > recent.LossTolerated
}

// tested reports whether the sequential test could have rejected the candidate by now.
// Until then it is silent about every one, however bad.
func (r *Rollout) tested() bool {
	return r.Plan.Abort == nil || r.Evidence.Blocks >= int64(stat.FewestBlocks(r.Plan.Abort.Alpha))
}

// last reports whether the present step is the last one.
func (r *Rollout) last() bool { return r.Step >= len(r.Plan.Steps) }

// name returns "rollout rol_… (canary of version 4)".
func (r *Rollout) name() string {
	return fmt.Sprintf("rollout %s (%s of version %d)", r.ID, r.Strategy, r.To)
}

// commands says how a human decides about the rollout.
func (r *Rollout) commands() string {
	return fmt.Sprintf("`fairlead rollout %s --promote` or `--rollback`, with --reason", r.ID)
}

// due returns when the present step has waited as long as it may; the zero time
// when it waits for nobody.
func (r *Rollout) due() time.Time {
	if r == nil || r.State != Running || r.Plan.Hold.AtMost.Duration == 0 {
		return time.Time{}
	}
	return r.StepAt.Add(r.Plan.Hold.AtMost.Duration)
}
