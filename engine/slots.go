package engine

import "context"

// Slots bounds the calls that run at once. Those in the background, as Background
// marks them, take at most half of the slots (at least one), and no more of them
// than that stand in the queue: a call that somebody waits for stands behind few.
type Slots struct {
	all        chan struct{}
	background chan struct{}
}

// NewSlots returns n free slots.
func NewSlots(n int) *Slots {
	return &Slots{all: make(chan struct{}, n), background: make(chan struct{}, max(1, n/2))}
}

// Acquire waits for a slot. Its error is ctx's; else Release must follow.
func (s *Slots) Acquire(ctx context.Context) error {
	if !IsBackground(ctx) {
		return take(ctx, s.all)
	}
	if err := take(ctx, s.background); err != nil {
		return err
	}
	err := take(ctx, s.all)
	if err != nil {
		<-s.background
	}
	return err
}

func take(ctx context.Context, slots chan<- struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release frees the slot that Acquire took with the same ctx.
func (s *Slots) Release(ctx context.Context) {
	<-s.all
	if IsBackground(ctx) {
		<-s.background
	}
}
