package pipeline_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// chain is a pipeline of three steps that makes a model; $LOG is where each step
// notes that it ran.
const chain = `project: p
goal: {metric: wape, at_most: 0.5}
data:
  raw: {from: data/raw.csv}
pipeline:
  steps:
    prepare:  {run: sh prepare.sh, in: [raw], out: [train, validation]}
    train:    {run: sh train.sh, in: [train], out: [model], params: {depth: 3}}
    evaluate: {run: sh evaluate.sh, in: [model, validation]}
`

var chainFiles = files{
	"fairlead.yaml": chain,
	"data/raw.csv":  "never seen by a step",
	"prepare.sh": `test ! -e data/raw.csv && cp $FAIRLEAD_IN_RAW $FAIRLEAD_OUT_TRAIN &&
		echo v > $FAIRLEAD_OUT_VALIDATION`,
	"train.sh": `mkdir -p $FAIRLEAD_OUT_MODEL/sub &&
		cat $FAIRLEAD_IN_TRAIN > $FAIRLEAD_OUT_MODEL/MLmodel &&
		echo "$FAIRLEAD_PARAMS" > $FAIRLEAD_OUT_MODEL/sub/params`,
	"evaluate.sh": `wc -c $FAIRLEAD_IN_MODEL/MLmodel && echo "::metric wape=0.25 mae=3"`,
}

func (w *world) chain(t *testing.T, f files) pipeline.Start {
	t.Helper()
	st := w.commit(t, f)
	st.Inputs["raw"] = w.dataset(t, "raw", 1, "rows")
	return st
}

func TestRun_RegistersTheModelWithItsLineage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.chain(t, chainFiles)
	st.Holdout = w.dataset(t, "holdout", 1, "kept")
	r := w.good(t, st)
	if r.Version != 1 || r.Winner != 1 || r.Reason != "one try, no search; best validation.wape 0.25" {
		t.Errorf("version %d, winner %d, reason %q", r.Version, r.Winner, r.Reason)
	}
	var v *registry.Version
	check(t, w.db.Read(t.Context(), func(tx *store.Tx) (err error) {
		v, err = w.registry.Version(tx, w.p, "p", 1)
		return err
	}))
	by := v.ProducedBy
	if by.PipelineRun != r.ID || by.Commit != st.Commit || by.SpecRev != st.SpecRev ||
		by.Cause != "user" || fmt.Sprint(by.Datasets) != "[raw/1 holdout/1]" {
		t.Errorf("lineage %+v", by)
	}
	dir := filepath.Join(t.TempDir(), "model")
	check(t, w.registry.ModelDir(t.Context(), w.p, "p", 1, dir))
	got := read(t, filepath.Join(dir, "MLmodel")) + read(t, filepath.Join(dir, "sub/params"))
	if got != "rows{\"depth\":3}\n" {
		t.Errorf("the model's files hold %q", got)
	}
	run, err := w.tracking.Run(t.Context(), w.p, v.RunID)
	check(t, err)
	if run.Status != "FINISHED" || len(run.Metrics) != 2 || run.Metrics[1].Key != "validation.wape" ||
		run.Params[0].Key != "train.depth" || run.Params[0].Value != "3" {
		t.Errorf("tracking run %+v", run)
	}
}

// From its registration on, nobody can delete the version that a case is going to judge,
// also one that an earlier run had made.
func TestRun_HoldsItsVersionForTheCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.chain(t, chainFiles)
	for _, st.Case = range []string{"ca_1", "ca_2"} {
		w.good(t, st)
	}
	check(t, w.db.Read(t.Context(), func(tx *store.Tx) error {
		holders, err := w.registry.Holds(tx, w.p, "p", 1)
		if fmt.Sprint(holders) != "[{case ca_1 is being judged} {case ca_2 is being judged}]" {
			t.Errorf("held by %v", holders)
		}
		return err
	}))
}

func TestRun_UnchangedIsAnsweredFromTheCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.chain(t, chainFiles)
	first := w.good(t, st)
	all := map[string]pipeline.State{"prepare": "succeeded", "train": "succeeded",
		"evaluate": "succeeded"}
	for name, change := range map[string]func() (pipeline.Start, map[string]pipeline.State){
		"nothing": func() (pipeline.Start, map[string]pipeline.State) { return st, nil },
		"another commit with the same files": func() (pipeline.Start, map[string]pipeline.State) {
			return w.chain(t, chainFiles.with("data/raw.csv", "other rows, which are data")), nil
		},
		"one byte of code": func() (pipeline.Start, map[string]pipeline.State) {
			return w.chain(t, chainFiles.with("prepare.sh", chainFiles["prepare.sh"]+"\n")),
				all
		},
		"a param": func() (pipeline.Start, map[string]pipeline.State) {
			text := strings.Replace(chain, "depth: 3", "depth: 4", 1)
			return w.chain(t, chainFiles.with("fairlead.yaml", text)),
				map[string]pipeline.State{"train": "succeeded", "evaluate": "succeeded"}
		},
		"one byte of data": func() (pipeline.Start, map[string]pipeline.State) {
			other := st
			other.Inputs = maps.Clone(st.Inputs)
			other.Inputs["raw"] = w.dataset(t, "raw", 2, "rowz")
			return other, all
		},
		"the same data under another name": func() (pipeline.Start, map[string]pipeline.State) {
			other := st
			other.Inputs = maps.Clone(st.Inputs)
			other.Inputs["raw"] = w.dataset(t, "raw", 3, "rows")
			return other, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			again, ran := change()
			r := w.good(t, again)
			want := map[string]pipeline.State{"prepare": "cached", "train": "cached", "evaluate": "cached"}
			maps.Copy(want, ran)
			if got := w.states(t, r.ID); !maps.Equal(got, want) {
				t.Errorf("steps %v, want %v", got, want)
			}
			if (r.Version == first.Version) != (ran == nil) || r.Version == 0 ||
				*r.Tries[1].Value != 0.25 { // what nothing has changed about is no new version
				t.Errorf("version %d, value %v", r.Version, *r.Tries[1].Value)
			}
		})
	}
}

func TestRun_TellsHowAStepFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct{ step, want string }{
		"status": {`{run: "echo no such column >&2; exit 3"}`,
			"step s failed with exit status 3; the end of its log:\n  no such column"},
		"signal": {`{run: "kill -SEGV $$"}`, "step s was ended by the signal segmentation fault"},
		"hang":   {`{run: "sleep 60", timeout: 100ms}`, "step s took longer than its timeout"},
		"nothing": {`{run: "true", out: [model]}`, `step s ended well, but left no output "model"; ` +
			`write it to the path in FAIRLEAD_OUT_MODEL`},
		"empty": {`{run: "mkdir $FAIRLEAD_OUT_MODEL", out: [model]}`, "left no output"},
		"link": {`{run: "ln -s /etc/passwd $FAIRLEAD_OUT_MODEL", out: [model]}`,
			"neither a file nor a directory"},
		"metric": {`{run: "echo '::metric a$b=1'"}`, "a name that cannot be stored"},
		"long metric": {`{run: "echo '::metric ` + strings.Repeat("a", 251) + `=1'"}`,
			"a name that cannot be stored: 'Metric key' exceeds the maximum length of 250"},
	} {
		t.Run(name, func(t *testing.T) {
			st := w.commit(t, files{"fairlead.yaml": "project: p\npipeline: {steps: {s: " + c.step + "}}\n"})
			r := w.run(t, st)
			if r.State != pipeline.Failed || !strings.Contains(r.Reason, c.want) {
				t.Errorf("%s: %s", r.State, r.Reason)
			}
			if got := w.states(t, r.ID)["s"]; got != pipeline.Failed {
				t.Errorf("step %s", got)
			}
		})
	}
}

func TestRun_RetriesTheStepsOwnFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mark := filepath.Join(t.TempDir(), "mark")
	st := w.commit(t, files{"fairlead.yaml": `project: p
pipeline: {steps: {s: {run: "test -e ` + mark + ` || { touch ` + mark + `; exit 1; }", retries: 1}}}
`})
	r := w.good(t, st)
	if s := w.steps(t, r.ID)[0]; s.Fails != 1 || s.Error != "" {
		t.Errorf("fails %d, error %q", s.Fails, s.Error)
	}
}

func TestRun_StepsWithoutAWaitRunSideBySide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	// Each of the two waits for the other.
	meet := func(me, other string) string {
		return fmt.Sprintf("touch %s/%s; while [ ! -e %s/%s ]; do sleep 0.01; done", dir, me, dir, other)
	}
	st := w.commit(t, files{"fairlead.yaml": `project: p
pipeline:
  steps:
    a: {run: "` + meet("a", "b") + `", timeout: 10s}
    b: {run: "` + meet("b", "a") + `", timeout: 10s}
`})
	w.good(t, st)
}

func TestStep_KeepsWhatCanBeExecuted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := files{"fairlead.yaml": `project: p
pipeline:
  steps:
    build: {run: sh build.sh, out: [tool, kit]}
    use:   {run: $FAIRLEAD_IN_TOOL && $FAIRLEAD_IN_KIT/bin/run && test ! -x $FAIRLEAD_IN_KIT/data, in: [tool, kit]}
`, "build.sh": `printf '#!/bin/sh\necho tool\n' > $FAIRLEAD_OUT_TOOL; chmod +x $FAIRLEAD_OUT_TOOL
	mkdir -p $FAIRLEAD_OUT_KIT/bin; cp $FAIRLEAD_OUT_TOOL $FAIRLEAD_OUT_KIT/bin/run; echo > $FAIRLEAD_OUT_KIT/data`}
	first := w.good(t, w.commit(t, f))
	w.good(t, w.commit(t, f.with("new", "code")))
	keys := func(r *pipeline.Run) string { return w.steps(t, r.ID)[1].Key }
	plain := f.with("build.sh", strings.Replace(f["build.sh"], "chmod +x", ": chmod", 1))
	if r := w.run(t, w.commit(t, plain)); keys(r) == keys(first) {
		t.Error("a tool that cannot be executed has the key of one that can")
	}
}

