package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// waiting is a script that says that it runs, and goes on when it is told to.
func waiting(dir string) string {
	return fmt.Sprintf(`echo x >> %s/started; while [ ! -e %s/go ]; do sleep 0.01; done; `, dir, dir)
}

// pid is a script that leaves its process id.
func pid(dir string) string { return fmt.Sprintf("echo $$ > %s/pid; ", dir) }

func alive(t *testing.T, dir string) bool {
	t.Helper()
	_, err := os.Stat("/proc/" + strings.TrimSpace(read(t, filepath.Join(dir, "pid"))))
	return err == nil
}

func TestRun_GoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	st := w.chain(t, chainFiles.with("train.sh", waiting(dir)+chainFiles["train.sh"]))
	id := w.begin(t, st)
	waitFor(t, filepath.Join(dir, "started"))
	w.stop(t)
	w.start(t)
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	r := w.await(t, id)
	if r.State != pipeline.Succeeded || r.Version != 1 {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
	if got := read(t, filepath.Join(dir, "started")); got != "x\n" {
		t.Errorf("the step began %d times", strings.Count(got, "x"))
	}
}

func TestRun_GoesOnAfterARestartInTheRefit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	f, notes := searchFiles(t)
	st := w.chain(t, f.with("train.sh",
		`if [ -n "$FAIRLEAD_IN_VALIDATION" ]; then `+waiting(dir)+"fi\n"+f["train.sh"]))
	id := w.begin(t, st)
	waitFor(t, filepath.Join(dir, "started"))
	w.stop(t)
	w.start(t)
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	r := w.await(t, id)
	if r.State != pipeline.Succeeded || r.Winner != 3 || r.Version != 1 {
		t.Errorf("%s, winner %d: %s", r.State, r.Winner, r.Reason)
	}
	if got := read(t, notes); got != "prepare\n" {
		t.Errorf("the shared step ran %d times", strings.Count(got, "prepare"))
	}
}

func TestRun_TakesAStepThatEndedWhileTheServerWasDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	st := w.chain(t, chainFiles.with("train.sh",
		waiting(dir)+chainFiles["train.sh"]+"; touch "+dir+"/ended"))
	id := w.begin(t, st)
	waitFor(t, filepath.Join(dir, "started"))
	w.stop(t)
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	waitFor(t, filepath.Join(dir, "ended"))
	w.start(t)
	if r := w.await(t, id); r.State != pipeline.Succeeded {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
	if got := read(t, filepath.Join(dir, "started")); got != "x\n" {
		t.Errorf("the step began %d times", strings.Count(got, "x"))
	}
}

func TestCancel_EndsTheStepsAndRegistersNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	id := w.begin(t, w.chain(t, chainFiles.with("train.sh", pid(dir)+waiting(dir))))
	waitFor(t, filepath.Join(dir, "started"))
	check(t, w.Cancel(t.Context(), w.p, id))
	r := w.await(t, id)
	if r.State != pipeline.Cancelled || r.Version != 0 || r.Tries[1].State != pipeline.Cancelled {
		t.Errorf("%s: %s, tries %+v", r.State, r.Reason, r.Tries)
	}
	steps := w.states(t, id)
	if steps["prepare"] != pipeline.Succeeded || steps["train"] != pipeline.Cancelled {
		t.Errorf("steps %v", steps)
	}
	if alive(t, dir) {
		t.Error("the step is alive")
	}
	if _, err := os.Stat(filepath.Join(w.dir, "pipeline", id)); !os.IsNotExist(err) {
		t.Errorf("working files are left: %v", err)
	}
	run, err := w.tracking.Run(t.Context(), w.p, r.Tries[1].Run)
	check(t, err)
	if run.Status != "KILLED" {
		t.Errorf("tracking says %s", run.Status)
	}
	check(t, w.Cancel(t.Context(), w.p, id))
}

func TestRun_EndsWhenItsTrackingIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		remove func(r *pipeline.Run) error
		state  pipeline.State
		reason string
	}{
		"the parent run": {func(r *pipeline.Run) error {
			return w.tracking.DeleteRun(t.Context(), w.p, r.Tries[0].Run)
		}, pipeline.Succeeded, ""},
		"the try's run": {func(r *pipeline.Run) error {
			return w.tracking.DeleteRun(t.Context(), w.p, r.Tries[1].Run)
		}, pipeline.Failed, "Current state is deleted"},
		"the experiment": {func(r *pipeline.Run) error {
			return w.tracking.DeleteExperiment(t.Context(), w.p, r.Experiment)
		}, pipeline.Failed, "Current state is deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f := chainFiles.with("train.sh", waiting(dir)+chainFiles["train.sh"])
			id := w.begin(t, w.chain(t, f))
			waitFor(t, filepath.Join(dir, "started"))
			r, err := w.Get(t.Context(), w.p, id)
			check(t, err)
			check(t, c.remove(r))
			check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
			if r = w.await(t, id); r.State != c.state || !strings.Contains(r.Reason, c.reason) {
				t.Errorf("%s: %s", r.State, r.Reason)
			}
			if _, err := os.Stat(filepath.Join(w.dir, "pipeline", id)); !os.IsNotExist(err) {
				t.Errorf("working files are left: %v", err)
			}
			if name == "the experiment" {
				check(t, w.tracking.RestoreExperiment(t.Context(), w.p, r.Experiment))
			}
		})
	}
}

// Runs may last for days: neither do they take all workers of the jobs, nor run more
// steps than the server may.
func TestRun_ManyLongOnesLeaveRoomForOtherJobs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &world{dir: t.TempDir(), data: datasets{}, maxSteps: 3, handlers: func(s *job.Service) {
		s.Handle("other", func(context.Context, *job.Run) error { return nil }, job.Limits{})
	}}
	w.start(t)
	t.Cleanup(func() { w.stop(t) })
	st := w.commit(t, files{"fairlead.yaml": `project: p
pipeline: {steps: {s: {run: "` + waiting(dir) + `", cache: false}}}
`})
	var ids []string
	for range 12 {
		ids = append(ids, w.begin(t, st))
	}
	doing := func(what string) (n int) {
		for _, id := range ids {
			r, err := w.Get(t.Context(), w.p, id)
			check(t, err)
			if r.Progress == what+" s" {
				n++
			}
		}
		return n
	}
	for changed := w.db.Changed(); doing("running")+doing("waiting for a free place to run") < 4; {
		<-changed
		changed = w.db.Changed()
	}
	if n := doing("running"); n != 3 {
		t.Errorf("%d steps run at once", n)
	}
	var other string
	check(t, w.db.Write(t.Context(), store.Control, func(tx *store.Tx) (err error) {
		other, _, err = w.jobs.Enqueue(tx, job.Task{Project: w.p, Kind: "other"})
		return err
	}))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if j, err := w.jobs.Await(ctx, w.p.K, other); err != nil || j.State != job.Done {
		t.Errorf("the other job is %v, %v", j.State, err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	for _, id := range ids {
		if r := w.await(t, id); r.State != pipeline.Succeeded {
			t.Errorf("%s: %s", r.State, r.Reason)
		}
	}
}

func TestRun_AdoptedStepsTakePlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &world{dir: t.TempDir(), data: datasets{}, maxSteps: 2}
	w.start(t)
	t.Cleanup(func() { w.stop(t) })
	st := w.commit(t, files{"fairlead.yaml": `project: p
pipeline: {steps: {s: {run: "` + waiting(dir) + `", cache: false}}}
`})
	started := func(n int) func() bool {
		return func() bool {
			b, _ := os.ReadFile(filepath.Join(dir, "started"))
			return strings.Count(string(b), "x") == n
		}
	}
	doing := func(id, what string) func() bool {
		return func() bool {
			r, err := w.Get(t.Context(), w.p, id)
			check(t, err)
			return r.Progress == what+" s"
		}
	}
	const waits = "waiting for a free place to run"
	a, b := w.begin(t, st), w.begin(t, st)
	w.until(t, started(2))
	w.handlers = func(*job.Service) { // what the next server says is to be its own
		check(t, w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
			_, err := tx.Exec("update job set progress = ''")
			return err
		}))
	}
	w.stop(t)
	w.start(t)
	w.until(t, doing(a, "running"))
	w.until(t, doing(b, "running"))
	c := w.begin(t, st)
	w.until(t, doing(c, waits))
	// A lost step gives its place back, and then one of the two has it.
	check(t, syscall.Kill(w.shim(t, a, "try1.s.1"), syscall.SIGKILL))
	w.until(t, started(3))
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	for _, id := range []string{a, b, c} {
		if r := w.await(t, id); r.State != pipeline.Succeeded {
			t.Errorf("%s: %s", r.State, r.Reason)
		}
	}
}

