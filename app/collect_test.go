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
	clock.Advance(25 * time.Hour)
	young := put("just stored, and not yet linked")
	wake(t, a)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, err := os.Stat(file(lost)); err == nil; _, err = os.Stat(file(lost)) {
		select {
		case <-ctx.Done():
			t.Fatal("the file is not removed")
		case <-time.After(5 * time.Millisecond):
		}
	}
	for _, o := range []blob.Object{kept, young} {
		if _, err := os.Stat(file(o)); err != nil {
			t.Error(err)
		}
	}
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
