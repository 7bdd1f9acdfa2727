package spec

import (
	"slices"
	"strings"
)

// The names that the lookups go by.
const (
	evaluateName   = "evaluate"
	modelName      = "model"
	validationName = "validation"
)

// DataByName returns an entry of `data`.
func (s *Spec) DataByName(name string) (NamedData, bool) {
	i := slices.IndexFunc(s.Data, func(d NamedData) bool { return d.Name == name })
	if i < 0 {
		return NamedData{}, false
	}
	return s.Data[i], true
}

// Step returns a step of the pipeline.
func (s *Spec) Step(name string) (Step, bool) {
	if s.Pipeline == nil {
		return Step{}, false
	}
	return s.Pipeline.step(func(step Step) bool { return step.Name == name })
}

// Environment returns an environment of the release.
func (s *Spec) Environment(name string) (Environment, bool) {
	i := slices.IndexFunc(s.Release, func(e Environment) bool { return e.Name == name })
	if i < 0 {
		return Environment{}, false
	}
	return s.Release[i], true
}

// LastEnvironment returns the environment that the model's bare name and the
// alias `live` stand for.
func (s *Spec) LastEnvironment() (Environment, bool) {
	if len(s.Release) == 0 {
		return Environment{}, false
	}
	return s.Release[len(s.Release)-1], true
}

// ModelOutput returns the output that holds the candidate: the one named
// `model`, else the first input of the step named `evaluate` that a step makes.
func (s *Spec) ModelOutput() (string, bool) {
	if s.Pipeline == nil {
		return "", false
	}
	if _, ok := s.Pipeline.Producer(modelName); ok {
		return modelName, true
	}
	step, _ := s.Step(evaluateName)
	for _, name := range step.In {
		if _, ok := s.Pipeline.Producer(name); ok {
			return name, true
		}
	}
	return "", false
}

// EvaluateStep returns the step that the gate runs again on the holdout, for the
// candidate and for the live version: the one named `evaluate`, else the only
// one whose inputs include ModelOutput.
func (s *Spec) EvaluateStep() (Step, bool) {
	model, ok := s.ModelOutput()
	if !ok {
		return Step{}, false
	}
	if step, ok := s.Step(evaluateName); ok {
		return step, slices.Contains(step.In, model)
	}
	var found []Step
	for _, step := range s.Pipeline.Steps {
		if slices.Contains(step.In, model) {
			found = append(found, step)
		}
	}
	if len(found) != 1 {
		return Step{}, false
	}
	return found[0], true
}

// EvaluationInput returns the input of EvaluateStep that the gate replaces with
// the holdout: the one that `until` measures, else the one named `validation`,
// else the only one besides the model.
func (s *Spec) EvaluationInput() (string, bool) {
	step, ok := s.EvaluateStep()
	if !ok {
		return "", false
	}
	if until := s.Pipeline.Until; until != nil {
		input, _ := until.Split()
		return input, slices.Contains(step.In, input)
	}
	if slices.Contains(step.In, validationName) {
		return validationName, true
	}
	model, _ := s.ModelOutput()
	if len(step.In) != 2 {
		return "", false
	}
	if step.In[0] == model {
		return step.In[1], true
	}
	return step.In[0], true
}

// LowerIsBetter says which direction of a metric is the better one, as far as
// the file tells: by `goal`, or by `until`. ok is false if it does not.
func (s *Spec) LowerIsBetter(metric string) (lower, ok bool) {
	if s.Goal != nil && s.Goal.Metric == metric {
		return s.Goal.AtMost != nil, true
	}
	if s.Pipeline != nil && s.Pipeline.Until != nil {
		if _, name := s.Pipeline.Until.Split(); name == metric {
			return s.Pipeline.Until.AtMost != nil, true
		}
	}
	return false, false
}

// Split returns the two parts of Metric: `validation` and `wape`.
func (u *Until) Split() (input, metric string) {
	input, metric, _ = strings.Cut(u.Metric, ".")
	return input, metric
}

func (p *Pipeline) step(is func(Step) bool) (Step, bool) {
	i := slices.IndexFunc(p.Steps, is)
	if i < 0 {
		return Step{}, false
	}
	return p.Steps[i], true
}

// Producer returns the step that makes an output.
func (p *Pipeline) Producer(output string) (Step, bool) {
	return p.step(func(s Step) bool { return slices.Contains(s.Out, output) })
}

// Graph maps each step to the steps that it waits for directly, in the order of
// its inputs.
func (p *Pipeline) Graph() map[string][]string {
	makers := map[string]string{}
	for _, step := range p.Steps {
		for _, output := range step.Out {
			makers[output] = step.Name
		}
	}
	graph := make(map[string][]string, len(p.Steps))
	for _, step := range p.Steps {
		waits := []string{}
		for _, input := range step.In {
			if maker, ok := makers[input]; ok && !slices.Contains(waits, maker) {
				waits = append(waits, maker)
			}
		}
		graph[step.Name] = waits
	}
	return graph
}

// Order returns the steps so that each comes after those that it waits for, and
// otherwise in the order of the file. The pipeline has no cycles (Parse).
func (p *Pipeline) Order() []Step {
	var order []Step
	graph, done := p.Graph(), map[string]bool{}
	waits := func(step Step) bool {
		missing := func(name string) bool { return !done[name] }
		return done[step.Name] || slices.ContainsFunc(graph[step.Name], missing)
	}
	for {
		i := slices.IndexFunc(p.Steps, func(step Step) bool { return !waits(step) })
		if i < 0 {
			return order
		}
		order, done[p.Steps[i].Name] = append(order, p.Steps[i]), true
	}
}

// route returns the steps on a way from one step to another along the graph,
// with both ends; nil if there is none. seen keeps it from walking twice.
func route(graph map[string][]string, from, to string, seen map[string]bool) []string {
	for _, name := range graph[from] {
		if name == to {
			return []string{from, to}
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		if way := route(graph, name, to, seen); way != nil {
			return append([]string{from}, way...)
		}
	}
	return nil
}
