package pipeline

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Rerun stores a run in the caller's transaction that does again what a run which has
// ended did, from a step on: with its commit, file, data and kept params, that step and
// all that comes after it are run, whatever the cache holds, and what was before is
// taken from that run. Where that had not ended well, or its key is another one now, as
// after the Python environment was built anew, the cache is asked, or it is run. The step
// is named as in Why: `train` stands for that of all tries and of the refit, `train@3` for
// one, and `train@refit` for the refit.
//
// A re-run belongs to no case. A case gathers its data as of its opening and is judged on
// the holdout of then, which the version that is live by now may have learned from. So
// the version that a re-run makes is released as any other that somebody brings: when it
// becomes the candidate, its case gathers the data of that day.
//
// Conflict while the run goes on, Invalid when it has no such step.
func (s *Service) Rerun(ctx context.Context, tx *store.Tx, p fairlead.Project, id, from string) (
	*Run, error) {
	old, err := readRun(tx, p, id)
	if err != nil {
		return nil, err
	}
	if !old.State.Final() {
		return nil, fairlead.Errorf(fairlead.Conflict,
			"run %s is %s; cancel it, or wait until it has ended", id, old.State)
	}
	rev, err := s.Projects.Revision(tx, p, old.SpecRev)
	if err != nil {
		return nil, err
	}
	pl, err := newPlan(rev.Spec, old.Fixed)
	if err != nil {
		return nil, err
	}
	if _, err := pl.from(from); err != nil {
		return nil, err
	}
	r := &Run{Model: old.Model, SpecRev: old.SpecRev, Commit: old.Commit, Cause: "user",
		Inputs: old.Inputs, Holdout: old.Holdout, Fixed: old.Fixed, RerunOf: old.ID, RerunFrom: from}
	return r, s.enqueue(ctx, tx, p, r)
}

// again says which steps a re-run runs whatever the cache holds; nil for none.
type again struct {
	steps map[string]bool
	try   int // that they are of; 0 for all
	refit bool
}

func (a *again) includes(step string, n int) bool {
	switch {
	case a == nil:
		return false
	case n == Refit:
		return a.refit
	}
	return a.steps[step] && (a.try == 0 || a.try == n)
}

// from returns the named step and what comes after it. The refit comes after what it
// reads and after the step by whose metric the winner is chosen.
func (p *plan) from(name string) (*again, error) {
	name, part, exact := strings.Cut(name, "@")
	if _, ok := p.spec.Step(name); !ok {
		var names []string
		for _, step := range p.order {
			names = append(names, step.Name)
		}
		return nil, fairlead.Errorf(fairlead.Invalid, "the pipeline has no step %q; it has: %s", name,
			strings.Join(names, ", "))
	}
	a := &again{steps: p.after(name)}
	a.refit = slices.ContainsFunc(p.refit(), func(step spec.Step) bool { return p.follows(step, a.steps) })
	if !exact {
		return a, nil
	}
	n, err := partNumber(part)
	if err != nil {
		return nil, err
	}
	if n == Refit {
		if refit := p.refit(); len(refit) == 0 || refit[0].Name != name {
			return nil, fairlead.Errorf(fairlead.Invalid, "the pipeline does not refit the step %s", name)
		}
		return &again{refit: true}, nil
	}
	if p.tried[name] != (n != Shared) || n > len(p.tries) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"step %s has no try %d (there are %d tries); name it without one", name, n, len(p.tries))
	}
	a.try = n
	return a, nil
}

// after returns a step and all that wait for it, directly or not.
func (p *plan) after(name string) map[string]bool {
	graph, out := p.spec.Pipeline.Graph(), map[string]bool{name: true}
	for _, step := range p.order {
		if slices.ContainsFunc(graph[step.Name], func(name string) bool { return out[name] }) {
			out[step.Name] = true
		}
	}
	return out
}

// follows reports whether the refit comes after one of the steps.
func (p *plan) follows(refit spec.Step, steps map[string]bool) bool {
	if evaluate, ok := p.spec.EvaluateStep(); ok && steps[evaluate.Name] || steps[refit.Name] {
		return true
	}
	return slices.ContainsFunc(refit.In, func(name string) bool {
		maker, ok := p.spec.Pipeline.Producer(name)
		return ok && steps[maker.Name]
	})
}

// before returns the step whose outputs and metrics answer a task without running it:
// that of the run that this one is a re-run of, else what the cache has; ErrNoRows for
// none.
func (d *driver) before(tx *store.Tx, t *task) (*Step, error) {
	if d.again.includes(t.spec.Name, t.part.N) {
		return nil, store.ErrNoRows
	}
	if d.run.RerunOf != "" {
		old, err := sameStep(tx, d.p, d.run.RerunOf, t.row)
		if !errors.Is(err, store.ErrNoRows) {
			return old, err
		}
	}
	if !t.spec.Cached() {
		return nil, store.ErrNoRows
	}
	return cachedStep(tx, d.p, t.row.Key)
}
