package monitor

import (
	"context"
	"encoding/json"
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

// errorMetric is the metric's name for the plain error of each prediction.
const errorMetric = "error"

// pairing is the evidence about one rollout so far. Its settings are those with
// which the rollout started; a file that changes meanwhile changes nothing.
type pairing struct {
	rollout         string
	endpoint        string
	live, candidate int64
	metric          string        // whose loss is compared
	delay           time.Duration // that labels are waited for
	nextFrom        time.Time     // of the next block; zero: the stream has not begun
	test            *stat.Sequential
	decides         bool // the plan says when to abort; else the test only tells
	labels          int
	lossLive        float64
	lossCandidate   float64
	failures
}

type pairedDue struct {
	Rollout  string `json:"rollout"`
	Endpoint string `json:"endpoint"`
	FromMS   int64  `json:"from_ms"`
	AsOfMS   int64  `json:"as_of_ms"`
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
	abort := spec.Abort{Metric: errorMetric, Alpha: 0.05}
	if rollout.Plan.Abort != nil {
		abort = *rollout.Plan.Abort
	}
	test, err := stat.NewSequential(abort.WorseBy, abort.Alpha)
	if err != nil {
		return err
	}
	pr := &pairing{rollout: e.Rollout, endpoint: e.Endpoint, live: e.From, candidate: e.To,
		metric: lossMetric(abort.Metric), test: test, decides: rollout.Plan.Abort != nil}
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
	if err := s.setFailed(tx, p, pr); err != nil {
		return err
	}
	return s.setPaired(tx, p, pr, at.Add(block+pr.delay))
}

// lossMetric returns a metric with a loss for each row: the stated one, or for
// those that have none (auc) one that judges the same predictions row by row.
func lossMetric(name string) string {
	if _, ok := stat.Loss(name); ok {
		return name
	}
	if m, ok := stat.Lookup(name); ok && m.Task == stat.Binary {
		return "logloss"
	}
	return "mae"
}

func (s *Service) setPaired(tx *store.Tx, p fairlead.Project, pr *pairing, asOf time.Time) error {
	payload, err := json.Marshal(pairedDue{pr.rollout, pr.endpoint, pr.nextFrom.UnixMilli(),
		asOf.UnixMilli()})
	if err != nil {
		return err
	}
	return s.Stream.Set(tx, p, stream.Timer{Stream: pr.endpoint, Kind: pairedTimer,
		Key: pr.rollout, Due: asOf, Payload: payload})
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

func (s *Service) pairedDue(_ context.Context, tx *store.Tx, p fairlead.Project,
	t stream.Timer) error {
	var d pairedDue
	if err := json.Unmarshal(t.Payload, &d); err != nil {
		return fmt.Errorf("timer of a pairing: %w", err)
	}
	key := fmt.Sprintf("%s/%d/%d", d.Rollout, d.FromMS, d.AsOfMS)
	_, _, err := s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: pairedJob, Key: key, Payload: d})
	return err
}

// pairBlock adds one day's losses of both versions, over the same requests, to the
// test, stores the evidence, and sets the next block's timer. A block whose labels
// are late is looked at again a day later.
func (s *Service) pairBlock(ctx context.Context, r *job.Run) error {
	var d pairedDue
	if err := r.Job.Decode(&d); err != nil {
		return err
	}
	p, from, asOf := r.Job.Project, fairlead.FromMS(d.FromMS), fairlead.FromMS(d.AsOfMS)
	var pr *pairing
	var joined []label.Joined
	var coverage label.Coverage
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if pr, err = readPairing(tx, p, d.Rollout); err != nil || pr == nil {
			return err
		}
		joined, coverage, err = s.Label.Joined(tx, p, pr.endpoint, from, from.Add(block), asOf)
		return err
	})
	if err != nil || pr == nil {
		return err
	}
	late := coverage.Requests > 0 && coverage.Share() < minCoverage &&
		asOf.Before(from.Add(block+pr.delay+patience))
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		now, err := s.active(tx, p, d.Rollout)
		if err != nil || now == nil || !now.nextFrom.Equal(from) {
			return err
		}
		if late {
			return s.setPaired(tx, p, now, asOf.Add(block))
		}
		return s.addBlock(ctx, tx, p, now, joined, asOf)
	})
}

