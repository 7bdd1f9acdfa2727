package blob

import (
	"context"
	"io"
	"slices"
	"sync"
)

// Batch stores many files with one round of syncing: none of them is there
// before Store, and all of them after it. Add is safe for concurrent use.
type Batch struct {
	s       *Store
	mu      sync.Mutex
	staged  []staging
	entries []Entry
}

// NewBatch begins a batch; end it with Discard, also after Store.
func (s *Store) NewBatch() *Batch { return &Batch{s: s} }

// Add writes what r yields under a temporary name. The path is for the caller's
// use with LinkAll, and checked there.
func (b *Batch) Add(ctx context.Context, path string, r io.Reader) (Object, error) {
	return b.AddChecked(ctx, path, r, nil)
}

// AddChecked is Add of what check, which sees it when it has come whole, agrees to;
// otherwise nothing of it is added. Nil agrees to everything.
func (b *Batch) AddChecked(ctx context.Context, path string, r io.Reader,
	check func(Object) error) (Object, error) {
	st, err := b.s.stageChecked(ctx, r, check)
	if err != nil {
		return Object{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.staged = append(b.staged, st)
	b.entries = append(b.entries, Entry{Path: path, Object: st.Object})
	return st.Object, nil
}

// Store makes all added files durable and returns their entries by path.
func (b *Batch) Store(ctx context.Context) ([]Entry, error) {
	if err := b.s.place(ctx, b.staged); err != nil {
		return nil, err
	}
	b.staged = nil
	slices.SortFunc(b.entries, byPathOrder)
	return b.entries, nil
}

// Discard removes what was added and not stored.
func (b *Batch) Discard() {
	for _, st := range b.staged {
		b.s.root.Remove(st.name)
	}
	b.staged = nil
}
