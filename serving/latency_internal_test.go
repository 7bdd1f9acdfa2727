package serving

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestLatency_QuantilesAreWithinNinePercent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var a, b latency
	var read tally
	var all []float64
	for i := range 10_000 {
		d := time.Duration(math.Exp(random.NormFloat64()*2) * float64(time.Millisecond)) // 50 µs to 1 s
		all = append(all, d.Seconds())
		if i%2 == 0 {
			a.add(d)
		} else {
			b.add(d)
		}
	}
	a.merge(b)
	read.addEncoded(a.appendTo(nil))
	slices.Sort(all)
	shares := []float64{0.01, 0.5, 0.9, 0.99, 1}
	found := read.quantiles(shares...)
	for i, q := range shares {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		if got := *found[i]; math.Abs(got-want) > 0.091*want {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
	if new(tally).quantiles(0.5)[0] != nil {
		t.Error("of nothing there is no quantile")
	}
}

func TestLatency_KeepsTheLongestAndTheShortest(t *testing.T) {
	var l latency
	for _, d := range []time.Duration{0, time.Nanosecond, time.Hour} {
		l.add(d)
	}
	var read tally
	read.addEncoded(l.appendTo(nil))
	if q := read.quantiles(0.5, 1); *q[0] > 1e-6 || *q[1] < 100 || len(l) != 2 {
		t.Errorf("cells %v", l)
	}
	l.addEncoded([]byte{0x80}) // cut off
	if len(l) != 2 {
		t.Errorf("cells %v", l)
	}
}
