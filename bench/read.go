package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
)

// measureReads asks servers that have the same runs, models and history the same. All
// answers are compared with each other before anything is measured.
func measureReads(ctx context.Context, b *bench) error {
	c, err := b.newContest(ctx, "tracking/read")
	if err != nil {
		return err
	}
	defer c.stop()
	progress("filling the servers with %d runs", seedRuns)
	for _, s := range c.contenders {
		if err := s.seed(ctx); err != nil {
			return fmt.Errorf("fill %s: %w", s.name, err)
		}
	}
	if err := c.sameAnswers(ctx); err != nil {
		return err
	}
	if err := c.measure(ctx, readCells()...); err != nil {
		return err
	}
	if err := c.measureAnalyzed(ctx); err != nil {
		return err
	}
	return c.measureBeside(ctx)
}

func readCells() []cell {
	return []cell{
		searchCell("search for 100 runs", 100,
			map[string]float64{peerMLflow: 100, peerFastTrackML: 5}),
		searchCell("search for 1000 runs", 1000,
			map[string]float64{peerMLflow: 20, peerFastTrackML: 2}),
		{name: "runs/get, c=1", clients: 1, rows: 1, client: getRuns,
			wanted: map[string]float64{peerMLflow: 12, peerFastTrackML: 1}},
		{name: "runs/get, c=16", clients: busy, rows: 1, client: getRuns,
			wanted: map[string]float64{peerMLflow: 30, peerFastTrackML: 1}},
		{name: "get-history of 100,000 points", clients: 1, client: getHistory,
			wanted: map[string]float64{peerMLflow: 20, peerFastTrackML: 4}},
		{name: "registered-models/search, 1000", clients: 1, client: searchModels,
			wanted: map[string]float64{peerMLflow: 10}},
	}
}

// measureAnalyzed searches again after MLflow's database has been analyzed.
func (c *contest) measureAnalyzed(ctx context.Context) error {
	var cells []cell
	for _, s := range c.contenders {
		if s.name != peerMLflow {
			continue
		}
		if err := s.analyze(ctx); err != nil {
			return err
		}
		cells = append(cells,
			searchCell("search for 100 runs, after ANALYZE", 100,
				map[string]float64{peerMLflow: 10}),
			searchCell("search for 1000 runs, after ANALYZE", 1000,
				map[string]float64{peerMLflow: 0}))
	}
	return c.measure(ctx, cells...)
}

