package loop

import (
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/store"
)

const caseColumns = `select k, id, model, state, cause, incident, spec_rev, commit_sha, search,
	opened_at_ms, closed_at_ms, pipeline_run, version, inputs, holdout, decision, environment, rollout,
	outcome, reason from loop_case`

type scanner interface{ Scan(dest ...any) error }

func scanCase(row scanner) (*Case, error) {
	var c Case
	var opened, closed int64
	var inputs, holdout string
	err := row.Scan(&c.k, &c.ID, &c.Model, &c.State, &c.Cause, &c.Incident, &c.SpecRev, &c.Commit,
		&c.Search, &opened, &closed, &c.PipelineRun, &c.Version, &inputs, &holdout, &c.Decision, &c.Environment,
		&c.Rollout, &c.Outcome, &c.Reason)
	if err != nil {
		return nil, err
	}
	c.OpenedAt, c.ClosedAt = fairlead.FromMS(opened), fairlead.FromMS(closed)
	if err := json.Unmarshal([]byte(inputs), &c.Inputs); err != nil {
		return nil, err
	}
	return &c, json.Unmarshal([]byte(holdout), &c.Holdout)
}

func scanCases(rows *sql.Rows, err error) ([]*Case, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Case
	for rows.Next() {
		c, err := scanCase(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

func readCase(tx *store.Tx, p fairlead.Project, id string) (*Case, error) {
	c, err := scanCase(tx.QueryRow(caseColumns+" where project_k = ? and id = ?", p.K, id))
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no case %q in project %s", id, p.Name)
	}
	return c, err
}

// caseIn returns the case if it is in the state, or nil; no case has an empty id.
func caseIn(tx *store.Tx, p fairlead.Project, id string, at State) (*Case, error) {
	c, err := scanCase(tx.QueryRow(caseColumns+" where project_k = ? and id = ? and state = ?",
		p.K, id, string(at)))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return c, err
}

// caseOfVersion returns the model's active case if it is about the version and in the
// state, or nil.
func caseOfVersion(tx *store.Tx, p fairlead.Project, model string, n int64, at State) (*Case,
	error) {
	c, err := activeCase(tx, p, model)
	if err != nil || c == nil || c.Version != n || c.State != at {
		return nil, err
	}
	return c, nil
}

// activeCase returns the model's case that is at work, or nil.
func activeCase(tx *store.Tx, p fairlead.Project, model string) (*Case, error) {
	c, err := scanCase(tx.QueryRow(caseColumns+` where project_k = ? and model = ?
		and state not in ('waiting', 'closed') order by k limit 1`, p.K, model))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return c, err
}

func waitingCases(tx *store.Tx, p fairlead.Project, model string) ([]*Case, error) {
	return scanCases(tx.Query(caseColumns+` where project_k = ? and model = ?
		and state = 'waiting' order by k`, p.K, model))
}

// openCase returns the model's case about the version that is not closed, or nil.
func openCase(tx *store.Tx, p fairlead.Project, model string, n int64) (*Case, error) {
	c, err := scanCase(tx.QueryRow(caseColumns+` where project_k = ? and model = ? and version = ?
		and state <> 'closed' order by k limit 1`, p.K, model, n))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return c, err
}

// listCasesWith returns the cases that name a dataset version, the newest first.
func listCasesWith(tx *store.Tx, p fairlead.Project, ref data.Ref, limit int) ([]*Case, error) {
	return scanCases(tx.Query(caseColumns+` where project_k = ?
		and (lower(inputs) like ? escape '\' or lower(holdout) like ? escape '\') order by k desc limit ?`,
		p.K, ref.Named(), ref.Named(), limit))
}

func listCases(tx *store.Tx, p fairlead.Project, model string, before int64, limit int) (
	[]*Case, error) {
	q, args := caseColumns+" where project_k = ?", []any{p.K}
	if model != "" {
		q, args = q+" and model = ?", append(args, model)
	}
	if before > 0 {
		q, args = q+" and k < ?", append(args, before)
	}
	return scanCases(tx.Query(q+" order by k desc limit ?", append(args, limit)...))
}

// newestCases returns the newest case of each of the models that has one.
func newestCases(tx *store.Tx, p fairlead.Project, models []string) ([]*Case, error) {
	args := []any{p.K}
	for _, m := range models {
		args = append(args, m)
	}
	return scanCases(tx.Query(caseColumns+` where k in (select max(k) from loop_case
		where project_k = ? and model in (`+store.Placeholders(len(models))+`) group by model)
		order by k`, args...))
}

// casesOfVersion returns the newest cases that were about a version.
func casesOfVersion(tx *store.Tx, p fairlead.Project, model string, n int64, limit int) ([]*Case,
	error) {
	return scanCases(tx.Query(caseColumns+` where project_k = ? and model = ? and version = ?
		order by k desc limit ?`, p.K, model, n, limit))
}

func saveCase(tx *store.Tx, p fairlead.Project, c *Case) error {
	inputs, err := json.Marshal(c.Inputs)
	if err != nil {
		return err
	}
	holdout, err := json.Marshal(c.Holdout)
	if err != nil {
		return err
	}
	if c.k == 0 {
		return tx.QueryRow(`insert into loop_case (id, project_k, model, state, cause, incident, spec_rev,
			commit_sha, search, opened_at_ms, closed_at_ms, pipeline_run, version, inputs, holdout,
			decision, environment, rollout, outcome, reason)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning k`,
			c.ID, p.K, c.Model, string(c.State), c.Cause, c.Incident, c.SpecRev, c.Commit, c.Search,
			fairlead.MS(c.OpenedAt), fairlead.MS(c.ClosedAt), c.PipelineRun, c.Version,
			string(inputs), string(holdout), c.Decision, c.Environment, c.Rollout,
			c.Outcome, c.Reason).Scan(&c.k)
	}
	_, err = tx.Exec(`update loop_case set state = ?, opened_at_ms = ?, closed_at_ms = ?,
		pipeline_run = ?, version = ?, inputs = ?, holdout = ?, decision = ?, environment = ?,
		rollout = ?, outcome = ?, reason = ? where k = ?`,
		string(c.State), fairlead.MS(c.OpenedAt), fairlead.MS(c.ClosedAt), c.PipelineRun, c.Version,
		string(inputs), string(holdout), c.Decision, c.Environment, c.Rollout, c.Outcome, c.Reason, c.k)
	return err
}

// modelState is what the loop remembers of a model between cases.
type modelState struct {
	paused       bool
	pauseReason  string
	failures     int // automatic cases in a row that were not promoted
	retrains     int // automatic cases so far
	lastClosedMS int64
	note         string // the last thing the loop did or did not do, and why
}

func readModel(tx *store.Tx, p fairlead.Project, model string) (*modelState, error) {
	var m modelState
	err := tx.QueryRow(`select paused, pause_reason, failures, retrains, last_closed_ms, note
		from loop_model where project_k = ? and model = ?`, p.K, model).
		Scan(&m.paused, &m.pauseReason, &m.failures, &m.retrains, &m.lastClosedMS, &m.note)
	if errors.Is(err, store.ErrNoRows) {
		return &m, nil
	}
	return &m, err
}

func saveModel(tx *store.Tx, p fairlead.Project, model string, m *modelState) error {
	_, err := tx.Exec(`insert into loop_model (project_k, model, paused, pause_reason, failures,
		retrains, last_closed_ms, note) values (?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (project_k, model) do update set paused = excluded.paused,
		pause_reason = excluded.pause_reason, failures = excluded.failures, retrains = excluded.retrains,
		last_closed_ms = excluded.last_closed_ms, note = excluded.note`,
		p.K, model, m.paused, m.pauseReason, m.failures, m.retrains, m.lastClosedMS, m.note)
	return err
}
