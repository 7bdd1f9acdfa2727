package monitor

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// block is the length of one look of the sequential test, in stream time: losses
// of successive hours hang together, those of days much less.
const block = 24 * time.Hour

// patience is how long a block whose labels are late is waited for.
const patience = 7 * block

// pairing is the evidence about one rollout so far. Its settings are those with
// which the rollout started; a file that changes meanwhile changes nothing.
type pairing struct {
	rollout         string
	endpoint        string
	live, candidate int64
	metric          string        // whose loss is compared
	worseBy         float64       // the share by which the metric may be worse
	delay           time.Duration // that labels are waited for
	nextFrom        time.Time     // of the next block; zero: the stream has not begun
	test            *stat.Sequential
	decides         bool // the plan says when to abort; else the test only tells
	labels          int
	lossLive        float64
	lossCandidate   float64
	lossTolerated   float64 // the candidate's, at which it would not be worse
	note            string  // why the newest block says nothing
	failures
}

// look is one look at what a rollout's requests have shown until a time.
type look struct {
	Rollout string `json:"rollout"`
	AsOfMS  int64  `json:"as_of_ms"`
}

// startPaired begins to pair the losses of a canary's or shadow's version with
// those of the version that is live.
func (s *Service) startPaired(tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var e event.Rollout
	if err := r.Decode(&e); err != nil || e.Strategy == spec.Replace || e.From == 0 {
		return err
	}
	rollout, err := s.Release.Rollout(tx, p, e.Rollout)
	if err != nil || !rollout.Active() {
		return err
	}
	mon, err := s.settings(tx, p)
	if err != nil {
		return err
	}
	abort := spec.Abort{Metric: spec.ErrorMetric, Alpha: 0.05}
	if rollout.Plan.Abort != nil {
		abort = *rollout.Plan.Abort
	}
	if abort.Metric == spec.ErrorMetric {
		abort.Metric = "mae"
	}
	test, err := stat.NewSequential(abort.Alpha)
	if err != nil {
		return err
	}
	pr := &pairing{rollout: e.Rollout, endpoint: e.Endpoint, live: e.From, candidate: e.To,
		metric: abort.Metric, worseBy: abort.WorseBy, test: test,
		decides: rollout.Plan.Abort != nil}
	_, pr.delay, _ = lengthOf(mon, Performance)
	if err := savePairing(tx, p, pr); err != nil {
		return err
	}
	at, err := s.Stream.Now(tx, p, e.Endpoint)
	if err != nil || at.IsZero() {
		return err
	}
	return s.beginPaired(tx, p, e.Endpoint, at)
}

// beginPaired sets the first looks of the endpoint's active rollout, whose
// requests count from at.
func (s *Service) beginPaired(tx *store.Tx, p fairlead.Project, endpoint string,
	at time.Time) error {
	r, err := s.Release.ActiveRollout(tx, p, endpoint)
	if err != nil || r == nil {
		return err
	}
	pr, err := readPairing(tx, p, r.ID)
	if err != nil || pr == nil || !pr.nextFrom.IsZero() {
		return err
	}
	pr.nextFrom, pr.lookedTo = at, at
	if err := savePairing(tx, p, pr); err != nil {
		return err
	}
	if err := s.setLook(tx, p, failedTimer, pr, at.Add(failureLook)); err != nil {
		return err
	}
	return s.setLook(tx, p, pairedTimer, pr, at.Add(block+pr.delay))
}

func (s *Service) setLook(tx *store.Tx, p fairlead.Project, kind string, pr *pairing,
	due time.Time) error {
	return s.Stream.Set(tx, p, stream.Timer{Stream: pr.endpoint, Kind: kind, Key: pr.rollout,
		Due: due})
}

// stopPaired ends the pairing of a rollout that is over.
func (s *Service) stopPaired(tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var e event.Rollout
	if err := r.Decode(&e); err != nil {
		return err
	}
	if err := s.Stream.Cancel(tx, p, e.Endpoint, failedTimer, e.Rollout); err != nil {
		return err
	}
	return s.Stream.Cancel(tx, p, e.Endpoint, pairedTimer, e.Rollout)
}

// lookDue asks for a look at the rollout, by a job of the timer's kind, and sets the
// next one. A job takes up all that is due, so one that fails loses nothing: the next
// one makes up for it.
func (s *Service) lookDue(every time.Duration) stream.Handler {
	return func(_ context.Context, tx *store.Tx, p fairlead.Project, t stream.Timer) error {
		pr, err := s.active(tx, p, t.Key)
		if err != nil || pr == nil {
			return err
		}
		_, _, err = s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: t.Kind,
			Key:     fmt.Sprintf("%s/%d", t.Key, t.Due.UnixMilli()),
			Payload: look{t.Key, t.Due.UnixMilli()}})
		if err != nil {
			return err
		}
		return s.setLook(tx, p, t.Kind, pr, t.Due.Add(every))
	}
}

