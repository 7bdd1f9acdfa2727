package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// Names of the files in an attempt directory; see the package comment.
const (
	lockFile  = "lock"
	specFile  = "spec.json"
	shimFile  = "shim.json"
	exitFile  = "exit.json"
	killFile  = "kill"
	logFile   = "step.log"
	marksFile = "marks.log"
)

// intent is spec.json: what a later server needs to end this attempt.
type intent struct {
	Protocol  int      `json:"protocol"`
	Cookie    string   `json:"cookie"` // value of AttemptVar in every process
	Command   []string `json:"command"`
	WorkDir   string   `json:"work_dir"`
	TimeoutMS int64    `json:"timeout_ms"`
	GraceMS   int64    `json:"grace_ms"`
	CreatedMS int64    `json:"created_ms"`
}

func (i intent) grace() time.Duration { return time.Duration(i.GraceMS) * time.Millisecond }

// order is what the server tells the shim through memory and never on disk.
type order struct {
	intent
	Env        []string `json:"env"`
	LogLimit   int64    `json:"log_limit"`
	MarksLimit int64    `json:"marks_limit"`
}

// identity names one process for ever: a pid alone is used again.
type identity struct {
	PID    int    `json:"pid"`
	Start  uint64 `json:"start"` // clock ticks after boot, /proc/[pid]/stat field 22
	BootID string `json:"boot_id"`
}

// whois is shim.json.
type whois struct {
	Protocol int      `json:"protocol"`
	Shim     identity `json:"shim"`
	Child    identity `json:"child"`
}

// ending is exit.json.
type ending struct {
	Protocol int `json:"protocol"`
	Exit
}

// readRecord decodes one of the files above and refuses what a newer program wrote.
func readRecord(dir, name string, into any) error {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	var v struct{ Protocol int }
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("%s is damaged: %w", name, err)
	}
	if v.Protocol < 1 || v.Protocol > Protocol {
		return fairlead.Errorf(fairlead.Unimplemented,
			"the step was started by another fairlead (shim protocol %d, this one knows up to %d); "+
				"finish it with the program that started it", v.Protocol, Protocol)
	}
	return json.Unmarshal(b, into)
}

// readExit returns exit.json, and false when there is none yet.
func readExit(dir string) (Exit, bool, error) {
	var e ending
	err := readRecord(dir, exitFile, &e)
	if errors.Is(err, fs.ErrNotExist) {
		return Exit{}, false, nil
	}
	return e.Exit, err == nil, err
}

// create writes a file that must not exist yet. It does not sync: what an intent
// describes ends with the machine.
func create(dir, name string, v any) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(f).Encode(v), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