func TestSearch_EndsTriesThatNoLongerMatter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	f, _ := searchFiles(t)
	// The second try hangs until the first one, which waits for it, has won.
	f = f.with("train.sh", `depth=$(echo "$FAIRLEAD_PARAMS" | tr -cd 0-9)
		case $depth in 50) `+pid(dir)+`touch `+dir+`/hangs; sleep 60;; esac
		while [ ! -e `+dir+`/hangs ]; do sleep 0.01; done
		mkdir $FAIRLEAD_OUT_MODEL; echo $depth > $FAIRLEAD_OUT_MODEL/depth`)
	f = f.with("fairlead.yaml", strings.Replace(search, "at_most: 0.4", "at_most: 0.6", 1))
	r := w.good(t, w.chain(t, f))
	if r.Winner != 1 || r.Tries[3].State != pipeline.Ignored {
		t.Errorf("winner %d, tries %+v", r.Winner, r.Tries)
	}
	if alive(t, dir) {
		t.Error("a step of an ignored try is alive")
	}
}

// The refit may take as long as all tries: they do not run beside it.
func TestSearch_EndsTriesThatNoLongerMatterBeforeTheRefit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	f, _ := searchFiles(t)
	f = f.with("train.sh", `depth=$(echo "$FAIRLEAD_PARAMS" | tr -cd 0-9)
		if [ -n "$FAIRLEAD_IN_VALIDATION" ]; then
			while kill -0 $(cat `+dir+`/pid); do sleep 0.01; done
		else
			case $depth in 50) `+pid(dir)+`touch `+dir+`/hangs; sleep 60;; esac
			while [ ! -e `+dir+`/hangs ]; do sleep 0.01; done
		fi
		mkdir $FAIRLEAD_OUT_MODEL; echo $depth > $FAIRLEAD_OUT_MODEL/depth`)
	w.good(t, w.chain(t, f.with("fairlead.yaml",
		strings.Replace(search, "at_most: 0.4", "at_most: 0.6", 1))))
}

// A server may die between the end of a try and that of its steps.
func TestSearch_ANewDriverEndsTheStepsOfTriesThatHaveEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir, hangs := t.TempDir(), t.TempDir()
	f, _ := searchFiles(t)
	f = f.with("train.sh", `case "$FAIRLEAD_PARAMS" in *50*) `+pid(hangs)+waiting(hangs)+`;; *) `+
		waiting(dir)+";; esac\n"+f["train.sh"])
	id := w.begin(t, w.chain(t, f.with("fairlead.yaml",
		strings.Replace(search, "[60, 50, 40, 30, 20, 10]", "[60, 50]", 1))))
	waitFor(t, filepath.Join(dir, "started"))
	waitFor(t, filepath.Join(hangs, "started"))
	check(t, w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := tx.Exec("update pipeline_try set state = 'cancelled' where n = 2")
		return err
	}))
	w.stop(t)
	w.start(t)
	w.until(t, func() bool { return !alive(t, hangs) })
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	if r := w.await(t, id); r.State != pipeline.Succeeded || r.Winner != 1 {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
}

func TestRun_TellsTheLedger(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.chain(t, chainFiles)
	st.Case = "case_1"
	r := w.good(t, st)
	records, err := w.led.List(t.Context(), ledger.Filter{Subject: "pipelinerun/" + r.ID})
	check(t, err)
	var finished event.PipelineRunFinished
	check(t, records[1].Decode(&finished))
	if len(records) != 2 || finished.State != "succeeded" || finished.Version != 1 ||
		finished.Model != "p" || finished.Case != "case_1" || finished.Reason != r.Reason {
		t.Errorf("%d records, %+v", len(records), finished)
	}
}

