package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// Defaults of Options.
const (
	DefaultTimeout      = 30 * time.Second
	DefaultStartTimeout = 2 * time.Minute
	DefaultBackoff      = 100 * time.Millisecond
	DefaultLogBytes     = 4 << 20
	DefaultQueue        = 128
	maxBackoff          = 30 * time.Second
)

// Options configure a Worker.
type Options struct {
	Path      string           // the program
	Args      []string         // its arguments, without its name
	Env       []string         // all of its environment
	Signature engine.Signature // what requests are checked against
	Dir       string           // where it runs, with worker.log; created when absent
	Log       *slog.Logger
	Ended     func(*os.ProcessState) // hears of each end that Close did not cause; may be nil

	Timeout      time.Duration // of one call, in wall time; the process is recycled after it
	StartTimeout time.Duration // of loading the model
	Backoff      time.Duration // before the first restart; doubled for each that answers nothing
	LogBytes     int64         // bound of worker.log and worker.log.1 together
	Queue        int           // calls that may be under way or wait
}

// Worker is a supervised process with one loaded model. Calls go through it one
// after another. It implements engine.Predictor and engine.Checker.
type Worker struct {
	opts    Options
	slots   *engine.Slots // one: the right to use the process
	waiting atomic.Int64
	closed  chan struct{}
	done    chan struct{} // closed when the supervisor has ended

	mu      sync.Mutex
	proc    *process      // nil while there is none
	changed chan struct{} // closed and replaced when proc or failure changes
	failure error         // why restarts do not help, until a call is answered
	once    sync.Once
}

// Start starts a worker and waits until it has loaded the model; ctx bounds only
// that. A model that does not load, or crashes as it does, is Invalid, with its own
// words; a process that does not start, or that somebody kills, is Unavailable. Where
// Options.Dir or its log cannot be made, as on a full disk, the worker runs without.
func Start(ctx context.Context, opts Options) (*Worker, error) {
	opts = opts.withDefaults()
	w := &Worker{
		opts: opts, slots: engine.NewSlots(1),
		closed: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}),
	}
	proc, err := startProcess(ctx, opts)
	if err != nil {
		return nil, err
	}
	w.proc = proc
	go w.supervise(proc)
	return w, nil
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.StartTimeout <= 0 {
		o.StartTimeout = DefaultStartTimeout
	}
	if o.Backoff <= 0 {
		o.Backoff = DefaultBackoff
	}
	if o.LogBytes <= 0 {
		o.LogBytes = DefaultLogBytes
	}
	if o.Queue <= 0 {
		o.Queue = DefaultQueue
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Ended == nil {
		o.Ended = func(*os.ProcessState) {}
	}
	return o
}

// Predict sends the batch to the worker. When ctx ends first the answer is
// dropped, and the worker lives on unless it exceeds Options.Timeout. A worker
// that dies or is too slow is Unavailable; what the model refuses is Invalid; a
// call beyond Options.Queue, and one in the background beyond half of it, is
// Exhausted.
func (w *Worker) Predict(ctx context.Context, in *engine.Frame) (*engine.Frame, error) {
	arranged, err := w.opts.Signature.Arrange(in)
	if err != nil {
		return nil, err
	}
	request, err := encodeRequest(arranged)
	if err != nil {
		return nil, err
	}
	if err := w.enter(ctx); err != nil {
		return nil, err
	}
	proc, err := w.current(ctx)
	if err != nil {
		w.leave(ctx)
		return nil, err
	}
	answered := make(chan answer, 1)
	go func() {
		answered <- w.exchange(proc, request)
		w.leave(ctx)
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case a := <-answered:
		if a.err != nil {
			return nil, a.err
		}
		return a.response.frame(w.opts.Signature, arranged.Rows)
	}
}

// enter waits for the process, in a queue that has a bound.
func (w *Worker) enter(ctx context.Context) error {
	limit := w.opts.Queue
	if engine.IsBackground(ctx) {
		limit = max(1, limit/2)
	}
	if n := w.waiting.Add(1); n > int64(limit) {
		w.waiting.Add(-1)
		return fairlead.Errorf(fairlead.Exhausted,
			"the model answers one call after another, and %d wait already; try again later", n-1)
	}
	err := w.slots.Acquire(ctx)
	if err != nil {
		w.waiting.Add(-1)
	}
	return err
}

func (w *Worker) leave(ctx context.Context) {
	w.slots.Release(ctx)
	w.waiting.Add(-1)
}

type answer struct {
	response *response
	err      error
}

