package pipeline

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// verdict judges the tries as far as they are known.
func (d *driver) verdict() verdict {
	outcomes := make([]outcome, len(d.plan.tries))
	for i := range outcomes {
		part, ok := d.parts[i+1]
		if !ok {
			continue
		}
		outcomes[i] = outcomeOf(part.Try)
	}
	return judge(d.plan.goal, outcomes, d.late())
}

// outcomeOf is what is known of a try that has begun.
func outcomeOf(t Try) outcome {
	o := outcome{started: true, ended: t.State.Final(), failed: t.State == Failed,
		cut: t.State == Cancelled || t.State == Ignored}
	if t.Value != nil {
		o.value, o.has = *t.Value, true
	}
	return o
}

// late reports whether the wall time that the tries may take is over.
func (d *driver) late() bool {
	u := d.plan.goal.until
	return u != nil && u.Within.Duration > 0 &&
		d.Clock.Now().Sub(d.run.Started) >= u.Within.Duration
}

// deadline fires when the wall time that the tries may take is over; it never
// does when it is over already, or there is no such limit.
func (d *driver) deadline() <-chan time.Time {
	if u := d.plan.goal.until; u == nil || u.Within.Duration == 0 || d.late() {
		return nil
	}
	end := d.run.Started.Add(d.plan.goal.until.Within.Duration)
	return time.After(end.Sub(d.Clock.Now()))
}

// cut ends the tries that still run when their time is over. Until one try is
// good they may go on: a run without a candidate would help nobody.
func (d *driver) cut(ctx context.Context, needed int) error {
	if !d.late() || !d.someGood(needed) {
		return nil
	}
	for n := 1; n <= needed; n++ {
		if part, ok := d.parts[n]; ok && !part.State.Final() {
			if err := d.conclude(ctx, part, Cancelled, "the time budget ended"); err != nil {
				return err
			}
		}
	}
	return nil
}

// someGood reports whether one of the tries up to needed has succeeded.
func (d *driver) someGood(needed int) bool {
	for n := 1; n <= needed; n++ {
		if part, ok := d.parts[n]; ok && part.State == Succeeded {
			return true
		}
	}
	return false
}

// dismiss ends the steps of tries that can no longer matter, and what an earlier driver
// left running of those and of parts that have ended.
func (d *driver) dismiss(ctx context.Context, needed int) {
	for n, part := range d.parts {
		if n > needed {
			part.cancel(errNotNeeded)
		}
		if n > needed || part.State.Final() {
			d.abandon(ctx, part)
		}
	}
}

// abandon ends the steps of a part that have begun and that this driver has not adopted.
func (d *driver) abandon(ctx context.Context, part *part) {
	for _, row := range part.steps {
		if row.State.Final() || part.busy[row.Name] {
			continue
		}
		row.State = Cancelled // as its row becomes when the run ends
		part.busy[row.Name] = true
		d.active++
		go func() {
			err := d.job.Forget(ctx, row.jobStep)
			if err == nil {
				err = errNotNeeded
			}
			d.results <- result{&task{part: part, spec: spec.Step{Name: row.Name}}, nil, err}
		}()
	}
}

// completed closes a part of which a step has failed or all have succeeded.
func (d *driver) completed(ctx context.Context, n int) error {
	part, ok := d.parts[n]
	if !ok || part.State.Final() {
		return nil
	}
	steps := d.plan.steps(n)
	for _, step := range steps {
		if row := part.steps[step.Name]; row != nil && row.State == Failed {
			return d.conclude(ctx, part, Failed, row.Error)
		}
	}
	for _, step := range steps {
		if !d.made(step.Name, n) {
			return nil
		}
	}
	if n == Shared || n == Refit {
		return d.conclude(ctx, part, Succeeded, "")
	}
	return d.measured(ctx, part)
}

// measured closes a try with the value of the metric that decides. A try that
// does not have it, though `until` asks for it, has failed.
func (d *driver) measured(ctx context.Context, part *part) error {
	goal := d.plan.goal
	if !goal.known {
		return d.conclude(ctx, part, Succeeded, "")
	}
	evaluate, _ := d.plan.spec.EvaluateStep()
	points := last(part.steps[evaluate.Name].Points)
	v, ok := points[goal.name]
	if !ok {
		v, ok = points[goal.String()]
	}
	if ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
		part.Value = &v
		return d.conclude(ctx, part, Succeeded, "")
	}
	if goal.until == nil && len(d.plan.tries) == 1 {
		return d.conclude(ctx, part, Succeeded, "")
	}
	why := fmt.Sprintf("step %s printed no `%s`; print a line `::metric %s=<value>`",
		evaluate.Name, goal.name, goal.name)
	if ok {
		why = fmt.Sprintf("step %s printed %s=%v, which cannot be compared", evaluate.Name, goal.name, v)
	}
	return d.conclude(ctx, part, Failed, why)
}

// conclude stores the end of a part, and ends what still runs of a failed one.
func (d *driver) conclude(ctx context.Context, part *part, state State, why string) error {
	if part.State.Final() {
		return nil
	}
	part.State, part.Reason, d.changed = state, why, true
	if state != Succeeded {
		part.cancel(errNotNeeded)
	}
	if part.N == Shared && len(part.steps) == 0 {
		return nil
	}
	part.closed = part.N != Shared
	return d.job.Write(ctx, store.Control, func(tx *store.Tx) error {
		if err := d.recordCached(tx, part); err != nil {
			return err
		}
		if part.N == Shared {
			return nil // its run in tracking is the parent of the others: close ends it
		}
		err := d.Tracking.FinishRun(ctx, tx, d.p, part.Run, trackingStatus(state), 0)
		if err != nil {
			return err
		}
		return saveTry(tx, d.run.k, part.Try)
	})
}
