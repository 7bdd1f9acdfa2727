package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"
)

const (
	// turn is how long one side is measured before it is the other one's turn, so
	// that a disturbance meets both.
	turn = 5 * time.Second
	// warm is how long each side runs before anything counts.
	warm = 3 * time.Second
)

// side is one server of the comparison and what was measured on it.
type side struct {
	*caller
	run        string
	step       int
	write, get samples
}

func newSide(ctx context.Context, p *process) (*side, error) {
	s := &side{caller: newCaller(p.url)}
	experiment, err := s.newExperiment(ctx)
	if err != nil {
		return nil, err
	}
	s.run, err = s.newRun(ctx, experiment)
	return s, err
}

func (s *side) logMetric(ctx context.Context) error {
	s.step++
	body := fmt.Appendf(nil, `{"run_id":%q,"key":"loss","value":0.5,"timestamp":%d,"step":%d}`,
		s.run, time.Now().UnixMilli(), s.step)
	return s.call(ctx, http.MethodPost, mlflow+"runs/log-metric", body, nil)
}

// take measures one turn of d: writes, then a quarter as long reads.
func (s *side) take(ctx context.Context, d time.Duration) error {
	write, err := repeat(ctx, d, func(int) error { return s.logMetric(ctx) })
	if err != nil {
		return err
	}
	get, err := repeat(ctx, d/4, func(int) error {
		return s.call(ctx, http.MethodGet, mlflow+"runs/get?run_id="+s.run, nil, nil)
	})
	s.write.add(write)
	s.get.add(get)
	return err
}

// measureMetric logs metrics one by one over one kept connection, each
// acknowledged before the next is sent, and reads the run.
func measureMetric(ctx context.Context, b *bench) error {
	p, err := b.serve(ctx, filepath.Join(b.dir, "metric"))
	if err != nil {
		return err
	}
	defer p.stop()
	ours, err := newSide(ctx, p)
	if err != nil {
		return err
	}
	sides := []*side{ours}
	peer := &side{}
	if b.peers {
		q, err := b.serveMLflow(ctx, filepath.Join(b.dir, "metric-mlflow"))
		if err != nil {
			return err
		}
		defer q.stop()
		if peer, err = newSide(ctx, q); err != nil {
			return err
		}
		sides = append(sides, peer)
	}
	if err := inTurns(ctx, sides, b.duration); err != nil {
		return err
	}
	b.report.metric(ours, peer)
	return nil
}

func inTurns(ctx context.Context, sides []*side, total time.Duration) error {
	for _, s := range sides {
		if err := s.take(ctx, warm); err != nil {
			return err
		}
		s.write, s.get = samples{}, samples{}
	}
	for left := total; left > 0; left -= turn {
		for _, s := range sides {
			if err := s.take(ctx, min(turn, left)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *report) metric(ours, peer *side) {
	line := func(name, unit string, more bool, of func(s *side) float64) figure {
		f := figure{Measurement: "metric", Name: name, Unit: unit, Ours: of(ours), more: more}
		if peer.caller == nil {
			return f
		}
		return f.beside("mlflow", of(peer))
	}
	r.add(
		line("log-metric, 1 connection", "/s", true, func(s *side) float64 { return s.write.rate() }).times(10),
		line("log-metric, p50", "ms", false, func(s *side) float64 { return quantile(s.write.times, .5) }),
		line("log-metric, p99", "ms", false, func(s *side) float64 { return quantile(s.write.times, .99) }),
		line("runs/get, 1 connection", "/s", true, func(s *side) float64 { return s.get.rate() }),
		line("runs/get, p50", "ms", false, func(s *side) float64 { return quantile(s.get.times, .5) }),
		line("runs/get, p99", "ms", false, func(s *side) float64 { return quantile(s.get.times, .99) }),
	)
}
