package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

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
	n.Params = trackingParams(t.Params)
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
	return out[:min(len(out), paramsAtOnce)]
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

// recordPoints stores what a step printed in its run in tracking.
func (d *driver) recordPoints(tx *store.Tx, t *task) error {
	now := d.Clock.Now().UnixMilli()
	metrics := make([]tracking.Metric, len(t.row.Points))
	for i, point := range t.row.Points {
		metrics[i] = tracking.Metric{Key: recorded(d.plan.spec, t.spec.Name, point.Name),
			Value: point.Value, TimestampMS: now, Step: point.Step}
	}
	for chunk := range slices.Chunk(metrics, metricsAtOnce) {
		err := d.Tracking.LogBatchTx(tx, d.p, t.part.Run, tracking.Batch{Metrics: chunk})
		if err != nil {
			return err
		}
	}
	return nil
}
