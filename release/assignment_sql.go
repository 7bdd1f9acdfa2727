package release

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// environment is a row of its table: an endpoint and what it is made of.
type environment struct {
	k        int64
	endpoint string
	model    string
	name     string
	early    bool // not the last of its file: leaves the alias `live` alone
	settings spec.Environment
	changed  bool // and is to be stored
}

const environmentColumns = "k, endpoint, model, name, early, settings from environment "

func readEnvironment(tx *store.Tx, p fairlead.Project, endpoint string) (environment, error) {
	return scanEnvironment(tx.QueryRow("select "+environmentColumns+
		"where project_k = ? and endpoint = ?", p.K, endpoint))
}

func scanEnvironment(row store.Row) (e environment, err error) {
	var settings string
	err = row.Scan(&e.k, &e.endpoint, &e.model, &e.name, &e.early, &settings)
	if err != nil {
		return e, err
	}
	return e, json.Unmarshal([]byte(settings), &e.settings)
}

// putEnvironment creates the endpoint or updates its settings.
func putEnvironment(tx *store.Tx, p fairlead.Project, e *environment, now time.Time) error {
	settings, err := json.Marshal(e.settings)
	if err != nil {
		return err
	}
	early := 0
	if e.early {
		early = 1
	}
	return tx.QueryRow(`insert into environment (project_k, endpoint, model, name, early, settings,
		created_ms)
		values (?, ?, ?, ?, ?, ?, ?) on conflict (project_k, endpoint)
		do update set early = excluded.early, settings = excluded.settings returning k`,
		p.K, e.endpoint, e.model, e.name, early, string(settings), now.UnixMilli()).Scan(&e.k)
}

const assignmentColumns = `select e.endpoint, e.name, e.model, e.settings, a.gen, a.observed_gen,
	a.failure, a.failed_n, a.variants, a.reason
	from assignment a join environment e on e.k = a.environment_k `

type scanner interface{ Scan(dest ...any) error }

func scanAssignment(row scanner) (*Assignment, error) {
	a := &Assignment{}
	var settings, variants string
	err := row.Scan(&a.Endpoint, &a.Environment, &a.Model, &settings, &a.Generation,
		&a.ObservedGeneration, &a.Failure, &a.FailedVersion, &variants, &a.Reason)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(settings), &a.Settings); err != nil {
		return nil, err
	}
	return a, json.Unmarshal([]byte(variants), &a.Variants)
}

func readAssignment(tx *store.Tx, p fairlead.Project, endpoint string) (*Assignment, error) {
	return scanAssignment(tx.QueryRow(assignmentColumns+"where e.project_k = ? and e.endpoint = ?",
		p.K, endpoint))
}

func readAssignments(tx *store.Tx, p fairlead.Project) ([]*Assignment, error) {
	rows, err := tx.Query(assignmentColumns+"where e.project_k = ? order by e.endpoint, e.k", p.K)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Assignment
	for rows.Next() {
		a, err := scanAssignment(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// readVariants returns what the endpoint serves and why, and nothing for a new one.
func readVariants(tx *store.Tx, environmentK int64) (gen int64, out []Variant, reason string,
	err error) {
	var text string
	err = tx.QueryRow("select gen, variants, reason from assignment where environment_k = ?",
		environmentK).Scan(&gen, &text, &reason)
	if errors.Is(err, store.ErrNoRows) {
		return 0, nil, "", nil
	}
	if err != nil {
		return 0, nil, "", err
	}
	err = json.Unmarshal([]byte(text), &out)
	return gen, out, reason, err
}

func writeVariants(tx *store.Tx, environmentK, gen int64, all []Variant, reason string,
	at time.Time) error {
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into assignment (environment_k, gen, variants, reason, observed_gen,
		changed_ms)
		values (?, ?, ?, ?, 0, ?) on conflict (environment_k) do update set gen = excluded.gen,
		variants = excluded.variants, reason = excluded.reason, failure = '', failed_n = 0,
		changed_ms = excluded.changed_ms`,
		environmentK, gen, string(text), reason, at.UnixMilli())
	return err
}

func writeObserved(tx *store.Tx, environmentK, gen int64) error {
	_, err := tx.Exec(`update assignment set observed_gen = ?,
		failure = case when gen = ? then '' else failure end,
		failed_n = case when gen = ? then 0 else failed_n end where environment_k = ?`,
		gen, gen, gen, environmentK)
	return err
}

func writeFailure(tx *store.Tx, environmentK, version int64, failure string) error {
	_, err := tx.Exec("update assignment set failure = ?, failed_n = ? where environment_k = ?",
		failure, version, environmentK)
	return err
}

func countUnobserved(tx *store.Tx, p fairlead.Project) (n int, err error) {
	err = tx.QueryRow(`select count(*) from assignment a join environment e on e.k = a.environment_k
		where e.project_k = ? and a.observed_gen < a.gen`, p.K).Scan(&n)
	return n, err
}
