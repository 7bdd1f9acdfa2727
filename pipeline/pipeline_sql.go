package pipeline

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/store"
)

type scanner interface{ Scan(dest ...any) error }

// text returns v as JSON. What is stored here always has a JSON form.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("pipeline: " + err.Error())
	}
	return string(b)
}

// fromText decodes what text wrote. Numbers keep their spelling, so that a param
// that went through the database gives the same key.
func fromText(s string, v any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(s)))
	d.UseNumber()
	return d.Decode(v)
}

const runColumns = `k, id, model, spec_rev, commit_sha, case_id, cause, inputs, holdout, fixed,
	job_id, state, reason, experiment, winner, version, model_step, created_ms, started_ms,
	finished_ms, rerun_of, rerun_from`

func scanRun(row scanner) (*Run, error) {
	var r Run
	var inputs, holdout, fixed string
	var created, started, finished int64
	err := row.Scan(&r.k, &r.ID, &r.Model, &r.SpecRev, &r.Commit, &r.Case, &r.Cause, &inputs,
		&holdout, &fixed, &r.Job, &r.State, &r.Reason, &r.Experiment, &r.Winner, &r.Version,
		&r.modelStep, &created, &started, &finished, &r.RerunOf, &r.RerunFrom)
	if err != nil {
		return nil, err
	}
	r.Created, r.Started = fairlead.FromMS(created), fairlead.FromMS(started)
	r.Finished = fairlead.FromMS(finished)
	return &r, errors.Join(fromText(inputs, &r.Inputs), fromText(holdout, &r.Holdout),
		fromText(fixed, &r.Fixed))
}

func insertRun(tx *store.Tx, p fairlead.Project, r *Run) error {
	return tx.QueryRow(`insert into pipeline_run (id, project_k, model, spec_rev, commit_sha,
		case_id, cause, inputs, holdout, fixed, job_id, state, reason, experiment, winner, version,
		created_ms, started_ms, finished_ms, rerun_of, rerun_from)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', 0, 0, ?, 0, 0, ?, ?) returning k`,
		r.ID, p.K, r.Model, r.SpecRev, r.Commit, r.Case, r.Cause, text(r.Inputs), text(r.Holdout),
		text(r.Fixed), r.Job, r.State, fairlead.MS(r.Created), r.RerunOf, r.RerunFrom).Scan(&r.k)
}

func updateRun(tx *store.Tx, r *Run) error {
	_, err := tx.Exec(`update pipeline_run set state = ?, reason = ?, experiment = ?, winner = ?,
		version = ?, model_step = ?, started_ms = ?, finished_ms = ? where k = ?`, r.State, r.Reason,
		r.Experiment, r.Winner, r.Version, r.modelStep, fairlead.MS(r.Started), fairlead.MS(r.Finished), r.k)
	return err
}

func readRun(tx *store.Tx, p fairlead.Project, id string) (*Run, error) {
	r, err := scanRun(tx.QueryRow("select "+runColumns+
		" from pipeline_run where project_k = ? and id = ?", p.K, id))
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no pipeline run %q", id)
	}
	return r, err
}

func listRuns(tx *store.Tx, p fairlead.Project, state State, before int64, limit int) (
	[]*Run, error) {
	return scanAll(scanRun)(tx.Query("select "+runColumns+` from pipeline_run where project_k = ?
		and k < ? and (state = ? or ? = '') order by k desc limit ?`,
		p.K, before, state, state, limit))
}

// listRunsWith returns the runs that name a dataset version, the newest first.
func listRunsWith(tx *store.Tx, p fairlead.Project, ref data.Ref, limit int) ([]*Run, error) {
	return scanAll(scanRun)(tx.Query("select "+runColumns+` from pipeline_run where project_k = ?
		and (lower(inputs) like ? escape '\' or lower(holdout) like ? escape '\') order by k desc limit ?`,
		p.K, ref.Named(), ref.Named(), limit))
}

