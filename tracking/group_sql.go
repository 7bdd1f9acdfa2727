package tracking

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// by adds what runs are grouped by.
func (g *grouping) by(i int, k filter.Key) error {
	switch k.Kind {
	case filter.Attribute:
		if !slices.Contains([]string{"status", "user_id", "run_name"}, k.Key) {
			return ErrValue("by", k.Key, "Runs are grouped by params, tags, status, user_id or run_name")
		}
		g.columns = append(g.columns, runColumn[k.Key])
		return nil
	case filter.Param, filter.Tag:
		alias := "g" + strconv.Itoa(i)
		g.joins = append(g.joins, fmt.Sprintf("left join %s %s on %s.run_k = r.k and %s.key_k = %s",
			pairTables[k.Kind], alias, alias, alias, keyOf))
		g.joined = append(g.joined, k.Key)
		g.columns = append(g.columns, alias+".value")
		return nil
	}
	return ErrValue("by", k.String(), "Runs are grouped by params, tags or attributes")
}

// read returns the groups, and the runs, of which each is of the group at the same place.
func (g *grouping) read(tx *store.Tx, in *scope) (all []*Group, runs []int64, of []*Group, err error) {
	where := append([]string{in.cond}, g.where...)
	text := "select r.k, r.start_ms, case when r.status in (?, ?) then 1 else 0 end, " +
		strings.Join(g.columns, ", ") + " from " +
		g.from("run r") + " " + strings.Join(g.joins, " ") + " where " + strings.Join(where, " and ")
	args := slices.Concat([]any{Running, Scheduled}, g.joined, in.args, g.args)
	if err := checkArgs(args); err != nil {
		return nil, nil, nil, err
	}
	byKey := map[string]*Group{}
	var key []byte
	err = tx.Each(text, args, func(row []driver.Value) error {
		key = key[:0]
		for _, v := range row[3:] {
			if text, ok := v.(string); ok { // NULL comes after all texts
				key = append(append(append(key, 0), text...), 0)
			} else {
				key = append(key, 1)
			}
		}
		it := byKey[string(key)]
		if it == nil {
			if len(byKey) == maxGroups {
				return fairlead.Errorf(fairlead.Invalid, "the runs have more than %d different values; "+
					"filter them first, or group by another key", maxGroups)
			}
			it = &Group{key: string(key), Metrics: map[string]Aggregate{}}
			for _, v := range row[3:] {
				it.Values = append(it.Values, textOf(v))
			}
			byKey[it.key] = it
			all = append(all, it)
		}
		it.Runs++
		it.NewestMS = max(it.NewestMS, row[1].(int64))
		it.Running += int(row[2].(int64))
		runs, of = append(runs, row[0].(int64)), append(of, it)
		return nil
	})
	return all, runs, of, err
}

// textOf is a column that may be NULL.
func textOf(v driver.Value) *string {
	if s, ok := v.(string); ok {
		return &s
	}
	return nil
}
