package job

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of jobs, steps and schedules.
func Schema() store.Schema { return store.Embedded("job", files) }

// Options tune a Service. Zero values are defaults.
type Options struct {
	Workers   int           // jobs that run at once; default 4 per CPU, at least 8
	Lease     time.Duration // wall time after which a silent owner has lost its jobs; default 5 s
	MaxLosses int           // losses after which a job fails; default 20
	StepsDir  string        // where attempts of steps live, absolute; needed for steps only
	// Exclusive says that no other server can be running on this database, as
	// the lock of the data directory ensures. Then Start takes over at once what
	// another server was running, and a slow disk costs no lease.
	Exclusive bool
}

func (o Options) withDefaults() Options {
	if o.Workers == 0 {
		o.Workers = max(8, 4*runtime.GOMAXPROCS(0))
	}
	if o.Lease == 0 {
		o.Lease = 5 * time.Second
	}
	if o.MaxLosses == 0 {
		o.MaxLosses = 20
	}
	return o
}

// Limits bound the jobs of one kind. Zero values are defaults.
type Limits struct {
	Concurrency int           // running at once in this server; default all workers
	Timeout     time.Duration // wall time of one run; default none
	Retries     int           // after a failed attempt; default none
	Backoff     time.Duration // before the first retry, doubled each time; default 1 s
}

// maxBackoff is the longest wait before a retry.
const maxBackoff = time.Minute

func (l Limits) backoff(failures int) time.Duration {
	d := l.Backoff
	if d == 0 {
		d = time.Second
	}
	for i := 1; i < failures && d < maxBackoff; i++ {
		d *= 2
	}
	return min(d, maxBackoff)
}

// Handler runs one job. Its context ends with a cause when the run must stop:
// ErrFenced, ErrCancelled, ErrTimeout or ErrStopping. To return nil without
// Commit finishes the job as done; an error makes it run again, or fail.
type Handler func(ctx context.Context, r *Run) error

// Transient keeps h from being retried for what time cannot mend: of its failures only
// those that are Unavailable count as attempts. One that is Exhausted, as that of a disk
// that is full, is Lost: the job waits until there is room. Any other is Permanent.
func Transient(h Handler) Handler {
	return func(ctx context.Context, r *Run) error {
		err := h(ctx, r)
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fairlead.Errorf(fairlead.Exhausted,
				"the disk of the data directory is full; the job goes on when there is room").Because(err)
		}
		switch fairlead.CodeOf(err) {
		case "", fairlead.Unavailable:
			return err
		case fairlead.Exhausted:
			return Lost(err)
		}
		return Permanent(err)
	}
}

// DoneFunc runs in the transaction that finishes a job, also as failed or
// cancelled. It does no I/O and may be run again.
type DoneFunc func(ctx context.Context, tx *store.Tx, j *Job) error

type kind struct {
	handler Handler
	limits  Limits
	done    []DoneFunc
}

// Service keeps and runs jobs. Handlers are registered before Start.
type Service struct {
	db    *store.DB
	led   *ledger.Ledger
	clock fairlead.Clock
	log   *slog.Logger
	opt   Options
	owner string // this server, for as long as it lives
	kinds map[string]*kind

	wake  chan struct{} // there may be something to claim or to cancel
	quit  chan struct{} // closed by Stop
	once  sync.Once
	loops sync.WaitGroup

	mu   sync.Mutex
	runs map[int64]*Run // by the job's k; what this server runs now
	work sync.WaitGroup // their goroutines

	metrics *metrics
}

// New returns a service on db, whose schema must include Schema() and the ledger's.
func New(db *store.DB, led *ledger.Ledger, clock fairlead.Clock, log *slog.Logger,
	opt Options) *Service {
	s := &Service{
		db: db, led: led, clock: clock, log: log, opt: opt.withDefaults(),
		owner: fairlead.NewHexID(), kinds: map[string]*kind{},
		wake: make(chan struct{}, 1), quit: make(chan struct{}), runs: map[int64]*Run{},
	}
	s.metrics = newMetrics(s)
	return s
}

// Handle registers who runs the jobs of a kind.
func (s *Service) Handle(name string, h Handler, l Limits) {
	k := s.kind(name)
	if k.handler != nil {
		panic("job: two handlers for " + name)
	}
	k.handler, k.limits = h, l
}

// OnDone registers what follows when a job of a kind is finished.
func (s *Service) OnDone(name string, fn DoneFunc) {
	k := s.kind(name)
	k.done = append(k.done, fn)
}

func (s *Service) kind(name string) *kind {
	if s.kinds[name] == nil {
		s.kinds[name] = &kind{}
	}
	return s.kinds[name]
}

