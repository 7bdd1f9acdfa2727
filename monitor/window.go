package monitor

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// Kind is what a window or an incident is about.
type Kind string

// The kinds of windows.
const (
	Drift       Kind = "drift"
	Performance Kind = "performance"
)

// WindowState is the verdict on a window.
type WindowState string

// The verdicts. Unknown is a window without enough evidence: it is neither red
// nor green.
const (
	Green   WindowState = "green"
	Red     WindowState = "red"
	Unknown WindowState = "unknown"
)

// minCoverage is the share of labelled requests below which a performance window
// is unknown; minRows the number of rows. mostUnanswered is the share of those that may
// lack an answer before the window is red.
const (
	minCoverage    = 0.5
	minRows        = 20
	mostUnanswered = 0.1
)

// Window is one judged stretch of stream time, [From, To).
type Window struct {
	Endpoint string      `json:"endpoint"`
	Model    string      `json:"model"`
	Version  int64       `json:"version"`
	Kind     Kind        `json:"kind"`
	From     time.Time   `json:"from"`
	To       time.Time   `json:"to"`
	State    WindowState `json:"state"`
	// Value is the metric, or the PSI of the feature that exceeds its limit most;
	// Limit is what Value was compared with. Both are 0 while unknown.
	Value float64 `json:"value"`
	Limit float64 `json:"limit"`
	Rows  int     `json:"rows"`
	// Metric is what Value is; performance only.
	Metric string `json:"metric,omitempty"`
	// Requests are those of the window, and Labelled those of them whose truth was known
	// when it was judged; performance only.
	Requests int `json:"requests,omitempty"`
	Labelled int `json:"labelled,omitempty"`
	// Figures are the metric of each version that was asked, over the requests that it
	// answered: the one that is live, and canaries and shadows beside it; performance only.
	Figures []Figure `json:"figures,omitempty"`
	// Unanswered is how many labelled requests lack an answer that the metric can judge,
	// and are none of Rows; performance only.
	Unanswered int            `json:"unanswered,omitempty"`
	Coverage   float64        `json:"coverage"`           // labelled / requests; performance only
	LagMS      int64          `json:"lag_ms,omitempty"`   // median time to the label; performance only
	Features   []FeatureDrift `json:"features,omitempty"` // the worst first; drift only
	Reason     string         `json:"reason,omitempty"`   // why it is red or unknown

	k       int64
	counted []*Feature // until the window is stored
}

// Figure is the realised metric of one version in a window.
type Figure struct {
	Version int64 `json:"version"`
	// Value is null where the metric has none, such as auc on one class, or without rows.
	Value      *float64 `json:"value"`
	Rows       int      `json:"rows"`
	Unanswered int      `json:"unanswered,omitempty"`
	// Worth is what the answers to these rows are worth by the file's goal.value, in its
	// currency, with probabilities cut at 0.5.
	Worth *float64 `json:"worth,omitempty"`
}

// due is the payload of a window's timer and job.
type due struct {
	Endpoint string `json:"endpoint"`
	Model    string `json:"model"`
	Version  int64  `json:"version"`
	Kind     Kind   `json:"kind"`
	FromMS   int64  `json:"from_ms"`
	ToMS     int64  `json:"to_ms"`
	AsOfMS   int64  `json:"as_of_ms"`
}

// key names the job of a window: a version that is live again has new windows.
func (d due) key() string {
	return fmt.Sprintf("%s/%d/%s/%d", d.Endpoint, d.Version, d.Kind, d.FromMS)
}

// setWindow sets the timer of the window that begins at from. It replaces the timer
// of the endpoint's version before, which ends that one's windows.
func (s *Service) setWindow(tx *store.Tx, p fairlead.Project, w watched, from time.Time,
	length, delay time.Duration) error {
	to := from.Add(length)
	asOf := to.Add(delay)
	payload, err := json.Marshal(due{Endpoint: w.endpoint, Model: w.model, Version: w.version,
		Kind: w.kind, FromMS: from.UnixMilli(), ToMS: to.UnixMilli(), AsOfMS: asOf.UnixMilli()})
	if err != nil {
		return err
	}
	return s.Stream.Set(tx, p, stream.Timer{Stream: w.endpoint, Kind: windowTimer,
		Key: string(w.kind), Due: asOf, Payload: payload})
}

