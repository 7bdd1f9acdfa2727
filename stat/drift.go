package stat

import (
	"math"

	"github.com/fairlead-ml/fairlead"
	"gonum.org/v1/gonum/stat/distuv"
)

// PSI returns the population stability index of current against the reference h,
// the sum of (c_i - r_i) ln(c_i / r_i) over the bins and the shares missing,
// below and above (Siddiqi 2006, Credit Risk Scorecards). It is 0 or more, and
// symmetric. Usual reading: below 0.1 stable, above 0.2 drifted; but with few
// rows, compare with PSICritical first.
//
// Smoothing: a share is (count + 1/2) / (total + bins/2) over the bins that
// either side has seen, so an empty bin gives a large and finite value, and a
// bin that both sides leave empty gives nothing.
func (h *Histogram) PSI(current *Histogram) (float64, error) {
	if err := h.comparable(current); err != nil {
		return 0, err
	}
	return psi(h.cells(), current.cells())
}

// PSI is the same as Histogram.PSI over the names and the shares other and
// missing.
func (c *Categories) PSI(current *Categories) (float64, error) {
	if err := c.comparable(current); err != nil {
		return 0, err
	}
	return psi(c.cells(), current.cells())
}

// PSICritical returns the PSI that n reference and m current rows over bins bins
// exceed with probability alpha (0 < alpha < 1) when nothing drifts: PSI / (1/n + 1/m)
// is then about chi-squared with bins-1 degrees of freedom (Yurdakul and Naranjo 2020,
// Statistical properties of the population stability index). A threshold below it
// alarms on noise: a window of 72 rows on 10 bins against a reference of 1,416 has 0.13
// on average. It is 0 for fewer than two bins and infinite without rows.
//
// For bins pass len(Counts), and one more for each of missing, below, above and other
// that either side has seen.
func PSICritical(bins int, n, m uint64, alpha float64) float64 {
	if bins < 2 {
		return 0
	}
	limit := distuv.ChiSquared{K: float64(bins - 1)}.Quantile(1 - alpha)
	return limit * (1/float64(n) + 1/float64(m))
}

// Cell is one addend of a PSI: what was counted in one bin, or beside the bins.
type Cell struct {
	// Kind is range, name, missing, below, above or other.
	Kind string
	// Low and High are the edges of a range; a range of one value has both equal.
	Low, High float64
	// Name is that of a category.
	Name      string
	Reference uint64
	Current   uint64
	// PSI is what the cell adds to the whole, 0 or more.
	PSI float64
}

// Cells returns what the PSI of current against the reference h is the sum of, in the
// order of the values: below, the bins, above, missing.
func (h *Histogram) Cells(current *Histogram) ([]Cell, error) {
	if err := h.comparable(current); err != nil {
		return nil, err
	}
	adds, err := psiTerms(h.cells(), current.cells())
	if err != nil {
		return nil, err
	}
	out := []Cell{{Kind: "below", Reference: h.Below, Current: current.Below, PSI: adds[1]}}
	for i, n := range h.Counts {
		out = append(out, Cell{Kind: "range", Low: h.Edges[i], High: h.Edges[i+1], Reference: n,
			Current: current.Counts[i], PSI: adds[3+i]})
	}
	return append(out,
		Cell{Kind: "above", Reference: h.Above, Current: current.Above, PSI: adds[2]},
		Cell{Kind: "missing", Reference: h.Missing, Current: current.Missing, PSI: adds[0]}), nil
}

// Cells is the same over the names, other and missing.
func (c *Categories) Cells(current *Categories) ([]Cell, error) {
	if err := c.comparable(current); err != nil {
		return nil, err
	}
	adds, err := psiTerms(c.cells(), current.cells())
	if err != nil {
		return nil, err
	}
	var out []Cell
	for i, n := range c.Counts {
		out = append(out, Cell{Kind: "name", Name: c.Names[i], Reference: n,
			Current: current.Counts[i], PSI: adds[2+i]})
	}
	return append(out,
		Cell{Kind: "other", Reference: c.Other, Current: current.Other, PSI: adds[1]},
		Cell{Kind: "missing", Reference: c.Missing, Current: current.Missing, PSI: adds[0]}), nil
}

// cells returns all counts of h, in an order that is the same for equal edges.
func (h *Histogram) cells() []uint64 {
	return append([]uint64{h.Missing, h.Below, h.Above}, h.Counts...)
}

func (c *Categories) cells() []uint64 {
	return append([]uint64{c.Missing, c.Other}, c.Counts...)
}

func psi(reference, current []uint64) (float64, error) {
	adds, err := psiTerms(reference, current)
	total := 0.0
	for _, v := range adds {
		total += v
	}
	return total, err
}

// psiTerms returns what each cell adds to the PSI.
func psiTerms(reference, current []uint64) ([]float64, error) {
	n, m := sum(reference), sum(current)
	if n == 0 || m == 0 {
		return nil, emptySide(n, m)
	}
	seen := 0.0
	for i := range reference {
		if reference[i]+current[i] > 0 {
			seen++
		}
	}
	adds := make([]float64, len(reference))
	for i := range reference {
		if reference[i]+current[i] == 0 {
			continue
		}
		r := (float64(reference[i]) + 0.5) / (float64(n) + seen/2)
		c := (float64(current[i]) + 0.5) / (float64(m) + seen/2)
		adds[i] = (c - r) * math.Log(c/r)
	}
	return adds, nil
}

func emptySide(reference, current uint64) error {
	return fairlead.Errorf(fairlead.Precondition,
		"drift needs values on both sides; the reference has %d and the window %d",
		reference, current)
}
