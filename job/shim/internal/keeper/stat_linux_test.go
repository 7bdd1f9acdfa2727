package keeper

import "testing"

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a) b)) S 1 7 7 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 99 1 1"))
	f.Add([]byte(") "))
	f.Fuzz(func(t *testing.T, b []byte) { parseStat(7, b) })
}
