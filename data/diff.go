package data

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
)

// The bounds of a comparison.
const (
	diffTime    = 20 * time.Second
	diffsAtOnce = 2         // of one server: each holds columns in memory, the others wait
	diffRows    = 1_000_000 // of a version whose distributions are counted, the last ones
	diffColumns = 200       // whose distributions are counted, the first ones
	diffBins    = 10        // of a PSI, as monitoring has them
	diffNames   = 20        // categories that are named
	diffAlpha   = 0.01      // how often chance alone exceeds ColumnDiff.ByChance
)

// Diff is what is different between two versions.
type Diff struct {
	From    *Version     `json:"from"` // without profiles, as To
	To      *Version     `json:"to"`
	Columns []ColumnDiff `json:"columns"` // in the order of To, and then those that are gone
	// Rows are compared by the column Key of both; why they are not, NoRows says.
	Rows   *RowDiff `json:"rows,omitempty"`
	NoRows string   `json:"no_rows,omitempty"`
	// Closed says that a holdout is compared by its profile alone: who asks has not said
	// why they look at its rows.
	Closed  bool  `json:"closed,omitempty"`
	Sampled int64 `json:"sampled,omitempty"` // distributions are those of the last so many rows
}

// What became of a column.
const (
	ColumnSame    = "same"
	ColumnAdded   = "added"
	ColumnRemoved = "removed"
	ColumnRetyped = "retyped"
)

// ColumnDiff compares a column.
type ColumnDiff struct {
	Name  string         `json:"name"`
	State string         `json:"state"`          // same | added | removed | retyped
	From  *ColumnProfile `json:"from,omitempty"` // where it is there
	To    *ColumnProfile `json:"to,omitempty"`
	// Shape is how its values are distributed, where both have the type and there was time
	// to count them.
	Shape *Shape `json:"shape,omitempty"`
}

// Shape is the distribution of a column in both versions on the same parts.
type Shape struct {
	Edges []float64 `json:"edges,omitempty"` // of numbers and times (Unix microseconds), [parts+1]
	Names []string  `json:"names,omitempty"` // of text and booleans, the commonest of both; "" is a value
	From  []int64   `json:"from"`            // how many values are in each part
	To    []int64   `json:"to"`
	// PSI is the population stability index over bins that From fills alike (see
	// stat.Histogram.PSI); of times there is none. ByChance is what it exceeds once in a
	// hundred times when nothing has changed.
	PSI      *float64 `json:"psi,omitempty"`
	ByChance float64  `json:"by_chance,omitempty"`
	New      Values   `json:"new"`  // that only To has, of text and booleans
	Lost     Values   `json:"lost"` // that only From has
}

// Values are some values of a column, the commonest, and how many there are in all.
type Values struct {
	Distinct int64        `json:"distinct"`
	Rows     int64        `json:"rows"`
	Top      []ValueCount `json:"top"`
}

// Diff compares two versions, also of different datasets. Rows are compared by key, a
// column of both; empty: the one that the versions name. It is bounded in time: columns
// that there is no time for have no Shape, and rows say so (NoRows). Of more than a million
// rows the distributions are those of the last.
func (s *Service) Diff(ctx context.Context, p fairlead.Project, from, to Ref, key string) (*Diff,
	error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.diffTime, errDiffTime)
	defer cancel()
	select {
	case s.diffs <- struct{}{}:
		defer func() { <-s.diffs }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	d, err := s.diff(ctx, p, from, to, key)
	if err != nil && context.Cause(ctx) == errDiffTime {
		return nil, errDiffTime
	}
	return d, err
}

var errDiffTime = fairlead.Errorf(fairlead.Precondition,
	"the comparison took longer than %s, in which it may have waited for others, and was ended; "+
		"compare what you need by SQL", diffTime)

func (s *Service) diff(ctx context.Context, p fairlead.Project, from, to Ref, key string) (*Diff,
	error) {
	d := &Diff{}
	var err error
	if d.From, err = s.Described(ctx, p, from); err != nil {
		return nil, err
	}
	if d.To, err = s.Described(ctx, p, to); err != nil {
		return nil, err
	}
	d.compareColumns()
	err = cmp.Or(s.mayLook(ctx, p, d.From), s.mayLook(ctx, p, d.To))
	if d.Closed = fairlead.Is(err, fairlead.Precondition); !d.Closed && err == nil {
		if err = s.compareContent(ctx, p, d, key); context.Cause(ctx) == errDiffTime {
			d.Rows, d.NoRows, err = nil, "that took too long; compare what you need by SQL", nil
		}
	} else if d.Closed {
		err = nil
		d.NoRows = "a holdout's rows are compared once you have said why you look at them"
	}
	from1, to1 := *d.From, *d.To
	from1.Profile, to1.Profile = nil, nil
	d.From, d.To = &from1, &to1
	return d, err
}

