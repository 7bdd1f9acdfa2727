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
// rows, compare with PSIBaseline first.
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

// PSIBaseline returns the PSI to expect of n reference and m current rows over
// bins bins when nothing drifts: (bins-1)(1/n + 1/m), as PSI / (1/n + 1/m) is
// then about chi-squared with bins-1 degrees of freedom (Yurdakul and Naranjo
// 2020, Statistical properties of the population stability index). A window of
// 72 rows on 10 bins against a reference of 1,416 has 0.13, so that a fixed limit
// of 0.1 would mostly alarm on noise. It is 0 for fewer than two bins and infinite
// without rows.
//
// For bins pass len(Counts), and one more for each of missing, below, above and
// other that either side has seen.
func PSIBaseline(bins int, n, m uint64) float64 {
	if bins < 2 {
		return 0
	}
	return float64(bins-1) * (1/float64(n) + 1/float64(m))
}

// PSICritical returns the PSI that bins bins without drift exceed with
// probability alpha (0 < alpha < 1), by the same approximation as PSIBaseline. A
// threshold below it alarms on noise.
func PSICritical(bins int, n, m uint64, alpha float64) float64 {
	if bins < 2 {
		return 0
	}
	limit := distuv.ChiSquared{K: float64(bins - 1)}.Quantile(1 - alpha)
	return limit * (1/float64(n) + 1/float64(m))
}

// JensenShannon returns the Jensen-Shannon distance, the square root of the
// divergence to base 2, over the same shares as PSI without smoothing: 0 for
// equal shares, 1 for disjoint ones (Lin 1991; Endres and Schindelin 2003).
func (h *Histogram) JensenShannon(current *Histogram) (float64, error) {
	if err := h.comparable(current); err != nil {
		return 0, err
	}
	return jensenShannon(h.cells(), current.cells())
}

// JensenShannon is the same as Histogram.JensenShannon over the names and the
// shares other and missing.
func (c *Categories) JensenShannon(current *Categories) (float64, error) {
	if err := c.comparable(current); err != nil {
		return 0, err
	}
	return jensenShannon(c.cells(), current.cells())
}

// KS returns the largest distance between the two distribution functions at the
// edges, missing values left out: a lower bound of the two-sample
// Kolmogorov-Smirnov statistic, from 0 to 1, at most one bin's share too low.
func (h *Histogram) KS(current *Histogram) (float64, error) {
	differences, err := h.cumulativeDifferences(current)
	if err != nil {
		return 0, err
	}
	largest := 0.0
	for _, d := range differences {
		largest = max(largest, math.Abs(d))
	}
	return largest, nil
}

// Wasserstein returns the area between the two distribution functions, the
// first Wasserstein distance in the column's own unit, with values spread evenly
// within a bin, missing ones left out, and those out of range at the nearest
// edge, which makes it a lower bound when there are any.
func (h *Histogram) Wasserstein(current *Histogram) (float64, error) {
	differences, err := h.cumulativeDifferences(current)
	if err != nil {
		return 0, err
	}
	area := 0.0
	for i := 1; i < len(differences); i++ {
		width := h.Edges[i] - h.Edges[i-1]
		area += width * meanAbsolute(differences[i-1], differences[i])
	}
	return area, nil
}

// meanAbsolute returns the mean of |x| while x goes evenly from a to b.
func meanAbsolute(a, b float64) float64 {
	size := math.Abs(a) + math.Abs(b)
	if a*b >= 0 {
		return size / 2
	}
	return (a*a + b*b) / (2 * size)
}

// cumulativeDifferences returns the current minus the reference share of present
// values up to each edge, [len(Edges)].
func (h *Histogram) cumulativeDifferences(current *Histogram) ([]float64, error) {
	if err := h.comparable(current); err != nil {
		return nil, err
	}
	n, m := h.Total()-h.Missing, current.Total()-current.Missing
	if n == 0 || m == 0 {
		return nil, emptySide(n, m)
	}
	differences := make([]float64, len(h.Edges))
	reference, now := h.Below, current.Below
	for i := range differences {
		if i > 0 {
			reference += h.Counts[i-1]
			now += current.Counts[i-1]
		}
		differences[i] = float64(now)/float64(m) - float64(reference)/float64(n)
	}
	return differences, nil
}

// cells returns all counts of h, in an order that is the same for equal edges.
func (h *Histogram) cells() []uint64 {
	return append([]uint64{h.Missing, h.Below, h.Above}, h.Counts...)
}

func (c *Categories) cells() []uint64 {
	return append([]uint64{c.Missing, c.Other}, c.Counts...)
}

func psi(reference, current []uint64) (float64, error) {
	n, m := sum(reference), sum(current)
	if n == 0 || m == 0 {
		return 0, emptySide(n, m)
	}
	seen := 0.0
	for i := range reference {
		if reference[i]+current[i] > 0 {
			seen++
		}
	}
	total := 0.0
	for i := range reference {
		if reference[i]+current[i] == 0 {
			continue
		}
		r := (float64(reference[i]) + 0.5) / (float64(n) + seen/2)
		c := (float64(current[i]) + 0.5) / (float64(m) + seen/2)
		total += (c - r) * math.Log(c/r)
	}
	return total, nil
}

func jensenShannon(reference, current []uint64) (float64, error) {
	n, m := sum(reference), sum(current)
	if n == 0 || m == 0 {
		return 0, emptySide(n, m)
	}
	divergence := 0.0
	for i := range reference {
		r, c := float64(reference[i])/float64(n), float64(current[i])/float64(m)
		middle := (r + c) / 2
		divergence += xlog2(r, middle) + xlog2(c, middle)
	}
	return math.Sqrt(min(max(divergence/2, 0), 1)), nil
}

// xlog2 returns p log2(p/q), 0 for p = 0.
func xlog2(p, q float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log2(p/q)
}

func emptySide(reference, current uint64) error {
	return fairlead.Errorf(fairlead.Precondition,
		"drift needs values on both sides; the reference has %d and the window %d",
		reference, current)
}
