package tracking

import (
	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func insertUpload(tx *store.Tx, p fairlead.Project, u *Upload, nowMS int64) error {
	_, err := tx.Exec(`insert into upload (id, project_k, owner_kind, owner_id, path, secret, parts,
		part_bytes, bytes, done, touched_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
		u.ID, p.K, u.at.Owner.Kind, u.at.Owner.ID, u.at.Path, u.secret, u.Parts, u.PartBytes, u.Bytes,
		nowMS)
	return err
}

const uploadColumns = `select id, owner_kind, owner_id, path, secret, parts, part_bytes, bytes,
	done, touched_ms from upload `

func scanUpload(row interface{ Scan(dest ...any) error }) (*Upload, error) {
	u := &Upload{}
	err := row.Scan(&u.ID, &u.at.Owner.Kind, &u.at.Owner.ID, &u.at.Path, &u.secret, &u.Parts,
		&u.PartBytes, &u.Bytes, &u.Done, &u.TouchedMS)
	u.Kind, u.Owner, u.Path = u.at.Owner.Kind, u.at.Owner.ID, u.at.Path
	return u, err
}

// uploadByID returns an upload without its parts, which may be many.
func uploadByID(tx *store.Tx, p fairlead.Project, id string) (*Upload, error) {
	u, err := scanUpload(tx.QueryRow(uploadColumns+"where id = ? and project_k = ?", id, p.K))
	if err != nil {
		return nil, found(err,
			"there is no upload %s; it was aborted, or nothing came of it for a day", id)
	}
	return u, nil
}

func hasPart(tx *store.Tx, id string, n int) (bool, error) {
	var parts int
	err := tx.QueryRow("select count(*) from upload_part where upload_id = ? and n = ?", id, n).
		Scan(&parts)
	return parts > 0, err
}

func partsOf(tx *store.Tx, id string) ([]Part, error) {
	rows, err := tx.Query(`select n, starts, bytes, digest from upload_part where upload_id = ?
		order by n`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Part{}
	for rows.Next() {
		var part Part
		if err := rows.Scan(&part.N, &part.at, &part.Bytes, &part.Digest); err != nil {
			return nil, err
		}
		out = append(out, part)
	}
	return out, rows.Err()
}

// uploadsAfter returns the project's next uploads that are not done, by id, without
// their parts.
func uploadsAfter(tx *store.Tx, p fairlead.Project, after string, limit int) (out []*Upload,
	err error) {
	rows, err := tx.Query(uploadColumns+`where project_k = ? and id > ? and done = 0
		order by id limit ?`, p.K, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		u, err := scanUpload(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

// setPartBytes gives the parts their length, unless they have one.
func setPartBytes(tx *store.Tx, id string, bytes int64) error {
	_, err := tx.Exec("update upload set part_bytes = ? where id = ? and part_bytes = 0", bytes, id)
	return err
}

func putUploadPart(tx *store.Tx, id string, part Part, nowMS int64) error {
	_, err := tx.Exec(`insert into upload_part (upload_id, n, starts, bytes, digest)
		values (?, ?, ?, ?, ?) on conflict (upload_id, n)
		do update set starts = excluded.starts, bytes = excluded.bytes, digest = excluded.digest`, id, part.N, part.at, part.Bytes, part.Digest)
	if err != nil {
		return err
	}
	_, err = tx.Exec("update upload set touched_ms = ? where id = ?", nowMS, id)
	return err
}

func deleteUploadPart(tx *store.Tx, id string, n int) error {
	_, err := tx.Exec("delete from upload_part where upload_id = ? and n = ?", id, n)
	return err
}

// finishUpload keeps of an upload that it is done.
func finishUpload(tx *store.Tx, id string, nowMS int64) error {
	_, err := tx.Exec("delete from upload_part where upload_id = ?", id)
	if err != nil {
		return err
	}
	_, err = tx.Exec("update upload set done = 1, touched_ms = ? where id = ?", nowMS, id)
	return err
}

func deleteUpload(tx *store.Tx, id string) error {
	if _, err := tx.Exec("delete from upload_part where upload_id = ?", id); err != nil {
		return err
	}
	_, err := tx.Exec("delete from upload where id = ?", id)
	return err
}

// idleUploads returns the ids of the uploads of all projects that were not touched since.
func idleUploads(tx *store.Tx, untilMS int64) ([]string, error) {
	var out []string
	rows, err := tx.Query("select id from upload where touched_ms <= ? order by touched_ms, id",
		untilMS)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// unknownUploads returns those of the ids that no upload under way has.
func unknownUploads(tx *store.Tx, ids []string) (out []string, err error) {
	for _, id := range ids {
		var n int
		err := tx.QueryRow("select count(*) from upload where id = ? and done = 0", id).Scan(&n)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			out = append(out, id)
		}
	}
	return out, nil
}