func TestWhy_NamesThePartThatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.chain(t, chainFiles)
	deeper := strings.Replace(chain, "depth: 3", "depth: 4", 1)
	first := w.good(t, st)
	why, err := w.Why(t.Context(), w.p, first.ID, "train")
	check(t, err)
	if why.Previous != "" || !strings.Contains(why.String(), "first run") {
		t.Errorf("%s", why)
	}
	for _, c := range []struct {
		name, step, want string
		start            func() pipeline.Start
	}{
		{"nothing", "train", "", func() pipeline.Start { return st }},
		{"data", "prepare@1", "input raw", func() pipeline.Start {
			other := st
			other.Inputs = map[string]data.Ref{"raw": w.dataset(t, "raw", 2, "more rows")}
			return other
		}},
		{"back", "prepare", "input raw", func() pipeline.Start { return st }},
		{"param", "train", "param depth", func() pipeline.Start {
			return w.chain(t, chainFiles.with("fairlead.yaml", deeper))
		}},
		{"command", "evaluate", "command", func() pipeline.Start {
			text := strings.Replace(deeper, "sh evaluate.sh", "sh ./evaluate.sh", 1)
			return w.chain(t, chainFiles.with("fairlead.yaml", text))
		}},
		{"code", "prepare", "code prepare.sh", func() pipeline.Start {
			return w.chain(t, chainFiles.with("prepare.sh", chainFiles["prepare.sh"]+" # changed"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := w.good(t, c.start())
			why, err := w.Why(t.Context(), w.p, r.ID, c.step)
			check(t, err)
			var got []string
			for _, change := range why.Changes {
				got = append(got, strings.TrimSpace(change.Part+" "+change.Name))
			}
			if why.Previous == "" || strings.Join(got, ",") != c.want {
				t.Errorf("changes %v:\n%s", got, why)
			}
		})
	}
	if _, err := w.Why(t.Context(), w.p, first.ID, "trian"); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("%v", err)
	}
}

func TestWhy_NamesTheCauseWhereNothingChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fails := filepath.Join(t.TempDir(), "fails")
	check(t, os.WriteFile(fails, nil, 0o600))
	st := w.chain(t, chainFiles.with("train.sh", "test ! -e "+fails+" && "+chainFiles["train.sh"]))
	again := func(step, want string) {
		t.Helper()
		r := w.run(t, st)
		why, err := w.Why(t.Context(), w.p, r.ID, step)
		check(t, err)
		if len(why.Changes) != 0 || !strings.Contains(why.String(), want) {
			t.Errorf("want %q in\n%s", want, why)
		}
	}
	w.run(t, st)
	check(t, os.Remove(fails))
	again("train", "it ran again because it had not ended well in that run (failed)")
	check(t, w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := tx.Exec("delete from pipeline_cache")
		return err
	}))
	again("train", "was not in the cache any more")
	never := strings.ReplaceAll(chain, "out: [model],", "out: [model], cache: false,")
	st = w.chain(t, chainFiles.with("fairlead.yaml", never))
	w.good(t, st)
	again("train", "it ran again because the file says `cache: false`")
}

func (w *world) evaluate(t *testing.T, ctx context.Context, st pipeline.Start, model,
	label string) (map[string]float64, error) {
	t.Helper()
	return w.Evaluate(ctx, w.p, pipeline.EvaluateRequest{SpecRev: st.SpecRev, Commit: st.Commit,
		ModelDir: model, Data: w.dataset(t, "holdout", 1, "kept rows"),
		Dir: filepath.Join(w.dir, "eval"), Label: label,
		Reading: func(context.Context) error { w.reads.Add(1); return nil }})
}

func evaluateFiles(t *testing.T, script string) (f files, model, notes string) {
	dir := t.TempDir()
	model, notes = filepath.Join(dir, "model"), filepath.Join(dir, "notes")
	check(t, os.MkdirAll(model, 0o755))
	check(t, os.WriteFile(filepath.Join(model, "MLmodel"), []byte("m"), 0o444))
	return chainFiles.with("evaluate.sh", "echo x >> "+notes+"; "+script), model, notes
}

func TestEvaluate_RunsTheStepOnOtherData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f, model, notes := evaluateFiles(t, `cat $FAIRLEAD_IN_MODEL/MLmodel $FAIRLEAD_IN_VALIDATION
		echo; echo "::metric wape=0.5 step=1"; echo "::metric wape=0.4 fairness.region.ratio=0.9 step=2"
		env | grep -c MLFLOW_TRACKING_TOKEN; ls data`)
	f = f.with("evaluate.sh", f["evaluate.sh"]+" | wc -l")
	st := w.chain(t, f)
	for _, label := range []string{"candidate", "live"} {
		got, err := w.evaluate(t, t.Context(), st, model, label)
		check(t, err)
		if len(got) != 2 || got["wape"] != 0.4 || got["fairness.region.ratio"] != 0.9 {
			t.Errorf("metrics %v", got)
		}
	}
	if got := read(t, notes); got != "x\n" || w.reads.Load() != 1 {
		t.Errorf("the same model on the same data was run %d times, its data read %d times",
			strings.Count(got, "x"), w.reads.Load())
	}
	check(t, os.Remove(filepath.Join(model, "MLmodel")))
	check(t, os.WriteFile(filepath.Join(model, "MLmodel"), []byte("n"), 0o444))
	_, err := w.evaluate(t, t.Context(), st, model, "other")
	if err != nil || read(t, notes) != "x\nx\n" {
		t.Errorf("another model: %v", err)
	}
}

