package main

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// tableMost is what an answer to a table of runs may take, in ms.
const tableMost = 200

// question is something that a table of runs asks.
type question struct{ name, path string }

// measureTable asks what a table of 100,000 runs with 5,000 keys asks: 40 columns at a time.
func measureTable(ctx context.Context, b *bench) error {
	c, err := b.newContestOf(ctx, "tracking/table", ours)
	if err != nil {
		return err
	}
	defer c.stop()
	s := c.ours()
	progress("filling the server with %d runs of %d keys", wideRuns,
		wideMetrics+wideParams+wideTags)
	if err := s.seedWide(ctx, wideRuns); err != nil {
		return err
	}
	for _, q := range s.questions() {
		var times []time.Duration
		for range b.repeat {
			began := time.Now()
			if err := s.call(ctx, "GET", q.path, nil, nil); err != nil {
				return fmt.Errorf("%s: %w", q.name, err)
			}
			times = append(times, time.Since(began))
		}
		b.report.add(figure{Measurement: c.what, Name: q.name + ", median", Unit: "ms",
			Ours: median(times)}.limit(tableMost))
	}
	return nil
}

func (s *contender) questions() (out []question) {
	const api = "/api/v1/projects/default/"
	ask := func(name, path string, pairs ...string) {
		q := url.Values{"experiment": {s.experiment}}
		if path == "run-table" {
			for i := range wideOften {
				q.Add("select", fmt.Sprintf("metrics.m%d", i))
				q.Add("select", fmt.Sprintf("params.p%d", i))
				q.Add("select", fmt.Sprintf("metrics.group%d/metric-%d", i, i))
				q.Add("select", fmt.Sprintf("tags.note-%d", i))
			}
		}
		for i := 0; i < len(pairs); i += 2 {
			q.Add(pairs[i], pairs[i+1])
		}
		out = append(out, question{name: name, path: api + path + "?" + q.Encode()})
	}
	ask("first rows", "run-table")
	ask("rows from 90,000 on", "run-table", "offset", "90000")
	ask("by a metric that all have", "run-table", "order", "metrics.m3 DESC")
	ask("by a metric that few have", "run-table", "order", "metrics.group3/metric-3 DESC")
	ask("by a param", "run-table", "order", "params.p3")
	ask("filtered by a metric and a param", "run-table", "filter",
		"metrics.m3 > 0.1 AND params.p3 = '1'")
	ask("nested", "run-table", "nested", "true")
	ask("grouped by a param", "run-groups", "by", "params.p3")
	ask("grouped by a param, with two metrics", "run-groups", "by", "params.p3", "select",
		"metrics.m1", "select", "metrics.m2")
	ask("search of keys", "run-columns", "contains", "metric 77")
	return out
}
