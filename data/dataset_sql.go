package data

import (
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func ensureDataset(tx *store.Tx, p fairlead.Project, name string,
	nowMS int64) (k int64, err error) {
	if _, err := tx.Exec(`insert into dataset (project_k, name, created_ms) values (?, ?, ?)
		on conflict (project_k, name) do nothing`, p.K, name, nowMS); err != nil {
		return 0, err
	}
	err = tx.QueryRow("select k from dataset where project_k = ? and name = ?", p.K, name).Scan(&k)
	return k, err
}

// sameContent returns the oldest version with the content and time column of v.
func sameContent(tx *store.Tx, p fairlead.Project, v *Version) (n int64, err error) {
	err = tx.QueryRow(`select v.n from dataset_version v join dataset d on d.k = v.dataset_k
		where d.project_k = ? and d.name = ? and v.digest = ? and v.time_column = ?
		order by v.n limit 1`, p.K, v.Dataset, v.Digest, v.Time).Scan(&n)
	return n, err
}

func insertVersion(tx *store.Tx, p fairlead.Project, v *Version) (n int64, err error) {
	columns, err := json.Marshal(v.Columns)
	if err != nil {
		return 0, err
	}
	profile, err := json.Marshal(v.Profile)
	if err != nil {
		return 0, err
	}
	parents, err := json.Marshal(v.Parents)
	if err != nil {
		return 0, err
	}
	expect, err := json.Marshal(v.Expect)
	if err != nil {
		return 0, err
	}
	created := fairlead.MS(v.CreatedAt)
	k, err := ensureDataset(tx, p, v.Dataset, created)
	if err != nil {
		return 0, err
	}
	err = tx.QueryRow("select coalesce(max(n), 0) + 1 from dataset_version where dataset_k = ?",
		k).Scan(&n)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(`insert into dataset_version (dataset_k, n, digest, bytes, row_count,
		columns_json, profile_json, source, time_column, key_column, label_column, expect_json,
		parents_json, commit_id, from_ms, to_ms, created_ms)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		k, n, v.Digest, v.Bytes, v.Rows, string(columns), string(profile), v.Source, v.Time,
		v.Key, v.Label, string(expect), string(parents), v.Commit, fairlead.MS(v.FromAt),
		fairlead.MS(v.ToAt), created)
	return n, err
}

const versionColumns = `d.name, v.n, v.digest, v.bytes, v.row_count, v.columns_json, v.source,
	v.time_column, v.key_column, v.label_column, v.expect_json, v.parents_json, v.commit_id,
	v.from_ms, v.to_ms, v.created_ms`

// scanVersion reads versionColumns and what follows them.
func scanVersion(scan func(dest ...any) error, more ...any) (*Version, error) {
	v := &Version{}
	var columns, parents, expect string
	var from, to, created int64
	err := scan(append([]any{&v.Dataset, &v.N, &v.Digest, &v.Bytes, &v.Rows, &columns, &v.Source,
		&v.Time, &v.Key, &v.Label, &expect, &parents, &v.Commit, &from, &to, &created}, more...)...)
	if err != nil {
		return nil, err
	}
	v.FromAt, v.ToAt = fairlead.FromMS(from), fairlead.FromMS(to)
	v.CreatedAt = fairlead.FromMS(created)
	if err := json.Unmarshal([]byte(columns), &v.Columns); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(expect), &v.Expect); err != nil {
		return nil, err
	}
	return v, json.Unmarshal([]byte(parents), &v.Parents)
}

func readVersion(tx *store.Tx, p fairlead.Project, ref Ref) (*Version, error) {
	var profile string
	v, err := scanVersion(tx.QueryRow("select "+versionColumns+`, v.profile_json
		from dataset_version v join dataset d on d.k = v.dataset_k
		where d.project_k = ? and d.name = ? and v.n = ?`, p.K, ref.Dataset, ref.N).Scan, &profile)
	if err != nil {
		return nil, err
	}
	return v, json.Unmarshal([]byte(profile), &v.Profile)
}

func newest(tx *store.Tx, p fairlead.Project, dataset string) (n int64, err error) {
	err = tx.QueryRow(`select v.n from dataset_version v join dataset d on d.k = v.dataset_k
		where d.project_k = ? and d.name = ? order by v.n desc limit 1`, p.K, dataset).Scan(&n)
	return n, err
}

// found returns the names that hold a text, each with its newest version's number.
func found(tx *store.Tx, p fairlead.Project, text string, limit int) (out []Ref, err error) {
	rows, err := tx.Query(`select d.name, max(v.n) from dataset d
		join dataset_version v on v.dataset_k = d.k
		where d.project_k = ? and lower(d.name) like ? escape '\'
		group by d.name order by d.name limit ?`, p.K, store.Holds(text), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r Ref
		if err := rows.Scan(&r.Dataset, &r.N); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// datasetNames returns the names of the project's datasets, in order.
func datasetNames(tx *store.Tx, p fairlead.Project) (out []string, err error) {
	rows, err := tx.Query("select name from dataset where project_k = ? order by name", p.K)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		out = append(out, name)
	}
	return out, rows.Err()
}

// listDatasets returns each dataset's newest version and how many it has, by name, from
// the one behind after on; of those only whose name holds a text, blind to ASCII case.
func listDatasets(tx *store.Tx, p fairlead.Project, search, after string, limit int) (
	out []*Dataset, err error) {
	rows, err := tx.Query("select "+versionColumns+`, c.versions from (
			select v.dataset_k as dataset_k, max(v.n) as n, count(*) as versions
			from dataset_version v join dataset d on d.k = v.dataset_k
			where d.project_k = ? group by v.dataset_k) c
		join dataset_version v on v.dataset_k = c.dataset_k and v.n = c.n
		join dataset d on d.k = v.dataset_k
		where d.name > ? and lower(d.name) like ? escape '\' order by d.name limit ?`,
		p.K, after, store.Holds(search), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d := &Dataset{}
		v, err := scanVersion(rows.Scan, &d.Versions)
		if err != nil {
			return nil, err
		}
		d.Version = *v
		out = append(out, d)
	}
	return out, rows.Err()
}

// listChildren returns the versions that may have been made of one, the newest first.
func listChildren(tx *store.Tx, p fairlead.Project, ref Ref, limit int) ([]*Version, error) {
	return queryVersions(tx, `where d.project_k = ? and lower(v.parents_json) like ? escape '\'
		order by v.created_ms desc, v.k desc limit ?`, p.K, ref.Named(), limit)
}

// queryVersions returns the versions that the end of a query selects.
func queryVersions(tx *store.Tx, end string, args ...any) (out []*Version, err error) {
	rows, err := tx.Query("select "+versionColumns+` from dataset_version v
		join dataset d on d.k = v.dataset_k `+end, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		v, err := scanVersion(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// listVersions returns the versions of a dataset before one, the newest first.
func listVersions(tx *store.Tx, p fairlead.Project, dataset string, before int64, limit int) (
	[]*Version, error) {
	return queryVersions(tx, `where d.project_k = ? and d.name = ? and v.n < ?
		order by v.n desc limit ?`, p.K, dataset, before, limit)
}

func versionKey(tx *store.Tx, p fairlead.Project, ref Ref) (k int64, err error) {
	err = tx.QueryRow(`select v.k from dataset_version v join dataset d on d.k = v.dataset_k
		where d.project_k = ? and d.name = ? and v.n = ?`, p.K, ref.Dataset, ref.N).Scan(&k)
	return k, err
}

func insertRead(tx *store.Tx, k int64, r HoldoutRead) error {
	_, err := tx.Exec(`insert into holdout_read (version_k, model, model_version, purpose, reader,
		reason, actor, read_ms) values (?, ?, ?, ?, ?, ?, ?, ?)`,
		k, r.Model, r.Version, r.Purpose, r.Reader, r.Reason, r.Actor, fairlead.MS(r.At))
	return err
}

func listReads(tx *store.Tx, k int64) (out []HoldoutRead, err error) {
	rows, err := tx.Query(`select model, model_version, purpose, reader, reason, actor, read_ms
		from holdout_read where version_k = ? order by k`, k)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r HoldoutRead
		var ms int64
		err := rows.Scan(&r.Model, &r.Version, &r.Purpose, &r.Reader, &r.Reason, &r.Actor, &ms)
		if err != nil {
			return nil, err
		}
		r.At = fairlead.FromMS(ms)
		out = append(out, r)
	}
	return out, rows.Err()
}

// looksSince reports whether an actor has said since a time why they look at a holdout.
func looksSince(tx *store.Tx, p fairlead.Project, ref Ref, actor string, sinceMS int64) (bool, error) {
	k, err := versionKey(tx, p, ref)
	if err != nil {
		return false, err
	}
	var n int64
	err = tx.QueryRow(`select count(*) from holdout_read where version_k = ? and purpose = ?
		and actor = ? and read_ms >= ?`, k, ReadByPreview, actor, sinceMS).Scan(&n)
	return n > 0, err
}

func updateProfile(tx *store.Tx, p fairlead.Project, ref Ref, profile string) error {
	k, err := versionKey(tx, p, ref)
	if err != nil {
		return err
	}
	_, err = tx.Exec("update dataset_version set profile_json = ? where k = ?", profile, k)
	return err
}
