package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// idleFor is how long a server is left alone before its memory is read.
const idleFor = 5 * time.Second

// measureStart measures the way from the start of the process to its first good
// answer on a fresh data directory, and again on that directory; and the memory of
// the server when nobody has called it.
func measureStart(ctx context.Context, b *bench) error {
	var fresh, again []time.Duration
	var idle memory
	for i := range b.repeat {
		dir := filepath.Join(b.dir, fmt.Sprint("start-", i))
		p, err := b.serve(ctx, dir)
		if err != nil {
			return err
		}
		fresh = append(fresh, p.ready)
		p.stop()
		if p, err = b.serve(ctx, dir); err != nil {
			return err
		}
		again = append(again, p.ready)
		if i == b.repeat-1 {
			time.Sleep(idleFor)
			idle, err = p.memory()
		}
		p.stop()
		if err != nil {
			return err
		}
	}
	peer, peerIdle, err := b.startMLflow(ctx)
	if err != nil {
		return err
	}
	b.report.add(
		figure{Measurement: "tracking/start", Name: "to /readyz, fresh directory, median", Unit: "ms",
			Ours: median(fresh)}.
			limit(100).beside("mlflow", peer),
		figure{Measurement: "tracking/start", Name: "the same, slowest", Unit: "ms", Ours: quantile(fresh, 1)},
		figure{Measurement: "tracking/start", Name: "to /readyz, directory used before, median", Unit: "ms",
			Ours: median(again)},
		figure{Measurement: "tracking/start", Name: "idle after 5 s, RSS", Unit: "MB", Ours: idle.rss}.
			limit(60).beside("mlflow", peerIdle.rss),
		figure{Measurement: "tracking/start", Name: "idle after 5 s, PSS", Unit: "MB", Ours: idle.pss}.
			limit(60).beside(fmt.Sprintf("mlflow, %d processes", peerIdle.processes), peerIdle.pss),
	)
	return nil
}

// startMLflow returns the same of the peer, measured once: in ms, to /health.
func (b *bench) startMLflow(ctx context.Context) (ready float64, m memory, err error) {
	if !b.peers {
		return 0, m, nil
	}
	p, err := b.serveMLflow(ctx, filepath.Join(b.dir, "start-mlflow"))
	if err != nil {
		return 0, m, err
	}
	defer p.stop()
	time.Sleep(idleFor)
	m, err = p.memory()
	return float64(p.ready) / float64(time.Millisecond), m, err
}