func TestEvaluate_RefusesWhatCannotBeEvaluated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ script, want string }{
		"fails": {"echo bad model >&2; exit 1",
			"step evaluate failed with exit status 1; the end of its log:\n  bad model"},
		"silent":  {"true", "step evaluate printed no metric"},
		"killed":  {"kill -KILL $$", "failed with exit status 137 (signal killed)"},
		"not one": {`echo "::metric wape=many"`, "printed no metric"},
	} {
		t.Run(name, func(t *testing.T) {
			f, model, _ := evaluateFiles(t, c.script)
			_, err := w.evaluate(t, t.Context(), w.chain(t, f), model, strings.ReplaceAll(name, " ", "-"))
			if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestEvaluate_GoesOnAfterTheServerStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	f, model, notes := evaluateFiles(t, waiting(dir)+`echo "::metric wape=0.5"`)
	st := w.chain(t, f)
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error)
	go func() {
		_, err := w.evaluate(t, ctx, st, model, "candidate")
		ended <- err
	}()
	waitFor(t, filepath.Join(dir, "started"))
	stop(job.ErrStopping)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("it ended without an error")
		}
	case <-time.After(time.Minute):
		t.Fatal("it did not end")
	}
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	got, err := w.evaluate(t, t.Context(), st, model, "candidate")
	check(t, err)
	if got["wape"] != 0.5 || read(t, notes) != "x\n" {
		t.Errorf("metrics %v, runs %q", got, read(t, notes))
	}
}

// A shutting down machine sends TERM to all processes: that is no failure of the step.
func TestRun_RunsAStepAgainWhoseShimWasKilled(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			dir := t.TempDir()
			id := w.begin(t, w.chain(t, chainFiles.with("train.sh",
				pid(dir)+waiting(dir)+chainFiles["train.sh"])))
			waitFor(t, filepath.Join(dir, "started"))
			check(t, syscall.Kill(w.shim(t, id, "try1.train.1"), sig))
			check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
			r := w.await(t, id)
			if r.State != pipeline.Succeeded || r.Version != 1 || w.steps(t, id)[1].Fails != 0 {
				t.Errorf("%s: %s", r.State, r.Reason)
			}
		})
	}
}

// shim returns the process that watches the newest attempt of a step.
func (w *world) shim(t *testing.T, id, step string) int {
	t.Helper()
	r, err := w.Get(t.Context(), w.p, id)
	check(t, err)
	a, err := w.jobs.LastAttempt(t.Context(), w.p.K, r.Job, step)
	check(t, err)
	waitFor(t, filepath.Join(a.Dir, "shim.json"))
	var who struct{ Shim struct{ PID int } }
	check(t, json.Unmarshal([]byte(read(t, filepath.Join(a.Dir, "shim.json"))), &who))
	return who.Shim.PID
}

// A step may leave what cannot be removed; what it made counts nevertheless.
func TestRun_OutlivesWhatCannotBeRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	where := filepath.Join(t.TempDir(), "where")
	id := w.begin(t, w.chain(t, chainFiles.with("train.sh", chainFiles["train.sh"]+`
		mkdir -p $TMPDIR/closed/mount && chmod 0555 $TMPDIR/closed
		if [ $(id -u) = 0 ] && mount -t tmpfs -o size=4k tmpfs $TMPDIR/closed/mount
		then echo $TMPDIR/closed/mount > `+where+`; fi`)))
	t.Cleanup(func() {
		if b, err := os.ReadFile(where); err == nil {
			syscall.Unmount(strings.TrimSpace(string(b)), syscall.MNT_DETACH)
		}
	})
	if r := w.await(t, id); r.State != pipeline.Succeeded {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
	check(t, w.Sweep(t.Context()))
	_, err := os.Stat(filepath.Join(w.dir, "pipeline", id))
	if _, mounted := os.Stat(where); mounted != nil && !os.IsNotExist(err) {
		t.Errorf("working files are left: %v", err)
	}
}

