package tracking

import (
	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func insertUpload(tx *store.Tx, p fairlead.Project, u upload, nowMS int64) error {
	_, err := tx.Exec(`insert into upload (id, project_k, owner_kind, owner_id, path, touched_ms)
		values (?, ?, ?, ?, ?, ?)`, u.id, p.K, u.at.Owner.Kind, u.at.Owner.ID, u.at.Path, nowMS)
	return err
}

func uploadByID(tx *store.Tx, p fairlead.Project, id string) (upload, error) {
	u := upload{id: id}
	err := tx.QueryRow(`select owner_kind, owner_id, path from upload
		where id = ? and project_k = ?`, id, p.K).Scan(&u.at.Owner.Kind, &u.at.Owner.ID, &u.at.Path)
	return u, found(err, "there is no upload %s; it was completed, aborted, or got no part for a day",
		id)
}

func touchUpload(tx *store.Tx, id string, nowMS int64) error {
	_, err := tx.Exec("update upload set touched_ms = ? where id = ?", nowMS, id)
	return err
}

func deleteUpload(tx *store.Tx, id string) error {
	_, err := tx.Exec("delete from upload where id = ?", id)
	return err
}

type idleUpload struct {
	project fairlead.Project
	id      string
}

func idleUploads(tx *store.Tx, untilMS int64) ([]idleUpload, error) {
	rows, err := tx.Query(`select project_k, id from upload where touched_ms <= ?
		order by touched_ms, id`, untilMS)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []idleUpload
	for rows.Next() {
		var u idleUpload
		if err := rows.Scan(&u.project.K, &u.id); err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, rows.Err()
}
