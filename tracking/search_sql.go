package tracking

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// runColumn is where the attributes of runs are. An artifact URI is built and not
// stored.
var runColumn = map[string]string{
	"run_id": "r.id", "run_name": "r.name", "user_id": "r.user_name", "status": "r.status",
	"start_time": "r.start_ms", "end_time": "r.end_ms",
	"artifact_uri": "('" + artifactScheme + "' || e.n || '/' || r.id || '/artifacts')",
}

const keyOf = "(select k from key_name where name = ?)"

// runCondition writes one comparison on run r of experiment e.
func runCondition(c filter.Comparison) (string, []any) {
	switch c.Kind {
	case filter.Attribute:
		return c.Match(runColumn[c.Key])
	case filter.Metric:
		return metricCondition(c)
	case filter.Dataset:
		return datasetCondition(c)
	}
	table := map[filter.Kind]string{filter.Param: "param", filter.Tag: "tag"}[c.Kind]
	has := "exists (select 1 from " + table + " x where x.run_k = r.k and x.key_k = " + keyOf
	switch c.Op {
	case filter.IsNull:
		return "not " + has + ")", []any{c.Key}
	case filter.IsNotNull:
		return has + ")", []any{c.Key}
	}
	cond, args := c.Match("x.value")
	return has + " and " + cond + ")", append([]any{c.Key}, args...)
}

// metricCondition compares a latest value. NaN differs from every number and is
// neither less nor greater.
func metricCondition(c filter.Comparison) (string, []any) {
	cond, args := c.Match("x.value")
	if c.Op == filter.NotEqual {
		cond = "(x.is_nan = 1 or " + cond + ")"
	} else {
		cond = "x.is_nan = 0 and " + cond
	}
	return "exists (select 1 from latest x where x.run_k = r.k and x.key_k = " + keyOf + " and " +
		cond + ")", append([]any{c.Key}, args...)
}

func datasetCondition(c filter.Comparison) (string, []any) {
	const from = "exists (select 1 from run_input i join run_dataset d on d.k = i.dataset_k " +
		"where i.run_k = r.k and "
	if c.Key != "context" {
		cond, args := c.Match("d." + c.Key)
		return from + cond + ")", args
	}
	cond, args := c.Match("i.context")
	return from + cond + ")", args
}

// orderRuns adds one term: runs without the value come last, NaN before them.
func (q *query) orderRuns(i int, o filter.Order) {
	if o.Kind == filter.Attribute {
		q.orderBy(runColumn[o.Key], "", o.Desc)
		return
	}
	alias := "o" + strconv.Itoa(i)
	table, nan := "tag", ""
	switch o.Kind {
	case filter.Metric:
		table, nan = "latest", alias+".is_nan"
	case filter.Param:
		table = "param"
	}
	q.joins = append(q.joins, fmt.Sprintf("left join %s %s on %s.run_k = r.k and %s.key_k = %s",
		table, alias, alias, alias, keyOf))
	q.joined = append(q.joined, o.Key)
	q.orderBy(alias+".value", nan, o.Desc)
}

// orderBy sorts by a column with absent values last; nan is the column of the
// NaN flag, if any.
func (q *query) orderBy(column, nan string, desc bool) {
	rank := "case when " + column + " is null then 2 "
	if nan != "" {
		rank += "when " + nan + " = 1 then 1 "
	}
	q.order = append(q.order, rank+"else 0 end", column+direction(desc))
}

func direction(desc bool) string {
	if desc {
		return " desc"
	}
	return ""
}

