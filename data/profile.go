package data

import (
	"context"
	"database/sql"
	"fmt"
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
	Distinct int64          `json:"distinct"` // estimate (HyperLogLog, about 2 % off)
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
}

// TimeProfile is the range of a datetime column.
type TimeProfile struct {
	Min time.Time `json:"min"`
	Max time.Time `json:"max"`
}

// ValueCount is a value of text and how often it comes.
type ValueCount struct {
	Value string `json:"value"` // cut after 100 characters
	Count int64  `json:"count"`
}

// topValues is how many of the commonest values a profile keeps.
const topValues = 10

// profile describes each column of a canonical file, one at a time, so that the
// memory needed is that of one column.
func (s *Service) profile(ctx context.Context, path string,
	columns []Column) (rows int64, out []ColumnProfile, err error) {
	err = s.duck.query(ctx, "select count(*) from "+fromParquet(path), nil,
		func(r *sql.Rows) error { return r.Scan(&rows) })
	for _, c := range columns {
		if err != nil {
			break
		}
		cp := ColumnProfile{Name: c.Name, Type: c.Type}
		err = s.profileColumn(ctx, path, &cp)
		cp.Nulls = rows - cp.Count
		out = append(out, cp)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("profile: %w", err)
	}
	return rows, out, nil
}

func (s *Service) profileColumn(ctx context.Context, path string, cp *ColumnProfile) error {
	switch cp.Type {
	case Double, Long:
		return s.profileNumbers(ctx, path, cp)
	case Datetime:
		return s.profileTimes(ctx, path, cp)
	}
	return s.profileText(ctx, path, cp)
}

func (s *Service) profileNumbers(ctx context.Context, path string, cp *ColumnProfile) error {
	query := fmt.Sprintf(`select count(v), approx_count_distinct(v), min(f), max(f), avg(f),
		coalesce(stddev_samp(f), 0), quantile_cont(f, 0.05), quantile_cont(f, 0.25),
		quantile_cont(f, 0.5), quantile_cont(f, 0.75), quantile_cont(f, 0.95)
		from (select v, case when isfinite(cast(v as double)) then cast(v as double) end as f
			from (select %s as v from %s))`, ident(cp.Name), fromParquet(path))
	return s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		var f [9]sql.NullFloat64
		if err := rows.Scan(&cp.Count, &cp.Distinct, &f[0], &f[1], &f[2], &f[3],
			&f[4], &f[5], &f[6], &f[7], &f[8]); err != nil {
			return err
		}
		if !f[0].Valid {
			return nil
		}
		n := &NumberProfile{Min: f[0].Float64, Max: f[1].Float64, Mean: f[2].Float64, StdDev: f[3].Float64}
		for i := range n.Quantiles {
			n.Quantiles[i] = f[4+i].Float64
		}
		cp.Numbers = n
		return nil
	})
}

func (s *Service) profileTimes(ctx context.Context, path string, cp *ColumnProfile) error {
	query := fmt.Sprintf(`select count(v), approx_count_distinct(v), epoch_us(min(v)),
		epoch_us(max(v)) from (select %s as v from %s)`, ident(cp.Name), fromParquet(path))
	return s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		var a, b sql.NullInt64
		if err := rows.Scan(&cp.Count, &cp.Distinct, &a, &b); err != nil {
			return err
		}
		if a.Valid {
			cp.Times = &TimeProfile{time.UnixMicro(a.Int64).UTC(), time.UnixMicro(b.Int64).UTC()}
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
