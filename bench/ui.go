package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// What the pages may take: bytes, and ms in the browser on this machine.
const (
	uiFirstBytes  = 300 << 10
	uiPaint       = 1000
	uiInteractive = 1500
	uiChart       = 300
	uiFrame       = 50
	uiLive        = 1000
)

// uiPoints is the length of the metric whose chart is measured.
const uiPoints = 1_000_000

// The order to ui/e2e/measure.js, and what it answers.
type (
	uiLoad struct {
		Name  string `json:"name"`
		URL   string `json:"url"`
		Ready string `json:"ready"` // selector of what is waited for
	}
	uiPress struct {
		uiLoad
		Press string `json:"press"` // selector of what is pressed when the page is at rest
		Drawn string `json:"drawn"` // selector of what that leads to
	}
	uiScroll struct {
		URL   string `json:"url"`
		Ready string `json:"ready"`
	}
	uiLiveRun struct {
		URL     string  `json:"url"`
		API     string  `json:"api"`
		Run     string  `json:"run"`
		Key     string  `json:"key"`
		Seconds float64 `json:"seconds"`
	}
	uiOrder struct {
		Turns  int        `json:"turns"`
		Loads  []uiLoad   `json:"loads"`
		Press  *uiPress   `json:"press,omitempty"`
		Scroll *uiScroll  `json:"scroll,omitempty"`
		Live   *uiLiveRun `json:"live,omitempty"`
	}
	uiSeen struct {
		Loads []struct {
			Name                             string
			Bytes, Paint, Ready, Interactive float64
		}
		Pressed []float64
		Scroll  struct {
			Frames     int
			P95, Worst float64
		}
		Live struct {
			Latencies []float64
			HeapMB    []float64
		}
	}
)

// firstRow and firstChart are what a reader waits for.
const (
	firstRow    = `a[href*="/runs/"]`
	ourChart    = `figure canvas`
	overview    = `[role="tabpanel"] h2`
	chartsTab   = `[role="tab"][id$="charts"]`
	mlflowChart = `.js-plotly-plot path.js-line`
)

// measureUIPages looks at the pages in a browser: the table of runs and the chart of a run
// beside MLflow's, on stores with the same runs.
func measureUIPages(ctx context.Context, b *bench) error {
	names := []string{ours}
	if b.peers {
		names = append(names, peerMLflow)
	}
	c, err := b.newContestOf(ctx, "ui/pages", names...)
	if err != nil {
		return err
	}
	defer c.stop()
	order := uiOrder{Turns: uiTurns}
	for _, s := range c.contenders {
		progress("filling %s with %d runs", s.name, seedRuns)
		if err := s.seed(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		run, err := s.runNamed(ctx, -1)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		at := "/p/default/experiments/" + s.experiment
		table, chart, drawn := at, at+"/runs/"+run, ourChart
		if s.name == peerMLflow {
			at = "/#/experiments/" + s.experiment + "/runs"
			table, chart, drawn = at, at+"/"+run+"/model-metrics", mlflowChart
		}
		order.Loads = append(order.Loads,
			uiLoad{Name: s.name + " table", URL: s.url + table, Ready: firstRow},
			uiLoad{Name: s.name + " chart", URL: s.url + chart, Ready: drawn})
	}
	time.Sleep(settle)
	seen, err := b.browse(ctx, order)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name, load, unit string
		of               func(n int) float64
		limit            float64
	}{
		{"bytes until the table", "table", "kB", func(n int) float64 { return seen.Loads[n].Bytes / 1000 },
			uiFirstBytes / 1000},
		{"first paint", "table", "ms", func(n int) float64 { return seen.Loads[n].Paint }, uiPaint},
		{"table in sight", "table", "ms", func(n int) float64 { return seen.Loads[n].Ready }, 0},
		{"table interactive", "table", "ms", func(n int) float64 { return seen.Loads[n].Interactive },
			uiInteractive},
		{"chart of 100,000 points in sight", "chart", "ms",
			func(n int) float64 { return seen.Loads[n].Ready }, 0},
	} {
		our := seen.median(ours+" "+f.load, f.of)
		b.report.add(figure{Measurement: c.what, Name: f.name, Unit: f.unit, Ours: our}.limit(f.limit).
			beside(peerMLflow, seen.median(peerMLflow+" "+f.load, f.of)))
	}
	return nil
}

// uiTurns is how often each page is loaded.
const uiTurns = 5

// median is that of a figure over the turns of a load; 0 when there was none.
func (s *uiSeen) median(load string, of func(n int) float64) float64 {
	var all []float64
	for n := range s.Loads {
		if s.Loads[n].Name == load {
			all = append(all, of(n))
		}
	}
	return middle(all)
}

