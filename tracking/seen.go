package tracking

import (
	"fmt"
	"sync"

	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// keyKinds are the kinds of names that an experiment is known to have, as they are stored.
var keyKinds = map[filter.Kind]int64{filter.Metric: 0, filter.Param: 1, filter.Tag: 2}

// seenKeys remembers which names of an experiment's metrics, params and tags are written
// down, so that only new ones cost a write. It learns what is committed.
type seenKeys struct {
	mu    sync.RWMutex
	sets  map[seenSet][]uint64 // bits by key
	words int
}

type seenSet struct{ exp, kind int64 }

// maxSeenWords bounds the memory of what is remembered to 8 MB.
const maxSeenWords = 1 << 20

func (x *seenKeys) has(set seenSet, key int64) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	bits := x.sets[set]
	return key>>6 < int64(len(bits)) && bits[key>>6]&(1<<(key&63)) != 0
}

func (x *seenKeys) learn(set seenSet, key int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	more := int(key>>6) + 1 - len(x.sets[set])
	if more > maxSeenWords { // never in practice: keys are numbered from 1
		return
	}
	if x.sets == nil || x.words+more > maxSeenWords {
		x.sets, x.words = map[seenSet][]uint64{}, 0
		more = int(key>>6) + 1
	}
	if more > 0 {
		x.sets[set] = append(x.sets[set], make([]uint64, more)...)
		x.words += more
	}
	x.sets[set][key>>6] |= 1 << (key & 63)
}

// forget drops what is remembered of an experiment, whose key may be given again.
func (x *seenKeys) forget(exp int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, kind := range keyKinds {
		x.words -= len(x.sets[seenSet{exp, kind}])
		delete(x.sets, seenSet{exp, kind})
	}
}

// see writes down that a run of the experiment has the key.
func (x *seenKeys) see(tx *store.Tx, expK int64, kind filter.Kind, key int64) error {
	set := seenSet{expK, keyKinds[kind]}
	if x.has(set, key) {
		return nil
	}
	_, err := tx.Exec(`insert into experiment_key (exp_k, kind, key_k) values (?, ?, ?)
		on conflict do nothing`, set.exp, set.kind, key)
	if err == nil {
		tx.AfterCommit(fmt.Sprint("tracking.seen ", set, key), func() { x.learn(set, key) })
	}
	return err
}
