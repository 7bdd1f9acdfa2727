package pipeline_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/store"
)

// rerun begins a re-run and returns its id.
func (w *world) rerun(t testing.TB, id, from string) string {
	t.Helper()
	var r *pipeline.Run
	check(t, w.db.Write(t.Context(), store.Control, func(tx *store.Tx) (err error) {
		r, err = w.Rerun(t.Context(), tx, w.p, id, from)
		return err
	}))
	return r.ID
}

// where returns the state of each step by name and part.
func (w *world) where(t testing.TB, id string) map[string]pipeline.State {
	t.Helper()
	out := map[string]pipeline.State{}
	for _, s := range w.steps(t, id) {
		name := s.Name + "/" + string(rune('0'+s.Try))
		if s.Try == pipeline.Refit {
			name = s.Name + "/refit"
		}
		out[name] = s.State
	}
	return out
}

func TestRerun_RunsTheStepAndWhatComesAfter(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]map[string]pipeline.State{
		"prepare":  {"prepare": "succeeded", "train": "succeeded", "evaluate": "succeeded"},
		"train":    {"prepare": "cached", "train": "succeeded", "evaluate": "succeeded"},
		"train@1":  {"prepare": "cached", "train": "succeeded", "evaluate": "succeeded"},
		"evaluate": {"prepare": "cached", "train": "cached", "evaluate": "succeeded"},
	} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			st := w.chain(t, chainFiles)
			st.Case = "case_1"
			first := w.good(t, st)
			r := w.await(t, w.rerun(t, first.ID, from))
			if got := w.states(t, r.ID); !maps.Equal(got, want) {
				t.Errorf("steps %v, want %v (%s)", got, want, r.Reason)
			}
			if r.RerunOf != first.ID || r.RerunFrom != from || r.Case != "" || r.Commit != first.Commit {
				t.Errorf("%+v", r)
			}
			// A model that was made again is a version of its own; one that was not is the
			// version that it was.
			if (r.Version == first.Version) != (from == "evaluate") {
				t.Errorf("version %d after %d", r.Version, first.Version)
			}
			why, err := w.Why(t.Context(), w.p, r.ID, "evaluate")
			check(t, err)
			if why.Previous != first.ID || !strings.Contains(why.Reason, "again from "+from) {
				t.Errorf("%s", why)
			}
			records, err := w.led.List(t.Context(), ledger.Filter{Subject: "pipelinerun/" + r.ID})
			check(t, err)
			var started event.PipelineRunStarted
			check(t, records[0].Decode(&started))
			if started.RerunOf != first.ID || started.RerunFrom != from || started.Case != "" {
				t.Errorf("%+v", started)
			}
		})
	}
}

// TestRerun_StandsOnTheRunThatItDoesAgain makes a step with another output each time it
// runs: a re-run reads what its own run made, whatever the cache has got since, and even
// where the step may not be cached.
func TestRerun_StandsOnTheRunThatItDoesAgain(t *testing.T) {
	t.Parallel()
	for _, cache := range []string{"", ", cache: false"} {
		w := newWorld(t)
		count := filepath.Join(t.TempDir(), "count")
		text := strings.Replace(chain, "out: [train, validation]", "out: [train, validation]"+cache, 1)
		st := w.chain(t, chainFiles.with("fairlead.yaml", text).with("prepare.sh",
			"echo x >> "+count+"; cat "+count+" > $FAIRLEAD_OUT_TRAIN; echo v > $FAIRLEAD_OUT_VALIDATION"))
		digest := func(id string) string {
			t.Helper()
			for _, s := range w.steps(t, id) {
				if s.Name == "prepare" {
					return s.Outputs[0].Digest
				}
			}
			return "none"
		}
		first := w.good(t, st)
		second := w.await(t, w.rerun(t, first.ID, "prepare"))
		third := w.await(t, w.rerun(t, first.ID, "train"))
		if a, b, c := digest(first.ID), digest(second.ID), digest(third.ID); a == b || a != c {
			t.Errorf("%s: %s, then %s, and %s of the first again", cache, a, b, c)
		}
		if got := w.states(t, third.ID)["prepare"]; got != pipeline.Cached {
			t.Errorf("prepare is %s", got)
		}
		if cache != "" {
			continue
		}
		// What a step made last is what the cache answers with.
		if last := w.good(t, st); digest(last.ID) != digest(second.ID) {
			t.Error("the cache has gone back to the first run")
		}
		// The version is that of the model which is in it, and not the newest of the key.
		again := w.await(t, w.rerun(t, first.ID, "evaluate"))
		if again.Version != first.Version {
			t.Errorf("version %d, want %d", again.Version, first.Version)
		}
	}
}

