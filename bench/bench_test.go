package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func TestJudged_WantsTheLimitAndTheRatio(t *testing.T) {
	for _, c := range []struct {
		name   string
		f      figure
		ratio  float64
		wanted string
		met    bool
	}{
		{"within the limit", figure{Unit: "ms", Ours: 50}.limit(100), 0, "≤ 100 ms", true},
		{"over the limit", figure{Unit: "ms", Ours: 101}.limit(100), 0, "≤ 100 ms", false},
		{"fast enough", figure{Unit: "ms", Ours: 5}.times(10).beside("p", 60), 12, "≥ 10×", true},
		{"too slow", figure{Unit: "ms", Ours: 5}.times(10).beside("p", 45), 9, "≥ 10×", false},
		{"more is better", figure{Unit: "/s", Ours: 300, more: true}.times(2).beside("p", 100), 3, "≥ 2×",
			true},
		{"one of two missed", figure{Unit: "ms", Ours: 50}.limit(40).times(2).beside("p", 500), 10,
			"≤ 40 ms, ≥ 2×", false},
		{"no peer", figure{Unit: "ms", Ours: 50}.limit(40).times(2).beside("p", 0), 0, "≤ 40 ms", false},
	} {
		f := c.f.judged()
		if f.Ratio != c.ratio || f.Wanted != c.wanted || f.Met == nil || *f.Met != c.met {
			t.Errorf("%s: ratio %v, wanted %q, met %v", c.name, f.Ratio, f.Wanted, f.Met)
		}
	}
	if f := (figure{Unit: "MB", Ours: 1}).judged(); f.Met != nil {
		t.Error("a figure without a limit is met or missed")
	}
}

// A slow peer excuses no clock of the steps.
func TestSteps_EachClockHasBothLimits(t *testing.T) {
	var r report
	r.steps("run", []timing{{pipeline: 10 * time.Millisecond, api: 20 * time.Millisecond,
		command: 41 * time.Millisecond}}, 4000, 40, 25)
	for i, want := range []bool{true, true, false} {
		if f := r.Figures[i]; f.Wanted != "≤ 40 ms, ≥ 25×" || *f.Met != want {
			t.Errorf("%s: %g ms, wanted %q, met %v, want %v", f.Name, f.Ours, f.Wanted, *f.Met, want)
		}
	}
}

