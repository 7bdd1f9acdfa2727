package keeper

import (
	"errors"
	"os"
	"strconv"
	"time"
)

// Protocol is the version of the attempt directory that this program writes. It
// reads this one and all before it.
const Protocol = 1

// AttemptVar is the environment variable that marks every process of an attempt.
const AttemptVar = "FAIRLEAD_ATTEMPT"

// Argv0 is how a process knows that it is a shim. The second argument is the
// attempt directory, for people who read ps.
const Argv0 = "fairlead-shim"

// File descriptors that a shim starts with: the attempt's lock, held, and a
// file in memory with its Order.
const (
	LockFD  = 3
	OrderFD = 4
)

// Names of the files in an attempt directory; package shim's comment explains them.
const (
	LockFile  = "lock"
	SpecFile  = "spec.json"
	ShimFile  = "shim.json"
	ExitFile  = "exit.json"
	KillFile  = "kill"
	LogFile   = "step.log"
	MarksFile = "marks.log"
)

// Intent is spec.json: what a later server needs to end this attempt.
type Intent struct {
	Protocol  int      `json:"protocol"`
	Cookie    string   `json:"cookie"` // value of AttemptVar in every process
	Command   []string `json:"command"`
	WorkDir   string   `json:"work_dir"`
	TimeoutMS int64    `json:"timeout_ms"`
	GraceMS   int64    `json:"grace_ms"`
	CreatedMS int64    `json:"created_ms"`
}

// Grace is the time from TERM to KILL.
func (i Intent) Grace() time.Duration { return time.Duration(i.GraceMS) * time.Millisecond }

// Order is what the server tells the shim through memory and never on disk.
type Order struct {
	Intent
	Env        []string `json:"env"`
	LogLimit   int64    `json:"log_limit"`
	MarksLimit int64    `json:"marks_limit"`
}

// Identity names one process for ever: a pid alone is used again.
type Identity struct {
	PID    int    `json:"pid"`
	Start  uint64 `json:"start"` // clock ticks after boot, /proc/[pid]/stat field 22
	BootID string `json:"boot_id"`
}

// Whois is shim.json.
type Whois struct {
	Protocol int      `json:"protocol"`
	Shim     Identity `json:"shim"`
	Child    Identity `json:"child"`
}

// Ending is exit.json.
type Ending struct {
	Protocol int `json:"protocol"`
	Exit
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
	Left       bool   `json:"left,omitempty"` // some of its processes did not end, even when killed

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

// SegmentPath is the file of the log's segment that starts at an offset of the
// stream.
func SegmentPath(dir string, start int64) string {
	if start == 0 {
		return join(dir, LogFile)
	}
	return join(dir, LogFile+"."+strconv.FormatInt(start, 10))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// join names a file in a directory. Package path/filepath would do, and delay this
// package: it sorts after "github.com", so that of a large program most is
// initialised before it, and this package waits for it.
func join(dir, name string) string { return dir + "/" + name }