// pairBlocks adds the losses of both versions, over the same requests, of each block
// whose labels are due, and stores the evidence.
func (s *Service) pairBlocks(ctx context.Context, r *job.Run) error {
	var l look
	if err := r.Job.Decode(&l); err != nil {
		return err
	}
	p, asOf := r.Job.Project, fairlead.FromMS(l.AsOfMS)
	var pr *pairing
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		pr, err = s.active(tx, p, l.Rollout)
		return err
	})
	if err != nil || pr == nil {
		return err
	}
	from := pr.nextFrom
	var found []gate.Evidence
	for more := true; more; { // a snapshot each: there may be weeks to make up for
		err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			more, err = s.addBlock(tx, p, pr, asOf, &found)
			return err
		})
		if err != nil {
			return err
		}
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		now, err := s.active(tx, p, l.Rollout)
		if err != nil || now == nil || !now.nextFrom.Equal(from) {
			return err
		}
		pr.failures = now.failures // the other look's
		if err := savePairing(tx, p, pr); err != nil {
			return err
		}
		for _, e := range found {
			if _, err := s.Gate.PutEvidence(ctx, tx, p, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// addBlock adds the next block and its evidence, and reports whether there was one that
// can be compared at asOf. One whose labels are late holds up those after it until they
// are there, or patience is over.
func (s *Service) addBlock(tx *store.Tx, p fairlead.Project, pr *pairing, asOf time.Time,
	found *[]gate.Evidence) (bool, error) {
	from, to := pr.nextFrom, pr.nextFrom.Add(block)
	due := to.Add(pr.delay)
	if due.After(asOf) {
		return false, nil
	}
	joined, coverage, err := s.Label.Joined(tx, p, pr.endpoint, from, to, asOf)
	if err != nil {
		return false, err
	}
	if coverage.Requests > 0 && coverage.Share() < minCoverage && asOf.Before(due.Add(patience)) {
		return false, nil
	}
	n, err := pr.add(joined)
	if err != nil {
		return false, err
	}
	pr.nextFrom = to
	if n > 0 || pr.note != "" {
		*found = append(*found, pr.evidence(from, to, pr.decides && pr.test.Rejected()))
	}
	return true, nil
}

// active returns the pairing of a rollout that is not finished, or nil.
func (s *Service) active(tx *store.Tx, p fairlead.Project, rollout string) (*pairing, error) {
	r, err := s.Release.Rollout(tx, p, rollout)
	if err != nil || !r.Active() {
		return nil, err
	}
	return readPairing(tx, p, rollout)
}

// add counts one block's losses and returns over how many requests: those that both
// versions were asked. One that could not answer, or not with a finite number, pays the
// largest loss of the block for it; where neither could, nothing can be compared. Labels
// that the metric cannot judge say nothing, and the note says why.
func (pr *pairing) add(joined []label.Joined) (n int, err error) {
	pr.note = ""
	joined = pr.bothAsked(joined)
	row, why := pr.rowLoss(joined)
	if why != nil {
		pr.note = fairlead.MessageOf(why)
		return 0, nil
	}
	var live, candidate, worst float64
	var liveFailed, candidateFailed int
	for _, j := range joined {
		a, okA := lossOf(row, j, pr.live)
		b, okB := lossOf(row, j, pr.candidate)
		if !okA && !okB {
			continue
		}
		n++
		live, candidate, worst = live+a, candidate+b, max(worst, a, b)
		liveFailed, candidateFailed = liveFailed+btoi(!okA), candidateFailed+btoi(!okB)
	}
	if n == 0 {
		if len(joined) > 0 {
			pr.note = "neither version gave an answer that " + pr.metric + " can judge"
		}
		return 0, nil
	}
	if worst == 0 {
		worst = 1 // in the label's unit: any loss is more than none
	}
	live = capped(live + worst*float64(liveFailed))
	candidate = capped(candidate + worst*float64(candidateFailed))
	loss, _ := stat.LossOf(pr.metric)
	tolerated := capped(loss.Tolerated(live, n, pr.worseBy))
	pr.labels += n
	pr.lossLive = capped(pr.lossLive + live)
	pr.lossCandidate = capped(pr.lossCandidate + candidate)
	pr.lossTolerated = capped(pr.lossTolerated + tolerated)
	return n, pr.test.Add(candidate, tolerated)
}

// bothAsked leaves out the requests that only one version was asked, or none: under load
// a version may be spared, which says nothing about it.
func (pr *pairing) bothAsked(joined []label.Joined) (out []label.Joined) {
	for _, j := range joined {
		_, live := j.Scores[pr.live]
		_, candidate := j.Scores[pr.candidate]
		if live && candidate {
			out = append(out, j)
		}
	}
	return out
}

func (pr *pairing) rowLoss(joined []label.Joined) (func(y, p float64) float64, error) {
	loss, ok := stat.LossOf(pr.metric)
	if !ok {
		return nil, fairlead.Errorf(fairlead.Invalid, "%s cannot be compared row by row", pr.metric)
	}
	labels := make([]float64, len(joined))
	for i, j := range joined {
		labels[i] = j.Truth
	}
	return loss.Rows(labels)
}

func lossOf(row func(y, p float64) float64, j label.Joined, version int64) (float64, bool) {
	s := j.Scores[version]
	if s.Failed {
		return 0, false
	}
	l := row(j.Truth, s.Value)
	if math.IsNaN(l) || math.IsInf(l, 0) {
		return 0, false
	}
	return l, true
}

// capped keeps a sum of finite losses finite.
func capped(sum float64) float64 { return min(sum, math.MaxFloat64) }

// evidence is what package release reads.
func (pr *pairing) evidence(from, to time.Time, rejected bool) gate.Evidence {
	return gate.Evidence{Subject: "rollout/" + pr.rollout, Kind: gate.KindPaired,
		Rollout: pr.rollout, From: from, To: to, Source: "monitor", Facts: pr.facts(rejected)}
}

func (pr *pairing) facts(rejected bool) gate.Facts {
	return gate.Facts{
		"labels": pr.labels, "blocks": pr.test.Blocks(), "wealth": pr.test.Wealth(),
		"rejected": rejected, "loss_candidate": pr.lossCandidate, "loss_live": pr.lossLive,
		"loss_tolerated": pr.lossTolerated, "metric": pr.metric, "worse_by": pr.worseBy,
		"requests": pr.requests, "failed": pr.failed, "note": pr.note,
	}
}
