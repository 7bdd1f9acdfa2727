package tracking

import (
	"database/sql/driver"
	"math"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead/store"
)

// inChunk is the most keys of one `in` list.
const inChunk = 512

// inList writes the keys, at most inChunk and at least one, for the query's %s. Lists
// have as many places as the next power of two, so that few texts are prepared.
func inList(query string, keys []int64) (string, []any) {
	places := 1
	for places < len(keys) {
		places *= 2
	}
	args := make([]any, places)
	for i := range args {
		args[i] = keys[min(i, len(keys)-1)]
	}
	return strings.Replace(query, "%s", store.Placeholders(places), 1), args
}

// eachRun is eachOf for runs.
func eachRun(tx *store.Tx, runs []*Run, query string, more []any,
	fn func(at int, row []driver.Value) error) error {
	return eachOf(tx, runs, func(r *Run) int64 { return r.k }, query, more, fn)
}

// eachOf runs the query, whose %s is an `in` list of the items' keys, over chunks of the
// items and calls fn with each row, without its first column: the key of the item at.
func eachOf[T any](tx *store.Tx, items []T, key func(T) int64, query string, more []any,
	fn func(at int, row []driver.Value) error) error {
	keys := make([]int64, len(items))
	at := make(map[int64]int, len(items))
	for i, item := range items {
		keys[i] = key(item)
		at[keys[i]] = i
	}
	slices.Sort(keys)
	for part := range slices.Chunk(keys, inChunk) {
		text, args := inList(query, part)
		last, i := int64(-1), 0
		err := tx.Each(text, append(args, more...), func(row []driver.Value) error {
			if k := row[0].(int64); k != last {
				last, i = k, at[k]
			}
			return fn(i, row[1:])
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// loadKeyed reads the rows that a table clustered by run and key has of the runs, or of
// these names alone, and returns for each run what read makes of them, by name.
func loadKeyed[T any](s *Service, tx *store.Tx, runs []*Run, table, columns string, names []any,
	read func(row []driver.Value) T, name func(*T) *string) ([][]T, error) {
	query := "select run_k, key_k, " + columns + " from " + table + " where run_k in (%s)"
	if len(names) > 0 {
		query += " and key_k in (select k from key_name where name in (" +
			store.Placeholders(len(names)) + "))"
	}
	// All rows go to one slice, of which each run gets its part: they come run by run.
	var all []T
	var keys []int64
	var parts []part
	err := eachRun(tx, runs, query+" order by run_k", names, func(i int, row []driver.Value) error {
		if n := len(parts); n == 0 || parts[n-1].run != i {
			parts = append(parts, part{run: i})
		}
		keys = append(keys, row[0].(int64))
		all = append(all, read(row[1:]))
		parts[len(parts)-1].end = len(all)
		return nil
	})
	if err != nil {
		return nil, err
	}
	known, err := s.keys.names(tx, keys)
	if err != nil {
		return nil, err
	}
	sorted := make([]T, len(all))
	out := make([][]T, len(runs))
	begin := 0
	var order []int64 // rank by name, and place in the part
	for _, p := range parts {
		order = order[:0]
		for i, k := range keys[begin:p.end] {
			order = append(order, int64(known[k].rank)<<32|int64(i))
		}
		slices.Sort(order)
		for i, o := range order {
			from := begin + int(o&math.MaxUint32)
			sorted[begin+i] = all[from]
			*name(&sorted[begin+i]) = known[keys[from]].name
		}
		out[p.run], begin = sorted[begin:p.end:p.end], p.end
	}
	return out, nil
}

// part is where the rows of a run end.
type part struct{ run, end int }
