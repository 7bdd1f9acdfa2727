package monitor

import (
	"fmt"
	"math"

	"github.com/fairlead-ml/fairlead/stat"
)

// The resolution of a reference: quantile bins of a number, names of a text.
const (
	referenceBins       = 10
	referenceCategories = 20
)

// Feature is the distribution of one input; exactly one form is set.
type Feature struct {
	Name       string           `json:"name"`
	Histogram  *stat.Histogram  `json:"histogram,omitempty"`
	Categories *stat.Categories `json:"categories,omitempty"`
}

// newFeature chooses bins from the column's values and counts all of them.
func newFeature(c *column) (*Feature, error) {
	f := &Feature{Name: c.name}
	var err error
	if c.text {
		var present []string
		for i, v := range c.strings {
			if !c.missing[i] {
				present = append(present, v)
			}
		}
		f.Categories, err = stat.NewCategories(stat.TopCategories(present, referenceCategories))
	} else {
		f.Histogram, err = stat.NewHistogram(stat.Edges(c.floats, referenceBins))
	}
	if err != nil {
		return nil, fmt.Errorf("reference of %s: %w", c.name, err)
	}
	for i := range c.len() {
		f.addRow(c, i)
	}
	return f, nil
}

// empty returns the feature's bins without counts.
func (f *Feature) empty() (*Feature, error) {
	out := &Feature{Name: f.Name}
	var err error
	if f.Categories != nil {
		out.Categories, err = stat.NewCategories(f.Categories.Names)
	} else {
		out.Histogram, err = stat.NewHistogram(f.Histogram.Edges)
	}
	return out, err
}

func (f *Feature) addRow(c *column, row int) {
	switch {
	case f.Histogram != nil:
		f.Histogram.Add(c.floats[row])
	case c.missing[row]:
		f.Categories.AddMissing()
	default:
		f.Categories.Add(c.strings[row])
	}
}

// addValue counts a value of a request, as JSON has it. A value of another type
// than the reference's is not missing: it is one that was never seen.
func (f *Feature) addValue(v any) {
	if b, ok := v.(bool); ok {
		v = 0.0
		if b {
			v = 1.0
		}
	}
	x, numeric := v.(float64)
	text, isText := v.(string)
	switch {
	case f.Histogram != nil && numeric:
		f.Histogram.Add(x)
	case f.Histogram != nil && isText:
		f.Histogram.Add(math.Inf(1))
	case f.Histogram != nil:
		f.Histogram.Add(math.NaN())
	case isText:
		f.Categories.Add(text)
	case numeric:
		f.Categories.Add(number(x))
	default:
		f.Categories.AddMissing()
	}
}

// counts returns what was counted, as setCounts takes it: missing, below and above, and the
// bins; missing, other, and the names.
func (f *Feature) counts() []uint64 {
	if c := f.Categories; c != nil {
		return append([]uint64{c.Missing, c.Other}, c.Counts...)
	}
	h := f.Histogram
	return append([]uint64{h.Missing, h.Below, h.Above}, h.Counts...)
}

// setCounts is the inverse of counts; false when they are not of these bins.
func (f *Feature) setCounts(n []uint64) bool {
	if len(n) != len(f.counts()) {
		return false
	}
	if c := f.Categories; c != nil {
		c.Missing, c.Other = n[0], n[1]
		copy(c.Counts, n[2:])
		return true
	}
	h := f.Histogram
	h.Missing, h.Below, h.Above = n[0], n[1], n[2]
	copy(h.Counts, n[3:])
	return true
}

func (f *Feature) total() uint64 {
	if f.Categories != nil {
		return f.Categories.Total()
	}
	return f.Histogram.Total()
}

// without returns the feature's counts less those of a part of it.
func (f *Feature) without(part *Feature) (*Feature, error) {
	out, err := f.empty()
	if err != nil {
		return nil, err
	}
	if f.Categories != nil {
		minus(out.Categories.Counts, f.Categories.Counts, part.Categories.Counts)
		out.Categories.Other = f.Categories.Other - part.Categories.Other
		out.Categories.Missing = f.Categories.Missing - part.Categories.Missing
		return out, nil
	}
	h, o, p := f.Histogram, out.Histogram, part.Histogram
	minus(o.Counts, h.Counts, p.Counts)
	o.Missing, o.Below, o.Above = h.Missing-p.Missing, h.Below-p.Below, h.Above-p.Above
	return out, nil
}

func minus(out, a, b []uint64) {
	for i := range out {
		out[i] = a[i] - b[i]
	}
}

// psi compares current, counted on the same bins, with the reference f.
func (f *Feature) psi(current *Feature) (float64, error) {
	if f.Categories != nil {
		return f.Categories.PSI(current.Categories)
	}
	return f.Histogram.PSI(current.Histogram)
}

// chance is the PSI that independent rows exceed with probability alpha when nothing
// drifts.
func (f *Feature) chance(current *Feature, alpha float64) float64 {
	return stat.PSICritical(f.cells(current), f.total(), current.total(), alpha)
}

// cells counts the bins, and what else either side has seen.
func (f *Feature) cells(current *Feature) int {
	a, b := f, current
	if f.Categories != nil {
		return len(f.Categories.Counts) + seen(a.Categories.Other, b.Categories.Other) +
			seen(a.Categories.Missing, b.Categories.Missing)
	}
	return len(f.Histogram.Counts) + seen(a.Histogram.Missing, b.Histogram.Missing) +
		seen(a.Histogram.Below, b.Histogram.Below) + seen(a.Histogram.Above, b.Histogram.Above)
}

func seen(a, b uint64) int {
	if a > 0 || b > 0 {
		return 1
	}
	return 0
}

// missing and outside are shares of all rows: without a value, and with one that
// the reference has no bin for.
func (f *Feature) missing() float64 {
	if f.Categories != nil {
		return share(f.Categories.Missing, f.total())
	}
	return share(f.Histogram.Missing, f.total())
}

func (f *Feature) outside() float64 {
	if f.Categories != nil {
		return share(f.Categories.Other, f.total())
	}
	return share(f.Histogram.Below+f.Histogram.Above, f.total())
}

func share(n, total uint64) float64 {
	if total == 0 {
		return 0
	}
	return float64(n) / float64(total)
}
