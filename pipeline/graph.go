package pipeline

import (
	"context"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Graph is what a run has to do, as its file says it: steps, and what passes between
// them. The steps of a search are in it once for all tries.
type Graph struct {
	Nodes       []Node    `json:"nodes" doc:"in an order in which they can run"`
	Edges       []Edge    `json:"edges"`
	Data        []DataUse `json:"data" doc:"the versions that steps read"`
	Tries       int       `json:"tries" doc:"that there are to make"`
	Over        []Axis    `json:"over" doc:"the params that are searched, with their values"`
	Concurrency int       `json:"concurrency" doc:"steps that go at once"`
	Goal        *Goal     `json:"goal,omitempty"`
	Model       string    `json:"model,omitempty" doc:"the output that becomes the version"`
}

// Node is a step in the graph.
type Node struct {
	ID      string   `json:"id" doc:"train, or train@refit"`
	Step    string   `json:"step"`
	Part    string   `json:"part" enum:"shared,try,refit"`
	Command string   `json:"command"`
	In      []string `json:"in"`
	Out     []string `json:"out"`
	Code    []string `json:"code,omitempty" doc:"the files that it sees; empty: all"`
	Timeout string   `json:"timeout,omitempty"`
	Retries int      `json:"retries,omitempty"`
	Cache   bool     `json:"cache"`
}

// Edge says that a step waits for another one, or reads data.
type Edge struct {
	From string `json:"from" doc:"a node's id; with data, the name of an entry of data"`
	To   string `json:"to" doc:"a node's id"`
	Name string `json:"name,omitempty" doc:"of what passes; empty: only the order counts"`
	Data bool   `json:"data,omitempty"`
}

// DataUse is an entry of the file's `data` and its version.
type DataUse struct {
	Name string   `json:"name"`
	Ref  data.Ref `json:"ref"`
}

// Axis is one param that a search goes over.
type Axis struct {
	Step   string `json:"step"`
	Param  string `json:"param"`
	Values []any  `json:"values"`
}

// Graph returns what a run has to do.
func (s *Service) Graph(ctx context.Context, p fairlead.Project, id string) (*Graph, error) {
	r, pl, err := s.planOf(ctx, p, id)
	if err != nil {
		return nil, err
	}
	return pl.graph(r), nil
}

// planOf returns a run and its plan.
func (s *Service) planOf(ctx context.Context, p fairlead.Project, id string) (r *Run, pl *plan,
	err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if r, err = readRun(tx, p, id); err != nil {
			return err
		}
		pl, err = s.planIn(tx, p, r)
		return err
	})
	return r, pl, err
}

func (s *Service) planIn(tx *store.Tx, p fairlead.Project, r *Run) (*plan, error) {
	rev, err := s.Projects.Revision(tx, p, r.SpecRev)
	if err != nil {
		return nil, err
	}
	return newPlan(rev.Spec, r.Fixed)
}

func (p *plan) graph(r *Run) *Graph {
	g := &Graph{Edges: []Edge{}, Data: []DataUse{}, Tries: len(p.tries), Over: []Axis{},
		Concurrency: p.spec.Pipeline.Concurrency, Goal: p.goal.goal()}
	if g.Concurrency == 0 {
		g.Concurrency = defaultConcurrency
	}
	g.Model, _ = p.spec.ModelOutput()
	if p.searches {
		for _, over := range p.spec.Pipeline.Search.Over {
			g.Over = append(g.Over, Axis{over.Step, over.Name, over.Values})
		}
	}
	for _, step := range p.order {
		part := "shared"
		if p.tried[step.Name] {
			part = "try"
		}
		g.add(p, step, step.Name, part)
	}
	for _, step := range p.refit() {
		id := step.Name + "@refit"
		g.add(p, step, id, "refit")
		if evaluate, ok := p.spec.EvaluateStep(); ok {
			g.Edges = append(g.Edges, Edge{From: evaluate.Name, To: id})
		}
	}
	for _, name := range p.data() {
		g.Data = append(g.Data, DataUse{name, r.Inputs[name]})
	}
	return g
}

