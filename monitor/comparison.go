package monitor

import (
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

// Comparison is how a rollout's version is compared with the live one, and when it is
// looked at next. Times are stream time.
type Comparison struct {
	Metric       string    `json:"metric"`   // whose loss is compared
	WorseBy      float64   `json:"worse_by"` // the share by which the metric may be worse
	Alpha        float64   `json:"alpha"`
	Threshold    float64   `json:"threshold"`     // of the wealth, at which the test rejects: 1/alpha
	Fewest       int       `json:"fewest_blocks"` // before which the test can reject nothing
	Decides      bool      `json:"decides"`       // the plan says when to abort; else the test only tells
	BlockMS      int64     `json:"block_ms"`
	LabelDelayMS int64     `json:"label_delay_ms"`         // that labels are waited for
	NextFrom     time.Time `json:"next_from,omitzero"`     // of the block that is compared next
	NextLook     time.Time `json:"next_look,omitzero"`     // at losses; zero: none is due
	NextFailures time.Time `json:"next_failures,omitzero"` // look at what it failed to answer
	FailuresTo   time.Time `json:"failures_to,omitzero"`   // until when failures are counted
	Requests     int       `json:"requests"`               // until then that the live version answered
	Failed       int       `json:"failed"`                 // of them, those that the candidate could not
}

// Comparison returns how a rollout is compared; nil for one that is not, such as a
// replacement.
func (s *Service) Comparison(tx *store.Tx, p fairlead.Project, rollout string) (*Comparison, error) {
	pr, err := readPairing(tx, p, rollout)
	if err != nil || pr == nil {
		return nil, err
	}
	alpha := pr.test.Alpha()
	c := &Comparison{Metric: pr.metric, WorseBy: pr.worseBy, Alpha: alpha, Threshold: 1 / alpha,
		Fewest: stat.FewestBlocks(alpha), Decides: pr.decides, BlockMS: block.Milliseconds(),
		LabelDelayMS: pr.delay.Milliseconds(), NextFrom: pr.nextFrom, FailuresTo: pr.lookedTo,
		Requests: pr.requests, Failed: pr.failed}
	if c.NextLook, err = s.Stream.Due(tx, p, pr.endpoint, pairedTimer, rollout); err != nil {
		return nil, err
	}
	c.NextFailures, err = s.Stream.Due(tx, p, pr.endpoint, failedTimer, rollout)
	return c, err
}
