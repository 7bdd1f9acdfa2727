package job

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const columns = `k, id, project_k, project, kind, key, state, payload, result, progress, error,
	cause_event, run_at_ms, scheduled, attempt, max_attempts, losses, fence, owner,
	lease_until_ms, cancel_ms, created_ms, started_ms, finished_ms`

func scanJobs(rows *sql.Rows, err error) ([]*Job, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Job
	for rows.Next() {
		j, err := scanJob(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

func scanJob(row interface{ Scan(...any) error }) (*Job, error) {
	var j Job
	var payload string
	var result sql.NullString
	var runAt, scheduled, lease, cancel, created, started, finished int64
	err := row.Scan(&j.k, &j.ID, &j.Project.K, &j.Project.Name, &j.Kind, &j.Key, &j.State, &payload,
		&result, &j.Progress, &j.Error, &j.CauseEvent, &runAt, &scheduled, &j.Attempt, &j.MaxAttempts,
		&j.Losses, &j.Fence, &j.Owner, &lease, &cancel, &created, &started, &finished)
	if err != nil {
		return nil, err
	}
	j.Payload = []byte(payload)
	if result.Valid {
		j.Result = []byte(result.String)
	}
	j.Scheduled = scheduled != 0
	j.RunAt, j.LeaseUntil = fairlead.FromMS(runAt), fairlead.FromMS(lease)
	j.CancelledAt, j.Created = fairlead.FromMS(cancel), fairlead.FromMS(created)
	j.Started, j.Finished = fairlead.FromMS(started), fairlead.FromMS(finished)
	return &j, nil
}

// insert stores a new job, unless its project has one of that kind and key.
func insert(tx *store.Tx, j *Job) (created bool, err error) {
	res, err := tx.Exec(`insert into job (id, project_k, project, kind, key, state, payload, progress,
		error, cause_event, run_at_ms, scheduled, attempt, max_attempts, losses, fence, owner,
		lease_until_ms, cancel_ms, created_ms, started_ms, finished_ms)
		values (?, ?, ?, ?, ?, 'queued', ?, '', '', ?, ?, ?, 0, ?, 0, 0, '', 0, 0, ?, 0, 0)
		on conflict (project_k, kind, key) do nothing`,
		j.ID, j.Project.K, j.Project.Name, j.Kind, j.Key, string(j.Payload), j.CauseEvent,
		j.RunAt.UnixMilli(), flag(j.Scheduled), j.MaxAttempts, j.Created.UnixMilli())
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// update writes what changes in the life of a job.
func update(tx *store.Tx, j *Job) error {
	var result any
	if j.Result != nil {
		result = string(j.Result)
	}
	_, err := tx.Exec(`update job set state = ?, result = ?, error = ?, run_at_ms = ?, attempt = ?,
		losses = ?, fence = ?, owner = ?, lease_until_ms = ?, cancel_ms = ?, started_ms = ?,
		finished_ms = ? where k = ?`,
		j.State, result, j.Error, j.RunAt.UnixMilli(), j.Attempt, j.Losses, j.Fence, j.Owner,
		fairlead.MS(j.LeaseUntil), fairlead.MS(j.CancelledAt), fairlead.MS(j.Started),
		fairlead.MS(j.Finished), j.k)
	return err
}

func byKey(tx *store.Tx, projectK int64, kind, key string) (*Job, error) {
	return one(tx, "select "+columns+" from job where project_k = ? and kind = ? and key = ?",
		projectK, kind, key)
}

func byID(tx *store.Tx, projectK int64, id string) (*Job, error) {
	return one(tx, "select "+columns+" from job where id = ? and project_k = ?", id, projectK)
}

func byK(tx *store.Tx, k int64) (*Job, error) {
	return one(tx, "select "+columns+" from job where k = ?", k)
}

func one(tx *store.Tx, query string, args ...any) (*Job, error) {
	j, err := scanJob(tx.QueryRow(query, args...))
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no such job in this project")
	}
	return j, err
}

// due returns the first jobs of a kind whose time has come, those that have run before
// any other, and none that is cancelled.
func due(tx *store.Tx, kind string, now time.Time, limit int) (jobs []*Job, err error) {
	for _, which := range []string{"fence > 0", "fence = 0"} {
		found, err := scanJobs(tx.Query("select "+columns+` from job where state = 'queued'
			and kind = ? and run_at_ms <= ? and cancel_ms = 0 and `+which+`
			order by run_at_ms, k limit ?`, kind, now.UnixMilli(), limit-len(jobs)))
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, found...)
	}
	return jobs, nil
}

// ending returns the first waiting jobs that are cancelled, and have run before: those
// that have not are cancelled for good at once.
func ending(tx *store.Tx, now time.Time, limit int) ([]*Job, error) {
	return scanJobs(tx.Query("select "+columns+` from job where state = 'queued' and fence > 0
		and cancel_ms > 0 and run_at_ms <= ? order by run_at_ms, k limit ?`, now.UnixMilli(), limit))
}

// nextDue returns when the next job of each kind comes up; a kind without any is left
// out. It is one statement, since every commit of a job makes the writer ask.
func nextDue(tx *store.Tx, kinds []string) (map[string]time.Time, error) {
	if len(kinds) == 0 {
		return nil, nil
	}
	slices.Sort(kinds)
	const one = `select ?, (select min(run_at_ms) from job where state = 'queued' and kind = ?)`
	args := make([]any, 0, 2*len(kinds))
	for _, k := range kinds {
		args = append(args, k, k)
	}
	rows, err := tx.Query(one+strings.Repeat(" union all "+one, len(kinds)-1), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]time.Time{}
	for rows.Next() {
		var kind string
		var ms sql.NullInt64
		if err := rows.Scan(&kind, &ms); err != nil {
			return nil, err
		}
		if ms.Valid {
			out[kind] = fairlead.FromMS(ms.Int64)
		}
	}
	return out, rows.Err()
}

// expired returns the running jobs whose lease ended before now.
func expired(tx *store.Tx, now time.Time) ([]*Job, error) {
	return scanJobs(tx.Query("select "+columns+` from job where state = 'running'
		and lease_until_ms < ? order by lease_until_ms, k`, now.UnixMilli()))
}

// running returns all jobs that some server runs.
func running(tx *store.Tx) ([]*Job, error) {
	return scanJobs(tx.Query("select " + columns + ` from job where state = 'running'
		order by lease_until_ms, k`))
}

// queued returns all jobs that wait.
func queued(tx *store.Tx) ([]*Job, error) {
	return scanJobs(tx.Query("select " + columns + ` from job where state = 'queued'
		order by kind, run_at_ms, k`))
}

// toCancel returns the jobs of an owner that somebody asked to cancel.
func toCancel(tx *store.Tx, owner string) ([]*Job, error) {
	return scanJobs(tx.Query("select "+columns+` from job where state = 'running'
		and owner = ? and cancel_ms > 0 order by lease_until_ms, k`, owner))
}

// renew extends a lease and stores the progress; it reports whether the run
// still owns the job, and whether somebody asked to cancel it.
func renew(tx *store.Tx, k, fence int64, until time.Time, progress string) (
	owned, cancel bool, err error) {
	var cancelMS int64
	err = tx.QueryRow(`update job set lease_until_ms = ?, progress = ? where k = ? and fence = ?
		and state = 'running' returning cancel_ms`, until.UnixMilli(), progress, k, fence).Scan(&cancelMS)
	if errors.Is(err, store.ErrNoRows) {
		return false, false, nil
	}
	return err == nil, cancelMS != 0, err
}

// unfinished counts the jobs that keep a project from being idle.
func unfinished(tx *store.Tx, projectK int64, now time.Time) (n int, err error) {
	err = tx.QueryRow(`select count(*) from job where project_k = ? and state in ('queued', 'running')
		and not (scheduled = 1 and state = 'queued' and fence = 0 and run_at_ms > ?)`,
		projectK, now.UnixMilli()).Scan(&n)
	return n, err
}

// Filter selects jobs; empty fields select all.
type Filter struct {
	Kind  string
	State State
}

// page returns jobs newest first, those with k below before.
func page(tx *store.Tx, projectK int64, f Filter, before int64, limit int) ([]*Job, error) {
	return scanJobs(tx.Query("select "+columns+` from job where project_k = ? and k < ?
		and (? = '' or kind = ?) and (? = '' or state = ?) order by k desc limit ?`,
		projectK, before, f.Kind, f.Kind, f.State, f.State, limit))
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// openJobs are how many jobs of a kind wait, or run.
type openJobs struct {
	kind, state string
	jobs        float64
}

func countOpen(tx *store.Tx) (out []openJobs, err error) {
	rows, err := tx.Query(`select kind, state, count(*) from job
		where state in ('queued', 'running') group by kind, state order by kind, state`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var o openJobs
		if err := rows.Scan(&o.kind, &o.state, &o.jobs); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, rows.Err()
}
