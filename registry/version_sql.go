package registry

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

const versionColumns = `v.model_k, m.name, v.n, v.source, v.storage, v.run_id, v.logged_id,
	v.run_link, v.description, v.user_name, v.stage, v.state, v.reason, v.produced_by,
	v.created_ms, v.updated_ms`

func scanVersion(row scanner) (*Version, error) {
	var v Version
	var lineage string
	err := row.Scan(&v.modelK, &v.Model, &v.N, &v.Source, &v.Storage, &v.RunID, &v.LoggedModelID,
		&v.RunLink, &v.Description, &v.User, &v.Stage, &v.State, &v.Reason, &lineage,
		&v.CreatedMS, &v.UpdatedMS)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(lineage))
	d.UseNumber() // a param of 1.0 must not become 1 when a retraining repeats it
	if err := d.Decode(&v.ProducedBy); err != nil {
		return nil, fmt.Errorf("lineage of %s version %d: %w", v.Model, v.N, err)
	}
	return &v, nil
}

func versionOf(tx *store.Tx, p fairlead.Project, model string, n int64) (*Version, error) {
	v, err := scanVersion(tx.QueryRow("select "+versionColumns+` from version v
		join model m on m.k = v.model_k where m.project_k = ? and m.name = ? and v.n = ?`,
		p.K, model, n))
	if err != nil {
		return nil, found(err, "Model Version (name=%s, version=%d) not found", model, n)
	}
	return v, nil
}

func scanVersions(rows *sql.Rows, err error) ([]*Version, error) {
	return collect(rows, err, func(row scanner, v **Version) (err error) {
		*v, err = scanVersion(row)
		return err
	})
}

const fromVersion = " from version v join model m on m.k = v.model_k "

func versionsOf(tx *store.Tx, modelK int64) ([]*Version, error) {
	return scanVersions(tx.Query("select "+versionColumns+fromVersion+
		"where v.model_k = ? order by v.n", modelK))
}

func versionsAfter(tx *store.Tx, modelK, after int64, limit int) ([]*Version, error) {
	return scanVersions(tx.Query("select "+versionColumns+fromVersion+
		"where v.model_k = ? and v.n > ? order by v.n limit ?", modelK, after, limit))
}

// versionsAtStage returns the other versions of v's model at a stage.
func versionsAtStage(tx *store.Tx, v *Version, stage string) ([]*Version, error) {
	return scanVersions(tx.Query("select "+versionColumns+fromVersion+
		"where v.model_k = ? and v.n <> ? and v.stage = ? order by v.n", v.modelK, v.N, stage))
}

