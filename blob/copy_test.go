package blob_test

import (
	"testing"
	"time"
)

func TestKeep_HoldsBackCollect(t *testing.T) {
	f := open(t)
	f.put(t, "nobody refers to this")
	f.clock.Advance(time.Hour)
	release := f.Keep()
	var freed int64
	done := make(chan error, 1)
	go func() {
		var err error
		freed, err = f.Collect(t.Context(), time.Minute)
		done <- err
	}()
	select {
	case <-done:
		t.Error("Collect did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	release()
	if err := <-done; err != nil || freed == 0 {
		t.Errorf("freed %d bytes, %v", freed, err)
	}
}
