package tracking

import (
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead/store"
)

// commonValues returns the values of a column among the newest runs that contain a text.
// The column is a run's, or the value of a key x in a table.
func commonValues(tx *store.Tx, in *scope, column, table, key, typed string) (
	out []Suggestion, err error) {
	join, args := "", slices.Clone(in.args)
	args = append(args, valuesOfNewest)
	if table != "" {
		join = " join " + table + " x on x.run_k = r.k and x.key_k = " + keyOf
		args = append(args, key)
	}
	text := "select " + column + " as v, count(*) as n from (select r.k, r.user_name from run r where " +
		in.cond + " and r.state = 'active' order by r.start_ms desc, r.id limit ?) r" + join +
		" where lower(" + column + `) like ? escape '\' group by ` + column + " order by n desc, v limit ?"
	args = append(args, "%"+likeEscape.Replace(strings.ToLower(typed))+"%", maxSuggestions)
	out = []Suggestion{}
	err = tx.Each(text, args, func(row []driver.Value) error {
		out = append(out, Suggestion{Kind: "value", Runs: int(row[1].(int64)),
			Text: "'" + strings.ReplaceAll(row[0].(string), "'", "''") + "'"})
		return nil
	})
	return out, err
}
