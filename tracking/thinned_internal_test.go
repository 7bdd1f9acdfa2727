package tracking

import (
	"strconv"
	"testing"
)

func TestThinned_KeepsWhatWasUsedLast(t *testing.T) {
	var x thinned
	long := Series{Points: few + 1, Buckets: make([]Bucket, 1000)}
	key := func(i int) thinnedKey { return thinnedKey{run: "r", key: strconv.Itoa(i)} }
	x.put(key(0), 0, Series{Points: few, Buckets: make([]Bucket, few)})
	if _, ok := x.get(key(0), 0); ok {
		t.Error("a short history is kept")
	}
	for i := range 100 {
		x.put(key(i), 0, long)
		x.put(key(i), 0, long)
		if _, ok := x.get(key(0), 0); !ok {
			t.Fatalf("the one that is used is gone after %d others", i)
		}
	}
	if _, ok := x.get(key(1), 0); ok || len(x.kept) != maxThinned/1000 || x.total > maxThinned {
		t.Errorf("%d series with %d buckets are kept", len(x.kept), x.total)
	}
	x.changed("r")
	if _, ok := x.get(key(0), x.state("r")); ok {
		t.Error("what was read before a change is given after it")
	}
}
