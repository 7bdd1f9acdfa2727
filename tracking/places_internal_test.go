package tracking

import "testing"

func TestPlaces_AreTheSameNearAndFar(t *testing.T) {
	for name, runs := range map[string][]int64{"near": {7, 5, 9}, "far": {7, 5, 1 << 40}, "none": nil} {
		p := placesOf(runs)
		for _, k := range []int64{-1, 0, 6, 10, 1 << 50} {
			if at, ok := p.of(k); ok {
				t.Errorf("%s: %d is at %d, want nowhere", name, k, at)
			}
		}
		for want, k := range runs {
			if at, ok := p.of(k); !ok || at != want {
				t.Errorf("%s: %d is at %d (%t), want %d", name, k, at, ok, want)
			}
		}
	}
}