// scanAll reads all rows of a query with scan.
func scanAll[T any](scan func(scanner) (T, error)) func(*sql.Rows, error) ([]T, error) {
	return func(rows *sql.Rows, err error) ([]T, error) {
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var out []T
		for rows.Next() {
			v, err := scan(rows)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, rows.Err()
	}
}

func scanTry(row scanner) (Try, error) {
	var t Try
	var params string
	var value sql.NullFloat64
	err := row.Scan(&t.N, &t.State, &params, &t.Run, &value, &t.Reason)
	if err != nil {
		return t, err
	}
	if value.Valid {
		t.Value = &value.Float64
	}
	return t, fromText(params, &t.Params)
}

func saveTry(tx *store.Tx, runK int64, t Try) error {
	_, err := tx.Exec(`insert into pipeline_try (run_k, n, state, params, tracking_run, value, reason)
		values (?, ?, ?, ?, ?, ?, ?) on conflict (run_k, n) do update set state = excluded.state,
		value = excluded.value, reason = excluded.reason`, runK, t.N, t.State, text(t.Params), t.Run,
		t.Value, t.Reason)
	return err
}

func listTries(tx *store.Tx, runK int64) ([]Try, error) {
	return scanAll(scanTry)(tx.Query(`select n, state, params, tracking_run, value, reason
		from pipeline_try where run_k = ? order by n`, runK))
}

// trySpan is what the steps of a try come to.
type trySpan struct {
	steps, cached     int
	started, finished time.Time
}

// trySpans returns those of all parts of a run, by number.
func trySpans(tx *store.Tx, runK int64) (map[int]*trySpan, error) {
	rows, err := tx.Query(`select n, count(*), sum(case when state = 'cached' then 1 else 0 end),
		min(started_ms), max(finished_ms) from pipeline_step where run_k = ? group by n`, runK)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int]*trySpan{}
	for rows.Next() {
		var n int
		var started, finished int64
		span := &trySpan{}
		if err := rows.Scan(&n, &span.steps, &span.cached, &started, &finished); err != nil {
			return nil, err
		}
		span.started, span.finished = fairlead.FromMS(started), fairlead.FromMS(finished)
		out[n] = span
	}
	return out, rows.Err()
}

const stepColumns = `k, id, run_k, n, name, state, fails, cache_key, parts, outputs, points,
	dropped, from_id, job_step, ended, error, queued_ms, started_ms, finished_ms`

func scanStep(row scanner) (*Step, error) {
	var s Step
	var parts, outputs, points, ended string
	var queued, started, finished int64
	err := row.Scan(&s.k, &s.ID, &s.runK, &s.Try, &s.Name, &s.State, &s.Fails, &s.Key, &parts,
		&outputs, &points, &s.Dropped, &s.From, &s.jobStep, &ended, &s.Error, &queued, &started, &finished)
	if err != nil {
		return nil, err
	}
	s.Queued, s.Started = fairlead.FromMS(queued), fairlead.FromMS(started)
	s.Finished = fairlead.FromMS(finished)
	return &s, errors.Join(fromText(parts, &s.parts), fromText(outputs, &s.Outputs),
		fromText(points, &s.Points), fromText(ended, &s.Exit))
}

func saveStep(tx *store.Tx, s *Step) error {
	return tx.QueryRow(`insert into pipeline_step (id, run_k, n, name, state, fails, cache_key,
		parts, outputs, points, dropped, from_id, job_step, ended, error, queued_ms,
		started_ms, finished_ms)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (run_k, n, name) do update set state = excluded.state, fails = excluded.fails,
			outputs = excluded.outputs, points = excluded.points, dropped = excluded.dropped,
			job_step = excluded.job_step, ended = excluded.ended, error = excluded.error, finished_ms = excluded.finished_ms
		returning k`, s.ID, s.runK, s.Try, s.Name, s.State, s.Fails, s.Key, text(s.parts),
		text(s.Outputs), text(s.Points), s.Dropped, s.From, s.jobStep, text(s.Exit), s.Error,
		fairlead.MS(s.Queued), fairlead.MS(s.Started), fairlead.MS(s.Finished)).Scan(&s.k)
}

func listSteps(tx *store.Tx, runK int64) ([]*Step, error) {
	return scanAll(scanStep)(tx.Query("select "+stepColumns+
		" from pipeline_step where run_k = ? order by k", runK))
}

// pageSteps returns steps of a run after the one with a key; brief ones without their
// metrics and outputs.
func pageSteps(tx *store.Tx, runK, after int64, limit int, brief bool) ([]*Step, error) {
	columns := stepColumns
	if brief {
		columns = strings.Replace(columns, " points", " 'null'", 1)
		columns = strings.Replace(columns, " outputs", " 'null'", 1)
	}
	return scanAll(scanStep)(tx.Query("select "+columns+
		" from pipeline_step where run_k = ? and k > ? order by k limit ?", runK, after, limit))
}

// stepByID returns a step of a project, ErrNoRows when there is none.
func stepByID(tx *store.Tx, p fairlead.Project, id string) (*Step, error) {
	return scanStep(tx.QueryRow("select "+stepColumns+` from pipeline_step s where id = ? and exists
		(select 1 from pipeline_run r where r.k = s.run_k and r.project_k = ?)`, id, p.K))
}

