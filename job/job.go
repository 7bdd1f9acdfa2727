package job

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// State is where a job stands.
type State string

// The states. The last three are final.
const (
	Queued    State = "queued"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final reports whether a job in this state will never run again.
func (s State) Final() bool { return s == Done || s == Failed || s == Cancelled }

// Job is one piece of work. All its times are wall time.
type Job struct {
	ID         string
	Project    fairlead.Project
	Kind       string // which handler runs it
	Key        string // unique in project and kind: what makes enqueuing idempotent
	State      State
	Payload    json.RawMessage
	Result     json.RawMessage // of a done job; nil when it left none
	Progress   string          // what it was last seen doing
	Error      string          // of the last attempt that failed
	CauseEvent string          // id of the event that led to it

	RunAt       time.Time // not before
	Scheduled   bool      // see Task
	Attempt     int       // runs that failed by themselves, and the present one
	MaxAttempts int
	Losses      int   // runs that died with a server, a shim or the machine, and left no step
	Fence       int64 // of the last claim
	Owner       string
	LeaseUntil  time.Time
	CancelledAt time.Time // when somebody asked; zero when nobody did

	Created, Started, Finished time.Time

	k int64
}

// Decode puts the job's payload into v.
func (j *Job) Decode(v any) error {
	if err := json.Unmarshal(j.Payload, v); err != nil {
		return fairlead.Errorf(fairlead.Internal, "the payload of job %s (%s) cannot be read: %w",
			j.ID, j.Kind, err)
	}
	return nil
}

// Task is a job to be.
type Task struct {
	Project    fairlead.Project
	Kind       string
	Key        string // empty: the job is like no other
	Payload    any    // marshalled as JSON
	CauseEvent string

	RunAt time.Time // wall time; zero is now
	// Scheduled says that the job only waits for RunAt: until then it does not
	// keep its project from being idle.
	Scheduled   bool
	MaxAttempts int // zero: what the kind's limits say
}

// The causes with which a run's context ends, and the errors of its writes
// afterwards. Test for them with errors.Is.
var (
	ErrFenced = fairlead.Errorf(fairlead.Precondition,
		"the job was taken over by another run; this one can change nothing any more")
	ErrCancelled = fairlead.Errorf(fairlead.Precondition, "the job was cancelled")
	ErrTimeout   = fairlead.Errorf(fairlead.Unavailable, "the job took longer than it may")
	ErrStopping  = fairlead.Errorf(fairlead.Unavailable,
		"the server is stopping; the job goes on when it is back")
)

type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// Lost marks an error of a handler as the fault of the infrastructure: the job
// runs again with a higher fence, and no attempt is counted. It adopts its steps,
// ended ones with their exits; Run.Forget makes it start one again. Each loss
// lets it wait longer, and after Options.MaxLosses it fails; an error that is
// Exhausted, as that of a full disk, is no loss: the job waits until there is room.
func Lost(err error) error { return lostError{err} }

type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

// Permanent marks an error of a handler as one that a retry cannot mend.
func Permanent(err error) error { return finalError{err} }

func isLost(err error) bool {
	var e lostError
	return errors.As(err, &e)
}

func isPermanent(err error) bool {
	var e finalError
	return errors.As(err, &e)
}
