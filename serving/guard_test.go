package serving

import (
	"testing"
	"time"
)

func TestGuard_LeavesOutWhatHangsAndTriesItAgain(t *testing.T) {
	g, now := &guard{}, time.Unix(1e9, 0)
	call := func(late bool) error {
		err := g.enter(false, now)
		if err == nil {
			g.leave(false)
			g.note(late, now)
		}
		return err
	}
	steps := []struct {
		name string
		wait time.Duration
		late bool
		want error
	}{
		{"late once", 0, true, nil},
		{"late twice", 0, true, nil},
		{"an answer in between", 0, false, nil},
		{"late", 0, true, nil},
		{"late again", 0, true, nil},
		{"late three times in a row", 0, true, nil},
		{"left out", 0, true, errLate},
		{"still left out", leaveOut - 1, true, errLate},
		{"tried again, in vain", 1, true, nil},
		{"left out again", leaveOut - 1, true, errLate},
		{"tried again, and it answers", 1, false, nil},
		{"back", 0, false, nil},
	}
	for _, s := range steps {
		now = now.Add(s.wait)
		if err := call(s.late); err != s.want {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

func TestGuard_TriesAgainWithOneCallOnly(t *testing.T) {
	g, now := &guard{}, time.Unix(1e9, 0)
	for range lateMax {
		g.note(true, now)
	}
	now = now.Add(leaveOut)
	if err := g.enter(false, now); err != nil {
		t.Fatal(err)
	}
	if err := g.enter(false, now); err != errLate {
		t.Errorf("a second call: %v", err)
	}
}

func TestGuard_BackgroundCallsTakeNoRoomOfThoseThatAreWaitedFor(t *testing.T) {
	g, now := &guard{}, time.Unix(1e9, 0)
	for range callsMax {
		if err := g.enter(true, now); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.enter(true, now); err != errBusy {
		t.Errorf("one more in the background: %v", err)
	}
	if err := g.enter(false, now); err != nil {
		t.Errorf("one that is waited for: %v", err)
	}
}
