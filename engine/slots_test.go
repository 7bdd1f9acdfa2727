package engine_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/fairlead-ml/fairlead/engine"
)

func TestSlots_KeepHalfForCallsThatSomebodyWaitsFor(t *testing.T) {
	for n, background := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2} {
		synctest.Test(t, func(t *testing.T) {
			slots := engine.NewSlots(n)
			ctx, cancel := context.WithCancel(t.Context())
			behind := engine.Background(ctx)
			got, done := 0, make(chan struct{})
			go func() {
				defer close(done)
				for slots.Acquire(behind) == nil {
					got++
				}
			}()
			synctest.Wait()
			if got != background {
				t.Errorf("of %d slots, %d went to the background", n, got)
			}
			for range n - got {
				if err := slots.Acquire(ctx); err != nil {
					t.Error(err)
				}
			}
			cancel() // the one that waits gives up, and takes nothing with it
			<-done
			for range got {
				slots.Release(behind)
			}
			if err := slots.Acquire(engine.Background(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
}
