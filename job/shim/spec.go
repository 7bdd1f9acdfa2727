package shim

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// Protocol is the version of the attempt directory that this program writes. It
// reads this one and all before it.
const Protocol = 1

// AttemptVar is the environment variable that marks every process of an attempt.
const AttemptVar = "FAIRLEAD_ATTEMPT"

// Limits that stand where a Spec says 0.
const (
	DefaultLogLimitBytes   = 16 << 20
	DefaultMarksLimitBytes = 16 << 20
	minLogLimitBytes       = 4 << 10
)

// Spec says what to run and within which limits.
type Spec struct {
	Dir     string   // attempt directory, absolute; made if absent, used for one Start
	Command []string // program and arguments; a bare name is looked up in Env's PATH
	WorkDir string   // absolute; it must exist
	Env     []string // "NAME=value": the whole environment, plus AttemptVar

	LogLimitBytes   int64         // of stdout and stderr kept: half first, half last
	MarksLimitBytes int64         // of marks kept, the first ones
	Timeout         time.Duration // from the start of the command; 0 is none
	Grace           time.Duration // from TERM to KILL; 0 kills at once
}

func (s *Spec) check() error {
	switch {
	case !filepath.IsAbs(s.Dir):
		return fairlead.Errorf(fairlead.Invalid, "the attempt directory %q is not absolute", s.Dir)
	case !filepath.IsAbs(s.WorkDir):
		return fairlead.Errorf(fairlead.Invalid, "the work directory %q is not absolute", s.WorkDir)
	case len(s.Command) == 0 || s.Command[0] == "":
		return fairlead.Errorf(fairlead.Invalid, "the step has no command; say what to run")
	case s.Timeout < 0 || s.Grace < 0 || s.LogLimitBytes < 0 || s.MarksLimitBytes < 0:
		return fairlead.Errorf(fairlead.Invalid, "the limits of a step cannot be negative")
	}
	for _, arg := range append(append([]string{s.WorkDir}, s.Command...), s.Env...) {
		if strings.ContainsRune(arg, 0) {
			return fairlead.Errorf(fairlead.Invalid,
				"a command, directory or variable of the step holds a NUL character")
		}
	}
	return nil
}

// limits returns the log's and the marks' limits with the defaults filled in.
func (s *Spec) limits() (log, marks int64) {
	log, marks = s.LogLimitBytes, s.MarksLimitBytes
	if log == 0 {
		log = DefaultLogLimitBytes
	}
	if marks == 0 {
		marks = DefaultMarksLimitBytes
	}
	return max(log, minLogLimitBytes), marks
}

// State is how an attempt ended.
type State string

// The states of an Exit.
const (
	Exited     State = "exited"      // by itself, with Code
	Signaled   State = "signaled"    // by Signal, which this package did not send
	TimedOut   State = "timeout"     // Spec.Timeout passed
	StartError State = "start_error" // the command could not be started; Error says why
	Killed     State = "killed"      // someone asked for it
	Lost       State = "lost"        // the shim died or never ran; nothing is known
)

// Exit says how an attempt ended. Times are Unix milliseconds of the wall clock.
type Exit struct {
	State      State  `json:"state"`
	Code       int    `json:"code"`             // -1 when a signal ended the command
	Signal     string `json:"signal,omitempty"` // for example "killed"
	Error      string `json:"error,omitempty"`
	StartedMS  int64  `json:"started_ms"`
	FinishedMS int64  `json:"finished_ms"`

	LogBytes     int64 `json:"log_bytes"`     // printed
	LogDropped   int64 `json:"log_dropped"`   // printed and not kept
	MarksDropped int64 `json:"marks_dropped"` // lines

	// Of the command and all that it waited for; MaxRSSBytes is the largest
	// process, and at least what the shim itself used when it forked.
	MaxRSSBytes int64 `json:"max_rss_bytes"`
	UserMS      int64 `json:"user_ms"`
	SysMS       int64 `json:"sys_ms"`
}

// OK reports whether the command ended by itself with status 0.
func (e Exit) OK() bool { return e.State == Exited && e.Code == 0 }