// cachedStep returns the step that a key was last computed by.
func cachedStep(tx *store.Tx, p fairlead.Project, key string) (*Step, error) {
	var id string
	err := tx.QueryRow("select step_id from pipeline_cache where project_k = ? and cache_key = ?",
		p.K, key).Scan(&id)
	if err != nil {
		return nil, err
	}
	return stepByID(tx, p, id)
}

// sameStep returns the step of a run that has another one's part, name and key, if it
// ended well; ErrNoRows when there is none.
func sameStep(tx *store.Tx, p fairlead.Project, runID string, s *Step) (*Step, error) {
	return scanStep(tx.QueryRow("select "+stepColumns+` from pipeline_step where run_k in
		(select k from pipeline_run where project_k = ? and id = ?) and n = ? and name = ?
		and cache_key = ? and state in ('succeeded', 'cached')`, p.K, runID, s.Try, s.Name, s.Key))
}

func saveCache(tx *store.Tx, p fairlead.Project, key, stepID string) error {
	_, err := tx.Exec(`insert into pipeline_cache (project_k, cache_key, step_id) values (?, ?, ?)
		on conflict (project_k, cache_key) do update set step_id = excluded.step_id`,
		p.K, key, stepID)
	return err
}

// runBefore returns the run that a step is compared with: the newest one before that has
// begun a step of that name, of a re-run the one that it does again; ErrNoRows for none.
func runBefore(tx *store.Tx, p fairlead.Project, r *Run, step string) (*Run, error) {
	return scanRun(tx.QueryRow("select "+runColumns+` from pipeline_run r where project_k = ?
		and model = ? and k < ? and (id = ? or ? = '') and exists (select 1 from pipeline_step s
			where s.run_k = r.k and s.name = ?)
		order by k desc limit 1`, p.K, r.Model, r.k, r.RerunOf, r.RerunOf, step))
}

// stepsNamed returns the steps of a run that have a name.
func stepsNamed(tx *store.Tx, runK int64, name string) ([]*Step, error) {
	return scanAll(scanStep)(tx.Query("select "+stepColumns+
		" from pipeline_step where run_k = ? and name = ? order by k", runK, name))
}

// runOfStep returns the id of the run that a step is of, "" when there is none.
func runOfStep(tx *store.Tx, p fairlead.Project, stepID string) (id string, err error) {
	err = tx.QueryRow(`select r.id from pipeline_step s join pipeline_run r on r.k = s.run_k
		where s.id = ? and r.project_k = ?`, stepID, p.K).Scan(&id)
	if errors.Is(err, store.ErrNoRows) {
		return "", nil
	}
	return id, err
}

// versionOf returns the newest version that an earlier run of the model made of what a
// cached step has; 0 when there is none.
func versionOf(tx *store.Tx, p fairlead.Project, r *Run, step *Step) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(r.version), 0) from pipeline_run r
		join pipeline_step s on s.run_k = r.k and s.id = r.model_step
		where r.project_k = ? and r.model = ? and r.k < ? and r.version > 0 and s.name = ?
		and (s.id = ? or s.from_id = ?)`, p.K, r.Model, r.k, step.Name, step.From,
		step.From).Scan(&n)
	return n, err
}

func runByK(tx *store.Tx, p fairlead.Project, k int64) (*Run, error) {
	return scanRun(tx.QueryRow("select "+runColumns+
		" from pipeline_run where project_k = ? and k = ?", p.K, k))
}

func readEvaluation(tx *store.Tx, p fairlead.Project, key string) (points []Point, err error) {
	var s string
	err = tx.QueryRow("select points from pipeline_evaluation where project_k = ? and cache_key = ?",
		p.K, key).Scan(&s)
	if err != nil {
		return nil, err
	}
	return points, fromText(s, &points)
}

func saveEvaluation(tx *store.Tx, p fairlead.Project, key string, points []Point,
	now time.Time) error {
	_, err := tx.Exec(`insert into pipeline_evaluation (project_k, cache_key, points, created_ms)
		values (?, ?, ?, ?) on conflict (project_k, cache_key) do nothing`,
		p.K, key, text(points), fairlead.MS(now))
	return err
}

// trackingRunOf returns the run in tracking that a step logged to.
func trackingRunOf(tx *store.Tx, stepID string) (run string, err error) {
	err = tx.QueryRow(`select t.tracking_run from pipeline_step s
		join pipeline_try t on t.run_k = s.run_k and t.n = s.n where s.id = ?`, stepID).Scan(&run)
	return run, err
}

// hasEnded reports whether no run of that id, in any project, is still to go on.
func hasEnded(tx *store.Tx, id string) (bool, error) {
	var state State
	err := tx.QueryRow("select state from pipeline_run where id = ?", id).Scan(&state)
	if errors.Is(err, store.ErrNoRows) {
		return true, nil
	}
	return state.Final(), err
}
