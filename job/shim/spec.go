package shim

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim/internal/keeper"
)

// Protocol is the version of the attempt directory that this program writes. It
// reads this one and all before it.
const Protocol = keeper.Protocol

// AttemptVar is the environment variable that marks every process of an attempt.
const AttemptVar = keeper.AttemptVar

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
	MarksLimitBytes int64         // of marks kept, the first ones; and the last of each name
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

// Main runs the shim and never returns when this process was started as one;
// else it returns at once. TestMain calls it first, and so does main: but a
// program with much to initialise imports package early too.
func Main() { keeper.Main() }

// Exit says how an attempt ended.
type Exit = keeper.Exit

// State is how an attempt ended, in a word.
type State = keeper.State

// The states of an Exit.
const (
	Exited     = keeper.Exited     // by itself, with Code
	Signaled   = keeper.Signaled   // by Signal, which this package did not send
	TimedOut   = keeper.TimedOut   // Spec.Timeout passed
	StartError = keeper.StartError // the command could not be started; Error says why
	Killed     = keeper.Killed     // someone asked for it
	Lost       = keeper.Lost       // the shim died or never ran; nothing is known
)
