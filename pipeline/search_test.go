package pipeline_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// search tries depths; the error of depth 40 is 0.40. Steps take times of their
// own, and each notes its name in a file.
const search = `project: p
data:
  raw: {from: data/raw.csv}
pipeline:
  concurrency: 4
  steps:
    prepare:  {run: sh prepare.sh, in: [raw], out: [train, validation]}
    train:    {run: sh train.sh, in: [train], out: [model], params: {depth: 1}, cache: false}
    evaluate: {run: sh evaluate.sh, in: [model, validation], cache: false}
  search: {over: {train.depth: [60, 50, 40, 30, 20, 10]}}
  until: {metric: validation.wape, at_most: 0.4}
  refit: {step: train, in: [train, validation]}
`

const pause = "sleep 0.0$(shuf -i 0-9 -n 1); "

func searchFiles(t *testing.T) (f files, notes string) {
	notes = filepath.Join(t.TempDir(), "notes")
	return files{
		"fairlead.yaml": search,
		"prepare.sh": "echo prepare >> " + notes +
			"; echo t > $FAIRLEAD_OUT_TRAIN; echo v > $FAIRLEAD_OUT_VALIDATION",
		"train.sh": pause + `mkdir $FAIRLEAD_OUT_MODEL
			cat $FAIRLEAD_IN_TRAIN $FAIRLEAD_IN_VALIDATION > $FAIRLEAD_OUT_MODEL/rows
			echo "$FAIRLEAD_PARAMS" | tr -cd 0-9 > $FAIRLEAD_OUT_MODEL/depth`,
		"evaluate.sh": pause + `echo "::metric wape=0.$(cat $FAIRLEAD_IN_MODEL/depth)"`,
	}, notes
}

func TestSearch_SameWinnerWhateverEndsFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, notes := searchFiles(t)
	st := w.chain(t, f)
	for range 4 {
		r := w.good(t, st)
		const want = "threshold reached: validation.wape 0.4 <= 0.4 at try 3 of 6"
		if r.Winner != 3 || r.Reason != want {
			t.Fatalf("winner %d: %s", r.Winner, r.Reason)
		}
		for _, try := range r.Tries {
			switch {
			case try.N > 3 && try.State != pipeline.Ignored,
				try.N <= 3 && try.State != pipeline.Succeeded:
				t.Errorf("try %d is %s", try.N, try.State)
			}
		}
	}
	if got := read(t, notes); got != "prepare\n" {
		t.Errorf("the shared step ran so often: %q", got)
	}
}

func TestSearch_RefitsTheWinner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := searchFiles(t)
	r := w.good(t, w.chain(t, f))
	dir := filepath.Join(t.TempDir(), "model")
	check(t, w.registry.ModelDir(t.Context(), w.p, "p", r.Version, dir))
	got := read(t, filepath.Join(dir, "rows")) + read(t, filepath.Join(dir, "depth"))
	if got != "t\nv\n40" {
		t.Errorf("the model was made from %q", got)
	}
	var v *registry.Version
	check(t, w.db.Read(t.Context(), func(tx *store.Tx) (err error) {
		v, err = w.registry.Version(tx, w.p, "p", r.Version)
		return err
	}))
	if refit := r.Tries[0]; refit.N != pipeline.Refit || refit.State != pipeline.Succeeded ||
		v.RunID != r.Tries[4].Run {
		t.Errorf("tries %+v, version's run %s", r.Tries, v.RunID)
	}
}

// The winner's step is then the same as in a run whose version the refit made.
func TestRefit_WithoutItTheWinnersOwnModelIsRegistered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := searchFiles(t)
	f = f.with("fairlead.yaml", strings.ReplaceAll(search, ", cache: false", ""))
	without := f.with("fairlead.yaml", strings.Replace(f["fairlead.yaml"],
		"  refit: {step: train, in: [train, validation]}\n", "", 1))
	for i, c := range []struct {
		files   files
		version int64
		rows    string
	}{{f, 1, "t\nv\n"}, {without, 2, "t\n"}, {f, 1, "t\nv\n"}, {without, 2, "t\n"}} {
		r := w.good(t, w.chain(t, c.files))
		dir := filepath.Join(t.TempDir(), "model")
		check(t, w.registry.ModelDir(t.Context(), w.p, "p", r.Version, dir))
		if got := read(t, filepath.Join(dir, "rows")); got != c.rows || r.Version != c.version {
			t.Errorf("run %d: version %d, made from %q", i, r.Version, got)
		}
	}
}