// Enqueue stores a job in the caller's transaction; it runs when that commits.
// If the project has a job of that kind and key already, in whatever state, its
// id is returned and nothing changes.
func (s *Service) Enqueue(tx *store.Tx, t Task) (id string, created bool, err error) {
	j, err := s.prepare(t)
	if err != nil {
		return "", false, err
	}
	if created, err = insert(tx, j); err != nil {
		return "", false, fmt.Errorf("enqueue %s: %w", t.Kind, err)
	}
	if !created {
		old, err := byKey(tx, t.Project.K, t.Kind, j.Key)
		if err != nil {
			return "", false, fmt.Errorf("enqueue %s: %w", t.Kind, err)
		}
		return old.ID, false, nil
	}
	s.wakeAfter(tx)
	return j.ID, true, nil
}

func (s *Service) prepare(t Task) (*Job, error) {
	payload, err := json.Marshal(t.Payload)
	if err != nil {
		return nil, fmt.Errorf("enqueue %s: %w", t.Kind, err)
	}
	if t.Project.K == 0 || t.Kind == "" {
		return nil, fairlead.Errorf(fairlead.Invalid, "a job needs a project and a kind")
	}
	now := s.clock.Now()
	j := &Job{
		ID: fairlead.NewID("job", now), Project: t.Project, Kind: t.Kind, Key: t.Key,
		Payload: payload, CauseEvent: t.CauseEvent, RunAt: t.RunAt, Scheduled: t.Scheduled,
		MaxAttempts: t.MaxAttempts, Created: now,
	}
	if j.Key == "" {
		j.Key = j.ID
	}
	if j.RunAt.IsZero() {
		j.RunAt = now
	}
	if j.MaxAttempts == 0 {
		j.MaxAttempts = 1
		if k := s.kinds[t.Kind]; k != nil {
			j.MaxAttempts += k.limits.Retries
		}
	}
	return j, nil
}

// wakeAfter lets the dispatcher look again. It is woken before the commit, but
// looks in a write of its own, which the only writer runs after it.
func (s *Service) wakeAfter(tx *store.Tx) {
	tx.AtEnd("job/"+s.owner, func(*store.Tx) error {
		s.poke()
		return nil
	})
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Cancel ends a job. One that waits is cancelled in the caller's transaction; one
// that runs can commit nothing from then on, and is cancelled when its handler
// has returned. A finished job is left alone.
func (s *Service) Cancel(ctx context.Context, tx *store.Tx, projectK int64, id string) error {
	j, err := byID(tx, projectK, id)
	if err != nil || j.State.Final() || !j.CancelledAt.IsZero() {
		return err
	}
	j.CancelledAt = s.clock.Now()
	steps, err := openSteps(tx, id)
	if err != nil {
		return err
	}
	if j.State == Queued && len(steps) == 0 {
		return s.finish(ctx, tx, j, Cancelled)
	}
	if j.State == Queued { // a run must end the steps first
		j.RunAt = j.CancelledAt
	}
	s.wakeAfter(tx)
	return update(tx, j)
}

// Find returns a job of a project within a transaction, or NotFound.
func (s *Service) Find(tx *store.Tx, projectK int64, id string) (*Job, error) {
	return byID(tx, projectK, id)
}

// Get returns a job of a project, or NotFound.
func (s *Service) Get(ctx context.Context, projectK int64, id string) (j *Job, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		j, err = byID(tx, projectK, id)
		return err
	})
	return j, err
}

// Await returns a job when it is finished, or as it then is when ctx ends.
func (s *Service) Await(ctx context.Context, projectK int64, id string) (*Job, error) {
	for {
		changed := s.db.Changed()
		j, err := s.Get(context.WithoutCancel(ctx), projectK, id)
		if err != nil || j.State.Final() {
			return j, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return j, nil
		}
	}
}

// List returns a page of a project's jobs, newest first; a limit of 0 is 100,
// and at most 1000 are returned.
func (s *Service) List(ctx context.Context, projectK int64, f Filter, token string, limit int) (
	p fairlead.Page[*Job], err error) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	before, filter := int64(math.MaxInt64), fmt.Sprintf("%d %q %q", projectK, f.Kind, f.State)
	if err := fairlead.DecodeCursor(token, filter, &before); err != nil {
		return p, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		p.Items, err = page(tx, projectK, f, before, limit+1)
		return err
	})
	if len(p.Items) > limit {
		p.Items = p.Items[:limit]
		p.Next = fairlead.EncodeCursor(filter, p.Items[limit-1].k)
	}
	return p, err
}

// Idle reports whether nothing of a project waits to run, runs, or will be tried
// again. Jobs that only wait for their time (Task.Scheduled) do not count.
func (s *Service) Idle(tx *store.Tx, projectK int64) (bool, error) {
	n, err := unfinished(tx, projectK, s.clock.Now())
	return n == 0, err
}