// exchange sends one request and reads its answer. The caller holds the slot.
func (w *Worker) exchange(proc *process, request []byte) answer {
	proc.conn.SetDeadline(time.Now().Add(w.opts.Timeout))
	proc.called.Store(true)
	resp, err := proc.roundTrip(request)
	if err == nil {
		if !proc.answered.Swap(true) {
			w.mended(proc)
		}
		return answer{response: resp, err: resp.failure()}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		proc.kill()
		<-proc.done
		return answer{err: fairlead.Errorf(fairlead.Unavailable,
			"the model took longer than %v, and its worker was restarted", w.opts.Timeout)}
	}
	proc.stop() // it may be about to end by itself, and to say how
	return answer{err: fairlead.Errorf(fairlead.Unavailable,
		"the model's worker died while it answered (%s); see %s", proc.exit(), logName)}
}

var errClosed = fairlead.Errorf(fairlead.Unavailable, "the model's worker is stopped")

// current returns the live process; it waits for a restart that is under way, for
// at most Options.Timeout, and not at all when restarts keep failing.
func (w *Worker) current(ctx context.Context) (*process, error) {
	timer := time.NewTimer(w.opts.Timeout)
	defer timer.Stop()
	for {
		w.mu.Lock()
		proc, failure, changed := w.proc, w.failure, w.changed
		w.mu.Unlock()
		if w.isClosed() {
			return nil, errClosed
		}
		if proc != nil && !proc.ended() {
			return proc, nil
		}
		if failure != nil {
			return nil, failure
		}
		select {
		case <-changed:
		case <-w.closed:
		case <-timer.C:
			return nil, fairlead.Errorf(fairlead.Unavailable,
				"the model's worker is still starting; try again")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (w *Worker) isClosed() bool {
	select {
	case <-w.closed:
		return true
	default:
		return false
	}
}

// Health is nil, or why the process cannot be started again, or has died of its calls
// each time that it was.
func (w *Worker) Health() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failure
}

// supervise starts the process again whenever it has ended, until Close. One that loads
// its model and dies of its first call is no better than one that does not load: the
// failure stands beside the next one until that has answered. Who ended a process that
// nobody had called does not matter.
func (w *Worker) supervise(proc *process) {
	defer close(w.done)
	barren := 0 // processes in a row that answered nothing
	deadly := 0 // first calls in a row that ended their process
	var failure error
	for {
		if proc != nil {
			select {
			case <-w.closed:
				proc.stop()
				return
			case <-proc.done:
			}
			barren++
			if proc.answered.Load() {
				barren, deadly, failure = 0, 0, nil
			} else if proc.called.Load() {
				deadly++
				failure = w.repeated(deadly, errors.New(proc.exit()))
			}
			w.opts.Log.Warn("model worker ended", "dir", w.opts.Dir, "pid", proc.child.PID,
				"exit", proc.exit())
			w.opts.Ended(proc.child.State())
			w.set(nil, cmp.Or(failure, w.repeated(barren, errors.New(proc.exit()))))
		}
		if !w.pause(barren) {
			return
		}
		var err error
		if proc, err = w.restart(); err != nil {
			barren++
			w.opts.Log.Warn("model worker did not start", "dir", w.opts.Dir, "error", err)
			w.set(nil, w.repeated(max(barren, 2), err))
			continue
		}
		w.set(proc, failure)
	}
}

// repeated is the error that callers get at once while restarts do not help.
func (w *Worker) repeated(barren int, cause error) error {
	if barren < 2 {
		return nil
	}
	return fairlead.Errorf(fairlead.Unavailable,
		"the model's worker ends again and again (%s); see %s", fairleadText(cause), logName)
}

func fairleadText(err error) string {
	if fairlead.CodeOf(err) != fairlead.Internal {
		return fairlead.MessageOf(err)
	}
	return err.Error()
}

// pause waits before a restart: not at all after a process that had answered, and
// twice as long for each one in a row that had not. It returns false on Close.
func (w *Worker) pause(barren int) bool {
	delay := time.Duration(0)
	if barren > 0 {
		delay = min(w.opts.Backoff<<min(barren-1, 20), maxBackoff)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-w.closed:
		return false
	case <-timer.C:
		return true
	}
}

// restart starts the process again, unless Close comes first.
func (w *Worker) restart() (*process, error) {
	ctx, cancel := context.WithCancel(context.Background())
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-w.closed:
			cancel()
		case <-ctx.Done():
		}
	})
	defer watch.Wait()
	defer cancel()
	return startProcess(ctx, w.opts)
}

func (w *Worker) set(proc *process, failure error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proc, w.failure = proc, failure
	close(w.changed)
	w.changed = make(chan struct{})
}

// mended tells that proc has answered.
func (w *Worker) mended(proc *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.proc == proc {
		w.failure = nil
	}
}

// Close ends the process, by force after two seconds, and waits for it. It is
// idempotent.
func (w *Worker) Close() error {
	w.once.Do(func() { close(w.closed) })
	<-w.done
	return nil
}
