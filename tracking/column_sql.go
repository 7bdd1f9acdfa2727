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
	out, err = scanColumns(tx, "select c.kind, c.name"+from+
		` order by c.kind, case when lower(c.name) like ? escape '\' then 0 else 1 end, c.name
		limit ? offset ?`, append(args, first, limit, offset))
	return out, total, err
}

func scanColumns(tx *store.Tx, query string, args []any) (out []Column, err error) {
	kinds := map[int64]filter.Kind{}
	for k, n := range keyKinds {
		kinds[n] = k
	}
	err = tx.Each(query, args, func(row []driver.Value) error {
		out = append(out, Column{kinds[row[0].(int64)], row[1].(string)})
		return nil
	})
	return out, err
}

// readCommonColumns returns the keys that the newest runs have, by how many have them.
func readCommonColumns(tx *store.Tx, in *scope, kind filter.Kind, words []string,
	limit, offset int) (out []Column, total int, err error) {
	newest := "(select r.k from run r where " + in.cond +
		" and r.state = 'active' order by r.start_ms desc, r.id limit ?) r"
	var parts []string
	var args []any
	for _, t := range []struct {
		kind  filter.Kind
		table string
	}{{filter.Metric, "latest"}, {filter.Param, "param"}, {filter.Tag, "tag"}} {
		if kind == "" || kind == t.kind {
			parts = append(parts, "select ? as kind, x.key_k from "+newest+" join "+t.table+
				" x on x.run_k = r.k")
			args = append(append(append(args, keyKinds[t.kind]), in.args...), commonAmong)
		}
	}
	where := "1 = 1"
	for _, w := range words {
		where += ` and lower(n.name) like ? escape '\'`
		args = append(args, "%"+likeEscape.Replace(strings.ToLower(w))+"%")
	}
	from := " from (select c.kind, n.name, count(*) as runs from (" +
		strings.Join(parts, " union all ") + ") c join key_name n on n.k = c.key_k where " + where +
		" group by c.kind, n.name) c"
	if err := tx.QueryRow("select count(*)"+from, args...).Scan(&total); err != nil {
		return nil, 0, err
	}
	out, err = scanColumns(tx, "select c.kind, c.name"+from+
		" order by c.kind, c.runs desc, c.name limit ? offset ?", append(args, limit, offset))
	return out, total, err
}
