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
		return has(c, "latest x where x.run_k = r.k and x.key_k = "+keyOf, metricMatch, c.Key)
	case filter.Dataset:
		column := "d." + c.Key
		if c.Key == "context" {
			column = "i.context"
		}
		return has(c, "run_input i join run_dataset d on d.k = i.dataset_k where i.run_k = r.k",
			func(c filter.Comparison) (string, []any) { return c.Match(column) })
	case filter.Model: // that the run read or made
		return has(c, `run_model i join logged_model m on m.id = i.model_id
			where i.run_k = r.k and m.project_k = r.project_k and m.state = 'active'`,
			func(c filter.Comparison) (string, []any) { return c.Match(modelColumn[c.Key]) })
	}
	return has(c, pairTables[c.Kind]+" x where x.run_k = r.k and x.key_k = "+keyOf, valueMatch, c.Key)
}

// has writes that among the rows there is one that the comparison is true of; IS NULL
// is that there are no rows, and IS NOT NULL that there are.
func has(c filter.Comparison, rows string, match func(filter.Comparison) (string, []any),
	args ...any) (string, []any) {
	exists := "exists (select 1 from " + rows
	switch c.Op {
	case filter.IsNull:
		return "not " + exists + ")", args
	case filter.IsNotNull:
		return exists + ")", args
	}
	cond, more := match(c)
	return exists + " and " + cond + ")", append(args, more...)
}

func valueMatch(c filter.Comparison) (string, []any) { return c.Match("x.value") }

// metricMatch compares a stored value. NaN differs from every number, is none of a
// list, and is neither less nor greater.
func metricMatch(c filter.Comparison) (string, []any) {
	cond, args := valueMatch(c)
	if c.Op == filter.NotEqual || c.Op == filter.NotIn {
		return "(x.is_nan = 1 or " + cond + ")", args
	}
	return "x.is_nan = 0 and " + cond, args
}

// orderRuns adds one term: runs without the value come last, NaN before them.
func (q *query) orderRuns(i int, o filter.Order) {
	if o.Kind == filter.Attribute && o.Key != "end_time" { // never absent, and in an index
		q.order = append(q.order, term{runColumn[o.Key], o.Desc})
		return
	}
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
	q.order = append(q.order, term{rank + "else 0 end", false}, term{column, desc})
}

func (t term) sql() string {
	if t.desc {
		return t.expr + " desc"
	}
	return t.expr
}

// orderSQL writes terms after `order by`.
func orderSQL(terms []term) string {
	out := make([]string, len(terms))
	for i, t := range terms {
		out[i] = t.sql()
	}
	return strings.Join(out, ", ")
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
			n, err := parseExperimentID(id)
			if err != nil {
				return nil, err
			}
			args = append(args, n)
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

// sql completes a select with its source and joins, a condition before the others, and
// the page.
func (q *query) sql(head, from, cond string, condArgs []any, limit, offset int) (string, []any) {
	where := append([]string{cond}, q.where...)
	text := head + " from " + from + " " + strings.Join(q.joins, " ") +
		" where " + strings.Join(where, " and ") + " order by " + orderSQL(q.order) +
		" limit ? offset ?"
	args := append([]any{}, q.joined...)
	args = append(append(args, condArgs...), q.args...)
	return text, append(args, limit, offset)
}

func queryExperiments(tx *store.Tx, p fairlead.Project, q *query, limit, offset int) ([]*Experiment, error) {
	text, args := q.sql("select "+experimentColumns, "experiment e", "e.project_k = ?", []any{p.K},
		limit, offset)
	return scanAll(tx, text, args, scanExperiment)
}

// maxArgs is somewhat less than the most arguments of a statement on SQLite (32,766).
const maxArgs = 32_000

// checkArgs is Invalid when a search has more values than one statement takes.
func checkArgs(args []any) error {
	if len(args) <= maxArgs {
		return nil
	}
	return fairlead.Errorf(fairlead.Invalid, "the search names %d experiments and values, and at "+
		"most %d are read; split it up", len(args), maxArgs)
}

func queryModels(tx *store.Tx, q *query, keys []any, limit, offset int) ([]*LoggedModel, error) {
	text, args := q.sql("select "+loggedModelColumns, "logged_model m join experiment e on e.k = m.exp_k",
		"m.exp_k in ("+store.Placeholders(len(keys))+")", keys, limit, offset)
	if err := checkArgs(args); err != nil {
		return nil, err
	}
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
		return has(c, "experiment_tag x where x.exp_k = e.k and x.key = ?", valueMatch, c.Key)
	}
	if c.Key == "experiment_id" {
		return c.Match("cast(e.n as text)")
	}
	return c.Match(experimentColumn[c.Key])
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
		return has(c, "logged_model_param x where x.model_k = m.k and x.key = ?", valueMatch, c.Key)
	case filter.Tag:
		return has(c, "logged_model_tag x where x.model_k = m.k and x.key = ?", valueMatch, c.Key)
	}
	on, args := onDatasets(datasets)
	return has(c, "logged_model_metric x where x.model_k = m.k and x.key_k = "+keyOf+on,
		func(c filter.Comparison) (string, []any) {
			cond, args := valueMatch(c)
			return "x.is_nan = 0 and " + cond, args
		}, append([]any{c.Key}, args...)...)
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
