package pipeline

import (
	"maps"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
)

// Params are the parameters of each step, by step and name.
type Params map[string]map[string]any

// Numbers of the parts of a run that are not tries, which count from 1.
const (
	Shared = 0  // steps that no searched param can change: they run once
	Refit  = -1 // the winner's step, run again on more data
)

// plan is what a run has to do. It follows from the file and the fixed params
// alone, so that each server that drives the run makes the same one.
type plan struct {
	spec  *spec.Spec
	order []spec.Step     // each after those that it waits for
	tried map[string]bool // steps that run in each try
	tries []Params        // of all steps, for each try
	goal  measure

	searches bool // the tries are those of a search
}

// measure is the metric that compares tries.
type measure struct {
	known       bool
	input, name string // validation, wape
	lower       bool   // is better
	until       *spec.Until
}

func (m measure) String() string { return m.input + "." + m.name }

// newPlan returns the plan of a file. Fixed params leave one try, with what a search
// once chose, unless the file wants a search each time.
func newPlan(sp *spec.Spec, fixed Params) (*plan, error) {
	if sp.Pipeline == nil || len(sp.Pipeline.Steps) == 0 {
		return nil, fairlead.Errorf(fairlead.Precondition,
			"%s of project %s has no pipeline; add `pipeline:` with its steps", spec.FileName, sp.Project)
	}
	p := &plan{spec: sp, order: sp.Pipeline.Order(), tried: map[string]bool{}, goal: measureOf(sp)}
	search := sp.Pipeline.Search
	if search == nil || fixed != nil && search.When != spec.WhenAlways {
		p.tries = []Params{p.params(nil, searchedOnly(search, fixed))}
	} else {
		p.tries, p.searches = p.searched(search), true
	}
	graph := sp.Pipeline.Graph()
	for _, step := range p.order {
		p.tried[step.Name] = len(p.tries) == 1 || p.varies(step, graph)
	}
	return p, nil
}

// searchedOnly returns of the params that a retraining keeps those that a search
// has chosen. The others are the file's, as they are for the gate.
func searchedOnly(search *spec.Search, fixed Params) Params {
	out := Params{}
	if search == nil {
		return out
	}
	for _, over := range search.Over {
		if v, ok := fixed[over.Step][over.Name]; ok {
			if out[over.Step] == nil {
				out[over.Step] = map[string]any{}
			}
			out[over.Step][over.Name] = v
		}
	}
	return out
}

// measureOf returns the metric that `until`, else `goal`, names.
func measureOf(sp *spec.Spec) measure {
	if u := sp.Pipeline.Until; u != nil {
		input, name := u.Split()
		return measure{known: true, input: input, name: name, lower: u.AtMost != nil, until: u}
	}
	input, ok := sp.EvaluationInput()
	if sp.Goal == nil || !ok {
		return measure{}
	}
	return measure{known: true, input: input, name: sp.Goal.Metric, lower: sp.Goal.AtMost != nil}
}

func (p *plan) searched(search *spec.Search) []Params {
	trials := search.Trials()
	if u := p.spec.Pipeline.Until; u != nil && u.Tries > 0 {
		trials = trials[:min(len(trials), u.Tries)]
	}
	out := make([]Params, len(trials))
	for i, choices := range trials {
		out[i] = p.params(choices, nil)
	}
	return out
}

// params returns the params that the steps declare, with some of them replaced.
func (p *plan) params(choices []spec.Choice, fixed Params) Params {
	out := Params{}
	for _, step := range p.order {
		if len(step.Params) == 0 {
			continue
		}
		values := maps.Clone(step.Params)
		for name, v := range fixed[step.Name] {
			if _, ok := values[name]; ok { // the file may have lost it since
				values[name] = v
			}
		}
		out[step.Name] = values
	}
	for _, c := range choices {
		out[c.Step][c.Param] = c.Value
	}
	return out
}

// varies reports whether a searched param reaches the step, itself or through
// what it waits for.
func (p *plan) varies(step spec.Step, graph map[string][]string) bool {
	for _, over := range p.spec.Pipeline.Search.Over {
		if over.Step == step.Name {
			return true
		}
	}
	return slices.ContainsFunc(graph[step.Name],
		func(name string) bool { return p.tried[name] }) // decided before: order
}

// steps returns the steps of a part of the run, in order.
func (p *plan) steps(n int) []spec.Step {
	if n == Refit {
		return p.refit()
	}
	var out []spec.Step
	for _, step := range p.order {
		if p.tried[step.Name] == (n != Shared) {
			out = append(out, step)
		}
	}
	return out
}

// refit returns the step that is run again, with its other inputs.
func (p *plan) refit() []spec.Step {
	r := p.spec.Pipeline.Refit
	if r == nil {
		return nil
	}
	step, _ := p.spec.Step(r.Step)
	step.In = r.In
	return []spec.Step{step}
}

// home returns the part of the run whose output of that name a step in part n
// reads; winner is the chosen try. ok is false for data.
func (p *plan) home(output string, n, winner int) (step string, part int, ok bool) {
	maker, ok := p.spec.Pipeline.Producer(output)
	switch {
	case !ok:
		return "", 0, false
	case !p.tried[maker.Name]:
		return maker.Name, Shared, true
	case n == Refit:
		return maker.Name, winner, true
	}
	return maker.Name, n, true
}

// data lists the entries of `data` that some step reads.
func (p *plan) data() []string {
	var names []string
	for _, step := range append(slices.Clone(p.order), p.refit()...) {
		for _, name := range step.In {
			if _, made := p.spec.Pipeline.Producer(name); !made && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// recorded returns the name under which a printed metric of a step is recorded:
// with the input that it was measured on when the step is the evaluating one.
func recorded(sp *spec.Spec, step, name string) string {
	evaluate, ok := sp.EvaluateStep()
	if !ok || evaluate.Name != step {
		return name
	}
	input, ok := sp.EvaluationInput()
	if !ok || strings.HasPrefix(name, input+".") {
		return name
	}
	return input + "." + name
}