// experimentKeys returns the keys of the experiments that exist in the project.
func experimentKeys(tx *store.Tx, p fairlead.Project, ids []string) ([]any, error) {
	var keys []any
	const chunk = 500
	for len(ids) > 0 {
		part := ids[:min(chunk, len(ids))]
		ids = ids[len(part):]
		args := []any{p.K}
		for _, id := range part {
			if n, err := strconv.ParseInt(id, 10, 64); err == nil {
				args = append(args, n)
			}
		}
		rows, err := tx.Query("select k from experiment where project_k = ? and n in ("+
			store.Placeholders(len(args)-1)+") order by k", args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var k int64
			if err := rows.Scan(&k); err != nil {
				rows.Close()
				return nil, err
			}
			keys = append(keys, k)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// sql writes the query over a table with its joins; keys are the experiments.
func (q *query) sql(columns, from, expColumn string, keys []any, limit, offset int) (string,
	[]any) {
	where := append([]string{}, q.where...)
	args := append([]any{}, q.joined...)
	if expColumn != "" {
		where = append([]string{expColumn + " in (" + store.Placeholders(len(keys)) + ")"}, where...)
		args = append(args, keys...)
	}
	text := "select " + columns + " from " + from + " " + strings.Join(q.joins, " ") +
		" where " + strings.Join(where, " and ") + " order by " + strings.Join(q.order, ", ") +
		" limit ? offset ?"
	return text, append(append(args, q.args...), limit, offset)
}

func queryRuns(tx *store.Tx, q *query, keys []any, limit, offset int) ([]*Run, error) {
	text, args := q.sql(runColumns, "run r join experiment e on e.k = r.exp_k", "r.exp_k", keys,
		limit, offset)
	return scanAll(tx, text, args, scanRun)
}

func queryExperiments(tx *store.Tx, q *query, limit, offset int) ([]*Experiment, error) {
	text, args := q.sql(experimentColumns, "experiment e", "", nil, limit, offset)
	return scanAll(tx, text, args, scanExperiment)
}

func queryModels(tx *store.Tx, q *query, keys []any, limit, offset int) ([]*LoggedModel, error) {
	text, args := q.sql(loggedModelColumns, "logged_model m join experiment e on e.k = m.exp_k",
		"m.exp_k", keys, limit, offset)
	return scanAll(tx, text, args, scanLoggedModel)
}

func scanAll[T any](tx *store.Tx, text string, args []any, scan func(scanner) (*T, error)) ([]*T,
	error) {
	rows, err := tx.Query(text, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, rows.Err()
}

var experimentColumn = map[string]string{
	"name": "e.name", "experiment_id": "e.n", "creation_time": "e.created_ms",
	"last_update_time": "e.updated_ms",
}

func experimentCondition(c filter.Comparison) (string, []any) {
	if c.Kind == filter.Tag {
		return keyedCondition(c, "experiment_tag", "x.exp_k = e.k")
	}
	if c.Key == "experiment_id" {
		return c.Match("cast(e.n as text)")
	}
	return c.Match(experimentColumn[c.Key])
}

// keyedCondition compares the value of a key in a table (key, value).
func keyedCondition(c filter.Comparison, table, link string) (string, []any) {
	has := "exists (select 1 from " + table + " x where " + link + " and x.key = ?"
	switch c.Op {
	case filter.IsNull:
		return "not " + has + ")", []any{c.Key}
	case filter.IsNotNull:
		return has + ")", []any{c.Key}
	}
	cond, args := c.Match("x.value")
	return has + " and " + cond + ")", append([]any{c.Key}, args...)
}

var modelColumn = map[string]string{
	"name": "m.name", "model_id": "m.id", "model_type": "m.model_type", "status": "m.status",
	"source_run_id": "m.run_id", "creation_timestamp_ms": "m.created_ms",
	"last_updated_timestamp_ms": "m.updated_ms",
}

func modelCondition(c filter.Comparison, datasets []DatasetFilter) (string, []any) {
	switch c.Kind {
	case filter.Attribute:
		return c.Match(modelColumn[c.Key])
	case filter.Param:
		return keyedCondition(c, "logged_model_param", "x.model_k = m.k")
	case filter.Tag:
		return keyedCondition(c, "logged_model_tag", "x.model_k = m.k")
	}
	on, onArgs := onDatasets(datasets)
	cond, args := c.Match("x.value")
	return "exists (select 1 from logged_model_metric x where x.model_k = m.k and x.key_k = " +
			keyOf + " and x.is_nan = 0" + on + " and " + cond + ")",
		append(append([]any{c.Key}, onArgs...), args...)
}

// onDatasets limits metrics x to those measured on one of the datasets.
func onDatasets(datasets []DatasetFilter) (string, []any) {
	if len(datasets) == 0 {
		return "", nil
	}
	var each []string
	var args []any
	for _, d := range datasets {
		cond := "x.dataset_name = ?"
		args = append(args, d.Name)
		if d.Digest != "" {
			cond += " and x.dataset_digest = ?"
			args = append(args, d.Digest)
		}
		each = append(each, cond)
	}
	return " and (" + strings.Join(each, " or ") + ")", args
}

// orderModels adds one term; a metric counts with its newest value by time, as in MLflow.
func (q *query) orderModels(i int, o ModelOrder) error {
	key, metric := strings.CutPrefix(o.Field, "metrics.")
	if !metric {
		name := o.Field
		if canonical, ok := loggedModelLanguage.Aliases[name]; ok {
			name = canonical
		}
		column, ok := modelColumn[name]
		if !ok {
			return fairlead.Errorf(fairlead.Invalid, "Invalid order by field name: %s.", o.Field)
		}
		q.orderBy(column, "", o.Desc)
		return nil
	}
	alias := "o" + strconv.Itoa(i)
	on, args := "", []any{key}
	if o.Dataset.Name != "" {
		cond, more := onDatasets([]DatasetFilter{o.Dataset})
		on, args = cond, append(args, more...)
	}
	q.joins = append(q.joins, fmt.Sprintf(`left join (select x.model_k, x.value, row_number() over
		(partition by x.model_k order by x.ts desc, x.step desc, x.run_k, x.value) as place
		from logged_model_metric x where x.is_nan = 0 and x.key_k = %s%s) %s
		on %s.model_k = m.k and %s.place = 1`, keyOf, on, alias, alias, alias))
	q.joined = append(q.joined, args...)
	q.orderBy(alias+".value", "", o.Desc)
	return nil
}
