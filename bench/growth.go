package main

import (
	"context"
	"fmt"
)

const (
	growthRuns  = 100_000
	growthSteps = 5 // of each metric of a run: 10 million points in all
	// growthShare is the least part of the speed that a read keeps when its tables grow.
	growthShare = .5
)

// measureGrowth reads the same when there are 20,000 runs, and when there are 100,000.
func measureGrowth(ctx context.Context, b *bench) error {
	c, err := b.newContestOf(ctx, "tracking/growth", ours)
	if err != nil {
		return err
	}
	defer c.stop()
	s := c.ours()
	if err := s.seedHistory(ctx, historyLen); err != nil {
		return err
	}
	if err := s.seedModels(ctx); err != nil {
		return err
	}
	var before []samples
	for _, size := range []struct{ begin, end int }{{0, seedRuns}, {seedRuns, growthRuns}} {
		progress("filling the server up to %d runs", size.end)
		if err := s.seedRuns(ctx, size.begin, size.end, growthSteps); err != nil {
			return err
		}
		after, err := c.reads(ctx)
		if err != nil {
			return err
		}
		for i, cell := range readCells() {
			if before == nil {
				break
			}
			b.report.grown(c.what, cell, before[i], after[i])
		}
		before = after
	}
	return nil
}

// reads measures the program's reads by themselves.
func (c *contest) reads(ctx context.Context) (all []samples, err error) {
	for _, cell := range readCells() {
		entrants, err := c.run(ctx, cell)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cell.name, err)
		}
		all = append(all, entrants[0].all())
	}
	return all, nil
}

// grown compares a read of the grown tables with the same before.
func (r *report) grown(what string, c cell, before, after samples) {
	f := figure{Measurement: what, Name: c.name + ", at 100,000 runs", Unit: "ms", Ours: c.of(after)}
	if c.rows > 0 {
		f.Unit, f.more = "/s", true
	}
	r.add(f.times(growthShare).beside("at 20,000", c.of(before)))
}
