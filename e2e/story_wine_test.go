package e2e_test

import (
	"maps"
	"path/filepath"
	"testing"
)

// loopCase is what the stories read of a case.
type loopCase struct {
	ID          string `json:"id"`
	State       string `json:"state"`
	Outcome     string `json:"outcome"`
	Version     int64  `json:"version"`
	Decision    string `json:"decision"`
	PipelineRun string `json:"pipeline_run"`
	Reason      string `json:"reason"`
}

// The second project, which shares no line of code with the demo, goes the whole way
// with the commands that its README names.
func TestWine_GoesTheWholeWay(t *testing.T) {
	python(t)
	dir := example(t, "wine")
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	s := serve(t, t.TempDir())

	s.run(dir, "check").want(t, 0, `gates: [a-z-]+, [a-z-]+; environments: [a-z]+\n`)
	var first loopCase
	s.run(dir, "run", "-o", "json").want(t, 0).decode(t, &first)
	if first.Outcome != "promoted" || first.Version != 1 {
		t.Fatalf("the first run: %+v", first)
	}
	s.run(dir, "endpoint", "wine").want(t, 0, `wine@production`, `1 +live +100`)

	var second loopCase
	s.run(dir, "run", "-o", "json").want(t, 0).decode(t, &second)
	if second.Outcome != "unchanged" || second.Version != 1 {
		t.Errorf("the unchanged run: %+v", second)
	}
	states := stepStates(t, s, "wine", second.PipelineRun)
	if want := map[string]string{"train": "cached", "evaluate": "cached"}; !maps.Equal(states, want) {
		t.Errorf("the steps of an unchanged run: %v, want %v", states, want)
	}
	s.run(dir, "why", "train").want(t, 0, `cache`)
	s.run(dir, "why", "train", "--run", first.PipelineRun).want(t, 0)
	s.run(dir, "log", "evaluate", "--run", first.PipelineRun).want(t, 0, `::metric accuracy=`)

	s.run(dir, "release").want(t, 0, `version 1 is live already`)
	s.run(dir, "replay", filepath.Join("data", "live.csv"), "--time", "analysed_at", "--id", "bottle",
		"--label", "cultivar", "--label-delay", "24h").want(t, 0, `72 rows and 72 labels sent`)

	s.run(dir, "gate", "explain", "wine", "1", "--replay").want(t, 0, `good-enough`, `passed`,
		`again.*: the same`)
	s.run(dir, "gate", "explain", first.Decision).want(t, 0, `better-than-live`, `skipped`)
	s.run(dir, "loop", "explain").want(t, 0, `(?i)no case is active`)
	s.run(dir, "case").want(t, 0, first.ID)
	s.run(dir, "audit", "verify").want(t, 0, `^verified: \d+ events`)
}

// A change of one parameter runs its step and what follows; an impossible gate stops
// the candidate with an exit status of its own, and the live version stays.
func TestWine_GateStopsWithItsExitStatus(t *testing.T) {
	python(t)
	dir := example(t, "wine")
	replaceIn(t, filepath.Join(dir, "fairlead.yaml"), "candidate.accuracy >= 0.85",
		"candidate.accuracy > 1.0")
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	s := serve(t, t.TempDir())

	out := s.run(dir, "run", "-o", "json").want(t, 3, `fairlead gate explain dec_`)
	var stopped loopCase
	out.decode(t, &stopped)
	if stopped.Outcome != "stopped" {
		t.Errorf("the case: %+v", stopped)
	}
	s.run(dir, "gate", "explain", stopped.Decision).want(t, 0, `good-enough`, `accuracy`)
	s.run(dir, "endpoint", "wine").want(t, 5, `no endpoint|nothing is released`)
	s.run(dir, "gate", "explain", "dec_none").want(t, 5)
	s.run(dir, "case", "ca_none").want(t, 5)
	s.run(dir, "why", "none").want(t, 5)
	s.run(dir, "audit", "verify").want(t, 0, `^verified: \d+ events`)
}

// stepStates returns the states of a pipeline run's steps, by name.
func stepStates(t *testing.T, s *server, project, pipelineRun string) map[string]string {
	t.Helper()
	var page struct {
		Items []struct {
			Name  string `json:"name"`
			State string `json:"state"`
		} `json:"items"`
	}
	s.call("GET", "/api/v1/projects/"+project+"/pipeline-runs/"+pipelineRun+"/steps", nil).want(t,
		200).decode(t, &page)
	states := map[string]string{}
	for _, step := range page.Items {
		states[step.Name] = step.State
	}
	return states
}