func TestSearch_KeepsTheBestWhenTheBudgetEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := searchFiles(t)
	for _, c := range []struct{ name, old, new, reason string }{
		{"tries", "at_most: 0.4}", "at_most: 0.05, tries: 2}",
			"budget ended after 2 tries; best validation.wape 0.5 at try 2"},
		{"search", "at_most: 0.4}", "at_most: 0.05}",
			"budget ended after 6 tries; best validation.wape 0.1 at try 6"},
		{"equal values", "[60, 50, 40, 30, 20, 10]}}\n  until: {metric: validation.wape, at_most: 0.4}",
			"[50, 20, 200]}}\n  until: {metric: validation.wape, at_most: 0.1}",
			"budget ended after 3 tries; best validation.wape 0.2 at try 2"},
		{"time", "at_most: 0.4}", "at_most: 0.05, within: 1ms}",
			"time budget of 1ms ended after 1 of 6 tries; best validation.wape 0.6 at try 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := f.with("prepare.sh", "sleep 0.02; "+f["prepare.sh"]+" # "+c.name) // not cached
			r := w.good(t, w.chain(t, f.with("fairlead.yaml", strings.Replace(search, c.old, c.new, 1))))
			if r.Reason != c.reason {
				t.Errorf("%s", r.Reason)
			}
		})
	}
}

func TestSearch_GoesOnAfterFailedTries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := searchFiles(t)
	f = f.with("evaluate.sh", `depth=$(cat $FAIRLEAD_IN_MODEL/depth)
		case $depth in 60) exit 1;; 50) echo "::metric mae=1";; *) echo "::metric wape=0.$depth";; esac`)
	r := w.good(t, w.chain(t, f))
	if r.Winner != 3 || r.Tries[2].State != pipeline.Failed || r.Tries[3].State != pipeline.Failed ||
		!strings.Contains(r.Tries[3].Reason, "step evaluate printed no `wape`") {
		t.Errorf("winner %d: %s; tries %+v", r.Winner, r.Reason, r.Tries)
	}
	r = w.run(t, w.chain(t, f.with("train.sh", "exit 7")))
	if r.State != pipeline.Failed || r.Version != 0 ||
		r.Reason != "no try succeeded (6 tries); the first one: step train failed with exit status 7" {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
	r = w.run(t, w.chain(t, f.with("prepare.sh", "exit 8")))
	if r.State != pipeline.Failed || r.Reason != "step prepare failed with exit status 8" {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
}

// What is no finite number has no place in JSON, and cannot be the best.
func TestSearch_NoTryWinsWithoutAFiniteValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := searchFiles(t)
	f = f.with("evaluate.sh", `depth=$(cat $FAIRLEAD_IN_MODEL/depth)
		case $depth in 60) wape=-inf;; 50) wape=inf;; 40) wape=nan;; *) wape=0.$depth;; esac
		echo "::metric wape=$wape other=$wape"`)
	r := w.good(t, w.chain(t, f))
	if r.Winner != 4 || !strings.Contains(r.Tries[2].Reason, "printed wape=-Inf, which cannot") ||
		!strings.Contains(r.Tries[3].Reason, "printed wape=+Inf, which cannot") {
		t.Errorf("winner %d; tries %+v", r.Winner, r.Tries)
	}
	_, err := json.Marshal(r)
	check(t, err)
	want := w.steps(t, r.ID)
	b, err := json.Marshal(want)
	check(t, err)
	var got []pipeline.Step
	check(t, json.Unmarshal(b, &got))
	for i, s := range got {
		if fmt.Sprint(s.Points) != fmt.Sprint(want[i].Points) {
			t.Errorf("points %v, want %v", s.Points, want[i].Points)
		}
	}
}

func TestMetrics_TooManyKeepTheLastOfEachNameAndSaySo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := chainFiles.with("evaluate.sh", `echo "::metric wape=0.9 step=1"; echo "::metric wape=0.3 step=2"
		seq -f '::metric loss=%.0f' 1 20000; echo "::metric wape=0.7 step=0"
		seq -f '::metric loss=%.0f' 1 10000`)
	r := w.good(t, w.chain(t, f))
	const want = "one try, no search; best validation.wape 0.3; step evaluate printed more metrics than " +
		"are kept: 25002 points were dropped, the newest 5000 and the last of each name (of 1000 names at " +
		"most) are there"
	if r.Reason != want || *r.Tries[1].Value != 0.3 {
		t.Errorf("value %v: %s", *r.Tries[1].Value, r.Reason)
	}
	if s := w.steps(t, r.ID)[2]; len(s.Points) != 5001 || s.Dropped != 25002 {
		t.Errorf("%d points, %d dropped", len(s.Points), s.Dropped)
	}
}