// add adds a step, and what it reads.
func (g *Graph) add(p *plan, step spec.Step, id, part string) {
	n := Node{ID: id, Step: step.Name, Part: part, Command: step.Run, In: slices.Clone(step.In),
		Out: slices.Clone(step.Out), Code: step.Code, Retries: step.Retries, Cache: step.Cached()}
	if n.In == nil {
		n.In = []string{}
	}
	if n.Out == nil {
		n.Out = []string{}
	}
	if step.Timeout.Duration > 0 {
		n.Timeout = step.Timeout.String()
	}
	g.Nodes = append(g.Nodes, n)
	for _, name := range step.In {
		maker, made := p.spec.Pipeline.Producer(name)
		if made {
			g.Edges = append(g.Edges, Edge{From: maker.Name, To: id, Name: name})
		} else {
			g.Edges = append(g.Edges, Edge{From: name, To: id, Name: name, Data: true})
		}
	}
}

// Detail is all that is known of one step.
type Detail struct {
	Step
	Tracking string            `json:"run_id" doc:"the run in tracking that it logged to"`
	Attempts int               `json:"attempts" doc:"that were begun, of which the last one counts"`
	Command  string            `json:"command"`
	Env      map[string]string `json:"env,omitempty"`
	Params   map[string]any    `json:"params"`
	Inputs   []InputUse        `json:"inputs"`
	Code     string            `json:"code" doc:"digest of the files that it saw"`
	Lock     string            `json:"lock,omitempty" doc:"digest of the Python environment's lock"`
	Platform string            `json:"platform"`
	Logged   string            `json:"log_of,omitempty" doc:"the run whose log a cached step shows"`
}

// InputUse is an input of a step and where it came from.
type InputUse struct {
	Name   string    `json:"name"`
	Digest string    `json:"digest"`
	Data   *data.Ref `json:"data,omitempty"`
	Step   string    `json:"step,omitempty" doc:"the step that made it, as in why-step"`
}

// Step returns one step of a run, which is named as in Why.
func (s *Service) Step(ctx context.Context, p fairlead.Project, runID, name string) (*Detail,
	error) {
	r, pl, err := s.planOf(ctx, p, runID)
	if err != nil {
		return nil, err
	}
	d := &Detail{}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		_, step, err := findStep(tx, p, runID, name)
		if err != nil {
			return err
		}
		d.Step = *step
		if d.Tracking, err = trackingRunOf(tx, step.ID); err != nil || step.From == "" {
			return err
		}
		d.Logged, err = runOfStep(tx, p, step.From)
		return err
	})
	if err != nil {
		return nil, err
	}
	parts := d.parts
	d.Attempts, d.Command, d.Env = attempts(&d.Step), parts.Command, parts.Env
	d.Params, d.Code, d.Lock, d.Platform = parts.Params, parts.Code, parts.Lock, parts.Platform
	d.Inputs = pl.uses(r, &d.Step)
	if d.Params == nil {
		d.Params = map[string]any{}
	}
	return d, nil
}

// uses returns where the inputs of a step came from, in the order of the file.
func (p *plan) uses(r *Run, s *Step) []InputUse {
	out := []InputUse{}
	i := slices.IndexFunc(p.steps(s.Try), func(step spec.Step) bool { return step.Name == s.Name })
	if i < 0 {
		return out
	}
	for _, name := range p.steps(s.Try)[i].In {
		use := InputUse{Name: name, Digest: s.parts.Inputs[name]}
		if maker, home, made := p.home(name, s.Try, r.Winner); made {
			use.Step = stepName(maker, home)
		} else {
			ref := r.Inputs[name]
			use.Data = &ref
		}
		out = append(out, use)
	}
	return out
}
