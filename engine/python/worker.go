package python

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
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
	maxBackoff          = 30 * time.Second
)

// Options configure a Worker.
type Options struct {
	Python    string           // interpreter of the model's environment
	Environ   []string         // the worker's environment variables; nil: the server's
	ModelDir  string           // an MLflow model directory
	Signature engine.Signature // what requests are checked against
	Dir       string           // for worker.log; created when absent
	Log       *slog.Logger

	Timeout      time.Duration // of one call, in wall time; the worker is recycled after it
	StartTimeout time.Duration // of loading the model
	Backoff      time.Duration // before the first restart; doubled for each that answers nothing
	LogBytes     int64         // bound of worker.log and worker.log.1 together
}

// Worker is a supervised process with one loaded model. Calls go through it one
// after another. It implements engine.Predictor.
type Worker struct {
	opts   Options
	slot   chan struct{} // holds one token: the right to use the process
	closed chan struct{}
	done   chan struct{} // closed when the supervisor has ended

	mu       sync.Mutex
	proc     *process      // nil while there is none
	changed  chan struct{} // closed and replaced when proc or failure changes
	failure  error         // why there is no process, when restarts do not help
	restarts int
	once     sync.Once
}

// Start starts a worker and waits until it has loaded the model; ctx bounds only
// that. A model that does not load is Invalid, with Python's own words.
func Start(ctx context.Context, opts Options) (*Worker, error) {
	opts = opts.withDefaults()
	if err := os.MkdirAll(opts.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("worker directory: %w", err)
	}
	w := &Worker{
		opts: opts, slot: make(chan struct{}, 1),
		closed: make(chan struct{}), done: make(chan struct{}), changed: make(chan struct{}),
	}
	proc, err := startProcess(ctx, opts)
	if err != nil {
		return nil, err
	}
	w.proc = proc
	w.slot <- struct{}{}
	go w.supervise(proc)
	return w, nil
}

// Load starts a worker for a Python package directory.
func Load(ctx context.Context, dir string, m *engine.Manifest, opts Options) (*Worker, error) {
	if m.Engine != engine.EnginePython {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the package is for the %s engine, not python", m.Engine)
	}
	opts.ModelDir = filepath.Join(dir, filepath.FromSlash(m.Model))
	opts.Signature = m.Signature
	return Start(ctx, opts)
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
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	return o
}

// Predict sends the batch to the worker. When ctx ends first the answer is
// dropped, and the worker lives on unless it exceeds Options.Timeout. A worker
// that dies or is too slow is Unavailable; what the model refuses is Invalid.
func (w *Worker) Predict(ctx context.Context, in *engine.Frame) (*engine.Frame, error) {
	arranged, err := w.opts.Signature.Arrange(in)
	if err != nil {
		return nil, err
	}
	request, err := encodeRequest(arranged)
	if err != nil {
		return nil, err
	}
	if err := w.acquire(ctx); err != nil {
		return nil, err
	}
	proc, err := w.current(ctx)
	if err != nil {
		w.slot <- struct{}{}
		return nil, err
	}
	answered := make(chan answer, 1)
	go func() {
		answered <- w.exchange(proc, request)
		w.slot <- struct{}{}
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

type answer struct {
	response *response
	err      error
}

// exchange sends one request and reads its answer. The caller holds the slot.
func (w *Worker) exchange(proc *process, request []byte) answer {
	proc.conn.SetDeadline(time.Now().Add(w.opts.Timeout))
	resp, err := proc.roundTrip(request)
	if err == nil {
		proc.answered.Store(true)
		return answer{response: resp, err: resp.failure()}
	}
	slow := errors.Is(err, os.ErrDeadlineExceeded)
	proc.kill()
	<-proc.done
	if slow {
		return answer{err: fairlead.Errorf(fairlead.Unavailable,
			"the model took longer than %v, and its worker was restarted", w.opts.Timeout)}
	}
	return answer{err: fairlead.Errorf(fairlead.Unavailable,
		"the model's worker died while it answered (%s); see %s", proc.exit(), logName)}
}

func (w *Worker) acquire(ctx context.Context) error {
	select {
	case <-w.closed:
		return errClosed
	default:
	}
	select {
	case <-w.slot:
		return nil
	case <-w.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errClosed = fairlead.Errorf(fairlead.Unavailable, "the model's worker is stopped")

// current returns the live process; it waits for a restart that is under way, for
// at most Options.Timeout, and not at all when restarts keep failing.
func (w *Worker) current(ctx context.Context) (*process, error) {
	var timeout <-chan time.Time
	for {
		w.mu.Lock()
		proc, failure, changed := w.proc, w.failure, w.changed
		w.mu.Unlock()
		if proc != nil && !proc.ended() {
			return proc, nil
		}
		if failure != nil {
			return nil, failure
		}
		if timeout == nil {
			timer := time.NewTimer(w.opts.Timeout)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-changed:
		case <-w.closed:
			return nil, errClosed
		case <-timeout:
			return nil, fairlead.Errorf(fairlead.Unavailable,
				"the model's worker is still starting; try again")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// supervise starts the process again whenever it has ended, until Close.
func (w *Worker) supervise(proc *process) {
	defer close(w.done)
	barren := 0 // processes in a row that answered nothing
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
				barren = 0
			}
			w.opts.Log.Warn("python worker ended", "pid", proc.pid, "exit", proc.exit())
			w.set(nil, w.repeated(barren, errors.New(proc.exit())))
		}
		if !w.pause(barren) {
			return
		}
		var err error
		if proc, err = w.restart(); err != nil {
			barren++
			w.opts.Log.Warn("python worker did not start", "error", err)
			w.set(nil, w.repeated(max(barren, 2), err))
			continue
		}
		w.set(proc, nil)
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

func (w *Worker) restart() (*process, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-w.closed:
			cancel()
		case <-stop:
		}
	}()
	w.mu.Lock()
	w.restarts++
	w.mu.Unlock()
	return startProcess(ctx, w.opts)
}

func (w *Worker) set(proc *process, failure error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.proc, w.failure = proc, failure
	close(w.changed)
	w.changed = make(chan struct{})
}

// Status is what operators see of a worker.
type Status struct {
	PID      int // 0 while there is no process
	Restarts int
	Failure  string // why there is no process, when restarts do not help
}

// Status returns the worker's state now.
func (w *Worker) Status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{Restarts: w.restarts}
	if w.proc != nil {
		s.PID = w.proc.pid
	}
	if w.failure != nil {
		s.Failure = w.failure.Error()
	}
	return s
}

// Close ends the process, by force after two seconds, and waits for it. It is
// idempotent.
func (w *Worker) Close() error {
	w.once.Do(func() { close(w.closed) })
	<-w.done
	return nil
}
