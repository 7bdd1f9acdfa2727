package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// What one call of tracking takes.
const (
	metricsAtOnce = 1000
	paramsAtOnce  = 100
)

// open makes sure that a part of the run exists: its row and its run in tracking.
// The shared part's is the parent of the others.
func (d *driver) open(ctx context.Context, n int) error {
	if _, ok := d.parts[n]; ok {
		return nil
	}
	t := Try{N: n, State: Running, Params: Params{}}
	if n != Shared {
		t.Params = d.params(n)
	}
	err := d.job.Write(ctx, store.Control, func(tx *store.Tx) error {
		if n == Shared {
			e, err := d.Tracking.EnsureExperiment(ctx, tx, d.p, d.run.Model)
			if err != nil {
				return err
			}
			d.run.Experiment = e.ID
			if err := updateRun(tx, d.run); err != nil {
				return err
			}
		}
		r, err := d.Tracking.CreateRun(ctx, tx, d.p, d.newTrackingRun(t))
		if err != nil {
			return err
		}
		t.Run = r.ID
		err = d.Tracking.Hold(tx, d.p, tracking.RunOwner(t.Run), holder(d.run),
			"the pipeline run "+d.run.ID+" works in it")
		if err != nil {
			return err
		}
		if err := d.logBatch(tx, t.Run, tracking.Batch{Params: trackingParams(t.Params)}); err != nil {
			return err
		}
		return saveTry(tx, d.run.k, t)
	})
	if err != nil {
		return err
	}
	part := &part{Try: t, steps: map[string]*Step{}, busy: map[string]bool{}}
	part.ctx, part.cancel = context.WithCancelCause(ctx)
	d.parts[n] = part
	return nil
}

func (d *driver) newTrackingRun(t Try) tracking.NewRun {
	n := tracking.NewRun{Experiment: d.run.Experiment, Name: d.run.ID, Tags: []tracking.Tag{
		{Key: "fairlead.pipeline_run", Value: d.run.ID},
		{Key: "fairlead.commit", Value: d.run.Commit},
		{Key: "mlflow.source.git.commit", Value: d.run.Commit},
	}}
	if t.N == Shared {
		return n
	}
	n.Name += "/" + strconv.Itoa(t.N)
	if t.N == Refit {
		n.Name = d.run.ID + "/refit"
	}
	n.Tags = append(n.Tags, tracking.Tag{Key: "mlflow.parentRunId", Value: d.parts[Shared].Run},
		tracking.Tag{Key: "fairlead.try", Value: strconv.Itoa(t.N)})
	return n
}

// trackingParams returns `<step>.<param>` with each value as text, sorted.
func trackingParams(params Params) (out []tracking.Param) {
	for _, step := range sortedKeys(params) {
		for _, name := range sortedKeys(params[step]) {
			out = append(out, tracking.Param{Key: step + "." + name,
				Value: paramText(params[step][name])})
		}
	}
	return out
}

func paramText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// record stores in the part's run in tracking what a step printed. The times are a
// millisecond apart, since tracking orders the points of a step number by time, and
// then by value.
func (d *driver) record(tx *store.Tx, t *task) error {
	metrics := make([]tracking.Metric, len(t.row.Points))
	first := d.Clock.Now().UnixMilli() - int64(len(metrics)-1)
	for i, point := range t.row.Points {
		metrics[i] = tracking.Metric{Key: recorded(d.plan.spec, t.spec.Name, point.Name),
			Value: point.Value, TimestampMS: first + int64(i), Step: point.Step}
	}
	return d.logBatch(tx, t.part.Run, tracking.Batch{Metrics: metrics})
}

// logBatch logs a batch of any size.
func (d *driver) logBatch(tx *store.Tx, run string, b tracking.Batch) error {
	for chunk := range slices.Chunk(b.Params, paramsAtOnce) {
		err := d.Tracking.LogBatchTx(tx, d.p, run, tracking.Batch{Params: chunk})
		if err != nil {
			return err
		}
	}
	for chunk := range slices.Chunk(b.Metrics, metricsAtOnce) {
		err := d.Tracking.LogBatchTx(tx, d.p, run, tracking.Batch{Metrics: chunk})
		if err != nil {
			return err
		}
	}
	if len(b.Tags) == 0 {
		return nil
	}
	return d.Tracking.LogBatchTx(tx, d.p, run, tracking.Batch{Tags: b.Tags})
}

// recordCached copies into a part's run what the steps that were answered from the
// cache had logged in theirs. It is done when the part ends: what its own steps log
// goes before, and a param that was copied earlier could not be logged any more.
func (d *driver) recordCached(tx *store.Tx, part *part) error {
	for _, name := range sortedKeys(part.steps) {
		if row := part.steps[name]; row.State == Cached {
			if err := d.recordAgain(tx, row, part.Run); err != nil {
				return fmt.Errorf("record what step %s had logged: %w", name, err)
			}
		}
	}
	return nil
}

// recordAgain copies what the run of a cached step holds and the new run lacks: the
// newest values of metrics and the params that clients logged, without the params of
// the pipeline itself, which the new run has of its own.
func (d *driver) recordAgain(tx *store.Tx, row *Step, run string) error {
	old, err := trackingRunOf(tx, row.From)
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	metrics, params, err := d.recordedIn(tx, old)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil // the run was deleted; what the step left is still good
	}
	if err != nil {
		return err
	}
	hasMetrics, hasParams, err := d.recordedIn(tx, run)
	if err != nil {
		return err
	}
	b := tracking.Batch{Tags: []tracking.Tag{{Key: "fairlead.cached_from", Value: old}}}
	at := fairlead.MS(d.run.Started)
	for _, key := range sortedKeys(metrics) {
		if _, ok := hasMetrics[key]; !ok && !d.evaluated(key) {
			b.Metrics = append(b.Metrics,
				tracking.Metric{Key: key, Value: metrics[key], TimestampMS: at})
		}
	}
	for _, key := range sortedKeys(params) {
		step, _, _ := strings.Cut(key, ".")
		if _, ok := hasParams[key]; !ok && d.plan.tries[0][step] == nil {
			b.Params = append(b.Params, tracking.Param{Key: key, Value: params[key]})
		}
	}
	return d.logBatch(tx, run, b)
}

// recordedIn returns the newest metrics and the params of a run in tracking.
func (d *driver) recordedIn(tx *store.Tx, run string) (metrics map[string]float64,
	params map[string]string, err error) {
	if metrics, err = d.Tracking.LatestMetrics(tx, d.p, run); err != nil {
		return nil, nil, err
	}
	params, err = d.Tracking.Params(tx, d.p, run)
	return metrics, params, err
}

// evaluated reports whether a metric is the evaluating step's, which records its
// own.
func (d *driver) evaluated(key string) bool {
	input, ok := d.plan.spec.EvaluationInput()
	return ok && strings.HasPrefix(key, input+".")
}