func TestMetrics_ThoseWithoutAStepAreInTheOrderOfPrinting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.good(t, w.chain(t, chainFiles.with("evaluate.sh",
		`for v in 0.4 0.9 0.4 0.3 0.5; do echo "::metric wape=$v"; done`)))
	run, err := w.tracking.Run(t.Context(), w.p, r.Tries[1].Run)
	check(t, err)
	if got := run.Metrics[0]; got.Key != "validation.wape" || got.Value != *r.Tries[1].Value {
		t.Errorf("the newest is %+v, and the try's %v", got, *r.Tries[1].Value)
	}
	history, err := w.tracking.MetricHistory(t.Context(), w.p, r.Tries[1].Run, "validation.wape",
		0, "")
	check(t, err)
	var values []float64
	for _, m := range history.Items {
		values = append(values, m.Value)
	}
	if fmt.Sprint(values) != "[0.4 0.9 0.4 0.3 0.5]" {
		t.Errorf("history %v", values)
	}
}

// A step that counts in the names of its metrics must not fill the database.
func TestMetrics_TooManyNamesAreDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := chainFiles.with("evaluate.sh", `echo "::metric wape=0.3"
		seq -f '::metric row%.0f=1' 1 100000`)
	st := w.chain(t, f)
	r := w.good(t, st)
	if *r.Tries[1].Value != 0.3 || !strings.Contains(r.Reason, "94001 points were dropped") {
		t.Errorf("value %v: %s", *r.Tries[1].Value, r.Reason)
	}
	if s := w.steps(t, r.ID)[2]; len(s.Points) != 6000 || s.Dropped != 94001 {
		t.Errorf("%d points, %d dropped", len(s.Points), s.Dropped)
	}
	model := t.TempDir()
	check(t, os.WriteFile(filepath.Join(model, "MLmodel"), []byte("m"), 0o444))
	got, err := w.evaluate(t, t.Context(), st, model, "candidate")
	check(t, err)
	if len(got) != 6000 || got["wape"] != 0.3 {
		t.Errorf("an evaluation has %d metrics, wape %v", len(got), got["wape"])
	}
}

func TestSearch_RetrainingKeepsTheParams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := searchFiles(t)
	f = f.with("fairlead.yaml", strings.Replace(search, "validation], cache", "validation], params: {rows: 9}, cache", 1))
	st := w.chain(t, f)
	st.Fixed = pipeline.Params{"train": {"depth": 20, "gone": true}, "other": {"x": 1},
		"evaluate": {"rows": 1}}
	r := w.good(t, st)
	if got := fmt.Sprint(r.Tries[2].Params); got != "map[evaluate:map[rows:9] train:map[depth:20]]" {
		t.Errorf("what the file does not search over is the file's: %s", got)
	}
	if r.Reason != "threshold reached: validation.wape 0.2 <= 0.4 at try 1 of 1" {
		t.Errorf("%s", r.Reason)
	}
	always := w.chain(t, f.with("fairlead.yaml",
		strings.Replace(search, "10]}}", "10]}, when: always}", 1)))
	always.Fixed = st.Fixed
	if r := w.good(t, always); r.Winner != 3 {
		t.Errorf("winner %d: %s", r.Winner, r.Reason)
	}
}

func TestSearch_RefitThatFailsFailsTheRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := searchFiles(t)
	f = f.with("train.sh", f["train.sh"]+"\ntest -z \"$FAIRLEAD_IN_VALIDATION\"")
	r := w.run(t, w.chain(t, f))
	if r.State != pipeline.Failed || r.Version != 0 ||
		r.Reason != "the refit of the winner failed: step train failed with exit status 1" {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "pipeline", r.ID)); !os.IsNotExist(err) {
		t.Errorf("working files are left: %v", err)
	}
}

func TestSearch_CutsATryThatHangsWhenTheTimeIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, _ := searchFiles(t)
	f = f.with("evaluate.sh", `case $(cat $FAIRLEAD_IN_MODEL/depth) in 50) sleep 60;; esac
		`+f["evaluate.sh"])
	f = f.with("fairlead.yaml", strings.NewReplacer("[60, 50, 40, 30, 20, 10]", "[60, 50]",
		"at_most: 0.4", "at_most: 0.1, within: 1s").Replace(search))
	r := w.good(t, w.chain(t, f))
	if r.Reason != "time budget of 1s ended after 1 of 2 tries; best validation.wape 0.6 at try 1" ||
		r.Tries[3].State != pipeline.Cancelled {
		t.Errorf("%s; tries %+v", r.Reason, r.Tries)
	}
}
