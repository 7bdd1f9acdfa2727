package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	seedRuns    = 20_000
	seedMetrics = 20
	seedParams  = 5
	seedModels  = 1000
	historyLen  = 100_000
	historyKey  = "history"
)

// seedValue is the value of the metrics of the n-th of so many runs: all differ, in no
// order.
func seedValue(n, of int) float64 { return float64(n*7919%of) / float64(of) }

// seed gives the contender runs, one with a long history, and models. A peer gets them
// as rows, as its own requests would take minutes.
func (s *contender) seed(ctx context.Context) error {
	if s.name != ours {
		return s.seedRows(ctx)
	}
	if err := s.seedRuns(ctx, 0, seedRuns, 1); err != nil {
		return err
	}
	if err := s.seedHistory(ctx, historyLen); err != nil {
		return err
	}
	return s.seedModels(ctx)
}

// seedModels makes models of one version each.
func (s *contender) seedModels(ctx context.Context) error {
	run, err := s.newRun(ctx, s.experiment)
	if err != nil {
		return err
	}
	return s.seedByClients(ctx, 0, seedModels, func(w *wire, n int) error {
		model := fmt.Appendf(nil, `{"name":"model-%d"}`, n)
		if err := w.send(postText(s.url, "registered-models/create", model), nil); err != nil {
			return err
		}
		version := fmt.Appendf(nil, `{"name":"model-%d","run_id":%q,"source":"runs:/%s/model"}`,
			n, run, run)
		return w.send(postText(s.url, "model-versions/create", version), nil)
	})
}

// seedByClients makes what has the numbers from begin up to end, by busy clients.
func (s *contender) seedByClients(ctx context.Context, begin, end int,
	fn func(w *wire, n int) error) error {
	var next atomic.Int64
	next.Store(int64(begin))
	return crowd(busy, func(int, *atomic.Bool) error {
		w := newWire(ctx, s.url)
		defer w.close()
		for n := int(next.Add(1)) - 1; n < end; n = int(next.Add(1)) - 1 {
			if err := fn(w, n); err != nil {
				return err
			}
		}
		return nil
	})()
}

// seedRuns makes the runs with the numbers from begin up to end, each with so many
// points of each metric.
func (s *contender) seedRuns(ctx context.Context, begin, end, steps int) error {
	return s.seedByClients(ctx, begin, end, func(w *wire, n int) error {
		run, err := s.seedRun(w, n)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		fmt.Fprintf(&b, `{"run_id":%q,"params":[`, run)
		for i := range seedParams {
			fmt.Fprintf(&b, `{"key":"p%d","value":"%d"}%s`, i, n%4, comma(i, seedParams))
		}
		b.WriteString(`],"metrics":[`)
		for i := range seedMetrics * steps {
			fmt.Fprintf(&b, `{"key":"m%d","value":%v,"timestamp":1700000000000,"step":%d}%s`,
				i%seedMetrics, seedValue(n, seedRuns), i/seedMetrics, comma(i, seedMetrics*steps))
		}
		b.WriteString("]}")
		return w.send(postText(s.url, "runs/log-batch", b.Bytes()), nil)
	})
}

func comma(i, of int) string {
	if i == of-1 {
		return ""
	}
	return ","
}

// seedRun makes a run that is called run-N.
func (s *contender) seedRun(w *wire, n int) (string, error) {
	var out struct {
		Run struct {
			Info runInfo `json:"info"`
		} `json:"run"`
	}
	body := fmt.Appendf(nil, `{"experiment_id":%q,"run_name":"run-%d","start_time":%d}`, s.experiment,
		n, 1_700_000_000_000+n)
	err := w.send(postText(s.url, "runs/create", body), &out)
	return out.Run.Info.ID, err
}

// seedHistory gives a run that is called run--1 one metric with a history of so many
// points, in thousands.
func (s *contender) seedHistory(ctx context.Context, points int) error {
	w := newWire(ctx, s.url)
	defer w.close()
	run, err := s.seedRun(w, -1)
	if err != nil {
		return err
	}
	for step := 0; step < points; step += 1000 {
		var b bytes.Buffer
		fmt.Fprintf(&b, `{"run_id":%q,"metrics":[`, run)
		for i := range 1000 {
			fmt.Fprintf(&b, `{"key":%q,"value":%v,"timestamp":1700000000000,"step":%d}%s`, historyKey,
				float64(step+i)/7, step+i, comma(i, 1000))
		}
		b.WriteString("]}")
		if err := w.send(postText(s.url, "runs/log-batch", b.Bytes()), nil); err != nil {
			return err
		}
	}
	return nil
}

// dialect is what the tables of the peers differ in: each statement takes the
// arguments that its rows have.
type dialect struct{ run, param, metric, latest string }

