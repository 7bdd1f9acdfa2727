package job_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

func itoa(n int) string { return strconv.Itoa(n) }

func openBench(b *testing.B, dir string) *world {
	b.Helper()
	db, err := store.Open(b.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), job.Schema(), effects)
	if err != nil {
		b.Fatal(err)
	}
	led := ledger.New(db, fairlead.WallClock{}, discard)
	opt := job.Options{Exclusive: true, StepsDir: filepath.Join(dir, "steps")}
	w := &world{job.New(db, led, fairlead.WallClock{}, discard, opt), db, led}
	b.Cleanup(func() {
		w.Stop(b.Context())
		db.Close()
	})
	return w
}

// BenchmarkManyJobs is one of many jobs that wait together and have an effect each.
func BenchmarkManyJobs(b *testing.B) {
	w := openBench(b, b.TempDir())
	w.Handle("a", effect, job.Limits{})
	err := w.db.Write(b.Context(), store.Control, func(tx *store.Tx) error {
		for range b.N {
			if _, _, err := w.Enqueue(tx, job.Task{Project: project, Kind: "a"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if err := w.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for idle := false; !idle; {
		changed := w.db.Changed()
		err := w.db.Read(b.Context(), func(tx *store.Tx) (err error) {
			idle, err = w.Idle(tx, project.K)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		if !idle {
			<-changed
		}
	}
}

// BenchmarkJob is one job that does nothing, from enqueuing to done, with
// nothing else to share its commits.
func BenchmarkJob(b *testing.B) {
	w := openBench(b, b.TempDir())
	w.Handle("a", effect, job.Limits{})
	if err := w.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var id string
		err := w.db.Write(b.Context(), store.Control, func(tx *store.Tx) (err error) {
			id, _, err = w.Enqueue(tx, job.Task{Project: project, Kind: "a"})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Await(b.Context(), project.K, id); err != nil {
			b.Fatal(err)
		}
	}
}
