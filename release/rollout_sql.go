package release

import (
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const rolloutColumns = `select r.id, r.case_id, e.endpoint, e.name, e.model, r.strategy, r.note,
	r.from_n, r.to_n, r.plan, r.state, r.outcome, r.reason, r.step, r.percent, r.step_at_ms,
	r.step_labels, r.evidence, r.started_ms, r.changed_ms, r.ended_ms
	from rollout r join environment e on e.k = r.environment_k `

func scanRollout(row scanner) (*Rollout, error) {
	r := &Rollout{}
	var plan, evidence string
	var stepAt, started, changed, ended int64
	err := row.Scan(&r.ID, &r.Case, &r.Endpoint, &r.Environment, &r.Model, &r.Strategy, &r.Note,
		&r.From, &r.To, &plan, &r.State, &r.Outcome, &r.Reason, &r.Step, &r.Percent, &stepAt,
		&r.StepLabels, &evidence, &started, &changed, &ended)
	if err != nil {
		return nil, err
	}
	r.StepAt, r.Started = fairlead.FromMS(stepAt), fairlead.FromMS(started)
	r.Changed, r.Ended = fairlead.FromMS(changed), fairlead.FromMS(ended)
	if err := json.Unmarshal([]byte(plan), &r.Plan); err != nil {
		return nil, err
	}
	return r, json.Unmarshal([]byte(evidence), &r.Evidence)
}

func readRollout(tx *store.Tx, p fairlead.Project, id string) (*Rollout, error) {
	return scanRollout(tx.QueryRow(rolloutColumns+"where r.project_k = ? and r.id = ?", p.K, id))
}

func readActive(tx *store.Tx, p fairlead.Project, endpoint string) (*Rollout, error) {
	return scanRollout(tx.QueryRow(rolloutColumns+
		"where e.project_k = ? and e.endpoint = ? and r.state <> 'finished'", p.K, endpoint))
}

// readRollouts returns the newest rollouts of a project, or of one endpoint.
func readRollouts(tx *store.Tx, p fairlead.Project, endpoint string, limit int) ([]*Rollout,
	error) {
	rows, err := tx.Query(rolloutColumns+`where r.project_k = ? and (? = '' or e.endpoint = ?)
		order by r.k desc limit ?`, p.K, endpoint, endpoint, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Rollout
	for rows.Next() {
		r, err := scanRollout(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func putRollout(tx *store.Tx, p fairlead.Project, environmentK int64, r *Rollout) error {
	plan, err := json.Marshal(r.Plan)
	if err != nil {
		return err
	}
	evidence, err := json.Marshal(r.Evidence)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into rollout (id, environment_k, project_k, case_id, strategy, note,
		from_n, to_n, plan, state, outcome, reason, step, percent, step_at_ms, step_labels, evidence,
		started_ms, changed_ms, ended_ms)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (id) do update set state = excluded.state, outcome = excluded.outcome,
		reason = excluded.reason, step = excluded.step, percent = excluded.percent,
		step_at_ms = excluded.step_at_ms, step_labels = excluded.step_labels,
		evidence = excluded.evidence, changed_ms = excluded.changed_ms, ended_ms = excluded.ended_ms`,
		r.ID, environmentK, p.K, r.Case, r.Strategy, r.Note, r.From, r.To, string(plan), r.State,
		r.Outcome, r.Reason, r.Step, r.Percent, fairlead.MS(r.StepAt), r.StepLabels, string(evidence),
		fairlead.MS(r.Started), fairlead.MS(r.Changed), fairlead.MS(r.Ended))
	return err
}

// wasPromoted reports whether a version was ever live at the endpoint.
func wasPromoted(tx *store.Tx, environmentK, version int64) (bool, error) {
	var n int
	err := tx.QueryRow(`select count(*) from rollout
		where environment_k = ? and to_n = ? and outcome = 'promoted'`, environmentK, version).Scan(&n)
	return n > 0, err
}
