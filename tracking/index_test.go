package tracking_test

import (
	"cmp"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// behind returns how many runs are pending, and how many newest values the index lacks
// or has too many.
func (b *bench) behind() (pending, wrong int) {
	b.Helper()
	b.must(b.db.Read(b.Context(), func(tx *store.Tx) error {
		if err := tx.QueryRow("select count(*) from metric_pending").Scan(&pending); err != nil {
			return err
		}
		const newest = `select r.exp_k, l.key_k, l.value, l.run_k from latest l join run r on r.k = l.run_k
			where l.is_nan = 0`
		const indexed = "select exp_k, key_k, value, run_k from metric_index"
		return tx.QueryRow("select (select count(*) from (" + newest + " except " + indexed +
			")) + (select count(*) from (" + indexed + " except " + newest + "))").Scan(&wrong)
	}))
	return pending, wrong
}

// TestSearchRuns_IsExactWhateverTheIndexHas logs, indexes now and then, and compares
// each answer with what all the runs say.
func TestSearchRuns_IsExactWhateverTheIndexHas(t *testing.T) {
	b := open(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	var ids []string
	experiments := []string{"0"}
	for i := range 4 {
		e, err := b.svc.CreateExperiment(t.Context(), project, fmt.Sprint("e", i), nil)
		b.must(err)
		experiments = append(experiments, e.ID)
	}
	for range 60 {
		b.clock.Advance(time.Second)
		r := b.run(tracking.NewRun{Experiment: experiments[rnd.IntN(len(experiments))],
			Params: []tracking.Param{{Key: "p", Value: fmt.Sprint(rnd.IntN(3))}}})
		ids = append(ids, r.ID)
	}
	for round := range 60 {
		for range rnd.IntN(8) {
			v := float64(rnd.IntN(12))
			if v == 0 {
				v = math.NaN()
			}
			b.log(ids[rnd.IntN(len(ids))], tracking.Batch{Metrics: []tracking.Metric{
				{Key: fmt.Sprint("m", rnd.IntN(2)), Value: v, Step: int64(round)}}})
		}
		if rnd.IntN(4) == 0 {
			b.must(b.svc.Index(t.Context()))
			if pending, wrong := b.behind(); pending != 0 || wrong != 0 {
				t.Fatalf("after indexing %d runs are pending and %d values wrong", pending, wrong)
			}
		}
		if rnd.IntN(10) == 0 {
			b.must(b.svc.DeleteRun(t.Context(), project, ids[len(ids)-1]))
			ids = ids[:len(ids)-1]
		}
		for _, in := range []tracking.Search{
			{OrderBy: []string{"metrics.m0"}},
			{OrderBy: []string{"metrics.m0 DESC"}, Limit: 1 + rnd.IntN(20)},
			{OrderBy: []string{"metrics.m0 DESC", "params.p"}, Filter: "metrics.m0 > 4", Limit: 7},
			{OrderBy: []string{"metrics.m1"}, Filter: "params.p = '1' AND metrics.m1 <= 8", Limit: 5},
			{OrderBy: []string{"metrics.m1"}, Filter: "metrics.m1 BETWEEN 3 AND 6 OR params.p = '2'"},
			{OrderBy: []string{"metrics.m1 DESC"}, Filter: "metrics.m1 != 3 AND NOT metrics.m0 > 5"},
			{OrderBy: []string{"metrics.m0", "metrics.m1 DESC"}, Filter: "metrics.m0 IN (1, 2, 3)"},
			{OrderBy: []string{"metrics.absent"}},
		} {
			in.Everywhere = true
			if rnd.IntN(3) == 0 {
				in.Everywhere, in.Experiments = false, experiments[:1+rnd.IntN(4)]
			}
			b.sameAsAll(in)
		}
	}
}

// sameAsAll compares all the pages of a search with the runs that it finds without an
// order, sorted.
func (b *bench) sameAsAll(in tracking.Search) {
	b.Helper()
	plain := in
	plain.OrderBy, plain.Limit = nil, 0
	want := b.pages(plain)
	count, err := b.svc.CountRuns(b.Context(), project, in)
	b.must(err)
	if count != int64(len(want)) {
		b.Errorf("%+v: count %d, found %d", in, count, len(want))
	}
	slices.SortStableFunc(want, func(x, y *tracking.Run) int {
		for _, o := range in.OrderBy {
			if c := compareBy(x, y, o); c != 0 {
				return c
			}
		}
		return 0
	})
	got := b.pages(in)
	if a, w := ids(got), ids(want); a != w {
		b.Fatalf("%+v:\n got %s\nwant %s", in, a, w)
	}
	in.Limit = 1000
	table := b.table(tracking.Table{Search: in})
	got = nil
	for _, r := range table.Rows {
		got = append(got, r.Run)
	}
	if a, w := ids(got), ids(want); a != w {
		b.Fatalf("table of %+v:\n got %s\nwant %s", in, a, w)
	}
}

func (b *bench) pages(in tracking.Search) (all []*tracking.Run) {
	b.Helper()
	for {
		page, err := b.svc.SearchRuns(b.Context(), project, in)
		b.must(err)
		all = append(all, page.Items...)
		if in.PageToken = page.Next; page.Next == "" {
			return all
		}
	}
}

func ids(runs []*tracking.Run) string {
	var out []string
	for _, r := range runs {
		out = append(out, r.ID[:6])
	}
	return strings.Join(out, " ")
}

func compareBy(x, y *tracking.Run, order string) int {
	name, desc := strings.CutSuffix(order, " DESC")
	if name == "params.p" {
		return strings.Compare(x.Params[0].Value, y.Params[0].Value)
	}
	key := strings.TrimPrefix(name, "metrics.")
	value := func(r *tracking.Run) (rank int, v float64) {
		for _, m := range r.Metrics {
			if m.Key == key && math.IsNaN(m.Value) {
				return 1, 0
			} else if m.Key == key {
				return 0, m.Value
			}
		}
		return 2, 0
	}
	rankX, valueX := value(x)
	rankY, valueY := value(y)
	if desc {
		valueX, valueY = -valueX, -valueY
	}
	return cmp.Or(cmp.Compare(rankX, rankY), cmp.Compare(valueX, valueY))
}

// TestIndex_OutlivesTheProgram checks that what one program has left behind, the next
// one indexes, and that a run with more metrics than one write takes is finished.
func TestIndex_OutlivesTheProgram(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	for part := range 5 {
		var batch tracking.Batch
		for i := range 1000 {
			batch.Metrics = append(batch.Metrics, metric(fmt.Sprint("m", part, ".", i), float64(i), 1))
		}
		b.log(r.ID, batch)
	}
	if pending, _ := b.behind(); pending != 1 {
		t.Fatalf("%d runs are pending", pending)
	}
	again := tracking.New(b.db, b.led, nil, b.clock, slog.New(slog.DiscardHandler))
	b.must(again.Start(t.Context()))
	for done := false; !done; {
		changed := b.db.Changed()
		pending, wrong := b.behind()
		if done = pending == 0 && wrong == 0; !done {
			<-changed
		}
	}
	again.Stop()
	again.Stop()
}

// TestIndex_MissesNothingOfConcurrentWrites writes and indexes at the same time.
func TestIndex_MissesNothingOfConcurrentWrites(t *testing.T) {
	b := open(t)
	var wg sync.WaitGroup
	for range 4 {
		r := b.run(tracking.NewRun{})
		wg.Go(func() {
			for step := range 100 {
				err := b.svc.LogMetric(t.Context(), project, r.ID, metric("m", float64(step%7), int64(step)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	stop := make(chan struct{})
	var indexer sync.WaitGroup
	indexer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if err := b.svc.Index(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	wg.Wait()
	close(stop)
	indexer.Wait()
	b.must(b.svc.Index(t.Context()))
	if pending, wrong := b.behind(); pending != 0 || wrong != 0 {
		t.Errorf("%d runs are pending and %d values wrong", pending, wrong)
	}
}

// TestIndex_LeavesRunsToThePurgeThatHasBegunWithThem goes on with a run that a purge has
// marked, and taken out of the index in part.
func TestIndex_LeavesRunsToThePurgeThatHasBegunWithThem(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("kept", 1, 1)}})
	b.must(b.svc.Index(t.Context()))
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("kept", 2, 2), metric("new", 1, 1)}})
	b.must(b.svc.DeleteRun(t.Context(), project, r.ID))
	b.must(b.db.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
		_, err := tx.Exec("update run set state = 'purging' where id = ?", r.ID)
		return err
	}))
	b.must(b.svc.Index(t.Context()))
	var pending, indexed int
	b.must(b.db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(`select (select count(*) from metric_pending),
			(select count(*) from metric_index)`).Scan(&pending, &indexed)
	}))
	if pending != 0 || indexed != 1 {
		t.Errorf("%d runs are pending, and %d values indexed; want 0 and 1", pending, indexed)
	}
	b.purge(0)
	if left := b.orphans(); left != nil {
		t.Error(left)
	}
}

