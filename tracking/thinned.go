package tracking

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fairlead-ml/fairlead/store"
)

// thinned remembers long histories as they were last thinned: to read a million points
// takes a tenth of a second, and most charts are looked at again while nothing comes. It
// is never wrong: what was read before a change of its run is no longer given.
type thinned struct {
	changes [256]atomic.Uint64 // of the runs of a shard

	mu    sync.Mutex
	kept  []thinnedSeries // the last used comes last
	total int             // buckets of all
}

// maxThinned bounds the buckets that are kept, to some 8 MB.
const maxThinned = 64_000

// thinnedKey is what was asked for.
type thinnedKey struct {
	run, key, by string
	part         stretch
	width        int64
	buckets      int
}

type thinnedSeries struct {
	thinnedKey
	state uint64
	Series
}

var thinnedSeed = maphash.MakeSeed()

func (t *thinned) shard(runID string) *atomic.Uint64 {
	return &t.changes[maphash.String(thinnedSeed, runID)%uint64(len(t.changes))]
}

// state is one that changes with each change of the run's points. Who reads asks for it
// before the snapshot begins.
func (t *thinned) state(runID string) uint64 { return t.shard(runID).Load() }

// changed is called after points of a run may have been committed, and before who wrote
// them knows.
func (t *thinned) changed(runID string) { t.shard(runID).Add(1) }

// changing is changed once the transaction is committed.
func (t *thinned) changing(tx *store.Tx, runID string) {
	tx.AfterCommit("tracking.thinned "+runID, func() { t.changed(runID) })
}

// get returns what was put in the same state. Its buckets are not the caller's to change.
func (t *thinned) get(key thinnedKey, state uint64) (Series, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.kept, func(s thinnedSeries) bool { return s.thinnedKey == key })
	if i < 0 || t.kept[i].state != state {
		return Series{}, false
	}
	found := t.kept[i]
	t.kept = append(slices.Delete(t.kept, i, i+1), found)
	return found.Series, true
}

// put keeps a long series that was read in the state; those that were used longest ago
// make room.
func (t *thinned) put(key thinnedKey, state uint64, s Series) {
	if s.Points <= few {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = slices.DeleteFunc(t.kept, func(old thinnedSeries) bool {
		if old.thinnedKey == key {
			t.total -= len(old.Buckets)
		}
		return old.thinnedKey == key
	})
	t.kept = append(t.kept, thinnedSeries{key, state, s})
	for t.total += len(s.Buckets); t.total > maxThinned; t.kept = slices.Delete(t.kept, 0, 1) {
		t.total -= len(t.kept[0].Buckets)
	}
}
