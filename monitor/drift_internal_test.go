package monitor

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// A window of many features that drift nowhere is red about as rarely as one of a single
// feature.
func TestDrift_IsRarelyRedByChanceHoweverManyFeatures(t *testing.T) {
	const windows, before, rows = 300, 2000, 200
	for _, features := range []int{1, 40} {
		t.Run(fmt.Sprint(features), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, uint64(features)))
			reference := make([]*Feature, features)
			for i := range reference {
				c := &column{name: fmt.Sprint(i)}
				for range before {
					c.floats = append(c.floats, rng.NormFloat64())
				}
				var err error
				if reference[i], err = newFeature(c); err != nil {
					t.Fatal(err)
				}
			}
			red := 0
			for range windows {
				if redByChance(t, rng, reference, rows) {
					red++
				}
			}
			t.Logf("%d of %d A/A windows are red", red, windows)
			if red > 3*windows*driftAlpha {
				t.Errorf("%d of %d A/A windows are red", red, windows)
			}
		})
	}
}

func redByChance(t *testing.T, rng *rand.Rand, reference []*Feature, rows int) bool {
	t.Helper()
	for _, f := range reference {
		cur, err := f.empty()
		if err != nil {
			t.Fatal(err)
		}
		for range rows {
			cur.addValue(rng.NormFloat64())
		}
		d, err := f.compare(cur, 0.001, driftAlpha/float64(len(reference)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if d.Red {
			return true
		}
	}
	return false
}
