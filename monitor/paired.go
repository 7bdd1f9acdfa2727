package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// block is the length of one look of the sequential test, in stream time: losses
// of successive hours hang together, those of days much less.
const block = 24 * time.Hour

// pairing is the evidence about one rollout so far.
type pairing struct {
	rollout         string
	endpoint        string
	live, candidate int64
	metric          string // whose loss is compared
	nextFrom        time.Time
	test            *stat.Sequential
	labels          int
	lossLive        float64
	lossCandidate   float64
}

type pairedDue struct {
	Rollout  string `json:"rollout"`
	Endpoint string `json:"endpoint"`
	FromMS   int64  `json:"from_ms"`
	AsOfMS   int64  `json:"as_of_ms"`
}

// startPaired begins to pair the losses of a canary with those of the version that
// is live.
func (s *Service) startPaired(tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var e event.Rollout
	if err := r.Decode(&e); err != nil || e.Strategy != "canary" || e.From == 0 {
		return err
	}
	rev, err := s.Projects.Current(tx, p)
	if err != nil {
		return err
	}
	env, ok := rev.Spec.Environment(e.Environment)
	if !ok || env.Abort == nil {
		return nil
	}
	test, err := stat.NewSequential(env.Abort.WorseBy, env.Abort.Alpha)
	if err != nil {
		return err
	}
	at, err := s.Stream.NowOrWall(tx, p, e.Endpoint)
	if err != nil {
		return err
	}
	pr := &pairing{rollout: e.Rollout, endpoint: e.Endpoint, live: e.From, candidate: e.To,
		metric: lossMetric(env.Abort.Metric, rev.Spec), nextFrom: at, test: test}
	if err := savePairing(tx, p, pr); err != nil {
		return err
	}
	return s.setPaired(tx, p, pr, labelDelay(rev.Spec))
}

// lossMetric returns a metric with a loss for each row: the stated one, or for
// those that have none (auc) the log loss.
func lossMetric(name string, sp *spec.Spec) string {
	if name == "error" && sp.Monitor != nil && sp.Monitor.Performance != nil {
		name = sp.Monitor.Performance.Metric
	}
	if _, ok := stat.Loss(name); ok {
		return name
	}
	if m, ok := stat.Lookup(name); ok && m.Task == stat.Binary {
		return "logloss"
	}
	return "mae"
}

func labelDelay(sp *spec.Spec) time.Duration {
	if sp.Monitor == nil || sp.Monitor.Performance == nil {
		return 0
	}
	return sp.Monitor.Performance.LabelDelay.Duration
}

func (s *Service) setPaired(tx *store.Tx, p fairlead.Project, pr *pairing, delay time.Duration) error {
	asOf := pr.nextFrom.Add(block + delay)
	payload, err := json.Marshal(pairedDue{pr.rollout, pr.endpoint, pr.nextFrom.UnixMilli(), asOf.UnixMilli()})
	if err != nil {
		return err
	}
	return s.Stream.Set(tx, p, stream.Timer{Stream: pr.endpoint, Kind: pairedTimer, Key: pr.rollout, Due: asOf, Payload: payload})
}

// stopPaired ends the pairing of a rollout that is over.
func (s *Service) stopPaired(tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var e event.Rollout
	if err := r.Decode(&e); err != nil {
		return err
	}
	return s.Stream.Cancel(tx, p, e.Endpoint, pairedTimer, e.Rollout)
}

func (s *Service) pairedDue(_ context.Context, tx *store.Tx, p fairlead.Project, t stream.Timer) error {
	var d pairedDue
	if err := json.Unmarshal(t.Payload, &d); err != nil {
		return fmt.Errorf("timer of a pairing: %w", err)
	}
	_, _, err := s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: pairedJob, Key: fmt.Sprintf("%s/%d", d.Rollout, d.FromMS), Payload: d})
	return err
}

// pairBlock adds one day's losses of both versions, over the same requests, to the
// test, stores the evidence, and sets the next block's timer.
func (s *Service) pairBlock(ctx context.Context, r *job.Run) error {
	var d pairedDue
	if err := r.Job.Decode(&d); err != nil {
		return err
	}
	var pr *pairing
	var delay time.Duration
	from, asOf := fairlead.FromMS(d.FromMS), fairlead.FromMS(d.AsOfMS)
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if pr, err = readPairing(tx, r.Job.Project, d.Rollout); err != nil {
			return err
		}
		rev, err := s.Projects.Current(tx, r.Job.Project)
		if err != nil {
			return err
		}
		delay = labelDelay(rev.Spec)
		return s.addBlock(tx, r.Job.Project, pr, from, asOf)
	})
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		rollout, err := s.Release.Rollout(tx, r.Job.Project, d.Rollout)
		if err != nil || !rollout.Active() {
			return err
		}
		pr.nextFrom = from.Add(block)
		if err := savePairing(tx, r.Job.Project, pr); err != nil {
			return err
		}
		if err := s.setPaired(tx, r.Job.Project, pr, delay); err != nil {
			return err
		}
		_, err = s.Gate.PutEvidence(ctx, tx, r.Job.Project, gate.Evidence{
			Subject: "rollout/" + pr.rollout, Kind: gate.KindPaired, Rollout: pr.rollout,
			From: from, To: from.Add(block), Source: "monitor", Facts: pr.facts(),
		})
		return err
	})
}

func (s *Service) addBlock(tx *store.Tx, p fairlead.Project, pr *pairing, from, asOf time.Time) error {
	joined, _, err := s.Label.Joined(tx, p, pr.endpoint, from, from.Add(block), asOf)
	if err != nil {
		return err
	}
	loss, ok := stat.Loss(pr.metric)
	if !ok {
		return fmt.Errorf("metric %q has no loss", pr.metric)
	}
	var live, candidate float64
	n := 0
	for _, j := range joined {
		a, okA := j.Predictions[pr.live]
		b, okB := j.Predictions[pr.candidate]
		if okA && okB {
			live, candidate, n = live+loss(j.Truth, a), candidate+loss(j.Truth, b), n+1
		}
	}
	if n == 0 {
		return nil
	}
	pr.labels, pr.lossLive, pr.lossCandidate = pr.labels+n, pr.lossLive+live, pr.lossCandidate+candidate
	return pr.test.Add(candidate, live)
}

// facts is the evidence as package release reads it.
func (pr *pairing) facts() map[string]any {
	return map[string]any{
		"labels": pr.labels, "blocks": pr.test.Blocks(), "wealth": pr.test.Wealth(), "rejected": pr.test.Rejected(),
		"loss_candidate": pr.lossCandidate, "loss_live": pr.lossLive, "metric": pr.metric,
	}
}
