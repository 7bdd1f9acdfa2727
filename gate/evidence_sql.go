package gate

import (
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func insertEvidence(tx *store.Tx, p fairlead.Project, e Evidence, facts string) error {
	_, err := tx.Exec(`insert into evidence (id, project_k, subject, kind, facts, digest, rollout,
		from_ms, to_ms, source, created_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.ID, p.K, e.Subject, e.Kind, facts, e.Digest, e.Rollout,
		fairlead.MS(e.From), fairlead.MS(e.To), e.Source, e.Created.UnixMilli())
	return err
}

const evidenceColumns = `select id, subject, kind, facts, digest, rollout, from_ms, to_ms, source,
	created_ms from evidence `

func scanEvidence(row interface{ Scan(dest ...any) error }) (*Evidence, error) {
	e := &Evidence{}
	var facts string
	var from, to, created int64
	err := row.Scan(&e.ID, &e.Subject, &e.Kind, &facts, &e.Digest, &e.Rollout, &from, &to, &e.Source,
		&created)
	if err != nil {
		return nil, err
	}
	e.From, e.To, e.Created = fairlead.FromMS(from), fairlead.FromMS(to), fairlead.FromMS(created)
	return e, json.Unmarshal([]byte(facts), &e.Facts)
}

func readEvidence(tx *store.Tx, p fairlead.Project, id string) (*Evidence, error) {
	return scanEvidence(tx.QueryRow(evidenceColumns+"where project_k = ? and id = ?", p.K, id))
}

// readOfRollout returns the newest first.
func readOfRollout(tx *store.Tx, p fairlead.Project, rollout string, limit int) ([]*Evidence, error) {
	rows, err := tx.Query(evidenceColumns+`where project_k = ? and rollout = ?
		order by k desc limit ?`, p.K, rollout, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Evidence
	for rows.Next() {
		e, err := scanEvidence(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
