package tracking

import (
	"context"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead/store"
)

// indexEvery is how long a run's newest values may be missing from the index by value,
// in wall time. A change of many metrics within it costs the index one.
const indexEvery = time.Second

// indexer keeps the index of metrics by value. A write only says, durably and once,
// that its run is behind; later the run is taken over as a whole. Searches are exact
// at any time: they read the runs that are behind apart.
type indexer struct {
	wake chan struct{} // holds one when a run has fallen behind
	quit context.CancelFunc
	wait sync.WaitGroup

	mu      sync.Mutex
	round   int64          // grows with each run that is taken over
	pending map[int64]bool // runs that are committed as pending; not all of them
}

func newIndexer() *indexer {
	return &indexer{wake: make(chan struct{}, 1), pending: map[int64]bool{}}
}

// behind writes down that the run is behind, unless that is known. The returned func is
// called once the transaction is committed.
func (x *indexer) behind(tx *store.Tx, runK int64) (committed func(), err error) {
	x.mu.Lock()
	known, round := x.pending[runK], x.round
	x.mu.Unlock()
	if known {
		return nil, nil
	}
	tx.AfterCommit("tracking.index", x.signal)
	return func() { x.learn(runK, round) }, insertPending(tx, runK)
}

// signal wakes who fills the index.
func (x *indexer) signal() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// learn remembers a run as pending if none was taken over since.
func (x *indexer) learn(runK, round int64) {
	x.mu.Lock()
	if x.round == round {
		x.pending[runK] = true
	}
	x.mu.Unlock()
}

// forget makes the next write of the runs say again that they are behind. It is called in
// the transaction that takes them over, before that is committed: if it never is,
// something is written twice, and nothing lost.
func (x *indexer) forget(runs ...int64) {
	x.mu.Lock()
	for _, k := range runs {
		delete(x.pending, k)
	}
	x.round++
	x.mu.Unlock()
}

// Start begins to keep the index of metrics up.
func (s *Service) Start(ctx context.Context) error {
	run, quit := context.WithCancel(context.WithoutCancel(ctx))
	s.index.quit = quit
	s.index.wait.Go(func() {
		for run.Err() == nil {
			if err := s.Index(run); err != nil && run.Err() == nil {
				s.log.Error("metrics cannot be indexed; searches are slower meanwhile", "err", err)
				s.index.signal()
			}
			select {
			case <-run.Done():
				return
			case <-s.index.wake:
			}
			select {
			case <-run.Done():
			case <-time.After(indexEvery):
			}
		}
	})
	return nil
}

// Stop ends what Start has begun. It is safe before Start and to call twice.
func (s *Service) Stop() {
	if s.index.quit != nil {
		s.index.quit()
	}
	s.index.wait.Wait()
}

// Index brings the index of metrics up to what was committed when it began, in many
// small writes.
func (s *Service) Index(ctx context.Context) error {
	for at := (sweep{}); ; {
		var found *behindSome
		err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
			found, err = readBehind(tx, at)
			return err
		})
		if err != nil || len(found.runs) == 0 {
			return err
		}
		var left int
		err = s.db.Write(ctx, store.Bulk, func(tx *store.Tx) (err error) {
			s.index.forget(found.runs...)
			left, err = found.index(tx)
			return err
		})
		if err != nil {
			return err
		}
		if left > 0 {
			s.index.signal()
		}
		at = found.next
	}
}

// sweep is how far one pass over the pending runs has come. Passes end, whatever is
// written meanwhile.
type sweep struct{ run, key int64 }

// What one write takes over: little, as others wait for it.
const (
	indexRuns = 50
	indexKeys = 1000 // changed metrics
	indexScan = 5000 // metrics of runs that are taken off the list
)

// behindSome are the next metrics that were behind, as a reader found them.
type behindSome struct {
	runs []int64 // that were looked at
	keys []runKey
	done []int64 // runs of which nothing else was behind
	next sweep
}

type runKey struct{ run, key int64 }
