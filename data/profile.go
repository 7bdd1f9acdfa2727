package data

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ColumnProfile describes the values of one column of a version. Exactly one of
// Numbers, Times and Top is set when there is any value.
type ColumnProfile struct {
	Name     string         `json:"name"`
	Type     string         `json:"type"`
	Count    int64          `json:"count"` // values that are present
	Nulls    int64          `json:"nulls"`
	Distinct int64          `json:"distinct"` // estimate (HyperLogLog, mostly within 10 %), at most Count
	Numbers  *NumberProfile `json:"numbers,omitempty"`
	Times    *TimeProfile   `json:"times,omitempty"`
	Top      []ValueCount   `json:"top,omitempty"` // text and booleans: the commonest, at most 10
}

// NumberProfile is the distribution of a numeric column's finite values.
type NumberProfile struct {
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Mean   float64 `json:"mean"`
	StdDev float64 `json:"std_dev"` // of a sample; 0 for a single value
	// Quantiles are those of 5, 25, 50, 75 and 95 %, linearly interpolated
	// (Hyndman and Fan 1996, type 7).
	Quantiles [5]float64 `json:"quantiles"`
	// Bars counts the values in 24 parts of equal width from Min to Max, each with its
	// lower end and the last with both; none for a single value.
	Bars []int64 `json:"bars,omitempty"`
}

// TimeProfile is the range of a datetime column.
type TimeProfile struct {
	Min  time.Time `json:"min"`
	Max  time.Time `json:"max"`
	Bars []int64   `json:"bars,omitempty"` // as of numbers
}

// ValueCount is a value of text and how often it comes.
type ValueCount struct {
	Value string `json:"value"` // cut after 100 characters
	Count int64  `json:"count"`
}

// topValues is how many of the commonest values a profile keeps.
const topValues = 10

// profileValues bounds the numbers that are in memory at once for quantiles.
const profileValues = 4 << 20

// profile describes each column of a canonical file.
func (s *Service) profile(ctx context.Context, path string,
	columns []Column) (rows int64, out []ColumnProfile, err error) {
	err = s.duck.query(ctx, "select count(*) from "+fromParquet(path), nil,
		func(r *sql.Rows) error { return r.Scan(&rows) })
	if err != nil {
		return 0, nil, fmt.Errorf("profile: %w", err)
	}
	out = make([]ColumnProfile, len(columns))
	var numbers []*ColumnProfile
	for i, c := range columns {
		out[i] = ColumnProfile{Name: c.Name, Type: c.Type}
		switch c.Type {
		case Double, Long:
			numbers = append(numbers, &out[i])
		case Datetime:
			err = s.profileTimes(ctx, path, &out[i])
		default:
			err = s.profileText(ctx, path, &out[i])
		}
		if err != nil {
			return 0, nil, fmt.Errorf("profile %q: %w", c.Name, err)
		}
	}
	at := int(min(max(profileValues/max(rows, 1), 1), 50))
	for group := range slices.Chunk(numbers, at) {
		if err := s.profileNumbers(ctx, path, group); err != nil {
			return 0, nil, fmt.Errorf("profile: %w", err)
		}
	}
	for i := range out {
		out[i].Nulls = rows - out[i].Count
	}
	if err := s.profileShapes(ctx, path, rows, out); err != nil {
		return 0, nil, fmt.Errorf("profile: %w", err)
	}
	return rows, out, nil
}

// numberFigures is how many results numbersOf has for one column.
const numberFigures = 11

// profileNumbers describes several numeric columns in one pass.
func (s *Service) profileNumbers(ctx context.Context, path string, group []*ColumnProfile) error {
	var figures, aggregates, values []string
	for i, cp := range group {
		f, a, v := numbersOf(i, cp)
		figures, aggregates, values = append(figures, f), append(aggregates, a), append(values, v)
	}
	query := "select " + strings.Join(figures, ", ") + " from (select " +
		strings.Join(aggregates, ", ") + " from (select " + strings.Join(values, ", ") +
		" from " + fromParquet(path) + "))"
	return s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		got := make([]sql.NullFloat64, numberFigures*len(group))
		dest := make([]any, len(got))
		for i := range got {
			dest[i] = &got[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		for i, cp := range group {
			cp.setNumbers(got[i*numberFigures:])
		}
		return nil
	})
}

