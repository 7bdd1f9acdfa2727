package stream_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

var (
	project = fairlead.Project{K: 1, Name: "default"}
	start   = time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)
)

func open(t *testing.T, path string) (*store.DB, *stream.Service) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: path}, stream.Schema())
	if err != nil {
		t.Fatal(err)
	}
	s := stream.New(db, fairlead.WallClock{}, slog.New(slog.DiscardHandler))
	t.Cleanup(func() { s.Stop(); db.Close() })
	return db, s
}

func set(t *testing.T, db *store.DB, s *stream.Service, key string, due time.Time) {
	t.Helper()
	err := db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		return s.Set(tx, project, stream.Timer{Stream: "m@prod", Kind: "note", Key: key, Due: due})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAdvance_FiresTimersInDueOrderWhateverTheJump(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, 24 * time.Hour, 30 * 24 * time.Hour} {
		t.Run(jump.String(), func(t *testing.T) {
			db, s := open(t, filepath.Join(t.TempDir(), "f.db"))
			var fired []string
			s.Handle("note", func(_ context.Context, tx *store.Tx, p fairlead.Project, tm stream.Timer) error {
				now, err := s.Now(tx, p, tm.Stream)
				fired = append(fired, fmt.Sprintf("%s@%s", tm.Key, now.Format("0215")))
				if tm.Key == "again" && len(fired) < 4 {
					tm.Due = tm.Due.Add(6 * time.Hour)
					return s.Set(tx, p, tm)
				}
				return err
			})
			set(t, db, s, "late", start.Add(20*time.Hour))
			set(t, db, s, "b", start.Add(3*time.Hour))
			set(t, db, s, "a", start.Add(3*time.Hour))
			set(t, db, s, "again", start.Add(4*time.Hour))
			for at := start; at.Before(start.Add(30 * 24 * time.Hour)); {
				at = at.Add(jump)
				if err := s.Advance(t.Context(), project, "m@prod", at); err != nil {
					t.Fatal(err)
				}
			}
			want := []string{"a@0103", "b@0103", "again@0104", "again@0110", "late@0120"}
			if !slices.Equal(fired, want) {
				t.Errorf("fired %v, want %v", fired, want)
			}
		})
	}
}

func TestAdvance_WaitsUntilEverythingHasSettled(t *testing.T) {
	db, s := open(t, filepath.Join(t.TempDir(), "f.db"))
	var working atomic.Bool
	s.Settles(func(context.Context, fairlead.Project) (bool, error) { return !working.Load(), nil })
	order := make(chan string, 10)
	s.Handle("note", func(_ context.Context, _ *store.Tx, _ fairlead.Project, tm stream.Timer) error {
		order <- "fired " + tm.Key
		working.Store(true)
		go func() {
			time.Sleep(5 * time.Millisecond)
			order <- "worked " + tm.Key
			working.Store(false)
		}()
		return nil
	})
	set(t, db, s, "1", start.Add(time.Hour))
	set(t, db, s, "2", start.Add(2*time.Hour))
	if err := s.Advance(t.Context(), project, "m@prod", start.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	close(order)
	var got []string
	for o := range order {
		got = append(got, o)
	}
	if want := []string{"fired 1", "worked 1", "fired 2", "worked 2"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestAdvance_FailedTimerStaysForTheNextAdvance(t *testing.T) {
	db, s := open(t, filepath.Join(t.TempDir(), "f.db"))
	fail, calls := true, 0
	s.Handle("note", func(context.Context, *store.Tx, fairlead.Project, stream.Timer) error {
		if calls++; fail {
			return fmt.Errorf("not now")
		}
		return nil
	})
	set(t, db, s, "1", start)
	if err := s.Advance(t.Context(), project, "m@prod", start); err == nil {
		t.Fatal("the failure was swallowed")
	}
	fail = false
	if err := s.Advance(t.Context(), project, "m@prod", start); err != nil || calls != 2 {
		t.Errorf("calls %d, error %v", calls, err)
	}
}

func TestAdvance_SurvivesARestartAndNeverGoesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.db")
	db, s := open(t, path)
	begun := 0
	s.OnBegin(func(context.Context, *store.Tx, fairlead.Project, string, time.Time) error { begun++; return nil })
	for _, h := range []int{5, 2} {
		if err := s.Advance(t.Context(), project, "m@prod", start.Add(time.Duration(h)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	_, s = open(t, path)
	st, err := s.Describe(t.Context(), project, "m@prod")
	if err != nil || !st.Watermark.Equal(start.Add(5*time.Hour)) || !st.Driven || begun != 1 {
		t.Errorf("state %+v, begun %d, error %v", st, begun, err)
	}
}
