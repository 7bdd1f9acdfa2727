package data

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// profileBars is into how many parts of equal width a profile divides a column's range.
const profileBars = 24

// profileShapes counts the values of the columns that have a range, in parts of it.
func (s *Service) profileShapes(ctx context.Context, path string, rows int64,
	profile []ColumnProfile) error {
	var ranged []*ColumnProfile
	for i := range profile {
		if cp := &profile[i]; cp.ranged() {
			ranged = append(ranged, cp)
		}
	}
	at := int(min(max(profileValues/max(rows, 1), 1), 50))
	for group := range slices.Chunk(ranged, at) {
		if err := s.countBars(ctx, path, group); err != nil {
			return err
		}
	}
	return nil
}

// ranged reports whether the column has values of more than one size.
func (cp *ColumnProfile) ranged() bool {
	return cp.Numbers != nil && cp.Numbers.Min < cp.Numbers.Max ||
		cp.Times != nil && cp.Times.Min.Before(cp.Times.Max)
}

func (s *Service) countBars(ctx context.Context, path string, group []*ColumnProfile) error {
	selects := make([]string, len(group))
	for i, cp := range group {
		selects[i] = "histogram(" + cp.bar() + ")"
	}
	query := "select " + strings.Join(selects, ", ") + " from " + fromParquet(path)
	return s.duck.query(ctx, query, nil, func(r *sql.Rows) error {
		counts := make([]any, len(group))
		dest := make([]any, len(group))
		for i := range counts {
			dest[i] = &counts[i]
		}
		if err := r.Scan(dest...); err != nil {
			return err
		}
		for i, cp := range group {
			bars, err := barsOf(counts[i])
			if err != nil {
				return fmt.Errorf("profile %q: %w", cp.Name, err)
			}
			cp.setBars(bars)
		}
		return nil
	})
}

// bar is the SQL for which part of the range a value is in. Halves keep the width of the
// widest range finite.
func (cp *ColumnProfile) bar() string {
	value, low, high := "cast("+ident(cp.Name)+" as double)", 0.0, 0.0
	if cp.Times != nil {
		value = "cast(epoch_us(" + ident(cp.Name) + ") as double)"
		low, high = float64(cp.Times.Min.UnixMicro()), float64(cp.Times.Max.UnixMicro())
	} else {
		low, high = cp.Numbers.Min, cp.Numbers.Max
	}
	part := fmt.Sprintf("floor((%s / 2 - %s) / %s * %d)", value, exact(low/2), exact(high/2-low/2),
		profileBars)
	return fmt.Sprintf("case when isfinite(%s) then cast(greatest(0, least(%s, %d)) as integer) end",
		value, part, profileBars-1)
}

// exact writes a double for SQL.
func exact(v float64) string { return "cast('" + strconv.FormatFloat(v, 'g', -1, 64) + "' as double)" }

// barsOf reads DuckDB's map of parts and their counts.
func barsOf(counts any) ([]int64, error) {
	m, ok := counts.(duckdb.OrderedMap)
	if !ok {
		return nil, fmt.Errorf("a histogram is %T", counts)
	}
	bars := make([]int64, profileBars)
	values := m.Values()
	for i, key := range m.Keys() {
		part, ok := key.(int32)
		n, counted := values[i].(uint64)
		if !ok || !counted || part < 0 || part >= profileBars {
			return nil, fmt.Errorf("a histogram has %v: %v", key, values[i])
		}
		bars[part] = int64(n)
	}
	return bars, nil
}

func (cp *ColumnProfile) setBars(bars []int64) {
	if cp.Times != nil {
		cp.Times.Bars = bars
		return
	}
	cp.Numbers.Bars = bars
}

// Described is Get with a whole profile: that of a version which was made before
// profiles had bars is completed, and kept so. Of a holdout it stays as it is, since
// that would be a read.
func (s *Service) Described(ctx context.Context, p fairlead.Project, ref Ref) (*Version, error) {
	v, err := s.Get(ctx, p, ref)
	if err != nil || v.HeldBack() || !slices.ContainsFunc(v.Profile, func(cp ColumnProfile) bool {
		return cp.ranged() && !cp.hasBars()
	}) {
		return v, err
	}
	path, err := s.Path(ctx, p, ref)
	if err != nil {
		return nil, err
	}
	if err := s.profileShapes(ctx, path, v.Rows, v.Profile); err != nil {
		return nil, fmt.Errorf("profile %s: %w", ref, err)
	}
	text, err := json.Marshal(v.Profile)
	if err != nil {
		return nil, err
	}
	err = s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		return updateProfile(tx, p, ref, string(text))
	})
	if err != nil {
		return nil, fmt.Errorf("keep the profile of %s: %w", ref, err)
	}
	return v, nil
}

func (cp *ColumnProfile) hasBars() bool {
	return cp.Numbers != nil && cp.Numbers.Bars != nil || cp.Times != nil && cp.Times.Bars != nil
}