func TestStep_DependsOnItsCodeOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := chainFiles.with("lib/deep/a.sh", "echo a").with("README.md", "read")
	f = f.with("fairlead.yaml", strings.Replace(chain, "{run: sh train.sh, in: [train]",
		"{run: sh train.sh, code: [train.sh, 'lib/**'], in: [train]", 1))
	f = f.with("train.sh", "find . -type f | sort; "+f["train.sh"])
	first := w.good(t, w.chain(t, f))
	part, err := w.Log(t.Context(), w.p, first.ID, "train", pipeline.LogRead{Offset: 0})
	check(t, err)
	if got := string(part.Data); got != "./lib/deep/a.sh\n./train.sh\n" {
		t.Errorf("the step sees %q", got)
	}
	r := w.good(t, w.chain(t, f.with("README.md", "write")))
	if got := w.states(t, r.ID); got["train"] != "cached" || got["prepare"] != "succeeded" {
		t.Errorf("with another README: %v", got)
	}
	r = w.good(t, w.chain(t, f.with("lib/deep/a.sh", "echo b")))
	if got := w.states(t, r.ID); got["train"] != "succeeded" {
		t.Errorf("with another library: %v", got)
	}
	why, err := w.Why(t.Context(), w.p, r.ID, "train")
	check(t, err)
	if len(why.Changes) != 1 || why.Changes[0].Name != "lib/deep/a.sh" {
		t.Errorf("%s", why)
	}
}

func TestStep_SeesAMinimalEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_THE_SERVER", "x")
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	w := newWorld(t)
	st := w.commit(t, files{"fairlead.yaml": `project: p
pipeline: {steps: {s: {run: "env | sort; pwd; ls -a", env: {MINE: 5}}}}
`, "a.txt": "a"})
	r := w.good(t, st)
	part, err := w.Log(t.Context(), w.p, r.ID, "s", pipeline.LogRead{Offset: 0})
	check(t, err)
	log := string(part.Data)
	for _, want := range []string{"MINE=5\n", "FAIRLEAD_PARAMS={}\n", "a.txt\n",
		"MLFLOW_TRACKING_URI=http://127.0.0.1:1/p/p\n", "MLFLOW_RUN_ID=" + r.Tries[1].Run + "\n",
		"MLFLOW_TRACKING_USERNAME=step\n", "MLFLOW_TRACKING_PASSWORD=fl_step_"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	for _, not := range []string{"SECRET", "PYTHONDONTWRITEBYTECODE", "fairlead.yaml"} {
		if strings.Contains(log, not) {
			t.Errorf("%q in\n%s", not, log)
		}
	}
}

func TestStart_RefusesAMissingInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.commit(t, chainFiles)
	err := w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := w.Start(t.Context(), tx, w.p, st)
		return err
	})
	if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), `"raw"`) {
		t.Errorf("%v", err)
	}
}

// 1.0 is a share and 1 a count to scikit-learn: neither may become the other on
// the way to the step, in the cache, or in the lineage that a retraining repeats.
func TestParams_AFloatStaysOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := chainFiles.with("fairlead.yaml",
		strings.Replace(chain, "depth: 3", "depth: 1.0", 1)+"  search: {over: {train.depth: [1, 1.0, 1e3]}}\n")
	f = f.with("evaluate.sh", `case $(cat $FAIRLEAD_IN_MODEL/sub/params) in
		'{"depth":1.0}') echo "::metric wape=0.1";; *) echo "::metric wape=0.2";; esac`)
	st := w.chain(t, f)
	r := w.good(t, st)
	if r.Winner != 2 {
		t.Fatalf("winner %d: %s", r.Winner, r.Reason)
	}
	keys := map[string]bool{}
	for _, s := range w.steps(t, r.ID) {
		if s.Name == "train" {
			keys[s.Key] = true
		}
	}
	if len(keys) != 3 {
		t.Errorf("the three values have %d keys", len(keys))
	}
	check(t, w.db.Read(t.Context(), func(tx *store.Tx) (err error) {
		st.Fixed, err = w.registry.LastParams(tx, w.p, "p")
		return err
	}))
	again := w.good(t, st)
	if got := w.states(t, again.ID)["train"]; got != pipeline.Cached || *again.Tries[1].Value != 0.1 {
		t.Errorf("with the winner's params, train is %s, and the value %v", got, *again.Tries[1].Value)
	}
	run, err := w.tracking.Run(t.Context(), w.p, again.Tries[1].Run)
	check(t, err)
	if p := run.Params[0]; p.Key != "train.depth" || p.Value != "1.0" {
		t.Errorf("tracking has %+v", p)
	}
}
