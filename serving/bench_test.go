package serving_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/serving/servingtest"
	"github.com/fairlead-ml/fairlead/store"
)

// fillTraffic fills every bucket that is kept of the endpoint, with a live version and
// two others that score what it answers.
func fillTraffic(tb testing.TB, w *servingtest.World) {
	tb.Helper()
	for _, width := range []struct{ ms, kept int64 }{
		{60_000, 2880}, {3_600_000, 2160}, {86_400_000, 3650}} {
		newest := servingtest.Wall.UnixMilli() / width.ms * width.ms
		w.Do(func(tx *store.Tx) error {
			_, err := tx.Exec(`with recursive i(n) as (select 0 union all select n + 1 from i where n < ?)
				insert into traffic (project_k, endpoint, clock, width_ms, at_ms, model_n, requests,
				rows_n, errors, refused, scored, failed, answer, own)
				select ?, ?, 0, ?, ? - i.n * ?, v.n, 600, 1200, 1, 1, 600, 1,
				x'200121052290012391022480032590012610270828042902',
				x'18010a052290011391022480032590012610270828042902'
				from i cross join (select 1 as n union all select 2 union all select 3) v`,
				width.kept-1, servingtest.Project.K, servingtest.Endpoint, width.ms, newest, width.ms)
			return err
		})
	}
}

// How long the traffic of a busy endpoint takes to be read, in the stretches that the pages
// ask for.
func BenchmarkTraffic(b *testing.B) {
	w := servingtest.New(b)
	fillTraffic(b, w)
	const day = 24 * time.Hour
	for _, last := range []time.Duration{time.Hour, day, 7 * day, 30 * day, 365 * day} {
		b.Run(fmt.Sprint(last), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := w.DB.Read(b.Context(), func(tx *store.Tx) error {
					out, err := w.Serving.Traffic(tx, servingtest.Project, servingtest.Endpoint,
						serving.TrafficQuery{Clock: serving.ByWall, To: servingtest.Wall, Last: last, Points: 240})
					if err == nil && out.Total.Requests == 0 {
						b.Fatal("nothing was read")
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
