package tracking_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// purgeDir names, for a process that is to be killed, the directory to collect in.
const purgeDir = "FAIRLEAD_TEST_PURGE"

// later is when the collection runs: all files are old enough to be collected.
var later = time.Now().Add(100 * 24 * time.Hour)

func TestMain(m *testing.M) {
	if dir := os.Getenv(purgeDir); dir != "" {
		if err := collectIn(dir); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// collectIn collects what is in a directory, and says when it begins.
func collectIn(dir string) error {
	db, svc, err := openService(context.Background(), dir, fairlead.NewFakeClock(later))
	if err != nil {
		return err
	}
	defer db.Close()
	fmt.Println("begins")
	_, err = svc.Collect(context.Background(), project, 0, false)
	return err
}

func TestPurge_KilledLosesNothingAndTheNextFinishes(t *testing.T) {
	killed := 0
	for round := range 6 {
		dir := t.TempDir()
		b := openIn(t, dir, begin)
		ctx := t.Context()
		gone, goneRuns, _ := b.fill("gone", 60)
		_, stayRuns, stayModels := b.fill("stays", 5)
		b.must(b.svc.DeleteExperiment(ctx, project, gone.ID))
		b.must(b.svc.DeleteRun(ctx, project, stayRuns[0]))
		b.must(b.db.Write(ctx, store.Control, func(tx *store.Tx) error {
			return b.svc.Hold(tx, project, tracking.RunOwner(stayRuns[0]), "v", "is served")
		}))
		b.must(b.db.Close())

		if killInPurge(t, dir, time.Duration(round)*8*time.Millisecond) {
			killed++
		}
		b = openIn(t, dir, later)
		for i, id := range stayRuns {
			r := b.get(id)
			if len(r.Metrics) != 2 || len(r.Params) != 1 || len(r.Datasets) != 1 {
				t.Errorf("round %d: the run has %d metrics, %d params, %d datasets", round, len(r.Metrics),
					len(r.Params), len(r.Datasets))
			}
			m, err := b.svc.LoggedModel(ctx, project, stayModels[i])
			b.must(err)
			for uri, want := range map[string]string{r.ArtifactURI() + "/own.txt": "of run " + id,
				r.ArtifactURI() + "/same.txt": "shared", m.ArtifactURI() + "/MLmodel": "of model " + m.ID} {
				if text, err := b.read(uri); text != want {
					t.Errorf("round %d: %s has %q, %v", round, uri, text, err)
				}
			}
		}
		got, err := b.svc.Collect(ctx, project, 0, false)
		b.must(err)
		if len(got.Purged.Kept) != 1 || got.Purged.Kept[0].Reason != "is served" {
			t.Errorf("round %d: kept %+v", round, got.Purged.Kept)
		}
		if left := b.orphans(); left != nil || got.After.Unused > 0 {
			t.Errorf("round %d: %v, and %d bytes of unused files", round, left, got.After.Unused)
		}
		b.purgedOnce(append(goneRuns, gone.ID))
		files, err := filepath.Glob(filepath.Join(dir, "blobs", "??", "*"))
		if want := 5*2 + 1 + 1; err != nil || len(files) != want {
			t.Errorf("round %d: %d files are left, want %d; %v", round, len(files), want, err)
		}
		if _, err := b.led.Verify(ctx); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
	}
	if killed == 0 {
		t.Error("no purge was killed on its way")
	}
}

// purgedOnce checks that each of them has gone, with one event.
func (b *bench) purgedOnce(ids []string) {
	b.Helper()
	events, err := b.led.List(b.Context(), ledger.Filter{
		Types: []string{event.DataPurgedType}, Limit: 1000})
	b.must(err)
	var got []string
	for _, r := range events {
		var body event.DataPurged
		b.must(r.Decode(&body))
		if body.Kind != "logged_model" {
			got = append(got, body.ID)
		}
	}
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) {
		b.Errorf("%d are purged, want %d", len(got), len(ids))
	}
}

// killInPurge kills a process some time after it has begun to collect, and reports whether
// it was still at it.
func killInPurge(t *testing.T, dir string, after time.Duration) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), purgeDir+"="+dir)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	said := make([]byte, len("begins\n"))
	if _, err := out.Read(said); err != nil || !strings.HasPrefix(string(said), "begins") {
		t.Errorf("the process says %q, %v", said, err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Wait() != nil
}