func TestQuantile_IsOneOfTheTimes(t *testing.T) {
	var times []time.Duration
	for i := 100; i > 0; i-- {
		times = append(times, time.Duration(i)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0: 1, .5: 51, .99: 100, 1: 100} {
		if got := quantile(times, q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if quantile(nil, .5) != 0 {
		t.Error("no times have a quantile")
	}
}

// Points that were sent before would not be stored again, and make the writes look
// cheaper than they are.
func TestBatch_SendsNoPointTwice(t *testing.T) {
	type point struct {
		Key  string `json:"key"`
		Step int64  `json:"step"`
	}
	seen := map[point]bool{}
	b := newBatch("r", batchRows, batchKeys)
	for n := range 3 {
		b.at(n)
		var in struct {
			RunID   string  `json:"run_id"`
			Metrics []point `json:"metrics"`
		}
		if err := json.Unmarshal(b.text, &in); err != nil {
			t.Fatal(err)
		}
		if in.RunID != "r" || len(in.Metrics) != batchRows {
			t.Fatalf("run %q, %d metrics", in.RunID, len(in.Metrics))
		}
		for _, m := range in.Metrics {
			if seen[m] {
				t.Fatalf("batch %d has %v again", n, m)
			}
			seen[m] = true
		}
	}
}

// The limit knows the program's tables: a change of theirs must reach it.
func TestLimit_WritesTheProgramsTables(t *testing.T) {
	ctx, file := t.Context(), filepath.Join(t.TempDir(), "fairlead.db")
	db, err := store.Open(ctx, store.Options{Path: file}, ledger.Schema(), blob.Schema(),
		tracking.Schema())
	if err != nil {
		t.Fatal(err)
	}
	log, project := slog.New(slog.DiscardHandler), fairlead.Project{K: 1, Name: "default"}
	svc := tracking.New(db, ledger.New(db, fairlead.WallClock{}, log), nil, fairlead.WallClock{}, log)
	err = db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		for range busy {
			run, err := svc.CreateRun(ctx, tx, project, tracking.NewRun{})
			if err != nil {
				return err
			}
			var batch tracking.Batch
			for i := range limitKeys {
				batch.Metrics = append(batch.Metrics, tracking.Metric{Key: fmt.Sprint("m", i)})
			}
			if err := svc.LogBatchTx(tx, project, run.ID, batch); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	l, err := openLimit(ctx, file)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	before := l.count(t)
	s, err := l.load(1000, 10)(ctx, time.Microsecond)
	if err != nil || len(s.times) == 0 {
		t.Fatal(len(s.times), err)
	}
	if got := l.count(t) - before; got != (busy+4)*1000 {
		t.Errorf("%d points were added, want %d", got, (busy+4)*1000)
	}
}

func (l *limit) count(t *testing.T) (n int) {
	t.Helper()
	if err := l.db.QueryRow("select count(*) from metric").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestContender_CountsWhatAPeerFails(t *testing.T) {
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); string(body) != "{}" {
			t.Errorf("the body is %q", body)
		}
		if n.Add(1)%2 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer srv.Close()
	text := postText(srv.URL, "runs/log-metric", []byte("{}"))
	calls := []call{func(w *wire) error { return w.send(text, nil) }}
	for name, wantErr := range map[string]bool{peerMLflow: false, ours: true} {
		s := &contender{process: &process{url: srv.URL}, name: name}
		got, err := s.take(t.Context(), calls, 20*time.Millisecond)
		if (err != nil) != wantErr {
			t.Fatalf("%s: %v", name, err)
		}
		if !wantErr && (len(got.times) == 0 || s.failed.Load() == 0) {
			t.Errorf("%s: %d answered, %d failed", name, len(got.times), s.failed.Load())
		}
	}
}

func TestPageToken_IsFoundAtEitherEnd(t *testing.T) {
	for text, want := range map[string]string{
		`{"metrics":[{"key":"a"}],"next_page_token":"b+/="}`:                      "b+/=",
		`{"next_page_token": "c", "metrics":[` + strings.Repeat(" ", 5000) + `]}`: "c",
		`{"metrics":[{"key":"a"}]}`:                                               "",
	} {
		if got := pageToken([]byte(text)); got != want {
			t.Errorf("%.40s: %q, want %q", text, got, want)
		}
	}
}

// A peer counts with its best turn, the program with all of them.
func TestCell_TakesAPeersBestTurn(t *testing.T) {
	turns := []samples{{times: make([]time.Duration, 10), took: time.Second},
		{times: make([]time.Duration, 30), took: time.Second}}
	r := &report{}
	r.cell("w", cell{name: "n", rows: 100, wanted: map[string]float64{peerMLflow: 2}},
		[]*entrant{{name: ours, turns: turns}, {name: peerMLflow, turns: turns}})
	if f := r.Figures[0]; len(r.Figures) != 1 || f.Ours != 2000 || f.Peer != 3000 || *f.Met {
		t.Errorf("%+v", r.Figures)
	}
}

func TestChoose_TakesAllBelowAName(t *testing.T) {
	got, err := choose("tracking,lanes", false)
	if err != nil || len(got) < 3 || got[len(got)-1].name != "lanes" ||
		!strings.HasPrefix(got[0].name, "tracking/") {
		t.Errorf("%v, %v", got, err)
	}
	if all, _ := choose("tracking,lanes", true); len(all) <= len(got) {
		t.Error("-long adds nothing")
	}
	if _, err := choose("track", true); err == nil {
		t.Error("the begin of a name was taken for it")
	}
}

func TestGroupOf_SkipsTheCommand(t *testing.T) {
	if got := groupOf("12 (a (b) c) S 3 45 6"); got != 45 {
		t.Errorf("group %d, want 45", got)
	}
}

func TestField_IsInMegabytes(t *testing.T) {
	const text = "00400000-7ffe ---p 0 00:00 0 [rollup]\nRss:  2048 kB\nPss:  512 kB\n"
	if rss, pss := field(text, "Rss:"), field(text, "Pss:"); rss != 2 || pss != .5 {
		t.Errorf("rss %v, pss %v", rss, pss)
	}
}