func (d *Diff) compareColumns() {
	before := map[string]*ColumnProfile{}
	for i := range d.From.Profile {
		before[d.From.Profile[i].Name] = &d.From.Profile[i]
	}
	for i := range d.To.Profile {
		c := ColumnDiff{Name: d.To.Profile[i].Name, State: ColumnAdded, To: &d.To.Profile[i]}
		if c.From = before[c.Name]; c.From != nil {
			c.State = ColumnSame
			if c.From.Type != c.To.Type {
				c.State = ColumnRetyped
			}
		}
		delete(before, c.Name)
		d.Columns = append(d.Columns, c)
	}
	for i := range d.From.Profile {
		if c := &d.From.Profile[i]; before[c.Name] != nil {
			d.Columns = append(d.Columns, ColumnDiff{Name: c.Name, State: ColumnRemoved, From: c})
		}
	}
}

// comparable reports whether the values of both can be compared.
func (c *ColumnDiff) comparable() bool {
	return c.State == ColumnSame || c.State == ColumnRetyped && numeric(c.From.Type) && numeric(c.To.Type)
}

// compareContent looks into both files.
func (s *Service) compareContent(ctx context.Context, p fairlead.Project, d *Diff, key string) error {
	from, err := s.Path(ctx, p, d.From.Ref())
	if err != nil {
		return err
	}
	to, err := s.Path(ctx, p, d.To.Ref())
	if err != nil {
		return err
	}
	if max(d.From.Rows, d.To.Rows) > diffRows {
		d.Sampled = diffRows
	}
	for i := range d.Columns {
		c := &d.Columns[i]
		if end, ok := ctx.Deadline(); ok && time.Until(end) < s.diffTime/2 {
			break // the other half is for the rows
		}
		if i >= diffColumns || !c.comparable() {
			continue
		}
		a, err := s.ReadLast(ctx, from, []string{c.Name}, diffRows)
		if err != nil {
			return err
		}
		b, err := s.ReadLast(ctx, to, []string{c.Name}, diffRows)
		if err != nil {
			return err
		}
		if c.Shape, err = shapeOf(&a.Columns[0], &b.Columns[0]); err != nil {
			return err
		}
	}
	return s.compareRows(ctx, d, from, to, key)
}

// shapeOf counts the values of a column in both versions.
func shapeOf(a, b *TableColumn) (*Shape, error) {
	if a.Len()+b.Len() == 0 {
		return nil, nil
	}
	switch a.Type {
	case String, Boolean:
		return shapeOfNames(namesOf(a), namesOf(b), a.Len(), b.Len())
	case Datetime:
		return shapeOfNumbers(microsOf(a), microsOf(b), false), nil
	}
	sh := shapeOfNumbers(a.Floats, b.Floats, a.Type == Long && b.Type == Long)
	return sh, sh.measure(a.Floats, b.Floats)
}

func microsOf(c *TableColumn) []float64 {
	out := make([]float64, len(c.Times))
	for i, t := range c.Times {
		out[i] = math.NaN()
		if !t.IsZero() {
			out[i] = float64(t.UnixMicro())
		}
	}
	return out
}

