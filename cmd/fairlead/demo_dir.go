package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// demoTerms is what a demo is begun with, and goes on with when it was interrupted.
type demoTerms struct {
	Note    string  `json:"note"`
	Months  int     `json:"months"`         // of traffic that are played
	Seed    int64   `json:"permute_months"` // other than 0: permutes the months of the year
	Seconds float64 `json:"seconds"`        // that it has run so far
}

// The flags that a directory remembers.
const (
	monthsFlag = "months"
	seedFlag   = "permute-months"
)

// flags are those that differ from the defaults.
func (t demoTerms) flags() (args []string) {
	if t.Months != allMonths {
		args = append(args, "--"+monthsFlag, fmt.Sprint(t.Months))
	}
	if t.Seed != 0 {
		args = append(args, "--"+seedFlag, fmt.Sprint(t.Seed))
	}
	return args
}

// markFile tells a demo's directory from any other, which --fresh must not remove,
// and holds its terms.
const markFile = ".fairlead-demo"

// lockName is a file that a demo that runs holds locked: a second one in its directory
// would end its server.
const lockName = "lock"

func lockDemo(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fairlead.Errorf(fairlead.Conflict,
			"a demo runs in %s; wait for its end, or choose another directory with --dir", dir).Because(err)
	}
	return f, nil
}

// prepareDir makes the directory, or takes up the terms of the demo that it holds, and
// locks it.
func (d *demo) prepareDir(given func(flag string) bool) (err error) {
	if d.dir, err = filepath.Abs(d.dir); err != nil {
		return err
	}
	if d.fresh {
		if err := removeDemo(d.dir); err != nil {
			return err
		}
	}
	if err := d.enterDir(given); err != nil {
		return err
	}
	d.lock, err = lockDemo(d.dir)
	return err
}

// enterDir makes the directory with its mark, or reads that.
func (d *demo) enterDir(given func(flag string) bool) error {
	switch is, err := blank(d.dir); {
	case err != nil:
		return err
	case !is:
		return d.takeUp(given)
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return fairlead.Errorf(fairlead.Precondition,
			"%s cannot be made; choose another directory with --dir", d.dir).Because(err)
	}
	d.Note = "made by fairlead demo; --fresh removes this directory"
	return d.demoTerms.write(d.dir)
}

// partSuffix is what the name of a file ends with that is being written.
const partSuffix = ".part"

// blank reports whether a directory is not there yet, or holds nothing but the mark of a
// demo that was killed while it wrote that, before anything else.
func blank(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return !slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		return e.Name() != markFile+partSuffix
	}), nil
}

// takeUp reads the terms of a demo that goes on, and refuses flags that say others.
func (d *demo) takeUp(given func(flag string) bool) error {
	b, err := os.ReadFile(filepath.Join(d.dir, markFile))
	if errors.Is(err, os.ErrNotExist) {
		return fairlead.Errorf(fairlead.Precondition,
			"%s holds something that is not a demo; choose another directory with --dir", d.dir)
	}
	if err != nil {
		return err
	}
	var began demoTerms
	if err := json.Unmarshal(b, &began); err != nil {
		return fairlead.Errorf(fairlead.Precondition,
			"the demo in %s is of another version; start over with --fresh", d.dir).Because(err)
	}
	if given(monthsFlag) && d.Months != began.Months || given(seedFlag) && d.Seed != began.Seed {
		return fairlead.Errorf(fairlead.Precondition, "the demo in %s was begun with --%s %d --%s %d; "+
			"go on without these flags, or start over with --fresh", d.dir, monthsFlag, began.Months, seedFlag, began.Seed)
	}
	d.demoTerms = began
	return nil
}

func (t demoTerms) write(dir string) error {
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, markFile), append(b, '\n'))
}

// replaceFile writes a file so that nobody finds a part of it, also after a kill or a
// loss of power.
func replaceFile(path string, content []byte) error {
	f, err := os.Create(path + partSuffix)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// seconds is how long the demo has run, with the runs before that were interrupted.
func (d *demo) seconds() float64 { return d.Seconds + time.Since(d.say.began).Seconds() }

// keepTime writes the seconds down while the demo runs, so that those of a run that is
// killed count too.
func (d *demo) keepTime() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for running := true; running; {
			select {
			case <-tick.C:
			case <-quit:
				running = false
			}
			t := d.demoTerms
			t.Seconds = d.seconds()
			t.write(d.dir) // without it this run is not counted
		}
	}()
	return func() { close(quit); <-done }
}

func removeDemo(dir string) error {
	if is, err := blank(dir); err != nil || is {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, markFile)); err != nil {
		return fairlead.Errorf(fairlead.Precondition,
			"%s is not a demo's directory, so --fresh does not remove it", dir)
	}
	lock, err := lockDemo(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := stopOldServer(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}