// windowDue asks for the judgement of the window, and sets the next one's timer. A
// window that has begun keeps its length; the next one has what the file says now.
func (s *Service) windowDue(ctx context.Context, tx *store.Tx, p fairlead.Project,
	t stream.Timer) error {
	var d due
	if err := json.Unmarshal(t.Payload, &d); err != nil {
		return fmt.Errorf("timer of a window: %w", err)
	}
	w, ok, err := watchedBy(tx, p, d.Endpoint, d.Kind, d.Version)
	if err != nil || !ok {
		return err
	}
	mon, err := s.settings(tx, p)
	if err != nil {
		return err
	}
	length, delay, ok := lengthOf(mon, d.Kind)
	if !ok {
		// The file has just changed. It may change back before its event is read, which
		// then begins the watch anew.
		return s.endWatch(ctx, tx, p, w, watched{})
	}
	_, _, err = s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: windowJob, Key: d.key(), Payload: d})
	if err != nil {
		return err
	}
	return s.setWindow(tx, p, w, fairlead.FromMS(d.ToMS), length, delay)
}

// judgeWindow computes the window on a snapshot, stores it, and opens or resolves
// the incident that follows.
func (s *Service) judgeWindow(ctx context.Context, r *job.Run) error {
	var d due
	if err := r.Job.Decode(&d); err != nil {
		return err
	}
	var mon *spec.Monitor
	var ref *Reference
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if mon, err = s.settings(tx, r.Job.Project); err != nil {
			return err
		}
		ref, err = readReference(tx, r.Job.Project, d.Model, d.Version)
		return err
	})
	if _, _, ok := lengthOf(mon, d.Kind); err != nil || !ok {
		return err
	}
	learned, err := s.relearn(ctx, r.Job, d, ref, mon)
	if err != nil {
		return err
	}
	var w *Window
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		w, err = s.window(tx, r.Job.Project, d, ref, mon)
		return err
	})
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		if learned {
			if err := saveReference(tx, r.Job.Project, d.Model, d.Version, ref); err != nil {
				return err
			}
		}
		return s.close(ctx, tx, r.Job.Project, w, mon, fairlead.FromMS(d.AsOfMS))
	})
}

// relearn brings what is usual up to date with a file that asks for other windows
// than when the reference was built.
func (s *Service) relearn(ctx context.Context, j *job.Job, d due, ref *Reference,
	mon *spec.Monitor) (bool, error) {
	length := time.Duration(d.ToMS-d.FromMS) * time.Millisecond
	if d.Kind != Drift || ref == nil || len(ref.Features) == 0 ||
		ref.Usual.fits(length, mon.Drift.Threshold) {
		return false, nil
	}
	sm, err := s.sample(ctx, j, d.Model, d.Version)
	if err != nil {
		return false, fmt.Errorf("reference of %s version %d: %w", d.Model, d.Version, err)
	}
	fresh, err := countSample(sm)
	if err != nil {
		return false, err
	}
	fresh.Metrics = ref.Metrics
	*ref = *fresh
	ref.Usual, err = ref.learn(sm, length, mon.Drift.Threshold)
	return err == nil, err
}

// close stores a judged window. One whose version was replaced meanwhile is kept,
// and has no further consequence.
func (s *Service) close(ctx context.Context, tx *store.Tx, p fairlead.Project, w *Window,
	mon *spec.Monitor, at time.Time) error {
	if err := insertWindow(tx, p, w); err != nil {
		return err
	}
	_, err := s.Ledger.Append(ctx, tx, p, "endpoint/"+w.Endpoint, at, event.WindowClosed{
		Endpoint: w.Endpoint, Version: w.Version, Kind: string(w.Kind),
		FromMS: w.From.UnixMilli(), ToMS: w.To.UnixMilli(),
		State: string(w.State), Value: w.Value, Limit: w.Limit,
	})
	if err != nil {
		return err
	}
	now, ok, err := watchedBy(tx, p, w.Endpoint, w.Kind, w.Version)
	if err != nil || !ok || now.since.After(w.From) {
		return err
	}
	return s.judgeIncident(ctx, tx, p, w, now.since, mon, at)
}

