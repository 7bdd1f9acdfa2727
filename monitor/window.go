package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/serving"
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
// is unknown; minRows the number of rows.
const (
	minCoverage = 0.5
	minRows     = 20
)

// Window is one judged stretch of stream time, [From, To).
type Window struct {
	Endpoint string             `json:"endpoint"`
	Model    string             `json:"model"`
	Version  int64              `json:"version"`
	Kind     Kind               `json:"kind"`
	From     time.Time          `json:"from"`
	To       time.Time          `json:"to"`
	State    WindowState        `json:"state"`
	Value    float64            `json:"value"` // the metric, or the largest PSI of a feature
	Limit    float64            `json:"limit"` // what Value was compared with
	Rows     int                `json:"rows"`
	Coverage float64            `json:"coverage"`         // labelled / requests; performance only
	Detail   map[string]float64 `json:"detail,omitempty"` // PSI of each feature
	Reason   string             `json:"reason,omitempty"`
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

// beginWindows sets the timers of the version's first windows. A timer of the
// version before is replaced, which ends its windows.
func (s *Service) beginWindows(tx *store.Tx, p fairlead.Project, endpoint, model string, version int64,
	mon *spec.Monitor, at time.Time) error {
	if d := mon.Drift; d != nil {
		if err := s.setWindow(tx, p, due{Endpoint: endpoint, Model: model, Version: version, Kind: Drift}, at, d.Window.Duration, 0); err != nil {
			return err
		}
	}
	if f := mon.Performance; f != nil {
		return s.setWindow(tx, p, due{Endpoint: endpoint, Model: model, Version: version, Kind: Performance}, at,
			f.Window.Duration, f.LabelDelay.Duration)
	}
	return nil
}

// setWindow sets the timer of the window that begins at `from`.
func (s *Service) setWindow(tx *store.Tx, p fairlead.Project, d due, from time.Time, length, delay time.Duration) error {
	to := from.Add(length)
	asOf := to.Add(delay)
	d.FromMS, d.ToMS, d.AsOfMS = from.UnixMilli(), to.UnixMilli(), asOf.UnixMilli()
	payload, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return s.Stream.Set(tx, p, stream.Timer{Stream: d.Endpoint, Kind: windowTimer, Key: string(d.Kind), Due: asOf, Payload: payload})
}

// windowDue asks for the judgement of the window, and sets the next one's timer.
func (s *Service) windowDue(_ context.Context, tx *store.Tx, p fairlead.Project, t stream.Timer) error {
	var d due
	if err := json.Unmarshal(t.Payload, &d); err != nil {
		return fmt.Errorf("timer of a window: %w", err)
	}
	_, mon, err := s.watched(tx, p, d.Model)
	if err != nil || mon == nil {
		return err
	}
	key := fmt.Sprintf("%s/%d/%s/%d", d.Endpoint, d.Version, d.Kind, d.FromMS)
	if _, _, err := s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: windowJob, Key: key, Payload: d}); err != nil {
		return err
	}
	length, delay, ok := lengthOf(mon, d.Kind)
	if !ok {
		return nil
	}
	return s.setWindow(tx, p, d, fairlead.FromMS(d.ToMS), length, delay)
}

func lengthOf(mon *spec.Monitor, kind Kind) (length, delay time.Duration, ok bool) {
	switch {
	case kind == Drift && mon.Drift != nil:
		return mon.Drift.Window.Duration, 0, true
	case kind == Performance && mon.Performance != nil:
		return mon.Performance.Window.Duration, mon.Performance.LabelDelay.Duration, true
	}
	return 0, 0, false
}

// judgeWindow computes the window on a snapshot, stores it, and opens or resolves
// the incident that follows.
func (s *Service) judgeWindow(ctx context.Context, r *job.Run) error {
	var d due
	if err := r.Job.Decode(&d); err != nil {
		return err
	}
	var w *Window
	var mon *spec.Monitor
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		_, mon, err = s.watched(tx, r.Job.Project, d.Model)
		if err != nil || mon == nil {
			return err
		}
		w, err = s.window(tx, r.Job.Project, d, mon)
		return err
	})
	if err != nil || w == nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		if err := insertWindow(tx, r.Job.Project, w); err != nil {
			return err
		}
		at := fairlead.FromMS(d.AsOfMS)
		_, err := s.Ledger.Append(ctx, tx, r.Job.Project, "endpoint/"+w.Endpoint, at, event.WindowClosed{
			Endpoint: w.Endpoint, Version: w.Version, Kind: string(w.Kind), FromMS: d.FromMS, ToMS: d.ToMS,
			State: string(w.State), Value: w.Value, Limit: w.Limit,
		})
		if err != nil {
			return err
		}
		return s.judgeIncident(ctx, tx, r.Job.Project, w, mon, at)
	})
}

