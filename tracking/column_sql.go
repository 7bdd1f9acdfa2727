package tracking

import (
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

var likeEscape = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

func readColumns(tx *store.Tx, in *scope, kind filter.Kind, words []string, limit, offset int) (
	out []Column, total int, err error) {
	where, args := strings.Replace(in.cond, "r.exp_k", "x.exp_k", 1), slices.Clone(in.args)
	if kind != "" {
		where, args = where+" and x.kind = ?", append(args, keyKinds[kind])
	}
	first := ""
	for i, w := range words {
		w = likeEscape.Replace(strings.ToLower(w)) + "%"
		if i == 0 {
			first = w
		}
		where, args = where+` and lower(n.name) like ? escape '\'`, append(args, "%"+w)
	}
	from := ` from (select distinct x.kind, n.name from experiment_key x
		join key_name n on n.k = x.key_k where ` + where + ") c"
	if err := tx.QueryRow("select count(*)"+from, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	kinds := map[int64]filter.Kind{}
	for k, n := range keyKinds {
		kinds[n] = k
	}
	err = tx.Each("select c.kind, c.name"+from+
		` order by c.kind, case when lower(c.name) like ? escape '\' then 0 else 1 end, c.name
		limit ? offset ?`, append(args, first, limit, offset), func(row []driver.Value) error {
		out = append(out, Column{kinds[row[0].(int64)], row[1].(string)})
		return nil
	})
	return out, total, err
}