// windowDone keeps a window that could not be judged as unknown, with the reason.
func (s *Service) windowDone(ctx context.Context, tx *store.Tx, j *job.Job) error {
	if j.State == job.Done {
		return nil
	}
	var d due
	if err := j.Decode(&d); err != nil {
		return err
	}
	w := d.window()
	w.Reason = "it could not be judged: " + cmp.Or(j.Error, "its job was cancelled")
	return s.close(ctx, tx, j.Project, w, nil, fairlead.FromMS(d.AsOfMS))
}

func (d due) window() *Window {
	return &Window{Endpoint: d.Endpoint, Model: d.Model, Version: d.Version, Kind: d.Kind,
		From: fairlead.FromMS(d.FromMS), To: fairlead.FromMS(d.ToMS), State: Unknown}
}

func (s *Service) window(tx *store.Tx, p fairlead.Project, d due, ref *Reference,
	mon *spec.Monitor) (*Window, error) {
	w := d.window()
	if ref == nil {
		w.Reason = "the version has no reference"
		return w, nil
	}
	if d.Kind == Drift {
		return w, s.drift(tx, p, w, ref, mon.Drift)
	}
	return w, s.performance(tx, p, w, ref, mon.Performance, fairlead.FromMS(d.AsOfMS))
}

// performance compares the realised metric of the version, over the labels that
// were known at asOf, with what the gate saw on the holdout. What the version could not
// answer is left out of the metric, and makes the window red by itself when it is much.
func (s *Service) performance(tx *store.Tx, p fairlead.Project, w *Window, ref *Reference,
	cfg *spec.Performance, asOf time.Time) error {
	joined, coverage, err := s.Label.Joined(tx, p, w.Endpoint, w.From, w.To, asOf)
	if err != nil {
		return err
	}
	versions := map[int64]*pairs{w.Version: {}}
	for _, j := range joined {
		for n := range j.Scores {
			if versions[n] == nil {
				versions[n] = &pairs{}
			}
			versions[n].add(j, n)
		}
	}
	asked := versions[w.Version]
	w.Metric, w.Requests, w.Labelled = cfg.Metric, coverage.Requests, coverage.Labelled
	w.Coverage, w.LagMS = coverage.Share(), coverage.Lag().Milliseconds()
	metric, ok := stat.Lookup(cfg.Metric)
	if !ok {
		w.Reason = fmt.Sprintf("the monitor cannot compute %q", cfg.Metric)
		return nil
	}
	worth, err := s.worth(tx, p)
	if err != nil {
		return err
	}
	if w.Figures, err = figuresOf(metric, versions, worth); err != nil {
		return err
	}
	f, err := figureOf(metric, asked)
	if err != nil {
		return err
	}
	w.Rows, w.Unanswered = f.rows, f.unanswered
	want, ok := ref.Metrics[cfg.Metric]
	switch {
	case !ok:
		w.Reason = fmt.Sprintf("there is nothing to compare with: the gate did not see %q of version %d",
			cfg.Metric, w.Version)
		return nil
	case len(asked.y) < minRows || w.Coverage < minCoverage:
		w.Reason = fmt.Sprintf("%d labelled rows, %.0f%% of the requests, are too few",
			len(asked.y), 100*w.Coverage)
		return nil
	case f.value == nil:
		w.Reason = f.reason
		return nil
	}
	w.judgePerformance(*f.value, want, cfg, metric)
	if float64(w.Unanswered) > mostUnanswered*float64(len(asked.y)) {
		w.State = Red
		w.Reason = fmt.Sprintf("%d of %d labelled requests have no answer that %s can judge",
			w.Unanswered, len(asked.y), cfg.Metric)
	}
	return nil
}

func (w *Window) judgePerformance(value, want float64, cfg *spec.Performance, m stat.Metric) {
	if m.Signed() {
		value, want = math.Abs(value), math.Abs(want)
	}
	w.Value, w.Limit, w.State = value, limit(want, cfg.WorseBy, m.HigherIsBetter), Green
	if m.HigherIsBetter && w.Value < w.Limit || !m.HigherIsBetter && w.Value > w.Limit {
		w.State = Red
		w.Reason = fmt.Sprintf("%s %.4g against %.4g on the holdout", cfg.Metric, value, want)
	}
}

// limit is the value beyond which a metric is worse than the reference by the
// stated amount.
func limit(reference float64, worseBy spec.Amount, higherIsBetter bool) float64 {
	by := worseBy.Of(reference)
	if higherIsBetter {
		return reference - by
	}
	return reference + by
}
