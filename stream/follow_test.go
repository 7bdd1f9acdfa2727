package stream_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

const lateness = 2 * time.Second

// old is before the fake time of a bubble, which begins in 2000.
var old = time.Date(1999, 3, 1, 0, 0, 0, 0, time.UTC)

// live is a running service on a database, inside a bubble of fake time.
type live struct {
	*stream.Service
	t  *testing.T
	db *store.DB

	mu   sync.Mutex
	keys []string
}

// fired returns the keys of the timers that have fired.
func (l *live) fired() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.keys)
}

// run starts the program on the database; stop ends it.
func run(t *testing.T, path string) *live {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{Path: path}, stream.Schema())
	if err != nil {
		t.Fatal(err)
	}
	l := &live{t: t, db: db, Service: stream.New(db, fairlead.WallClock{}, slog.New(slog.DiscardHandler))}
	l.Handle("note", func(_ context.Context, _ *store.Tx, _ fairlead.Project, tm stream.Timer) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.keys = append(l.keys, tm.Key)
		return nil
	})
	if err := l.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *live) stop() {
	l.Stop()
	if err := l.db.Close(); err != nil {
		l.t.Error(err)
	}
}

func (l *live) timer(key string, due time.Time) { set(l.t, l.db, l.Service, key, due) }

func (l *live) watermark() time.Time {
	l.t.Helper()
	st, err := l.Describe(context.Background(), project, "m@prod")
	if err != nil {
		l.t.Fatal(err)
	}
	return st.Watermark
}

func (l *live) request(at time.Time, explicit bool) {
	l.Observe(project, "m@prod", at, explicit, lateness)
}

// inBubble runs fn in fake time with a database outside of it.
func inBubble(t *testing.T, fn func(t *testing.T, path string)) {
	path := filepath.Join(t.TempDir(), "f.db")
	synctest.Test(t, func(t *testing.T) { fn(t, path) })
}

func TestFollow_WallTimeGoesOnWithoutRequestsAndAfterARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, path string) {
		l := run(t, path)
		begun := time.Now()
		l.request(begun, false)
		l.timer("soon", begun.Add(time.Minute))
		l.timer("after the restart", begun.Add(time.Hour))
		time.Sleep(90 * time.Second)
		if !slices.Equal(l.fired(), []string{"soon"}) {
			t.Errorf("fired %v", l.fired())
		}
		if behind := time.Since(l.watermark()); behind < lateness || behind > 20*time.Second {
			t.Errorf("the watermark is %v behind", behind)
		}
		l.stop()

		l = run(t, path)
		defer l.stop()
		time.Sleep(time.Hour)
		if !slices.Equal(l.fired(), []string{"after the restart"}) {
			t.Errorf("fired after the restart: %v", l.fired())
		}
		if behind := time.Since(l.watermark()); behind < lateness || behind > 20*time.Second {
			t.Errorf("the watermark is %v behind after the restart", behind)
		}
	})
}

func TestFollow_TimersFireWithinASecondOfTheirTime(t *testing.T) {
	inBubble(t, func(t *testing.T, path string) {
		l := run(t, path)
		defer l.stop()
		l.request(time.Now(), false)
		time.Sleep(time.Minute)
		due := time.Now().Add(7 * time.Second)
		l.timer("due", due)
		time.Sleep(time.Until(due.Add(lateness)) - time.Second)
		if len(l.fired()) != 0 {
			t.Error("fired before its time and the lateness had passed")
		}
		time.Sleep(2 * time.Second)
		if len(l.fired()) != 1 {
			t.Errorf("fired %v", l.fired())
		}
	})
}

func TestFollow_EventTimesMoveItAndOnlyThey(t *testing.T) {
	inBubble(t, func(t *testing.T, path string) {
		l := run(t, path)
		l.timer("in the event's past", old.Add(time.Hour))
		l.timer("in the event's future", old.Add(30*time.Hour))
		l.request(old.Add(24*time.Hour), true)
		l.request(old.Add(20*time.Hour), true) // out of order
		l.request(time.Now(), false)           // somebody tries the endpoint by hand
		time.Sleep(time.Minute)
		want := old.Add(24*time.Hour - lateness)
		if at := l.watermark(); !at.Equal(want) || !slices.Equal(l.fired(), []string{"in the event's past"}) {
			t.Errorf("watermark %v, want %v; fired %v", at, want, l.fired())
		}
		l.stop()

		l = run(t, path)
		defer l.stop()
		time.Sleep(time.Minute)
		l.request(time.Now(), false)
		time.Sleep(time.Minute)
		if at := l.watermark(); !at.Equal(want) {
			t.Errorf("watermark %v after a restart, want %v", at, want)
		}
	})
}