func TestStep_RunsInThePythonEnvironment(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("LEFT OUT: python3 is not installed")
	}
	w := newWorld(t)
	f := files{"requirements.txt": "# nothing\n", "fairlead.yaml": `project: p
pipeline:
  python: {requirements: requirements.txt}
  steps:
    s: {run: "python -c 'import os, sys; print(sys.prefix, os.environ[\"VIRTUAL_ENV\"])'"}
`}
	st := w.commit(t, f)
	r := w.good(t, st)
	part, err := w.Log(t.Context(), w.p, r.ID, "s", pipeline.LogRead{Offset: 0})
	check(t, err)
	prefix, env, _ := strings.Cut(strings.TrimSpace(string(part.Data)), " ")
	if prefix != env || !strings.HasPrefix(env, filepath.Join(w.dir, "envs")) {
		t.Errorf("prefix %s, environment %s", prefix, env)
	}
	r = w.run(t, w.commit(t, f.with("requirements.txt", "no such package !!\n")))
	if r.State != pipeline.Failed || !strings.Contains(r.Reason, "requirements cannot be installed") {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
}

func TestRun_CachedStepBringsWhatItLogged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	f := chainFiles.with("train.sh", waiting(dir)+chainFiles["train.sh"])
	// logged lets the run that has come so far log, and go on.
	logged := func(id, rows string, solver string) *pipeline.Run {
		waitFor(t, filepath.Join(dir, "started"))
		r, err := w.Get(t.Context(), w.p, id)
		check(t, err)
		v, err := strconv.ParseFloat(rows, 64)
		check(t, err)
		check(t, w.tracking.LogBatch(t.Context(), w.p, r.Tries[1].Run, tracking.Batch{
			Metrics: []tracking.Metric{{Key: "train_rows", Value: v}},
			Params:  []tracking.Param{{Key: "solver", Value: solver}}}))
		check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
		r = w.await(t, id)
		if r.State != pipeline.Succeeded {
			t.Fatalf("%s: %s", r.State, r.Reason)
		}
		check(t, os.Remove(filepath.Join(dir, "started")))
		check(t, os.Remove(filepath.Join(dir, "go")))
		return r
	}
	contents := func(r *pipeline.Run) string {
		run, err := w.tracking.Run(t.Context(), w.p, r.Tries[1].Run)
		check(t, err)
		var got []string
		for _, m := range run.Metrics {
			got = append(got, fmt.Sprint(m.Key, "=", m.Value))
		}
		for _, p := range run.Params {
			got = append(got, p.Key+"="+p.Value)
		}
		return strings.Join(got, " ")
	}
	st := w.chain(t, f)
	logged(w.begin(t, st), "7", "x")
	const same = "train_rows=7 validation.mae=3 validation.wape=0.25 solver=x train.depth=3"
	if got := contents(w.good(t, st)); got != same {
		t.Errorf("the cached run has %s", got)
	}
	// The data is prepared as before; what train logs now goes before what it had logged.
	st = w.chain(t, f.with("fairlead.yaml", strings.Replace(chain, "depth: 3", "depth: 4", 1)))
	const other = "train_rows=8 validation.mae=3 validation.wape=0.25 solver=y train.depth=4"
	if got := contents(logged(w.begin(t, st), "8", "y")); got != other {
		t.Errorf("the run that trains again has %s", got)
	}
}

func TestLog_IsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// 300,001 bytes, so that parts of 256 KiB end within a character.
	st := w.commit(t, files{"fairlead.yaml": `project: p
pipeline: {steps: {s: {run: "printf x; yes ü | head -n 150000 | tr -d '\\n'; printf '\\303'"}}}
`})
	r := w.good(t, st)
	var log strings.Builder
	parts := 0
	for offset := int64(0); ; parts++ {
		part, err := w.Log(t.Context(), w.p, r.ID, "s", pipeline.LogRead{Offset: offset})
		check(t, err)
		if len(part.Data) == 0 {
			break
		}
		log.WriteString(strings.ToValidUTF8(string(part.Data), "?"))
		offset = part.Next
	}
	if want := "x" + strings.Repeat("ü", 150000) + "?"; log.String() != want || parts != 3 {
		t.Errorf("%d characters in %d parts", len([]rune(log.String())), parts)
	}
}

func TestSweep_RemovesOnlyWhatHasEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	id := w.begin(t, w.chain(t, chainFiles.with("train.sh", waiting(dir)+chainFiles["train.sh"])))
	waitFor(t, filepath.Join(dir, "started"))
	stale := filepath.Join(w.dir, "pipeline", "pr_gone")
	check(t, os.MkdirAll(stale, 0o700))
	check(t, w.Sweep(t.Context()))
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	if r := w.await(t, id); r.State != pipeline.Succeeded {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
}