func (s *Service) window(tx *store.Tx, p fairlead.Project, d due, mon *spec.Monitor) (*Window, error) {
	w := &Window{Endpoint: d.Endpoint, Model: d.Model, Version: d.Version, Kind: d.Kind,
		From: fairlead.FromMS(d.FromMS), To: fairlead.FromMS(d.ToMS), State: Unknown}
	ref, err := readReference(tx, p, d.Model, d.Version)
	if err != nil {
		return nil, err
	}
	if ref == nil {
		w.Reason = "the version has no reference"
		return w, nil
	}
	if d.Kind == Drift {
		return w, s.drift(tx, p, w, ref, mon.Drift)
	}
	return w, s.performance(tx, p, w, ref, mon.Performance, fairlead.FromMS(d.AsOfMS))
}

// drift compares each feature's distribution with the reference. A PSI that chance
// alone explains on so few rows is not red, whatever the threshold says.
func (s *Service) drift(tx *store.Tx, p fairlead.Project, w *Window, ref *Reference, cfg *spec.Drift) error {
	requests, err := s.Serving.Requests(tx, p, w.Endpoint, serving.Query{From: w.From, To: w.To})
	if err != nil {
		return err
	}
	w.Rows, w.Limit, w.Detail = len(requests), cfg.Threshold, map[string]float64{}
	if w.Rows < minRows {
		w.Reason = fmt.Sprintf("%d rows are too few", w.Rows)
		return nil
	}
	rows := make([]map[string]any, len(requests))
	for i, q := range requests {
		if err := json.Unmarshal([]byte(q.Features), &rows[i]); err != nil {
			return fmt.Errorf("features of request %s: %w", q.ID, err)
		}
	}
	w.State = Green
	for _, f := range ref.Features {
		psi, chance, err := f.compare(rows)
		if err != nil {
			return fmt.Errorf("drift of %s: %w", f.Name, err)
		}
		w.Detail[f.Name] = psi
		if psi > w.Value {
			w.Value = psi
		}
		if psi > max(cfg.Threshold, chance) {
			w.State = Red
		}
	}
	return nil
}

// performance compares the realised metric of the version with the reference that
// the gate saw on the holdout.
func (s *Service) performance(tx *store.Tx, p fairlead.Project, w *Window, ref *Reference, cfg *spec.Performance, asOf time.Time) error {
	joined, coverage, err := s.Label.Joined(tx, p, w.Endpoint, w.From, w.To, asOf)
	if err != nil {
		return err
	}
	var y, pred []float64
	for _, j := range joined {
		if v, ok := j.Predictions[w.Version]; ok {
			y, pred = append(y, j.Truth), append(pred, v)
		}
	}
	w.Rows, w.Coverage = len(y), coverage.Share()
	want, ok := ref.Metrics[cfg.Metric]
	metric, known := stat.Lookup(cfg.Metric)
	switch {
	case !known:
		return fmt.Errorf("metric %q is not known", cfg.Metric)
	case !ok:
		w.Reason = "the gate did not see " + cfg.Metric
		return nil
	case w.Rows < minRows || w.Coverage < minCoverage:
		w.Reason = fmt.Sprintf("%d labelled rows, %.0f%% of the requests, are too few", w.Rows, 100*w.Coverage)
		return nil
	}
	w.Value, err = metric.Compute(y, pred)
	if fairlead.Is(err, fairlead.Precondition) {
		w.Reason = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	w.Limit = limit(want, cfg.WorseBy, metric.HigherIsBetter)
	w.State = Green
	if metric.HigherIsBetter && w.Value < w.Limit || !metric.HigherIsBetter && w.Value > w.Limit {
		w.State = Red
	}
	return nil
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
