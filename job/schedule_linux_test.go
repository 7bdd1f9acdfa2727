package job_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/store"
)

func timing(t *testing.T, text string) job.Timing {
	t.Helper()
	v, err := job.ParseTiming(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchedule_MissedTicksRunOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, every := t.TempDir(), "every 10m"
		first := open(t, dir, fairlead.WallClock{}, job.Options{Exclusive: true})
		first.Handle("a", effect, job.Limits{})
		first.start(t)
		set := func(w *world, text string) {
			w.write(t, func(tx *store.Tx) error {
				return w.Schedule(tx, project, "a", "nightly", timing(t, text), nil)
			})
		}
		set(first, every)
		time.Sleep(25 * time.Minute)
		set(first, every) // again: nothing changes
		time.Sleep(10 * time.Minute)
		if n := len(first.noted(t)); n != 3 {
			t.Errorf("%d ticks in 35 minutes", n)
		}
		first.Stop(t.Context())
		first.db.Close()

		time.Sleep(time.Hour)
		next := open(t, dir, fairlead.WallClock{}, job.Options{Exclusive: true})
		next.Handle("a", effect, job.Limits{})
		next.start(t)
		time.Sleep(time.Minute)
		if n := len(next.noted(t)); n != 4 {
			t.Errorf("%d ticks after the pause, want one more", n)
		}
		time.Sleep(10 * time.Minute)
		if n := len(next.noted(t)); n != 5 {
			t.Errorf("%d ticks: it must go on", n)
		}
		next.write(t, func(tx *store.Tx) error { return next.Unschedule(tx, project, "a", "nightly") })
		time.Sleep(time.Hour)
		if n := len(next.noted(t)); n != 5 {
			t.Errorf("%d ticks after the end", n)
		}
		next.Stop(t.Context())
		next.db.Close()
	})
}

func TestTiming_Next(t *testing.T) {
	const layout = "2006-01-02 15:04 Mon"
	for _, tc := range []struct{ text, now, want string }{
		{"every 6h", "2026-03-01 10:20 Sun", "2026-03-01 16:20 Sun"},
		{"* * * * *", "2026-03-01 10:20 Sun", "2026-03-01 10:21 Sun"},
		{"*/15 * * * *", "2026-03-01 10:20 Sun", "2026-03-01 10:30 Sun"},
		{"5/20 * * * *", "2026-03-01 10:46 Sun", "2026-03-01 11:05 Sun"},
		{"30 4 * * *", "2026-03-01 04:30 Sun", "2026-03-02 04:30 Mon"},
		{"0 9-17/4 * * mon-fri", "2026-03-06 17:00 Fri", "2026-03-09 09:00 Mon"},
		{"0 0 29 2 *", "2026-03-01 00:00 Sun", "2028-02-29 00:00 Tue"},
		{"0 0 1,15 * *", "2026-12-20 00:00 Sun", "2027-01-01 00:00 Fri"},
		{"0 0 13 * 5", "2026-03-01 00:00 Sun", "2026-03-06 00:00 Fri"}, // either day
		{"0 12 * JAN,Jul 7", "2026-02-01 00:00 Sun", "2026-07-05 12:00 Sun"},
	} {
		now, err := time.Parse(layout, tc.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := timing(t, tc.text).Next(now, now).Format(layout); got != tc.want {
			t.Errorf("%q after %s: %s, want %s", tc.text, tc.now, got, tc.want)
		}
	}
	now := time.Now()
	if got := timing(t, "0 0 30 2 *").Next(now, now); !got.IsZero() {
		t.Errorf("the 30th of February is %s", got)
	}
}

func TestParseTiming_RefusesNonsense(t *testing.T) {
	for _, text := range []string{
		"", "hourly", "every", "every day", "every 10ms", "every -1h", "* * * *", "* * * * * *",
		"60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *",
		"5-1 * * * *", "1,,2 * * * *", "a * * * *", "* * * * sunday", "* * * unj *",
	} {
		if _, err := job.ParseTiming(text); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseTiming(f *testing.F) {
	for _, text := range []string{"every 1h", "*/5 1-3,7 * jan-mar 0", "0 0 29 2 1", "1/2/3 * * * *"} {
		f.Add(text, int64(1_800_000_000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		v, err := job.ParseTiming(text)
		if err != nil || unix < 0 || unix > 4e9 {
			return
		}
		now := time.Unix(unix, 0)
		next := v.Next(now, now)
		if !next.IsZero() && !next.After(now) {
			t.Errorf("%q after %s is %s", text, now, next)
		}
		isCron := !strings.HasPrefix(strings.TrimSpace(text), "every")
		if isCron && !next.IsZero() && next.Sub(now) > time.Minute {
			if again := v.Next(now, next.Add(-time.Second)); !again.Equal(next) {
				t.Errorf("%q: %s is skipped from just before it: %s", text, next, again)
			}
		}
	})
}
