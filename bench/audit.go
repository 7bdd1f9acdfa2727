package main

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"time"
)

// What the page of the audit is measured on: pairs of events, that a run began and ended,
// after the few by which the project came about.
const (
	auditEvents = 100_000
	auditMost   = 200 // of an answer, in ms
	auditScreen = 20  // entries whose proofs are asked for at once
)

// auditList is an answer to a list of events.
type auditList struct {
	Items []struct {
		Seq     int64  `json:"seq"`
		Subject string `json:"subject"`
		TimeMS  int64  `json:"time_ms"`
	} `json:"items"`
	Next string `json:"next"`
}

// measureAudit asks what the page of the audit asks of 100,000 events.
func measureAudit(ctx context.Context, b *bench) error {
	c, err := b.newContestOf(ctx, "audit", ours)
	if err != nil {
		return err
	}
	defer c.stop()
	s := c.ours()
	progress("filling the server with %d events", auditEvents)
	if err := s.seedEvents(ctx, auditEvents); err != nil {
		return err
	}
	first, err := s.events(ctx, url.Values{})
	if err != nil {
		return err
	}
	if len(first.Items) == 0 || first.Next == "" {
		return fmt.Errorf("the list of %d events has %d, and no more", auditEvents, len(first.Items))
	}
	for _, q := range auditQuestions(first) {
		ask := func() error { return s.ask(ctx, q.filter, q.whole) }
		if err := c.time(q.name, q.limit, ask); err != nil {
			return err
		}
	}
	if err := c.time(fmt.Sprintf("proofs of %d entries", auditScreen), auditMost, func() error {
		return s.proofs(ctx, first)
	}); err != nil {
		return err
	}
	began := time.Now()
	if err := s.call(ctx, "POST", "/api/v1/audit/verify", []byte("{}"), nil); err != nil {
		return err
	}
	b.report.add(figure{Measurement: c.what, Name: "the whole ledger verified", Unit: "ms",
		Ours: float64(time.Since(began)) / float64(time.Millisecond)})
	return nil
}

// time reports the median of what something takes.
func (c *contest) time(name string, limit float64, ask func() error) error {
	var times []time.Duration
	for range c.repeat {
		began := time.Now()
		if err := ask(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		times = append(times, time.Since(began))
	}
	c.report.add(figure{Measurement: c.what, Name: name + ", median", Unit: "ms",
		Ours: median(times)}.limit(limit))
	return nil
}

type auditQuestion struct {
	name   string
	limit  float64
	whole  bool // until something is found, or there is nothing left to look at
	filter url.Values
}

func auditQuestions(first auditList) []auditQuestion {
	newest := first.Items[0]
	at := func(ms int64) []string { return []string{time.UnixMilli(ms).UTC().Format(time.RFC3339)} }
	nobody := []string{"user:nobody"}
	return []auditQuestion{
		{"first page", auditMost, false, url.Values{}},
		{"next page", auditMost, false, url.Values{"page": {first.Next}}},
		{"of types", auditMost, false, url.Values{"types": {"run.created,run.deleted"}}},
		{"about one thing", auditMost, false, url.Values{"subject": {newest.Subject}}},
		{"about what begins so", auditMost, false, url.Values{"subject": {newest.Subject[:8] + "*"}}},
		{"by an actor", auditMost, false, url.Values{"actor": {"user:owner"}}},
		{"until now", auditMost, false, url.Values{"until": at(newest.TimeMS)}},
		{"before all, by stream time", auditMost, false,
			url.Values{"until": at(1), "clock": {"stream"}}},
		{"by an actor who has made none", auditMost, false, url.Values{"actor": nobody}},
		{"the same, until all were looked at", 0, true, url.Values{"actor": nobody}},
		{"the oldest event, by its type", 0, true, url.Values{"types": {"experiment.created,x"}}},
	}
}

// proofs asks for those of a screen.
func (s *contender) proofs(ctx context.Context, page auditList) error {
	for _, e := range page.Items[:min(auditScreen, len(page.Items))] {
		path := fmt.Sprintf("/api/v1/projects/default/events/%d/proof", e.Seq)
		if err := s.call(ctx, "GET", path, nil, nil); err != nil {
			return err
		}
	}
	return nil
}

// ask asks for a page of events; whole goes on until there is one.
func (s *contender) ask(ctx context.Context, filter url.Values, whole bool) error {
	filter = maps.Clone(filter)
	for {
		page, err := s.events(ctx, filter)
		if err != nil || !whole || len(page.Items) > 0 || page.Next == "" {
			return err
		}
		filter.Set("page", page.Next)
	}
}

// events returns the newest events that a filter lets through.
func (s *contender) events(ctx context.Context, filter url.Values) (page auditList, err error) {
	err = s.call(ctx, "GET", "/api/v1/projects/default/events?newest=true&limit=50&"+filter.Encode(),
		nil, &page)
	return page, err
}

// seedEvents makes runs that end, which are two events each.
func (s *contender) seedEvents(ctx context.Context, events int) error {
	return s.seedByClients(ctx, 0, events/2, func(w *wire, n int) error {
		run, err := s.seedRun(w, n)
		if err != nil {
			return err
		}
		end := fmt.Appendf(nil, `{"run_id":%q,"status":"FINISHED","end_time":%d}`, run,
			1_700_000_000_000+int64(n)*1000+60_000)
		return w.send(postText(s.url, "runs/update", end), nil)
	})
}
