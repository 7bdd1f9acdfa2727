package data

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// RowDiff compares rows by their key.
type RowDiff struct {
	Key       string           `json:"key"`
	Added     int64            `json:"added"`
	Removed   int64            `json:"removed"`
	Changed   int64            `json:"changed"` // in a column that both have
	Unchanged int64            `json:"unchanged"`
	ByColumn  map[string]int64 `json:"by_column"` // how many rows changed in it; 0 is left out
	Examples  []RowChange      `json:"examples"`  // some of each kind, by key
}

// What happened to a row.
const (
	RowAdded   = "added"
	RowRemoved = "removed"
	RowChanged = "changed"
)

// RowChange is a row that is not as it was.
type RowChange struct {
	Key   string       `json:"key"`
	Kind  string       `json:"kind"`            // added | removed | changed
	Cells []CellChange `json:"cells,omitempty"` // of a changed one
}

// CellChange is a value that is another one, as text; missing ones have none.
type CellChange struct {
	Column string  `json:"column"`
	From   *string `json:"from"`
	To     *string `json:"to"`
}

// rowExamples is how many rows of each kind a comparison shows.
const rowExamples = 10

// compareRows sets what became of the rows, or why that is not known.
func (s *Service) compareRows(ctx context.Context, d *Diff, from, to, key string) error {
	asked := key != ""
	if !asked {
		key = or(d.To.Key, d.From.Key)
	}
	a, b := d.From.Column(key), d.To.Column(key)
	switch {
	case key == "":
		d.NoRows = "the versions name no key: say `key` in fairlead.yaml, or choose a column"
		return nil
	case (a == nil || b == nil) && asked:
		return fairlead.Errorf(fairlead.Invalid, "the key %q is not a column of both versions", key)
	case a == nil || b == nil || a.Type != b.Type:
		d.NoRows = fmt.Sprintf("the key %q is not a column of the same type in both versions", key)
		return nil
	}
	for _, path := range []string{from, to} {
		if why, err := s.noKey(ctx, path, key); err != nil || why != "" {
			d.NoRows = why
			return err
		}
	}
	r := &rowComparison{service: s, key: key, from: from, to: to,
		diff: &RowDiff{Key: key, ByColumn: map[string]int64{}, Examples: []RowChange{}}}
	for i := range d.Columns {
		if c := &d.Columns[i]; c.comparable() && c.Name != key && len(r.columns) < diffColumns {
			r.columns = append(r.columns, c.Name)
		}
	}
	d.Rows = r.diff
	if err := r.count(ctx); err != nil {
		return err
	}
	return r.examples(ctx)
}

// noKey says why a column does not tell the rows of a file apart; empty: it does.
func (s *Service) noKey(ctx context.Context, path, key string) (why string, err error) {
	query := fmt.Sprintf("select count(*), count(%s), count(distinct %s) from %s", ident(key), ident(key),
		fromParquet(path))
	err = s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		var all, present, distinct int64
		if err := rows.Scan(&all, &present, &distinct); err != nil {
			return err
		}
		if all != distinct {
			why = fmt.Sprintf("%q does not tell rows apart: of %d rows %d have none and %d share theirs; "+
				"choose another column", key, all, all-present, present-distinct)
		}
		return nil
	})
	return why, err
}

type rowComparison struct {
	service       *Service
	key, from, to string
	columns       []string
	diff          *RowDiff
}

// joined is both versions side by side, as a and b.
func (r *rowComparison) joined() string {
	return fmt.Sprintf("(select * from %s) a full join (select * from %s) b on a.%s = b.%s",
		fromParquet(r.from), fromParquet(r.to), ident(r.key), ident(r.key))
}

// changed is the condition that a row is there in both and not the same.
func (r *rowComparison) changed() string {
	return r.both() + " and (" + strings.Join(append(r.each(differs), "false"), " or ") + ")"
}

func (r *rowComparison) both() string {
	return "a." + ident(r.key) + " is not null and b." + ident(r.key) + " is not null"
}

func (r *rowComparison) each(fn func(column string) string) (out []string) {
	for _, c := range r.columns {
		out = append(out, fn(ident(c)))
	}
	return out
}

func differs(c string) string { return "a." + c + " is distinct from b." + c }

func (r *rowComparison) count(ctx context.Context) error {
	k := ident(r.key)
	counts := append([]string{"a." + k + " is null", "b." + k + " is null", r.changed(), r.both()},
		r.each(func(c string) string { return r.both() + " and " + differs(c) })...)
	for i := range counts {
		counts[i] = "count(*) filter (where " + counts[i] + ")"
	}
	query := "select " + strings.Join(counts, ", ") + " from " + r.joined()
	return r.service.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		got := make([]int64, len(counts))
		dest := make([]any, len(got))
		for i := range got {
			dest[i] = &got[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		r.diff.Added, r.diff.Removed, r.diff.Changed = got[0], got[1], got[2]
		r.diff.Unchanged = got[3] - got[2]
		for i, c := range r.columns {
			if n := got[4+i]; n > 0 {
				r.diff.ByColumn[c] = n
			}
		}
		return nil
	})
}

func (r *rowComparison) examples(ctx context.Context) error {
	k := ident(r.key)
	for _, kind := range []struct{ name, where string }{
		{RowChanged, r.changed()}, {RowAdded, "a." + k + " is null"}, {RowRemoved, "b." + k + " is null"},
	} {
		cells := slices.Concat(r.each(func(c string) string { return "cast(a." + c + " as varchar)" }),
			r.each(func(c string) string { return "cast(b." + c + " as varchar)" }))
		query := fmt.Sprintf("select %s from %s where %s order by coalesce(a.%s, b.%s) limit %d",
			strings.Join(append([]string{fmt.Sprintf("cast(coalesce(a.%s, b.%s) as varchar)", k, k)},
				cells...), ", "), r.joined(), kind.where, k, k, rowExamples)
		err := r.service.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
			return r.example(rows, kind.name)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *rowComparison) example(rows *sql.Rows, kind string) error {
	got := make([]sql.NullString, 1+2*len(r.columns))
	dest := make([]any, len(got))
	for i := range got {
		dest[i] = &got[i]
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	change := RowChange{Key: cut(got[0].String), Kind: kind}
	for i, c := range r.columns {
		before, after := got[1+i], got[1+len(r.columns)+i]
		if kind == RowChanged && before != after {
			change.Cells = append(change.Cells, CellChange{Column: c, From: text(before), To: text(after)})
		}
	}
	r.diff.Examples = append(r.diff.Examples, change)
	return nil
}

func text(v sql.NullString) *string {
	if !v.Valid {
		return nil
	}
	t := cut(v.String)
	return &t
}
