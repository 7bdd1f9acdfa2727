package tracking

import (
	"slices"
	"testing"
)

func TestRunSet_IsTheSameNearAndFar(t *testing.T) {
	for name, keys := range map[string][]int64{"near": {7, 5, 9}, "far": {7, 5, 1 << 40}, "none": nil} {
		s := newRunSet(keys)
		for _, k := range []int64{-1, 0, 6, 10, 1 << 50} {
			if s.take(k) {
				t.Errorf("%s: %d was there", name, k)
			}
		}
		want := []int64(nil)
		if len(keys) > 0 {
			if !s.take(7) || s.take(7) {
				t.Errorf("%s: 7 is not taken once", name)
			}
			want = []int64{5, keys[2]}
		}
		if got := s.rest(); !slices.Equal(got, want) {
			t.Errorf("%s: %v is left, want %v", name, got, want)
		}
	}
}
