package pipeline_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/pipeline"
)

// smallSearch is search with three tries whose steps may be cached.
func smallSearch(t *testing.T) files {
	t.Helper()
	text := strings.ReplaceAll(search, ", cache: false", "")
	text = strings.Replace(text, "[60, 50, 40, 30, 20, 10]", "[60, 50, 70]", 1)
	f, _ := searchFiles(t)
	return f.with("fairlead.yaml", text)
}

func TestList_TellsHowFarEachRunIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.chain(t, smallSearch(t))
	first := w.good(t, st)
	second := w.good(t, st)
	dir := t.TempDir()
	id := w.begin(t, w.chain(t, chainFiles.with("train.sh", waiting(dir)+chainFiles["train.sh"])))
	waitFor(t, filepath.Join(dir, "started"))
	w.until(t, func() bool {
		r, err := w.Get(t.Context(), w.p, id)
		check(t, err)
		return r.Progress == "running train"
	})
	page, err := w.List(t.Context(), w.p, pipeline.RunList{Limit: 2})
	check(t, err)
	if len(page.Items) != 2 || page.Next == "" || page.Items[0].ID != id {
		t.Fatalf("%+v", page)
	}
	now := page.Items[0]
	if *now.Steps != (pipeline.Tally{Planned: 3, Succeeded: 1, Running: 1}) || now.Value != nil ||
		now.Progress != "running train" || now.Goal.Metric != "validation.wape" {
		t.Errorf("%+v, %+v", now, now.Steps)
	}
	cached := page.Items[1]
	if *cached.Steps != (pipeline.Tally{Planned: 8, Cached: 8}) || *cached.Value != 0.5 ||
		!cached.Goal.Lower || *cached.Goal.AtMost != 0.4 || cached.ID != second.ID {
		t.Errorf("%+v, %+v", cached, cached.Steps)
	}
	rest, err := w.List(t.Context(), w.p, pipeline.RunList{Limit: 2, Page: page.Next})
	check(t, err)
	if len(rest.Items) != 1 || rest.Items[0].ID != first.ID || rest.Next != "" {
		t.Errorf("%+v", rest)
	}
	running, err := w.List(t.Context(), w.p, pipeline.RunList{State: pipeline.Running})
	check(t, err)
	if len(running.Items) != 1 || running.Items[0].ID != id {
		t.Errorf("%+v", running)
	}
	_, err = w.List(t.Context(), w.p, pipeline.RunList{State: pipeline.Running, Page: page.Next})
	if !fairlead.Is(err, fairlead.Invalid) { // the page of another list
		t.Errorf("%v", err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	w.await(t, id)
}

func TestTries_TheBestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := smallSearch(t)
	// The second try fails, and the third one is as good as the fourth.
	f["fairlead.yaml"] = strings.Replace(f["fairlead.yaml"], "[60, 50, 70]", "[60, 50, 45, 450]", 1)
	f["evaluate.sh"] = "grep -qx 50 $FAIRLEAD_IN_MODEL/depth && exit 1\n" + f["evaluate.sh"] +
		"; echo ::metric other=nan"
	r := w.good(t, w.chain(t, f))
	order := func(in pipeline.TryList) (out []int) {
		t.Helper()
		for {
			page, err := w.Tries(t.Context(), w.p, r.ID, in)
			check(t, err)
			for _, try := range page.Items {
				out = append(out, try.N)
			}
			if in.Page = page.Next; in.Page == "" {
				return out
			}
		}
	}
	if got := fmt.Sprint(order(pipeline.TryList{Limit: 3}), order(pipeline.TryList{Best: true}),
		order(pipeline.TryList{Best: true, Limit: 1})); got != "[1 2 3 4] [3 4 1 2] [3 4 1 2]" {
		t.Errorf("%s; winner %d", got, r.Winner)
	}
	page, err := w.Tries(t.Context(), w.p, r.ID, pipeline.TryList{Best: true, Limit: 1})
	check(t, err)
	best := page.Items[0]
	if v := best.Metrics["validation.wape"]; v == nil || *v != 0.45 || best.Steps != 2 ||
		best.Cached != 0 || best.Started.IsZero() || best.Finished.Before(best.Started) ||
		best.Run == "" || fmt.Sprint(best.Params["train"]["depth"]) != "45" {
		t.Errorf("%+v", best)
	}
	if v, ok := best.Metrics["validation.other"]; !ok || v != nil {
		t.Errorf("what is no number: %v, %v", v, ok)
	}
	if _, err := w.Tries(t.Context(), w.p, r.ID, pipeline.TryList{Page: page.Next}); !fairlead.Is(err,
		fairlead.Invalid) {
		t.Errorf("the page of another order: %v", err)
	}
}

func TestGet_CountsTheStepsOfEachNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := smallSearch(t)
	// The second try fails.
	f["fairlead.yaml"] = strings.Replace(f["fairlead.yaml"], "[60, 50, 70]", "[60, 50, 40]", 1)
	f["evaluate.sh"] = "grep -qx 50 $FAIRLEAD_IN_MODEL/depth && exit 1\n" + f["evaluate.sh"]
	r := w.good(t, w.chain(t, f))
	want := []pipeline.NodeTally{
		{Node: "prepare", Tally: pipeline.Tally{Planned: 1, Succeeded: 1}},
		{Node: "train", Tally: pipeline.Tally{Planned: 3, Succeeded: 3}},
		{Node: "evaluate", Tally: pipeline.Tally{Planned: 3, Succeeded: 2, Failed: 1}},
		{Node: "train@refit", Tally: pipeline.Tally{Planned: 1, Succeeded: 1}},
	}
	for i, n := range r.Nodes {
		if n.Started.Before(r.Started) || n.Finished.Before(n.Started) || n.Finished.After(r.Finished) {
			t.Errorf("%s: %s to %s", n.Node, n.Started, n.Finished)
		}
		r.Nodes[i].Started, r.Nodes[i].Finished = time.Time{}, time.Time{}
	}
	if !slices.Equal(r.Nodes, want) {
		t.Errorf("%+v", r.Nodes)
	}
	steps, err := w.Steps(t.Context(), w.p, r.ID, pipeline.StepList{Brief: true})
	check(t, err)
	for _, s := range steps.Items {
		if s.Outputs != nil || s.Points != nil {
			t.Errorf("brief: %+v", s)
		}
	}
}

func TestGraph_ShowsStepsThatHaveNotBegun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := smallSearch(t)
	f["prepare.sh"] = "exit 1"
	r := w.run(t, w.chain(t, f))
	g, err := w.Graph(t.Context(), w.p, r.ID)
	check(t, err)
	var nodes, edges []string
	for _, n := range g.Nodes {
		nodes = append(nodes, n.ID+":"+n.Part)
	}
	for _, e := range g.Edges {
		edges = append(edges, strings.TrimSuffix(e.From+">"+e.To+":"+e.Name, ":"))
	}
	if got := strings.Join(nodes, " "); got !=
		"prepare:shared train:try evaluate:try train@refit:refit" {
		t.Errorf("nodes %s", got)
	}
	if got := strings.Join(edges, " "); got != "raw>prepare:raw prepare>train:train "+
		"train>evaluate:model prepare>evaluate:validation prepare>train@refit:train "+
		"prepare>train@refit:validation evaluate>train@refit" {
		t.Errorf("edges %s", got)
	}
	if len(g.Data) != 1 || g.Data[0].Ref.String() != "raw:1" && g.Data[0].Ref.N != 1 || g.Tries != 3 ||
		len(g.Over) != 1 || len(g.Over[0].Values) != 3 || g.Concurrency != 4 || g.Model != "model" ||
		g.Goal.Metric != "validation.wape" {
		t.Errorf("%+v", g)
	}
}

func TestStep_TellsWhereItsInputsCameFrom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	st := w.chain(t, smallSearch(t))
	first := w.good(t, st)
	r := w.good(t, st)
	for step, want := range map[string]string{
		"prepare":     "raw=data",
		"train@2":     "train=prepare",
		"evaluate@3":  "model=train@3 validation=prepare",
		"train@refit": "train=prepare validation=prepare",
	} {
		d, err := w.Step(t.Context(), w.p, r.ID, step)
		check(t, err)
		var got []string
		for _, in := range d.Inputs {
			from := in.Step
			if in.Data != nil {
				from = "data"
			}
			got = append(got, in.Name+"="+from)
			if in.Digest == "" {
				t.Errorf("%s: %s has no digest", step, in.Name)
			}
		}
		if strings.Join(got, " ") != want || d.Logged != first.ID || d.State != pipeline.Cached ||
			d.Tracking == "" || !strings.HasPrefix(d.Command, "sh ") {
			t.Errorf("%s: %v, %+v", step, got, d)
		}
	}
	d, err := w.Step(t.Context(), w.p, first.ID, "train@2")
	check(t, err)
	if fmt.Sprint(d.Params["depth"]) != "50" || d.Attempts != 1 || d.Logged != "" ||
		d.Queued.IsZero() || d.Started.Before(d.Queued) || d.Finished.Before(d.Started) {
		t.Errorf("%+v", d)
	}
	if _, err := w.Step(t.Context(), w.p, r.ID, "nothing"); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("%v", err)
	}
}

