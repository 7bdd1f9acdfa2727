package gate

import (
	"database/sql"
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func insertDecision(tx *store.Tx, p fairlead.Project, r *Record, body string) error {
	_, err := tx.Exec(`insert into decision (id, project_k, case_id, model, version, baseline,
		spec_rev, commit_sha, policy, policy_digest, evidence, evidence_digest, result, body,
		at_ms, created_ms)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, p.K, r.Case, r.Model, r.Version, r.Baseline, r.SpecRev, r.Commit, r.Policy,
		r.PolicyDigest, r.Evidence, r.EvidenceDigest, r.Result, body, fairlead.MS(r.At),
		r.Created.UnixMilli())
	return err
}

const decisionColumns = `select k, id, case_id, model, version, baseline, spec_rev, commit_sha,
	policy, policy_digest, evidence, evidence_digest, body, at_ms, created_ms from decision `

type scanner interface{ Scan(dest ...any) error }

func scanDecision(row scanner) (*Record, error) {
	r := &Record{}
	var body string
	var at, created int64
	err := row.Scan(&r.k, &r.ID, &r.Case, &r.Model, &r.Version, &r.Baseline, &r.SpecRev, &r.Commit,
		&r.Policy, &r.PolicyDigest, &r.Evidence, &r.EvidenceDigest, &body, &at, &created)
	if err != nil {
		return nil, err
	}
	r.At, r.Created = fairlead.FromMS(at), fairlead.FromMS(created)
	return r, json.Unmarshal([]byte(body), &r.Decision)
}

func scanDecisions(rows *sql.Rows, err error) ([]*Record, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Record
	for rows.Next() {
		r, err := scanDecision(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func readDecision(tx *store.Tx, p fairlead.Project, id string) (*Record, error) {
	return scanDecision(tx.QueryRow(decisionColumns+"where project_k = ? and id = ?", p.K, id))
}

// readDecisions returns decisions about a model before a key, the newest first.
func readDecisions(tx *store.Tx, p fairlead.Project, f Filter, before int64, limit int) ([]*Record,
	error) {
	q, args := decisionColumns+"where project_k = ? and model = ?", []any{p.K, f.Model}
	if f.Version != 0 {
		q, args = q+" and version = ?", append(args, f.Version)
	}
	if !f.AsOf.IsZero() {
		q, args = q+" and created_ms <= ?", append(args, fairlead.MS(f.AsOf))
	}
	if before > 0 {
		q, args = q+" and k < ?", append(args, before)
	}
	return scanDecisions(tx.Query(q+" order by k desc limit ?", append(args, limit)...))
}

// newestDecisions returns the newest decision about each of the models that has one.
func newestDecisions(tx *store.Tx, p fairlead.Project, models []string) ([]*Record, error) {
	args := []any{p.K}
	for _, m := range models {
		args = append(args, m)
	}
	return scanDecisions(tx.Query(decisionColumns+`where k in (select max(k) from decision
		where project_k = ? and model in (`+store.Placeholders(len(models))+`) group by model)
		order by k`, args...))
}

func latestDecision(tx *store.Tx, p fairlead.Project, model string, version int64) (id string,
	err error) {
	err = tx.QueryRow(`select id from decision where project_k = ? and model = ? and version = ?
		order by k desc limit 1`, p.K, model, version).Scan(&id)
	return id, err
}