// shapeOfNumbers counts on parts of equal width over the range of both; whole numbers
// that are few have a part each.
func shapeOfNumbers(a, b []float64, whole bool) *Shape {
	sh := &Shape{New: Values{Top: []ValueCount{}}, Lost: Values{Top: []ValueCount{}}}
	low, high := math.Inf(1), math.Inf(-1)
	for _, values := range [][]float64{a, b} {
		for _, v := range values {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if low > high {
		return sh
	}
	parts := profileBars
	switch {
	case low == high:
		parts = 1
	case whole && high-low < 2*profileBars:
		low, high = low-0.5, high+0.5
		parts = int(high - low)
	}
	for i := range parts + 1 {
		share := float64(i) / float64(parts)
		sh.Edges = append(sh.Edges, low*(1-share)+high*share)
	}
	sh.From, sh.To = countIn(sh.Edges, a), countIn(sh.Edges, b)
	return sh
}

// countIn counts the finite values in each part; the last one has both ends.
func countIn(edges, values []float64) []int64 {
	out := make([]int64, len(edges)-1)
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		i, found := slices.BinarySearch(edges, v)
		if !found {
			i--
		}
		out[min(max(i, 0), len(out)-1)]++
	}
	return out
}

// measure sets the PSI, on the bins that monitoring would use.
func (sh *Shape) measure(a, b []float64) error {
	reference, err := stat.NewHistogram(stat.Edges(a, diffBins))
	if err != nil {
		return err
	}
	current, err := stat.NewHistogram(reference.Edges)
	if err != nil {
		return err
	}
	for _, v := range a {
		reference.Add(v)
	}
	for _, v := range b {
		current.Add(v)
	}
	bins := len(reference.Counts)
	for _, seen := range []uint64{reference.Missing + current.Missing, reference.Below + current.Below,
		reference.Above + current.Above} {
		if seen > 0 {
			bins++
		}
	}
	sh.compare(reference.PSI(current))
	sh.ByChance = stat.PSICritical(bins, reference.Total(), current.Total(), diffAlpha)
	return nil
}

// compare sets the PSI; there is none where a side has no rows.
func (sh *Shape) compare(psi float64, err error) {
	if err == nil && !math.IsInf(psi, 0) {
		sh.PSI = &psi
	}
}

// namesOf are a column's values that are present, as text.
func namesOf(c *TableColumn) []string {
	out := make([]string, 0, c.Len())
	for i := range c.Len() {
		switch {
		case c.Missing(i):
		case c.Type == String:
			out = append(out, c.Strings[i])
		case c.Floats[i] != 0:
			out = append(out, "true")
		default:
			out = append(out, "false")
		}
	}
	return out
}

// shapeOfNames counts texts, n and m rows with them.
func shapeOfNames(a, b []string, n, m int) (*Shape, error) {
	before, after := countNames(a), countNames(b)
	sh := &Shape{New: only(after, before), Lost: only(before, after)}
	both := append(slices.Clone(stat.TopCategories(a, diffBins)), stat.TopCategories(b, diffBins)...)
	slices.SortStableFunc(both, func(x, y string) int {
		return cmp.Compare(before[y]+after[y], before[x]+after[x])
	})
	for _, name := range both {
		if slices.Contains(sh.Names, name) {
			continue
		}
		sh.Names = append(sh.Names, name)
		sh.From, sh.To = append(sh.From, before[name]), append(sh.To, after[name])
	}
	psi, bins, err := psiOfNames(a, b, n-len(a), m-len(b))
	if err != nil {
		return nil, err
	}
	sh.PSI = psi
	sh.ByChance = stat.PSICritical(bins, uint64(n), uint64(m), diffAlpha)
	for i, name := range sh.Names {
		sh.Names[i] = cut(name)
	}
	return sh, nil
}

func psiOfNames(a, b []string, missingA, missingB int) (psi *float64, bins int, err error) {
	reference, err := stat.NewCategories(stat.TopCategories(a, diffNames))
	if err != nil {
		return nil, 0, err
	}
	current, err := stat.NewCategories(reference.Names)
	if err != nil {
		return nil, 0, err
	}
	for _, v := range a {
		reference.Add(v)
	}
	for _, v := range b {
		current.Add(v)
	}
	reference.Missing, current.Missing = uint64(missingA), uint64(missingB)
	bins = len(reference.Names)
	for _, seen := range []uint64{reference.Missing + current.Missing, reference.Other + current.Other} {
		if seen > 0 {
			bins++
		}
	}
	sh := &Shape{}
	sh.compare(reference.PSI(current))
	return sh.PSI, bins, nil
}

func countNames(values []string) map[string]int64 {
	out := map[string]int64{}
	for _, v := range values {
		out[v]++
	}
	return out
}

// only are the values that there are here and not there.
func only(here, there map[string]int64) Values {
	out := Values{Top: []ValueCount{}}
	for name, n := range here {
		if there[name] == 0 {
			out.Distinct++
			out.Rows += n
			out.Top = append(out.Top, ValueCount{name, n})
		}
	}
	slices.SortFunc(out.Top, func(a, b ValueCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value))
	})
	out.Top = out.Top[:min(len(out.Top), diffNames)]
	for i := range out.Top {
		out.Top[i].Value = cut(out.Top[i].Value)
	}
	return out
}
