package gate

import (
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

func readDecision(tx *store.Tx, p fairlead.Project, id string) (*Record, error) {
	r := &Record{ID: id}
	var body string
	var at, created int64
	err := tx.QueryRow(`select case_id, model, version, baseline, spec_rev, commit_sha, policy,
		policy_digest, evidence, evidence_digest, body, at_ms, created_ms
		from decision where project_k = ? and id = ?`, p.K, id).Scan(&r.Case, &r.Model, &r.Version,
		&r.Baseline, &r.SpecRev, &r.Commit, &r.Policy, &r.PolicyDigest, &r.Evidence,
		&r.EvidenceDigest, &body, &at, &created)
	if err != nil {
		return nil, err
	}
	r.At, r.Created = fairlead.FromMS(at), fairlead.FromMS(created)
	return r, json.Unmarshal([]byte(body), &r.Decision)
}

func latestDecision(tx *store.Tx, p fairlead.Project, model string, version int64) (id string,
	err error) {
	err = tx.QueryRow(`select id from decision where project_k = ? and model = ? and version = ?
		order by k desc limit 1`, p.K, model, version).Scan(&id)
	return id, err
}
