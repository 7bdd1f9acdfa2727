package spec_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/spec"
)

// withSteps returns a file with the given steps of a pipeline.
func withSteps(steps ...string) string {
	return "project: a\ndata: {d: {from: d.csv}, e: {from: e.csv}}\npipeline:\n  steps:\n    " +
		strings.Join(steps, "\n    ") + "\n"
}

func TestEvaluateStep_IsFoundByName(t *testing.T) {
	for _, c := range []struct {
		name               string
		steps              []string
		model, step, input string
	}{
		{"named", []string{"train: {run: x, in: [d], out: [model]}",
			"report: {run: x, in: [model]}", "evaluate: {run: x, in: [model, e]}"},
			"model", "evaluate", "e"},
		{"the only reader of the model", []string{"train: {run: x, in: [d], out: [model]}",
			"score: {run: x, in: [e, model]}"}, "model", "score", "e"},
		{"a model of another name", []string{"fit: {run: x, in: [d], out: [booster]}",
			"evaluate: {run: x, in: [d, booster]}"}, "booster", "evaluate", "d"},
		{"validation among several", []string{"split: {run: x, in: [d], out: [train, validation]}",
			"train: {run: x, in: [train], out: [model]}",
			"evaluate: {run: x, in: [model, e, validation]}"}, "model", "evaluate", "validation"},
		{"not clear which input", []string{"train: {run: x, in: [d], out: [model]}",
			"evaluate: {run: x, in: [model, d, e]}"}, "model", "evaluate", ""},
		{"two readers, none of the name", []string{"train: {run: x, in: [d], out: [model]}",
			"score: {run: x, in: [model, e]}", "report: {run: x, in: [model]}"}, "model", "", ""},
		{"no model", []string{"clean: {run: x, in: [d], out: [c]}"}, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := parse(t, withSteps(c.steps...))
			model, _ := s.ModelOutput()
			step, _ := s.EvaluateStep()
			input, _ := s.EvaluationInput()
			if model != c.model || step.Name != c.step || input != c.input {
				t.Errorf("got %q, %q, %q, want %q, %q, %q",
					model, step.Name, input, c.model, c.step, c.input)
			}
		})
	}
}

func TestEvaluationInput_IsWhatUntilMeasures(t *testing.T) {
	s := parse(t, withSteps("train: {run: x, in: [d], out: [model]}",
		"evaluate: {run: x, in: [model, d, e]}")+"  until: {metric: e.auc, at_least: 0.8}\n")
	if input, ok := s.EvaluationInput(); !ok || input != "e" {
		t.Errorf("got %q, %v, want e", input, ok)
	}
}

func TestOrder_PutsEachStepAfterItsInputs(t *testing.T) {
	s := parse(t, withSteps("report: {run: x, in: [b]}", "second: {run: x, in: [a], out: [b]}",
		"other: {run: x, in: [d]}", "first: {run: x, in: [d], out: [a]}"))
	var names []string
	for _, step := range s.Pipeline.Order() {
		names = append(names, step.Name)
	}
	if got := fmt.Sprint(names); got != "[other first second report]" {
		t.Errorf("got %s", got)
	}
	if got := fmt.Sprint(s.Pipeline.Graph()["report"]); got != "[second]" {
		t.Errorf("report waits for %s", got)
	}
}

func TestLookups_SayWhenThereIsNothing(t *testing.T) {
	s := parse(t, "project: a\n")
	_, data := s.DataByName("x")
	_, step := s.Step("x")
	_, env := s.Environment("x")
	_, last := s.LastEnvironment()
	_, model := s.ModelOutput()
	_, evaluate := s.EvaluateStep()
	_, input := s.EvaluationInput()
	_, better := s.LowerIsBetter("auc")
	if data || step || env || last || model || evaluate || input || better {
		t.Error("something was found in an empty project")
	}
}

func TestLowerIsBetter_FollowsTheBounds(t *testing.T) {
	s := parse(t, example(t, "flights"))
	if lower, ok := s.LowerIsBetter("auc"); lower || !ok {
		t.Errorf("auc: got %v, %v, want more to be better", lower, ok)
	}
	s = parse(t, replaced(t, example(t, "bikes"), "goal: {metric: wape, at_most: 0.45}\n", ""))
	if lower, ok := s.LowerIsBetter("wape"); !lower || !ok {
		t.Errorf("wape: got %v, %v, want less to be better", lower, ok)
	}
}

func TestTrials_CountLikeAnOdometer(t *testing.T) {
	search := &spec.Search{Over: []spec.Param{
		{Step: "train", Name: "a", Values: []any{int64(1), int64(2)}},
		{Step: "train", Name: "b", Values: []any{"x", "y"}},
	}}
	if got := fmt.Sprint(values(search)); got != "[1x 1y 2x 2y]" {
		t.Errorf("got %s", got)
	}
	search.Tries = 3
	if got := fmt.Sprint(values(search)); got != "[1x 1y 2x]" {
		t.Errorf("three tries: got %s", got)
	}
	search.Tries = 9
	if got := len(search.Trials()); got != 4 {
		t.Errorf("nine tries of four: got %d", got)
	}
}

// TestTrials_SeedShufflesAlwaysAlike keeps the order of a seed over versions of
// the program: a retraining relies on it.
func TestTrials_SeedShufflesAlwaysAlike(t *testing.T) {
	search := &spec.Search{Seed: 7, Over: []spec.Param{
		{Step: "train", Name: "a", Values: []any{1, 2, 3}},
		{Step: "train", Name: "b", Values: []any{"x", "y"}},
	}}
	first, again := fmt.Sprint(values(search)), fmt.Sprint(values(search))
	if first != again {
		t.Errorf("got %s, then %s", first, again)
	}
	const want = "[2y 2x 1x 3x 3y 1y]"
	if first != want {
		t.Errorf("got %s, want %s", first, want)
	}
	seen := map[string]bool{}
	for _, v := range values(search) {
		seen[v] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d of 6 combinations", len(seen))
	}
}

func values(s *spec.Search) []string {
	var out []string
	for _, trial := range s.Trials() {
		text := ""
		for _, choice := range trial {
			text += fmt.Sprint(choice.Value)
		}
		out = append(out, text)
	}
	return out
}
