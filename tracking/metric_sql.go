package tracking

import (
	"database/sql/driver"
	"math"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// chunks are the numbers of rows that one statement inserts: few, so that the
// writer keeps the statements prepared.
var chunks = []int{100, 10, 1}

// insertRows runs `head values (row), … tail` over args, which has width
// arguments a row.
func insertRows(tx *store.Tx, head, tail string, width int, args []any) error {
	row := "(" + store.Placeholders(width) + ")"
	for len(args) > 0 {
		n := chunks[len(chunks)-1]
		for _, c := range chunks {
			if len(args) >= c*width {
				n = c
				break
			}
		}
		query := head + " values " + strings.Repeat(row+",", n-1) + row + tail
		if _, err := tx.Exec(query, args[:n*width]...); err != nil {
			return err
		}
		args = args[n*width:]
	}
	return nil
}

func insertHistory(tx *store.Tx, runK int64, points []point) error {
	args := make([]any, 0, 6*len(points))
	for _, p := range points {
		args = append(args, runK, p.key, p.step, p.ts, p.value, p.nan)
	}
	return insertRows(tx, "insert into metric (run_k, key_k, step, ts, value, is_nan)",
		" on conflict do nothing", 6, args)
}

// upsertLatest moves latest values forward: a point that is older than what is
// stored only widens the range.
func upsertLatest(tx *store.Tx, runK int64, points []newest) error {
	args := make([]any, 0, 8*len(points))
	for _, p := range points {
		args = append(args, runK, p.key, p.step, p.ts, p.value, p.nan,
			optional(p.low), optional(p.high))
	}
	return insertRows(tx,
		"insert into latest (run_k, key_k, step, ts, value, is_nan, low, high)", moveLatest, 8, args)
}

func optional(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

var moveLatest = " on conflict (run_k, key_k) do update set " +
	ifNewer("step") + ", " + ifNewer("ts") + ", " + ifNewer("value") + ", " + ifNewer("is_nan") + `,
	low = case when latest.low is null or excluded.low < latest.low
		then excluded.low else latest.low end,
	high = case when latest.high is null or excluded.high > latest.high
		then excluded.high else latest.high end`

func ifNewer(column string) string {
	return column + ` = case when (excluded.step, excluded.ts, excluded.value) >=
		(latest.step, latest.ts, latest.value)
		then excluded.` + column + " else latest." + column + " end"
}

func readHistory(tx *store.Tx, runK int64, key string, after historyCursor, limit int) ([]Metric,
	error) {
	return ofKey(tx, key, func(keyK int64) ([]Metric, error) {
		return readPoints(tx, key, `select step, ts, value, is_nan from metric
			where run_k = ? and key_k = ? and (step, ts, value, is_nan) > (?, ?, ?, ?)
			order by step, ts, value, is_nan limit ?`,
			runK, keyK, after.Step, after.TS, after.Value, after.NaN, limit)
	})
}

// unflag gives a stored value back its NaN.
func unflag(v float64, nan int64) float64 {
	if nan != 0 {
		return math.NaN()
	}
	return v
}

// loadMetrics fills the latest metrics of the runs, by key; with names, only those.
func (s *Service) loadMetrics(tx *store.Tx, runs []*Run, names ...any) error {
	all, err := loadKeyed(s, tx, runs, "latest", "value, is_nan, ts, step", names,
		func(row []driver.Value) Metric {
			return Metric{Value: unflag(row[0].(float64), row[1].(int64)),
				TimestampMS: row[2].(int64), Step: row[3].(int64)}
		}, func(m *Metric) *string { return &m.Key })
	for i := range all {
		runs[i].Metrics = all[i]
	}
	return err
}

// writeModelMetrics stores the points that name a logged model with the model too.
func writeModelMetrics(tx *store.Tx, p fairlead.Project, runK int64, metrics []Metric,
	points []point) error {
	models := map[string]int64{}
	var args []any
	for i := range metrics {
		m := &metrics[i]
		if m.ModelID == "" {
			continue
		}
		k, ok := models[m.ModelID]
		if !ok {
			lm, err := loggedModelByID(tx, p, m.ModelID)
			if err != nil {
				return err
			}
			k = lm.k
			models[m.ModelID] = k
		}
		pt := points[i]
		args = append(args, k, pt.key, m.DatasetName, m.DatasetDigest, runK, pt.step, pt.ts,
			pt.value, pt.nan)
	}
	return insertRows(tx, `insert into logged_model_metric (model_k, key_k, dataset_name,
		dataset_digest, run_k, step, ts, value, is_nan)`, " on conflict do nothing", 9, args)
}