// TestIndex_ComesBackToWhatWasWrittenMeanwhile writes between the reading and the writing
// of a pass, for a run of which is known that it is behind; no write follows.
func TestIndex_ComesBackToWhatWasWrittenMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		r := b.run(tracking.NewRun{})
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("a", 1, 1)}})
		x := tracking.New(b.db, b.led, nil, b.clock, slog.New(slog.DiscardHandler))
		begun, hasRead := make(chan bool), make(chan bool)
		go func() {
			err := b.db.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
				close(begun)
				<-hasRead
				return b.svc.LogBatchTx(tx, project, r.ID,
					tracking.Batch{Metrics: []tracking.Metric{metric("b", 1, 1)}})
			})
			if err != nil {
				t.Error(err)
			}
		}()
		<-begun
		b.must(x.Start(t.Context()))
		defer x.Stop()
		synctest.Wait() // it waits for the writer
		close(hasRead)
		time.Sleep(time.Minute) // of the bubble
		if pending, wrong := b.behind(); pending != 0 || wrong != 0 {
			t.Errorf("%d runs are pending and %d values wrong", pending, wrong)
		}
	})
}

// TestIndex_TriesAgainWhatFailed has the database refuse values; no write follows.
func TestIndex_TriesAgainWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(t)
		exec := func(statement string) {
			t.Helper()
			b.must(b.db.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
				_, err := tx.Exec(statement)
				return err
			}))
		}
		r := b.run(tracking.NewRun{})
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("a", 1, 1)}})
		exec(`create trigger refuse before insert on metric_index begin
			select raise(abort, 'refused'); end`)
		x := tracking.New(b.db, b.led, nil, b.clock, slog.New(slog.DiscardHandler))
		b.must(x.Start(t.Context()))
		defer x.Stop()
		time.Sleep(time.Minute) // of the bubble
		if pending, _ := b.behind(); pending != 1 {
			t.Fatalf("%d runs are pending", pending)
		}
		exec("drop trigger refuse")
		time.Sleep(time.Minute)
		if pending, wrong := b.behind(); pending != 0 || wrong != 0 {
			t.Errorf("%d runs are pending and %d values wrong", pending, wrong)
		}
	})
}
