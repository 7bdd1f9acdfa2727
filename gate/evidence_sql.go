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

func readEvidence(tx *store.Tx, p fairlead.Project, id string) (*Evidence, error) {
	e := &Evidence{ID: id}
	var facts string
	var from, to, created int64
	err := tx.QueryRow(`select subject, kind, facts, digest, rollout, from_ms, to_ms, source,
		created_ms from evidence where project_k = ? and id = ?`, p.K, id).Scan(
		&e.Subject, &e.Kind, &facts, &e.Digest, &e.Rollout, &from, &to, &e.Source, &created)
	if err != nil {
		return nil, err
	}
	e.From, e.To, e.Created = fairlead.FromMS(from), fairlead.FromMS(to), fairlead.FromMS(created)
	return e, json.Unmarshal([]byte(facts), &e.Facts)
}