// insertVersion gives the version the next number of the model's name.
func insertVersion(tx *store.Tx, v *Version) error {
	lineage, err := json.Marshal(v.ProducedBy)
	if err != nil {
		return fmt.Errorf("lineage of a version of %s: %w", v.Model, err)
	}
	if v.N, err = nextNumber(tx, v.modelK); err != nil {
		return err
	}
	if err := touchModel(tx, v.modelK, v.CreatedMS); err != nil {
		return err
	}
	_, err = tx.Exec(`insert into version (model_k, n, source, storage, run_id, logged_id, run_link,
		description, user_name, stage, state, reason, produced_by, created_ms, updated_ms)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		v.modelK, v.N, v.Source, v.Storage, v.RunID, v.LoggedModelID, v.RunLink, v.Description,
		v.User, v.Stage, v.State, v.Reason, string(lineage), v.CreatedMS, v.UpdatedMS)
	return err
}

// nextNumber returns one more than the highest number that a version under the
// model's name ever had, also of a model that was deleted: a number names one
// version for good, in the ledger, in decisions and in jobs.
func nextNumber(tx *store.Tx, modelK int64) (n int64, err error) {
	err = tx.QueryRow(`insert into model_number (project_k, name, model_k, last_n)
		select project_k, name, k, 1 from model where k = ?
		on conflict (project_k, name) do update set
		model_k = excluded.model_k, last_n = model_number.last_n + 1
		returning last_n`, modelK).Scan(&n)
	return n, err
}

// takeNumbers moves the numbers of a renamed model from its old name to its new
// one. It reports false when another model has had some of them there.
func takeNumbers(tx *store.Tx, p fairlead.Project, m *Model, old string) (free bool, err error) {
	var taken int
	err = tx.QueryRow(`select count(*) from model_number o
		where o.project_k = ? and o.name = ? and o.model_k <> ? and (
			exists (select 1 from version v where v.model_k = ? and v.n <= o.last_n) or
			exists (select 1 from version_past v where v.model_k = ? and v.n <= o.last_n))`,
		p.K, m.Name, m.k, m.k, m.k).Scan(&taken)
	if err != nil || taken > 0 {
		return false, err
	}
	_, err = tx.Exec(`insert into model_number (project_k, name, model_k, last_n)
		select project_k, ?, model_k, last_n from model_number
		where project_k = ? and name = ?
		on conflict (project_k, name) do update set model_k = excluded.model_k,
		last_n = case when excluded.last_n > model_number.last_n then excluded.last_n
			else model_number.last_n end`, m.Name, p.K, old)
	return true, err
}

func updateVersion(tx *store.Tx, v *Version, nowMS int64) error {
	v.UpdatedMS = nowMS
	_, err := tx.Exec(`update version set description = ?, stage = ?, state = ?, reason = ?,
		updated_ms = ?, retired_ms = case when ? = 'retired' then coalesce(retired_ms, ?) end
		where model_k = ? and n = ?`, v.Description, v.Stage, v.State, v.Reason, v.UpdatedMS,
		v.State, v.UpdatedMS, v.modelK, v.N)
	return err
}

func deleteVersion(tx *store.Tx, v *Version, nowMS int64) error {
	for _, table := range []string{"condition", "version_tag", "version"} {
		_, err := tx.Exec("delete from "+table+" where model_k = ? and n = ?", v.modelK, v.N)
		if err != nil {
			return err
		}
	}
	return touchModel(tx, v.modelK, nowMS)
}

// highestVersion returns the number of the model's highest version, 0 without any.
func highestVersion(tx *store.Tx, modelK int64) (n int64, err error) {
	err = tx.QueryRow("select coalesce(max(n), 0) from version where model_k = ?", modelK).Scan(&n)
	return n, err
}

// placeUsed reports whether a version is made of exactly the files at the place, which
// belong to its run or logged model. It compares places and not URIs: one place has had
// several.
func placeUsed(tx *store.Tx, p fairlead.Project, at tracking.Place) (bool, error) {
	rows, err := tx.Query("select v.storage"+fromVersion+`where m.project_k = ?
		and (v.run_id = ? or v.logged_id = ?) order by v.model_k, v.n`, p.K, at.Owner.ID, at.Owner.ID)
	storages, err := collect(rows, err, func(row scanner, storage *string) error {
		return row.Scan(storage)
	})
	return slices.ContainsFunc(storages, func(storage string) bool {
		other, ok := tracking.ParseURI(storage)
		return ok && other == at
	}), err
}

func upsertVersionTag(tx *store.Tx, v *Version, t Tag) error {
	_, err := tx.Exec(`insert into version_tag (model_k, n, key, value) values (?, ?, ?, ?)
		on conflict (model_k, n, key) do update set value = excluded.value`,
		v.modelK, v.N, t.Key, t.Value)
	return err
}

func deleteVersionTag(tx *store.Tx, v *Version, key string) error {
	_, err := tx.Exec("delete from version_tag where model_k = ? and n = ? and key = ?",
		v.modelK, v.N, key)
	return err
}

// collect scans all rows and closes them.
func collect[T any](rows *sql.Rows, err error, scan func(row scanner, item *T) error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var item T
		if err := scan(rows, &item); err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, rows.Err()
}

// versionKey is a version's primary key; n is 0 for the model itself.
type versionKey struct{ model, n int64 }

func (v *Version) key() versionKey { return versionKey{v.modelK, v.N} }

// loadVersions fills tags and aliases.
func loadVersions(tx *store.Tx, versions []*Version) error {
	const chunk = 200
	for len(versions) > 0 {
		part := versions[:min(chunk, len(versions))]
		versions = versions[len(part):]
		byKey := make(map[versionKey]*Version, len(part))
		args := make([]any, 0, 2*len(part))
		for _, v := range part {
			v.Tags, v.Aliases = nil, nil
			byKey[v.key()] = v
			args = append(args, v.modelK, v.N)
		}
		in := " where (model_k, n) in (values " + strings.Repeat("(?, ?), ", len(part)-1) + "(?, ?))"
		if err := loadVersionTags(tx, byKey, in, args); err != nil {
			return err
		}
		if err := loadVersionAliases(tx, byKey, in, args); err != nil {
			return err
		}
	}
	return nil
}

func loadVersionTags(tx *store.Tx, byKey map[versionKey]*Version, in string, args []any) error {
	rows, err := tx.Query("select model_k, n, key, value from version_tag"+in+
		" order by model_k, n, key", args...)
	_, err = collect(rows, err, func(row scanner, t *Tag) error {
		var k versionKey
		if err := row.Scan(&k.model, &k.n, &t.Key, &t.Value); err != nil {
			return err
		}
		byKey[k].Tags = append(byKey[k].Tags, *t)
		return nil
	})
	return err
}

func loadVersionAliases(tx *store.Tx, byKey map[versionKey]*Version, in string, args []any) error {
	rows, err := tx.Query("select model_k, n, name from alias"+in+
		" order by model_k, n, name", args...)
	_, err = collect(rows, err, func(row scanner, name *string) error {
		var k versionKey
		if err := row.Scan(&k.model, &k.n, name); err != nil {
			return err
		}
		byKey[k].Aliases = append(byKey[k].Aliases, *name)
		return nil
	})
	return err
}

// lastPipelineVersion returns the newest version that a pipeline made, nil for none.
func lastPipelineVersion(tx *store.Tx, modelK int64) (*Version, error) {
	all, err := versionsOf(tx, modelK)
	if err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].ProducedBy.PipelineRun != "" {
			return all[i], nil
		}
	}
	return nil, nil
}