func TestRerun_OfAFailedRunGoesOnWhereItFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fails := filepath.Join(t.TempDir(), "fails")
	check(t, os.WriteFile(fails, nil, 0o600))
	first := w.run(t, w.chain(t, chainFiles.with("train.sh",
		"test ! -e "+fails+" && "+chainFiles["train.sh"])))
	if first.State != pipeline.Failed {
		t.Fatalf("%s: %s", first.State, first.Reason)
	}
	check(t, os.Remove(fails))
	r := w.await(t, w.rerun(t, first.ID, "evaluate")) // train has no result to stand on
	want := map[string]pipeline.State{"prepare": "cached", "train": "succeeded", "evaluate": "succeeded"}
	if got := w.states(t, r.ID); !maps.Equal(got, want) || r.Version != 1 {
		t.Errorf("steps %v, version %d: %s", got, r.Version, r.Reason)
	}
}

func TestRerun_OfASearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	text := strings.ReplaceAll(search, ", cache: false", "")
	text = strings.Replace(text, "[60, 50, 40, 30, 20, 10]", "[60, 50, 40]", 1)
	f, _ := searchFiles(t)
	first := w.good(t, w.chain(t, f.with("fairlead.yaml", text)))
	done := func(from string, ran ...string) {
		t.Helper()
		r := w.await(t, w.rerun(t, first.ID, from))
		want := map[string]pipeline.State{}
		for name := range w.where(t, first.ID) {
			want[name] = pipeline.Cached
		}
		for _, name := range ran {
			want[name] = pipeline.Succeeded
		}
		if got := w.where(t, r.ID); !maps.Equal(got, want) || r.Winner != 3 {
			t.Errorf("from %s: %v, want %v; winner %d: %s", from, got, want, r.Winner, r.Reason)
		}
	}
	done("train", "train/1", "evaluate/1", "train/2", "evaluate/2", "train/3", "evaluate/3",
		"train/refit")
	done("train@2", "train/2", "evaluate/2", "train/refit")
	done("train@refit", "train/refit")
	for _, from := range []string{"trian", "train@4", "train@0", "train@x", "prepare@1",
		"prepare@refit", ""} {
		err := w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
			_, err := w.Rerun(t.Context(), tx, w.p, first.ID, from)
			return err
		})
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("from %q: %v", from, err)
		}
	}
}

func TestRerun_RefusesARunThatGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	id := w.begin(t, w.chain(t, chainFiles.with("train.sh", waiting(dir)+chainFiles["train.sh"])))
	waitFor(t, filepath.Join(dir, "started"))
	for run, code := range map[string]fairlead.Code{id: fairlead.Conflict, "pr_x": fairlead.NotFound} {
		err := w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
			_, err := w.Rerun(t.Context(), tx, w.p, run, "train")
			return err
		})
		if !fairlead.Is(err, code) {
			t.Errorf("%s: %v", run, err)
		}
	}
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	w.await(t, id)
}

// TestRerun_GoesOnAfterARestart stops the server while the step runs that was asked for:
// the next one takes it, and still does not answer what comes after from the cache.
func TestRerun_GoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	first := w.good(t, w.chain(t, chainFiles.with("train.sh", waiting(dir)+chainFiles["train.sh"])))
	check(t, os.Remove(filepath.Join(dir, "go")))
	check(t, os.Remove(filepath.Join(dir, "started")))
	id := w.rerun(t, first.ID, "train")
	waitFor(t, filepath.Join(dir, "started"))
	w.stop(t)
	w.start(t)
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	r := w.await(t, id)
	want := map[string]pipeline.State{"prepare": "cached", "train": "succeeded", "evaluate": "succeeded"}
	if got := w.states(t, id); !maps.Equal(got, want) || r.Version != 2 {
		t.Errorf("steps %v, version %d: %s", got, r.Version, r.Reason)
	}
	if got := read(t, filepath.Join(dir, "started")); got != "x\n" {
		t.Errorf("the step began %d times", strings.Count(got, "x"))
	}
}
