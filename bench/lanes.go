package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// loadFirst is how long the load runs before anything counts.
	loadFirst = 3 * time.Second

	batchers  = 16
	batchRows = 1000
	batchKeys = 10
)

// measureLanes measures writes of the control plane, one after the other, alone
// and while clients log batches as fast as they can. A call that does not touch the
// database shows how much of it is the wait for a processor.
func measureLanes(ctx context.Context, b *bench) error {
	p, err := b.serve(ctx, filepath.Join(b.dir, "lanes"))
	if err != nil {
		return err
	}
	defer p.stop()
	c, err := newControl(ctx, p)
	if err != nil {
		return err
	}
	alone, err := c.take(ctx, b.duration/4)
	if err != nil {
		return err
	}
	var batches atomic.Int64
	stop := crowd(batchers, func(_ int, stopping *atomic.Bool) error {
		return logBatches(ctx, p.url, c.experiment, &batches, stopping)
	})
	time.Sleep(loadFirst)
	before, began := batches.Load(), time.Now()
	loaded, err := c.take(ctx, b.duration/2)
	rows := float64(batches.Load()-before) * batchRows / time.Since(began).Seconds()
	if e := stop(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	for i, name := range controlNames {
		b.report.lane(name, alone[i].times, loaded[i].times)
	}
	b.report.add(figure{Measurement: "lanes", Name: "rows logged meanwhile, 16 clients", Unit: "/s",
		Ours: rows, more: true})
	return nil
}

func (r *report) lane(name string, alone, loaded []time.Duration) {
	line := func(what string, times []time.Duration, q float64) figure {
		return figure{Measurement: "lanes", Name: name + ", " + what, Unit: "ms",
			Ours: quantile(times, q)}
	}
	last := line("under load, p99", loaded, .99)
	if name != controlNames[nothing] {
		last = last.limit(20)
	}
	r.add(line("alone, p50", alone, .5), line("alone, p99", alone, .99),
		line("under load, p50", loaded, .5), last)
}

// control makes the calls that are measured.
type control struct {
	*caller
	experiment string
	n          int
}

// The calls, in the order of their results.
const (
	tag     = iota // one row
	alias          // an event in the ledger too
	nothing        // no database
)

var controlNames = [...]string{tag: "set-experiment-tag", alias: "registered-models/alias",
	nothing: "/livez"}

const benchModel = "bench"

func newControl(ctx context.Context, p *process) (*control, error) {
	c := &control{caller: newCaller(p.url)}
	var err error
	if c.experiment, err = c.newExperiment(ctx); err != nil {
		return nil, err
	}
	run, err := c.newRun(ctx, c.experiment)
	if err != nil {
		return nil, err
	}
	if err := c.post(ctx, "registered-models/create", map[string]string{"name": benchModel},
		nil); err != nil {
		return nil, err
	}
	for range 2 {
		in := map[string]string{"name": benchModel, "run_id": run, "source": "runs:/" + run + "/model"}
		if err := c.post(ctx, "model-versions/create", in, nil); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// pause lies between two calls, so that the writes do not queue behind each other's
// fsync, and the client leaves the processors to the load.
const pause = 5 * time.Millisecond

// take makes the calls by turns for d.
func (c *control) take(ctx context.Context, d time.Duration) (
	out [len(controlNames)]samples, err error) {
	for began := time.Now(); time.Since(began) < d; {
		for i := range out {
			if err := ctx.Err(); err != nil {
				return out, err
			}
			start := time.Now()
			if err := c.do(ctx, i); err != nil {
				return out, err
			}
			out[i].times = append(out[i].times, time.Since(start))
			time.Sleep(pause)
		}
	}
	return out, nil
}

func (c *control) do(ctx context.Context, what int) error {
	c.n++
	switch what {
	case tag:
		return c.post(ctx, "experiments/set-experiment-tag",
			map[string]string{"experiment_id": c.experiment, "key": "bench", "value": strconv.Itoa(c.n)},
			nil)
	case alias: // moves between two versions
		return c.post(ctx, "registered-models/alias",
			map[string]string{"name": benchModel, "alias": "bench",
				"version": strconv.Itoa(c.n/len(controlNames)%2 + 1)}, nil)
	}
	return c.call(ctx, http.MethodGet, "/livez", nil, nil)
}

// logBatches logs batches of new points, one after the other.
func logBatches(ctx context.Context, url, experiment string, batches *atomic.Int64,
	stopping *atomic.Bool) error {
	c := newCaller(url)
	run, err := c.newRun(ctx, experiment)
	if err != nil {
		return err
	}
	body := newBatch(run, batchRows, batchKeys)
	n := 0
	for ; n == 0 || !stopping.Load(); n++ {
		body.at(n)
		if err := c.call(ctx, http.MethodPost, mlflow+"runs/log-batch", body.text, nil); err != nil {
			return err
		}
		batches.Add(1)
	}
	return c.checkLatest(ctx, run, body.step(n-1, batchRows-1))
}

// checkLatest makes sure that what was acknowledged is there.
func (c *caller) checkLatest(ctx context.Context, run string, step int64) error {
	var out struct {
		Run struct {
			Data struct {
				Metrics []struct {
					Key  string `json:"key"`
					Step int64  `json:"step"`
				} `json:"metrics"`
			} `json:"data"`
		} `json:"run"`
	}
	if err := c.call(ctx, http.MethodGet, mlflow+"runs/get?run_id="+run, nil, &out); err != nil {
		return err
	}
	for _, m := range out.Run.Data.Metrics {
		if m.Step != step {
			return fmt.Errorf("run %s: the newest %s is of step %d, and %d was acknowledged", run, m.Key,
				m.Step, step)
		}
	}
	if len(out.Run.Data.Metrics) != batchKeys {
		return fmt.Errorf("run %s has %d metrics, and not %d", run, len(out.Run.Data.Metrics), batchKeys)
	}
	return nil
}