// measureBeside writes to the program alone while a client searches without a pause.
func (c *contest) measureBeside(ctx context.Context) error {
	s := c.ours()
	search, err := searchRuns(100)(ctx, s, 0)
	if err != nil {
		return err
	}
	var times samples
	var mu sync.Mutex
	stop := crowd(1, func(_ int, stopping *atomic.Bool) error {
		for !stopping.Load() {
			got, err := s.take(ctx, []call{search}, 0)
			if err != nil {
				return err
			}
			mu.Lock()
			times.add(got)
			mu.Unlock()
		}
		return nil
	})
	err = c.measure(ctx,
		cell{name: "log-metric, c=16, searches beside", clients: busy, rows: 1, client: logPoints(1, 1)},
		cell{name: "log-batch of 1000, 10 keys, c=16, searches beside", clients: busy, rows: 1000,
			client: logPoints(1000, 10)},
		cell{name: "log-batch of 1000, 100 keys, c=16, searches beside", clients: busy, rows: 1000,
			client: logPoints(1000, 100)})
	if e := stop(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	c.report.add(figure{Measurement: c.what, Name: "those searches for 100 runs", Unit: "ms",
		Ours: median(times.times)})
	return nil
}

// searchBody asks for the best runs by a metric, of those that a metric and a param
// choose: an eighth of all.
func searchBody(s *contender, n int) ([]byte, error) {
	return json.Marshal(map[string]any{"experiment_ids": []string{s.experiment}, "max_results": n,
		"filter": "metrics.m1 > 0.5 and params.p1 = '1'", "order_by": []string{"metrics.m1 DESC"}})
}

func searchCell(name string, n int, wanted map[string]float64) cell {
	return cell{name: name, clients: 1, client: searchRuns(n), wanted: wanted}
}

func searchRuns(n int) func(context.Context, *contender, int) (call, error) {
	return func(_ context.Context, s *contender, _ int) (call, error) {
		body, err := searchBody(s, n)
		text := postText(s.url, "runs/search", body)
		return func(w *wire) error { return w.send(text, nil) }, err
	}
}

// foundRuns is the answer of a search.
type foundRuns struct {
	Runs []struct {
		Info struct {
			ID   string `json:"run_id"`
			Name string `json:"run_name"`
		} `json:"info"`
		Data struct {
			Metrics, Params []struct{ Key string }
		} `json:"data"`
	} `json:"runs"`
}

// runNamed returns the id of the n-th run.
func (s *contender) runNamed(ctx context.Context, n int) (string, error) {
	var out foundRuns
	err := s.post(ctx, "runs/search", map[string]any{"experiment_ids": []string{s.experiment},
		"filter": fmt.Sprintf("attributes.run_name = 'run-%d'", n), "max_results": 2}, &out)
	if err == nil && len(out.Runs) != 1 {
		err = fmt.Errorf("%s has %d runs with the name run-%d", s.name, len(out.Runs), n)
	}
	if err != nil {
		return "", err
	}
	return out.Runs[0].Info.ID, nil
}

// getRuns is a client that gets a run of its own.
func getRuns(ctx context.Context, s *contender, i int) (call, error) {
	run, err := s.runNamed(ctx, i)
	text := getText(s.url, "runs/get?run_id="+run)
	return func(w *wire) error { return w.send(text, nil) }, err
}

// getHistory is a client that gets all pages of the long history, as MLflow's does.
func getHistory(ctx context.Context, s *contender, _ int) (call, error) {
	run, err := s.runNamed(ctx, -1)
	if err != nil {
		return nil, err
	}
	path := "metrics/get-history?max_results=25000&metric_key=" + historyKey + "&run_id=" + run
	return func(w *wire) error {
		points := 0
		for at := path; at != ""; {
			var page []byte
			if err := w.send(getText(s.url, at), &page); err != nil {
				return err
			}
			points += bytes.Count(page, []byte(`"timestamp"`))
			at = ""
			if token := pageToken(page); token != "" {
				at = path + "&page_token=" + url.QueryEscape(token)
			}
		}
		if points != historyLen {
			return fmt.Errorf("the history has %d points", points)
		}
		return nil
	}, nil
}

var nextPage = regexp.MustCompile(`"next_page_token":\s*"([^"]*)"`)

// pageToken finds the token in an answer without decoding the points in it, which
// would take longer than the answer does. It is at the begin or at the end.
func pageToken(page []byte) string {
	const edge = 512
	for _, part := range [][]byte{page[max(0, len(page)-edge):], page[:min(edge, len(page))]} {
		if m := nextPage.FindSubmatch(part); m != nil {
			return string(m[1])
		}
	}
	return ""
}

// searchModels is a client that asks for a thousand models as MLflow's does.
func searchModels(_ context.Context, s *contender, _ int) (call, error) {
	text := getText(s.url, modelsPath)
	return func(w *wire) error { return w.send(text, nil) }, nil
}

var modelsPath = "registered-models/search?max_results=1000&filter=" +
	url.QueryEscape("tags.`mlflow.prompt.is_prompt` != 'true'")

// sameAnswers checks that all answer alike and whole.
func (c *contest) sameAnswers(ctx context.Context) error {
	var first []string
	for _, s := range c.contenders {
		names, err := s.answers(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if first == nil {
			first = names
		}
		if !slices.Equal(first, names) {
			return fmt.Errorf("%s and %s find other runs", ours, s.name)
		}
	}
	return nil
}

// answers returns the names that the search finds, and checks the models. What gets a
// history counts its points each time.
func (s *contender) answers(ctx context.Context) (names []string, err error) {
	body, err := searchBody(s, 1000)
	if err != nil {
		return nil, err
	}
	var found foundRuns
	if err := s.call(ctx, "POST", mlflow+"runs/search", body, &found); err != nil {
		return nil, err
	}
	for _, r := range found.Runs {
		if len(r.Data.Metrics) != seedMetrics || len(r.Data.Params) != seedParams {
			return nil, fmt.Errorf("%s has %d metrics and %d params", r.Info.Name, len(r.Data.Metrics),
				len(r.Data.Params))
		}
		names = append(names, r.Info.Name)
	}
	if s.name != peerFastTrackML { // it has no models
		var out struct {
			Models []struct{} `json:"registered_models"`
		}
		if err := s.call(ctx, "GET", mlflow+modelsPath, nil, &out); err != nil {
			return nil, err
		}
		if len(out.Models) != seedModels {
			return nil, fmt.Errorf("it has %d models", len(out.Models))
		}
	}
	return names, nil
}