// active returns the pairing of a rollout that is not finished, or nil.
func (s *Service) active(tx *store.Tx, p fairlead.Project, rollout string) (*pairing, error) {
	r, err := s.Release.Rollout(tx, p, rollout)
	if err != nil || !r.Active() {
		return nil, err
	}
	return readPairing(tx, p, rollout)
}

func (s *Service) addBlock(ctx context.Context, tx *store.Tx, p fairlead.Project, pr *pairing,
	joined []label.Joined, asOf time.Time) error {
	from := pr.nextFrom
	n, err := pr.add(joined)
	if err != nil {
		return err
	}
	pr.nextFrom = from.Add(block)
	if err := savePairing(tx, p, pr); err != nil {
		return err
	}
	next := pr.nextFrom.Add(block + pr.delay)
	if next.Before(asOf) {
		next = asOf // the wait for late labels is made up for at once
	}
	if err := s.setPaired(tx, p, pr, next); err != nil || n == 0 {
		return err
	}
	return s.putEvidence(ctx, tx, p, pr, from, pr.nextFrom, pr.decides && pr.test.Rejected())
}

func (s *Service) putEvidence(ctx context.Context, tx *store.Tx, p fairlead.Project, pr *pairing,
	from, to time.Time, rejected bool) error {
	_, err := s.Gate.PutEvidence(ctx, tx, p, gate.Evidence{
		Subject: "rollout/" + pr.rollout, Kind: gate.KindPaired, Rollout: pr.rollout,
		From: from, To: to, Source: "monitor", Facts: pr.facts(rejected),
	})
	return err
}

// add counts one block's losses and returns over how many requests. A version that
// could not answer, or not with a finite number, pays the largest loss of the block
// for it; where neither could, nothing can be compared.
func (pr *pairing) add(joined []label.Joined) (n int, err error) {
	loss, ok := stat.Loss(pr.metric)
	if !ok {
		return 0, fmt.Errorf("metric %q has no loss", pr.metric)
	}
	var live, candidate, worst float64
	var liveFailed, candidateFailed int
	for _, j := range joined {
		a, okA := lossOf(loss, j, pr.live)
		b, okB := lossOf(loss, j, pr.candidate)
		if !okA && !okB {
			continue
		}
		n++
		live, candidate, worst = live+a, candidate+b, max(worst, a, b)
		liveFailed, candidateFailed = liveFailed+absent(okA), candidateFailed+absent(okB)
	}
	if n == 0 {
		return 0, nil
	}
	if worst == 0 {
		worst = 1 // in the label's unit: any loss is more than none
	}
	live += worst * float64(liveFailed)
	candidate += worst * float64(candidateFailed)
	pr.labels, pr.lossLive, pr.lossCandidate = pr.labels+n, pr.lossLive+live, pr.lossCandidate+candidate
	return n, pr.test.Add(candidate, live)
}

func lossOf(loss func(y, p float64) float64, j label.Joined, version int64) (float64, bool) {
	v, ok := j.Predictions[version]
	if !ok {
		return 0, false
	}
	l := loss(j.Truth, v)
	if math.IsNaN(l) || math.IsInf(l, 0) {
		return 0, false
	}
	return l, true
}

func absent(ok bool) int {
	if ok {
		return 0
	}
	return 1
}

// facts is the evidence as package release reads it.
func (pr *pairing) facts(rejected bool) map[string]any {
	return map[string]any{
		"labels": pr.labels, "blocks": pr.test.Blocks(), "wealth": pr.test.Wealth(),
		"rejected": rejected, "loss_candidate": pr.lossCandidate, "loss_live": pr.lossLive,
		"metric": pr.metric, "requests": pr.requests, "failed": pr.failed,
	}
}