// middle is the median of figures; 0 of none.
func middle(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// measureUILarge looks at a table of 100,000 runs with 5,000 keys, at the chart of a million
// points, and at live charts.
func measureUILarge(ctx context.Context, b *bench) error {
	c, err := b.newContestOf(ctx, "ui/large", ours)
	if err != nil {
		return err
	}
	defer c.stop()
	s := c.ours()
	progress("filling the server with %d runs of %d keys, and a metric of %d points", wideRuns,
		wideMetrics+wideParams+wideTags, uiPoints)
	if err := s.seedWide(ctx, wideRuns); err != nil {
		return err
	}
	if err := s.seedHistory(ctx, uiPoints); err != nil {
		return err
	}
	run, err := s.runNamed(ctx, -1)
	if err != nil {
		return err
	}
	live, err := s.liveRun(ctx)
	if err != nil {
		return err
	}
	at := s.url + "/p/default/experiments/" + s.experiment
	seen, err := b.browse(ctx, uiOrder{Turns: uiTurns,
		Loads: []uiLoad{{"table", at, firstRow}, {"chart", at + "/runs/" + run, ourChart}},
		Press: &uiPress{uiLoad{"chart", at + "/runs/" + run + "?tab=overview", overview}, chartsTab,
			ourChart},
		Scroll: &uiScroll{at, firstRow},
		Live: &uiLiveRun{URL: at + "/runs/" + live, API: s.url + "/api/2.0/mlflow", Run: live, Key: liveKey,
			Seconds: b.watch.Seconds()}})
	if err != nil {
		return err
	}
	ready := func(n int) float64 { return seen.Loads[n].Ready }
	add := func(name, unit string, ours, limit float64) {
		b.report.add(figure{Measurement: c.what, Name: name, Unit: unit, Ours: ours}.limit(limit))
	}
	add("table of 100,000 runs × 5,000 keys in sight", "ms", seen.median("table", ready), uiInteractive)
	add("its scrolling: frames, p95", "ms", seen.Scroll.P95, 0)
	add("its scrolling: the longest frame", "ms", seen.Scroll.Worst, uiFrame)
	add("chart of a million points, from the press of its tab", "ms", middle(seen.Pressed), uiChart)
	warm, err := s.chartTime(ctx, run, uiTurns)
	if err != nil {
		return err
	}
	add("the server's part of it, from its memory", "ms", warm, 0)
	add("its page, opened anew, until it is in sight", "ms", seen.median("chart", ready), 0)
	add("a point until it is in sight, the longest of 10", "ms", slices.Max(seen.Live.Latencies), uiLive)
	heap := seen.Live.HeapMB
	add(fmt.Sprintf("memory of a live page at first, of %s", b.watch), "MB", heap[len(heap)/10], 0)
	add("the same at its end", "MB", heap[len(heap)-1], 0)
	cold, err := b.coldChart(ctx, s, run)
	if err != nil {
		return err
	}
	add("a chart of a million points by a server that has just started", "ms", cold, uiChart)
	return nil
}

// coldChart is what a server takes for a chart that is the first thing it is asked for, in
// ms: the median of some starts.
func (b *bench) coldChart(ctx context.Context, s *contender, run string) (float64, error) {
	var times []float64
	for range uiTurns {
		s.process.stop()
		p, err := b.serve(ctx, filepath.Dir(s.file))
		if err != nil {
			return 0, err
		}
		s.process, s.caller = p, newCaller(p.url)
		first, err := s.chartTime(ctx, run, 1)
		if err != nil {
			return 0, err
		}
		times = append(times, first)
	}
	return middle(times), nil
}

// chartTime is what the server takes for a chart, in ms: the median of so many times.
func (s *contender) chartTime(ctx context.Context, run string, turns int) (float64, error) {
	var times []time.Duration
	for range turns {
		began := time.Now()
		err := s.call(ctx, "GET", "/api/v1/projects/default/runs/"+run+"/chart?key="+historyKey, nil, nil)
		if err != nil {
			return 0, err
		}
		times = append(times, time.Since(began))
	}
	return median(times), nil
}

const liveKey = "loss"

// liveRun makes a run that is under way, with a first point.
func (s *contender) liveRun(ctx context.Context) (string, error) {
	w := newWire(ctx, s.url)
	defer w.close()
	run, err := s.seedRun(w, wideRuns)
	if err != nil {
		return "", err
	}
	return run, s.post(ctx, "runs/log-metric", map[string]any{"run_id": run,
		"key": liveKey, "value": 1, "timestamp": time.Now().UnixMilli(), "step": -1}, nil)
}

// browse lets the script in ui/ measure, in a browser.
func (b *bench) browse(ctx context.Context, order uiOrder) (*uiSeen, error) {
	in, err := json.Marshal(order)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "node", "e2e/measure.js")
	cmd.Dir = "ui"
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("node ui/e2e/measure.js: %w", err)
	}
	seen := &uiSeen{}
	return seen, json.Unmarshal(out, seen)
}
