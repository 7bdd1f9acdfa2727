package registry

import (
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

var modelsOf = target{
	columns: map[string]string{"name": "m.name", "creation_timestamp": "m.created_ms",
		"last_updated_timestamp": "m.updated_ms"},
	tags:  "model_tag x where x.model_k = m.k",
	order: []string{"m.name", "m.k"},
}

var versionsIn = target{
	columns: map[string]string{"name": "m.name", "run_id": "v.run_id", "source_path": "v.source",
		"version_number": "v.n", "creation_timestamp": "v.created_ms",
		"last_updated_timestamp": "v.updated_ms"},
	tags:     "version_tag x where x.model_k = v.model_k and x.n = v.n",
	standard: "v.updated_ms desc",
	order:    []string{"m.name", "v.n desc"},
}

// sql completes a select with the project, the conditions, the order and the page.
func (q *query) sql(p fairlead.Project, head string, limit, offset int) (string, []any) {
	text := head + " where m.project_k = ?"
	for _, cond := range q.where {
		text += " and " + cond
	}
	text += " order by " + strings.Join(q.order, ", ") + " limit ? offset ?"
	return text, append(append([]any{p.K}, q.args...), limit, offset)
}

func queryModels(tx *store.Tx, p fairlead.Project, q *query, limit, offset int) ([]*Model, error) {
	text, args := q.sql(p, "select "+modelColumns+" from model m", limit, offset)
	rows, err := tx.Query(text, args...)
	return collect(rows, err, func(row scanner, m **Model) (err error) {
		*m, err = scanModel(row)
		return err
	})
}

func queryVersions(tx *store.Tx, p fairlead.Project, q *query, limit, offset int) ([]*Version,
	error) {
	text, args := q.sql(p, "select "+versionColumns+
		" from version v join model m on m.k = v.model_k", limit, offset)
	return scanVersions(tx.Query(text, args...))
}
