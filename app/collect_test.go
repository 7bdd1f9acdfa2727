package app_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func TestApp_RemovesUnreferencedFilesEachDay(t *testing.T) {
	clock := fairlead.NewFakeClock(time.Now())
	a, err := app.New(t.Context(), app.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Clock: clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	start(t, a)
	put := func(text string) blob.Object {
		obj, err := a.Blobs.Put(t.Context(), strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return obj
	}
	file := func(o blob.Object) string {
		return filepath.Join(a.Dir(), "blobs", o.Digest[:2], o.Digest[2:])
	}
	kept, lost := put("kept"), put("lost")
	err = a.DB.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		return a.Blobs.Link(tx, spec.Default, blob.Owner{Kind: "run", ID: "r"}, "a", kept)
	})
	if err != nil {
		t.Fatal(err)
	}
	forgotten := forgottenUpload(t, a)
	clock.Advance(25 * time.Hour)
	young := put("just stored, and not yet linked")
	wake(t, a)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, gone := range []string{file(lost), forgotten} {
		for _, err := os.Stat(gone); err == nil; _, err = os.Stat(gone) {
			select {
			case <-ctx.Done():
				t.Fatalf("the file %s is not removed", gone)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	for _, o := range []blob.Object{kept, young} {
		if _, err := os.Stat(file(o)); err != nil {
			t.Error(err)
		}
	}
}

// forgottenUpload begins an upload, sends one of its parts, and returns the file that it
// is in.
func forgottenUpload(t *testing.T, a *app.App) string {
	t.Helper()
	r, err := a.Tracking.StartRun(t.Context(), spec.Default, tracking.NewRun{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := a.Tracking.StartUpload(t.Context(), spec.Default, tracking.Place{
		Owner: tracking.RunOwner(r.ID), Path: "f"}, tracking.NewUpload{Parts: 2})
	if err == nil {
		_, err = a.Tracking.PutPart(t.Context(), spec.Default, u.ID, 1, 4, strings.NewReader("part"))
	}
	file := filepath.Join(a.Dir(), "blobs", "partial", u.ID)
	if _, e := os.Stat(file); err != nil || e != nil {
		t.Fatal(err, e)
	}
	return file
}

// wake lets the jobs look at a clock that a test has advanced.
func wake(t *testing.T, a *app.App) {
	t.Helper()
	timing, err := job.ParseTiming("every 24h")
	if err == nil {
		err = a.DB.Write(t.Context(), store.Control, func(tx *store.Tx) error {
			return a.Jobs.Schedule(tx, spec.Default, "blob.collect", "", timing, nil)
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestApp_PurgesTheTrashOfAllProjectsEachDay(t *testing.T) {
	for name, tt := range map[string]struct {
		keep time.Duration
		set  string // of the other project than the default one
		want string
		also string // what becomes of that project's
	}{
		"as set":                   {48 * time.Hour, "", "gone", "gone"},
		"by default after 30 days": {0, "", "there", "there"},
		"never":                    {-1, "", "there", "there"},
		"later in one project":     {48 * time.Hour, "90d", "gone", "there"},
		"never in one project":     {48 * time.Hour, "forever", "gone", "there"},
		"sooner in one project":    {-1, "1d", "there", "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			clock := fairlead.NewFakeClock(time.Now())
			a, err := app.New(t.Context(), app.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Clock: clock,
				KeepDeleted: tt.keep})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { a.Stop(context.Background()) })
			start(t, a)
			rev, err := a.Projects.Apply(t.Context(), []byte("project: p\n"), "c")
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Projects.Set(t.Context(), rev.Project, spec.Settings{KeepDeleted: tt.set}); err != nil {
				t.Fatal(err)
			}
			want := map[fairlead.Project]string{spec.Default: tt.want, rev.Project: tt.also}
			runs := map[fairlead.Project]string{}
			for _, p := range []fairlead.Project{spec.Default, rev.Project} {
				r, err := a.Tracking.StartRun(t.Context(), p, tracking.NewRun{})
				if err == nil {
					err = a.Tracking.DeleteRun(t.Context(), p, r.ID)
				}
				if err != nil {
					t.Fatal(err)
				}
				runs[p] = r.ID
			}
			clock.Advance(72 * time.Hour)
			wake(t, a)
			waitForJob(t, a, "blob.collect")
			for p, id := range runs {
				_, err := a.Tracking.Run(t.Context(), p, id)
				if gone := fairlead.Is(err, fairlead.NotFound); gone != (want[p] == "gone") {
					t.Errorf("the run of project %s: %v, want it %s", p.Name, err, want[p])
				}
			}
		})
	}
}

// waitForJob waits until a job of that kind is done.
func waitForJob(t *testing.T, a *app.App, kind string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		changed := a.DB.Changed()
		page, err := a.Jobs.List(ctx, spec.Default.K, job.Filter{Kind: kind, State: job.Done}, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items) > 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("no job %s is done", kind)
		}
	}
}