var dialects = map[string]dialect{
	peerMLflow: {
		run:   "",
		param: "insert into params (run_uuid, key, value) values (?, ?, ?)",
		metric: `insert into metrics (run_uuid, key, value, timestamp, step, is_nan)
			values (?, ?, ?, ?, ?, 0)`,
		latest: `insert into latest_metrics (run_uuid, key, value, timestamp, step, is_nan)
			values (?, ?, ?, ?, ?, 0)`,
	},
	peerFastTrackML: {
		run:   ", row_num",
		param: "insert into params (run_uuid, key, value_str) values (?, ?, ?)",
		metric: `insert into metrics (run_uuid, key, value, timestamp, step, is_nan, iter, context_id)
			values (?, ?, ?, ?, ?5, 0, ?5 + 1, 1)`,
		latest: `insert into latest_metrics (run_uuid, key, value, timestamp, step, is_nan, last_iter,
			context_id) values (?, ?, ?, ?, ?5, 0, ?5 + 1, 1)`,
	},
}

// seedRows writes the same into the database of a peer.
func (s *contender) seedRows(ctx context.Context) error {
	db, err := sql.Open("sqlite3", "file:"+s.file+"?_busy_timeout=20000&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	r := &rowSeeder{ctx: ctx, tx: tx, dialect: dialects[s.name], stmts: map[string]*sql.Stmt{}}
	for n := range seedRuns {
		r.run(s.experiment, n)
		for i := range seedParams {
			r.exec(r.param, seedID(n), fmt.Sprint("p", i), fmt.Sprint(n%4))
		}
		for i := range seedMetrics {
			r.point(seedID(n), fmt.Sprint("m", i), seedValue(n, seedRuns), 0)
			r.newest(seedID(n), fmt.Sprint("m", i), seedValue(n, seedRuns), 0)
		}
	}
	r.run(s.experiment, -1)
	for step := range historyLen {
		r.point(seedID(-1), historyKey, float64(step)/7, step)
	}
	r.newest(seedID(-1), historyKey, float64(historyLen-1)/7, historyLen-1)
	if s.name == peerMLflow {
		r.models()
	}
	if r.err != nil {
		return r.err
	}
	return tx.Commit()
}

// seedID is the id of the n-th run of a peer.
func seedID(n int) string { return fmt.Sprintf("%032x", n+1) }

// rowSeeder writes rows until the first error.
type rowSeeder struct {
	dialect
	ctx   context.Context
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
	err   error
}

func (r *rowSeeder) exec(query string, args ...any) {
	if r.err != nil {
		return
	}
	stmt := r.stmts[query]
	if stmt == nil {
		if stmt, r.err = r.tx.PrepareContext(r.ctx, query); r.err != nil {
			return
		}
		r.stmts[query] = stmt
	}
	_, r.err = stmt.ExecContext(r.ctx, args...)
}

func (r *rowSeeder) run(experiment string, n int) {
	columns, marks := "", ""
	if r.dialect.run != "" {
		columns, marks = r.dialect.run, ", ?3"
	}
	r.exec(`insert into runs (run_uuid, name, start_time, source_type, source_name, entry_point_name,
		user_id, status, source_version, lifecycle_stage, artifact_uri, experiment_id`+columns+`)
		values (?1, ?2, 1700000000000 + ?3, 'UNKNOWN', '', '', '', 'RUNNING', '', 'active', 'bench', ?4`+
		marks+")", seedID(n), fmt.Sprint("run-", n), n, experiment)
	r.exec("insert into tags (run_uuid, key, value) values (?, 'mlflow.runName', ?)", seedID(n),
		fmt.Sprint("run-", n))
}

func (r *rowSeeder) point(run, key string, value float64, step int) {
	r.exec(r.metric, run, key, value, 1_700_000_000_000, step)
}

func (r *rowSeeder) newest(run, key string, value float64, step int) {
	r.exec(r.latest, run, key, value, 1_700_000_000_000, step)
}

func (r *rowSeeder) models() {
	now := time.Now().UnixMilli()
	for n := range seedModels {
		name := fmt.Sprint("model-", n)
		r.exec(`insert into registered_models (name, creation_time, last_updated_time, workspace)
			values (?, ?2, ?2, 'default')`, name, now)
		r.exec(`insert into model_versions (name, version, creation_time, last_updated_time,
			current_stage, source, status, workspace) values (?, 1, ?2, ?2, 'None', 'models:/m-bench',
			'READY', 'default')`, name, now)
	}
}

// analyze lets a peer's database know its tables, which MLflow never does.
func (s *contender) analyze(ctx context.Context) error {
	db, err := sql.Open("sqlite3", "file:"+s.file+"?_busy_timeout=20000")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, "analyze")
	return err
}