// TestSteps_TellWhenTheyWaited runs two steps that need nothing from each other one after
// the other: the second one was ready with the first, and waited for it.
func TestSteps_TellWhenTheyWaited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	id := w.begin(t, w.commit(t, files{"fairlead.yaml": `project: p
pipeline:
  concurrency: 1
  steps:
    a: {run: sh a.sh}
    b: {run: "true"}
`, "a.sh": waiting(dir)}))
	waitFor(t, filepath.Join(dir, "started"))
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	w.await(t, id)
	steps := w.steps(t, id)
	a, b := steps[0], steps[1]
	if a.Queued.IsZero() || !a.Queued.Equal(b.Queued) || b.Started.Before(a.Finished) {
		t.Errorf("a: %v %v %v, b: %v %v %v", a.Queued, a.Started, a.Finished, b.Queued, b.Started, b.Finished)
	}
}

func TestSteps_BriefOnesHaveNoMetrics(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.good(t, w.chain(t, chainFiles))
	var names []string
	in := pipeline.StepList{Limit: 2, Brief: true}
	for {
		page, err := w.Steps(t.Context(), w.p, r.ID, in)
		check(t, err)
		for _, s := range page.Items {
			names = append(names, s.Name)
			if len(s.Points) > 0 {
				t.Errorf("%s: %v", s.Name, s.Points)
			}
		}
		if in.Page = page.Next; in.Page == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "prepare train evaluate" {
		t.Errorf("%s", got)
	}
	if all := w.steps(t, r.ID); len(all[2].Points) != 2 {
		t.Errorf("%+v", all[2])
	}
}

func TestWhys_SayTheSameAsWhy(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.good(t, w.chain(t, chainFiles))
	text := strings.Replace(chain, "depth: 3", "depth: 4", 1)
	r := w.good(t, w.chain(t, chainFiles.with("fairlead.yaml", text).with("prepare.sh",
		chainFiles["prepare.sh"]+" # changed")))
	n := 0
	for token := ""; n == 0 || token != ""; {
		page, err := w.Whys(t.Context(), w.p, r.ID, token, 2)
		check(t, err)
		for _, got := range page.Items {
			want, err := w.Why(t.Context(), w.p, r.ID, got.Step)
			check(t, err)
			if n++; got.String() != want.String() || len(got.Changes) == 0 {
				t.Errorf("%s\nwant %s", got, want)
			}
		}
		token = page.Next
	}
	if n != 3 {
		t.Errorf("%d steps", n)
	}
	if _, err := w.Whys(t.Context(), w.p, "pr_x", "", 0); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("%v", err)
	}
}

func TestLog_OfEachAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	id := w.begin(t, w.commit(t, files{"fairlead.yaml": `project: p
pipeline: {steps: {s: {run: sh s.sh, retries: 1}}}
`, "s.sh": "test -e " + dir + "/failed || { touch " + dir + "/failed; echo no; exit 1; }\n" +
		"echo again; " + waiting(dir)}))
	waitFor(t, filepath.Join(dir, "started"))
	w.until(t, func() bool { // the shim may have to read it yet
		part, err := w.Log(t.Context(), w.p, id, "s", pipeline.LogRead{})
		check(t, err)
		return part.End > 0
	})
	read := func(in pipeline.LogRead) string {
		t.Helper()
		part, err := w.Log(t.Context(), w.p, id, "s", in)
		check(t, err)
		return fmt.Sprintf("%s%d of %d, %d of %d, %v", part.Data, part.Next, part.End, part.Attempt,
			part.Attempts, part.Done)
	}
	for in, want := range map[pipeline.LogRead]string{
		{Attempt: 1}:            "no\n3 of 3, 1 of 2, true",
		{}:                      "again\n6 of 6, 2 of 2, false",
		{Offset: 6}:             "6 of 6, 2 of 2, false",
		{Offset: 1, Attempt: 1}: "o\n3 of 3, 1 of 2, true",
	} {
		if got := read(in); got != want {
			t.Errorf("%+v: %q, want %q", in, got, want)
		}
	}
	if _, err := w.Log(t.Context(), w.p, id, "s", pipeline.LogRead{Attempt: 3}); !fairlead.Is(err,
		fairlead.NotFound) {
		t.Errorf("%v", err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "go"), nil, 0o600))
	w.await(t, id)
	if got := read(pipeline.LogRead{}); got != "again\n6 of 6, 2 of 2, true" {
		t.Errorf("%q", got)
	}
}