func TestFollow_LeavesADrivenStreamAloneUntilItIsReleased(t *testing.T) {
	inBubble(t, func(t *testing.T, path string) {
		l := run(t, path)
		defer l.stop()
		ctx := context.Background()
		if err := l.Advance(ctx, project, "m@prod", old); err != nil {
			t.Fatal(err)
		}
		l.request(old.Add(5*time.Hour), true)
		time.Sleep(time.Minute)
		if at := l.watermark(); !at.Equal(old) {
			t.Errorf("a request moved a driven stream to %v", at)
		}
		if err := l.Release(ctx, project, "m@prod"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if at := l.watermark(); !at.Equal(old) {
			t.Errorf("the release alone moved it to %v", at)
		}
		l.request(time.Now(), false) // traffic after the replay carries no event time
		time.Sleep(time.Minute)
		if behind := time.Since(l.watermark()); behind > 20*time.Second {
			t.Errorf("the watermark is %v behind after the release", behind)
		}
	})
}

func TestRelease_HelpsAStreamThatOneEventTimeHasStopped(t *testing.T) {
	inBubble(t, func(t *testing.T, path string) {
		l := run(t, path)
		defer l.stop()
		mode := func() string {
			st, err := l.Describe(context.Background(), project, "m@prod")
			if err != nil {
				t.Fatal(err)
			}
			return st.Mode
		}
		l.request(time.Now(), false)
		time.Sleep(10 * time.Second)
		l.request(old, true) // somebody tries it
		time.Sleep(time.Minute)
		l.request(time.Now(), false)
		time.Sleep(time.Minute)
		if behind := time.Since(l.watermark()); behind < time.Minute || mode() != "event_time" {
			t.Errorf("the watermark is %v behind in mode %s", behind, mode())
		}
		if err := l.Release(context.Background(), project, "m@prod"); err != nil {
			t.Fatal(err)
		}
		if mode() != "undecided" {
			t.Errorf("mode %s after the release", mode())
		}
		l.request(time.Now(), false)
		time.Sleep(time.Minute)
		if behind := time.Since(l.watermark()); behind > 20*time.Second || mode() != "wall_time" {
			t.Errorf("the watermark is %v behind in mode %s after the release", behind, mode())
		}
	})
}

func TestAdvance_RefusesATimeInTheFutureOrBefore1970(t *testing.T) {
	db, s := open(t, filepath.Join(t.TempDir(), "f.db"))
	err := s.Advance(t.Context(), project, "m@prod", time.Now().Add(time.Hour))
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("an hour ahead: %v", err)
	}
	err = s.Advance(t.Context(), project, "m@prod", time.Date(1969, 7, 20, 20, 17, 0, 0, time.UTC))
	if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), "stream time begins on 1970-01-02") {
		t.Errorf("before 1970: %v", err)
	}
	err = db.Read(t.Context(), func(tx *store.Tx) error {
		at, err := s.Now(tx, project, "m@prod")
		if !at.IsZero() {
			t.Errorf("the stream began at %v", at)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAdvance_EndsWithItsContextWhileAnotherOneRuns(t *testing.T) {
	_, s := open(t, filepath.Join(t.TempDir(), "f.db"))
	release, inside := make(chan struct{}), make(chan struct{})
	first := true
	s.Settles(func(context.Context, fairlead.Project) (bool, error) {
		if first {
			first = false
			close(inside)
			<-release
		}
		return true, nil
	})
	done := make(chan error)
	go func() { done <- s.Advance(context.Background(), project, "m@prod", old) }()
	<-inside
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Advance(ctx, project, "m@prod", old); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("the one that waits: %v", err)
	}
	if err := s.Release(ctx, project, "m@prod"); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("a release that waits: %v", err)
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
