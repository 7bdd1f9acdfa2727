package stat

import (
	"cmp"
	"math"
	"slices"
)

// Quantile returns the q-quantile (0 ≤ q ≤ 1) of ascending values by linear
// interpolation, type 7 of Hyndman and Fan 1996, numpy's default. It is NaN for
// no values.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := min(max(q, 0), 1) * float64(len(sorted)-1)
	i := int(at)
	if i == len(sorted)-1 {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// Edges returns the edges of at most bins bins that hold about equally many of
// the values each: the minimum, the cuts ascending, the maximum. NaN and
// infinities are left out; without a finite value there are no edges. A column
// with one distinct value c has one bin, [c, c].
//
// A cut lies halfway between two neighbouring distinct values, so equal values
// are never split and rounding to float32 moves none over a cut. With at most
// bins distinct values each has a bin of its own, however rare it is: plain
// quantiles would put a flag that is set in 3 % of the rows into one bin with
// its opposite, and no drift of it could be seen.
func Edges(values []float64, bins int) []float64 {
	sorted := make([]float64, 0, len(values))
	for _, v := range values {
		if finite(v) {
			sorted = append(sorted, v)
		}
	}
	if len(sorted) == 0 || bins < 1 {
		return nil
	}
	slices.Sort(sorted)
	starts := runStarts(sorted)
	if len(starts) > bins {
		starts = nearQuantiles(starts, len(sorted), bins)
	}
	edges := []float64{sorted[0]}
	for _, start := range starts[1:] {
		edges = append(edges, between(sorted[start-1], sorted[start]))
	}
	return append(edges, sorted[len(sorted)-1])
}

// runStarts returns where each distinct value begins.
func runStarts(sorted []float64) []int {
	starts := []int{0}
	for i := 1; i < len(sorted); i++ {
		if sorted[i] != sorted[i-1] {
			starts = append(starts, i)
		}
	}
	return starts
}

// nearQuantiles keeps, of the places where a bin may start, 0 and the one that
// is nearest to each of the bins-1 inner quantiles of n values.
func nearQuantiles(starts []int, n, bins int) []int {
	kept := []int{0}
	for j := 1; j < bins; j++ {
		target := float64(n) * float64(j) / float64(bins)
		i, _ := slices.BinarySearchFunc(starts, target, func(start int, target float64) int {
			return cmp.Compare(float64(start), target)
		})
		if i == len(starts) || i > 0 && target-float64(starts[i-1]) < float64(starts[i])-target {
			i--
		}
		if starts[i] > kept[len(kept)-1] {
			kept = append(kept, starts[i])
		}
	}
	return kept
}

// between returns a cut c with low < c ≤ high.
func between(low, high float64) float64 {
	if c := low/2 + high/2; c > low && c <= high {
		return c
	}
	return high
}
