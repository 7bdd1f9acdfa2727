package data

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
)

// expectedTypes are the words of fairlead.yaml.
var expectedTypes = map[string]string{
	"number": Double, "integer": Long, "text": String, "boolean": Boolean, "time": Datetime,
}

// wantedTypes are the types that the caller has said, by column.
func (in *Ingest) wantedTypes() map[string]string {
	wanted := map[string]string{}
	for _, e := range in.Expect {
		if t := expectedTypes[e.Type]; t != "" {
			wanted[e.Column] = t
		}
	}
	if in.Time != "" {
		wanted[in.Time] = Datetime
	}
	return wanted
}

// resolve is the column's type, given the one that is wanted, if any.
func (c *textColumn) resolve(wanted string) (string, error) {
	if wanted == "" || wanted == String {
		return or(wanted, c.kind()), nil
	}
	need := map[string]kinds{Boolean: isBool, Long: isLong, Double: isDouble, Datetime: isTime}[wanted]
	if c.fits&need != 0 {
		return wanted, nil
	}
	w := c.why[need]
	return "", notOfType(fmt.Sprintf("%s line %d", w.file, w.line), c.name, w.value, wanted)
}

// howTo says how values of a type are written.
var howTo = map[string]string{
	Double: "a number", Long: "an integer", Boolean: "true or false",
	Datetime: "a time such as 2011-03-01T00:00:00Z",
}

func notOfType(where, column, value, wanted string) error {
	return fairlead.Errorf(fairlead.Invalid,
		"%s: column %q is %.40q, which is not %s; correct it, or what fairlead.yaml says of the column",
		where, column, value, howTo[wanted])
}

// wantedType is the type that a typed column is cast to.
func wantedType(has, wanted string) string {
	switch {
	case wanted == "" || has == wanted:
		return has
	case wanted == Double && has == Long, wanted == String, has == String:
		return wanted
	}
	return has
}

// checkRoles finds the columns that the caller names, and refuses those of a
// wrong type.
func (src *source) checkRoles(in *Ingest) error {
	roles := []struct{ role, column string }{
		{"time", in.Time}, {"key", in.Key}, {"label", in.Label}}
	for _, r := range roles {
		if r.column != "" && src.column(r.column) == nil {
			return src.noColumn(r.role, r.column)
		}
	}
	for _, e := range in.Expect {
		c := src.column(e.Column)
		if c == nil && e.Required {
			return src.noColumn("expect", e.Column)
		}
		if c != nil && e.Type != "" && c.Type != expectedTypes[e.Type] {
			return src.wrongType(c, e.Type)
		}
		if c != nil && (e.Min != nil || e.Max != nil) && !numeric(c.Type) {
			return src.wrongType(c, "number")
		}
	}
	if c := src.column(in.Time); c != nil && c.Type != Datetime {
		return src.wrongType(c, "time")
	}
	return nil
}

func (src *source) wrongType(c *Column, expected string) error {
	return fairlead.Errorf(fairlead.Invalid,
		"%s: column %q is of type %s and should be %s; write its values so, or name another column",
		src.name, c.Name, c.Type, howTo[expectedTypes[expected]])
}

func (src *source) column(name string) *Column {
	i := slices.IndexFunc(src.columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &src.columns[i]
}

func (src *source) noColumn(role, name string) error {
	names := make([]string, len(src.columns))
	for i, c := range src.columns {
		names[i] = c.Name
	}
	return missingColumn(src.name, role, name, names)
}

func missingColumn(file, role, name string, have []string) error {
	hint := "it has " + strings.Join(have[:min(len(have), 12)], ", ")
	if len(have) > 12 {
		hint += ", …"
	}
	if near := nearest(name, have); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	return fairlead.Errorf(fairlead.Invalid, "%s has no column %q (`%s`); %s", file, name, role, hint)
}

// verify checks the written rows against what the caller says of them.
func (s *Service) verify(ctx context.Context, d *draft, in *Ingest) error {
	if in.Time != "" {
		if err := s.refuseFirst(ctx, d, in.Time, ident(in.Time)+" is null",
			"is missing; each row needs a time"); err != nil {
			return err
		}
	}
	if in.Key != "" {
		if err := s.checkKey(ctx, d, in.Key); err != nil {
			return err
		}
	}
	for _, e := range in.Expect {
		i := slices.IndexFunc(d.columns, func(c Column) bool { return c.Name == e.Column })
		if i < 0 {
			continue
		}
		if err := s.checkExpectation(ctx, d, e, d.columns[i].Type); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) checkKey(ctx context.Context, d *draft, key string) error {
	if err := s.refuseFirst(ctx, d, key, ident(key)+" is null",
		"is missing; each row needs its key"); err != nil {
		return err
	}
	query := fmt.Sprintf(`select cast(v as varchar), n from (select %s as v, count(*) as n
		from %s group by 1) where n > 1 order by 1 limit 1`, ident(key), fromParquet(d.path))
	return s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		var v string
		var n int64
		if err := rows.Scan(&v, &n); err != nil {
			return err
		}
		return fairlead.Errorf(fairlead.Invalid,
			"%s: %d rows have the key %q in column %q; a key identifies one row: remove the others, or "+
				"name another `key`", d.dataset, n, v, key)
	})
}

func (s *Service) checkExpectation(ctx context.Context, d *draft, e spec.Expectation,
	kind string) error {
	c := ident(e.Column)
	checks := []struct {
		on         bool
		where, why string
	}{
		{e.Required, c + " is null", "is missing; give it a value, or say `required: false`"},
		{e.Min != nil, c + " < " + number(e.Min), "is less than the least allowed, " + number(e.Min)},
		{e.Max != nil, c + " > " + number(e.Max), "is more than the most allowed, " + number(e.Max)},
		{len(e.Values) > 0, c + " is not null and not coalesce(" + oneOf(c, kind, e.Values) + ", false)",
			"is not one of the values allowed"},
	}
	for _, k := range checks {
		if !k.on {
			continue
		}
		if err := s.refuseFirst(ctx, d, e.Column, k.where, k.why); err != nil {
			return err
		}
	}
	return nil
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'g', -1, 64)
}

// oneOf is the condition that a value is among those allowed, compared as the
// column's type; a value that is not of the type equals nothing.
func oneOf(column, kind string, values []any) string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = "try_cast(" + literal(fmt.Sprint(v)) + " as " + sqlTypes[kind] + ")"
	}
	return column + " in (" + strings.Join(out, ", ") + ")"
}

// refuseFirst is Invalid for the first row where the condition holds.
func (s *Service) refuseFirst(ctx context.Context, d *draft, column, where, why string) error {
	query := fmt.Sprintf(`select file_row_number + 1, cast(%s as varchar)
		from read_parquet(%s, file_row_number = true, hive_partitioning = false)
		where %s order by 1 limit 1`, ident(column), file(d.path), where)
	return s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		var row int64
		var value sql.NullString
		if err := rows.Scan(&row, &value); err != nil {
			return err
		}
		shown := ""
		if value.Valid {
			shown = fmt.Sprintf(" (%.40s)", value.String)
		}
		return fairlead.Errorf(fairlead.Invalid, "%s row %d: column %q%s %s", d.dataset, row, column,
			shown, why)
	})
}

// nearest returns the candidate at the smallest edit distance (Levenshtein), if
// it is at most a third of the word away; "" for none.
func nearest(word string, candidates []string) string {
	best, distance := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := editDistance(strings.ToLower(word), strings.ToLower(c)); d < distance {
			best, distance = c, d
		}
	}
	return best
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
