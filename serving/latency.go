package serving

import (
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// latency counts durations in cells that grow by 2^(1/4), so a quantile is right within
// 9 % of itself. It keeps the cells that are not empty, ascending.
type latency []latencyCell

type latencyCell struct {
	at int16 // the cell holds (2^((at-1)/4), 2^(at/4)] µs; 0 holds up to 1 µs
	n  int64
}

// The last cell holds all from 2^27 µs on, which is more than two minutes.
const lastCell = 4 * 27

// add counts one duration.
func (l *latency) add(d time.Duration) {
	at := int16(0)
	if us := float64(d) / float64(time.Microsecond); us > 1 {
		at = int16(min(math.Ceil(4*math.Log2(us)), lastCell))
	}
	l.count(at, 1)
}

func (l *latency) count(at int16, n int64) {
	i, there := slices.BinarySearchFunc(*l, at, func(c latencyCell, at int16) int { return int(c.at - at) })
	if !there {
		*l = slices.Insert(*l, i, latencyCell{at: at})
	}
	(*l)[i].n += n
}

// merge adds what o has counted.
func (l *latency) merge(o latency) {
	for _, c := range o {
		l.count(c.at, c.n)
	}
}

// appendTo writes the cells as pairs of unsigned varints.
func (l latency) appendTo(b []byte) []byte {
	for _, c := range l {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(c.at)), uint64(c.n))
	}
	return b
}

// addEncoded merges what appendTo wrote.
func (l *latency) addEncoded(b []byte) {
	if len(b) == 0 {
		return
	}
	var t tally
	t.addEncoded(b)
	for at, n := range t {
		if n > 0 {
			l.count(int16(at), n)
		}
	}
}

// tally is a latency that much is added to: the count of each cell.
type tally [lastCell + 1]int64

// addEncoded adds what latency.appendTo wrote. What is cut off is left out.
func (t *tally) addEncoded(b []byte) {
	for len(b) > 0 {
		at, n := binary.Uvarint(b)
		if n <= 0 {
			return
		}
		count, m := binary.Uvarint(b[n:])
		if m <= 0 {
			return
		}
		t[min(at, lastCell)] += int64(count)
		b = b[n+m:]
	}
}

func (t *tally) add(o *tally) {
	for at, n := range o {
		t[at] += n
	}
}

// quantiles returns the durations, in seconds, that the shares of all did not exceed; nil
// where there are none. Within a cell it takes the geometric middle. The shares ascend.
func (t *tally) quantiles(shares ...float64) []*float64 {
	out := make([]*float64, len(shares))
	total := int64(0)
	for _, n := range t {
		total += n
	}
	if total == 0 {
		return out
	}
	at, below := 0, t[0]
	for i, share := range shares {
		for rank := int64(math.Ceil(share * float64(total))); below < rank; below += t[at] {
			at++
		}
		seconds := math.Exp2((float64(at)-0.5)/4) * 1e-6
		out[i] = &seconds
	}
	return out
}