// numbersOf is the SQL for the i-th column: what is selected from the aggregates,
// these, and the values that they are taken of.
func numbersOf(i int, cp *ColumnProfile) (figures, aggregates, values string) {
	finite := "cast(" + ident(cp.Name) + " as double)"
	if cp.Type == Double {
		finite = "case when isfinite(" + ident(cp.Name) + ") then " + ident(cp.Name) + " end"
	}
	n := strings.NewReplacer("#", strconv.Itoa(i))
	return n.Replace("n#, d#, lo#, hi#, m#, s#, q#[1], q#[2], q#[3], q#[4], q#[5]"),
		n.Replace(`count(v#) as n#, approx_count_distinct(v#) as d#, min(f#) as lo#, max(f#) as hi#,
			avg(f#) as m#, coalesce(stddev_samp(f#), 0) as s#,
			quantile_cont(f#, [0.05, 0.25, 0.5, 0.75, 0.95]) as q#`),
		ident(cp.Name) + n.Replace(" as v#, ") + finite + n.Replace(" as f#")
}

func (cp *ColumnProfile) setNumbers(f []sql.NullFloat64) {
	cp.Count, cp.Distinct = int64(f[0].Float64), min(int64(f[0].Float64), int64(f[1].Float64))
	if !f[2].Valid {
		return
	}
	cp.Numbers = &NumberProfile{
		Min: f[2].Float64, Max: f[3].Float64, Mean: f[4].Float64, StdDev: f[5].Float64,
	}
	for i := range cp.Numbers.Quantiles {
		cp.Numbers.Quantiles[i] = f[6+i].Float64
	}
}

func (s *Service) profileTimes(ctx context.Context, path string, cp *ColumnProfile) error {
	query := fmt.Sprintf(`select count(v), approx_count_distinct(v), epoch_us(min(v)),
		epoch_us(max(v)) from (select %s as v from %s)`, ident(cp.Name), fromParquet(path))
	return s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		var a, b sql.NullInt64
		if err := rows.Scan(&cp.Count, &cp.Distinct, &a, &b); err != nil {
			return err
		}
		cp.Distinct = min(cp.Distinct, cp.Count)
		if a.Valid {
			cp.Times = &TimeProfile{Min: time.UnixMicro(a.Int64).UTC(),
				Max: time.UnixMicro(b.Int64).UTC()}
		}
		return nil
	})
}

func (s *Service) profileText(ctx context.Context, path string, cp *ColumnProfile) error {
	from := fmt.Sprintf("(select cast(%s as varchar) as v from %s) where v is not null",
		ident(cp.Name), fromParquet(path))
	err := s.duck.query(ctx, "select count(*), approx_count_distinct(v) from "+from, nil,
		func(rows *sql.Rows) error { return rows.Scan(&cp.Count, &cp.Distinct) })
	if err != nil {
		return err
	}
	cp.Distinct = min(cp.Distinct, cp.Count)
	query := fmt.Sprintf("select v, count(*) from %s group by v order by 2 desc, 1 limit %d",
		from, topValues)
	return s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		var v ValueCount
		if err := rows.Scan(&v.Value, &v.Count); err != nil {
			return err
		}
		v.Value = cut(v.Value)
		cp.Top = append(cp.Top, v)
		return nil
	})
}

// cut keeps profiles small where values are long texts.
func cut(v string) string {
	const limit = 100
	if r := []rune(v); len(r) > limit {
		return string(r[:limit]) + "…"
	}
	return strings.Clone(v)
}
