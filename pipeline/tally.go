package pipeline

import (
	"context"
	"database/sql"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/store"
)

// Tally counts the steps of a run.
type Tally struct {
	Planned   int `json:"planned" doc:"if every try is made; a search may end before"`
	Running   int `json:"running"`
	Succeeded int `json:"succeeded"`
	Cached    int `json:"cached"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"`
}

// NodeTally counts the steps that a node of the graph stands for; a search has one for
// each try.
type NodeTally struct {
	Node string `json:"node" doc:"its id in the graph: train, or train@refit"`
	Tally
	Started  time.Time `json:"started_at,omitzero" doc:"of the first of them"`
	Finished time.Time `json:"finished_at,omitzero" doc:"of the last of them that has ended"`
}

// Goal is the metric by which tries are compared.
type Goal struct {
	Metric string `json:"metric" doc:"with the input that it is measured on: validation.wape"`
	Lower  bool   `json:"lower" doc:"a lower value is the better one"`
	// The threshold that ends the search, and the most tries and the most wall time in
	// seconds that it may take; 0 and none where the file does not say.
	AtLeast       *float64 `json:"at_least,omitempty"`
	AtMost        *float64 `json:"at_most,omitempty"`
	Tries         int      `json:"tries,omitempty"`
	WithinSeconds float64  `json:"within_seconds,omitempty"`
}

func (m measure) goal() *Goal {
	if !m.known {
		return nil
	}
	g := &Goal{Metric: m.String(), Lower: m.lower}
	if u := m.until; u != nil {
		g.AtLeast, g.AtMost, g.Tries = u.AtLeast, u.AtMost, u.Tries
		g.WithinSeconds = u.Within.Seconds()
	}
	return g
}

// planned is how many steps a run has at most.
func (p *plan) planned() int {
	return len(p.steps(Shared)) + len(p.tries)*len(p.steps(1)) + len(p.refit())
}

// describe fills in what is counted and looked up of runs: their steps, their goal, the
// winner's value, and what those that go on are doing.
func (s *Service) describe(tx *store.Tx, p fairlead.Project, runs []*Run) error {
	if len(runs) == 0 {
		return nil
	}
	byK := make(map[int64]*Run, len(runs))
	type kind struct { // of runs with the same steps
		specRev int64
		fixed   bool
	}
	plans := map[kind]*plan{}
	for _, r := range runs {
		byK[r.k] = r
		r.Steps = &Tally{}
		pl := plans[kind{r.SpecRev, r.Fixed != nil}]
		if pl == nil {
			rev, err := s.Projects.Revision(tx, p, r.SpecRev)
			if err != nil {
				return err
			}
			if pl, err = newPlan(rev.Spec, r.Fixed); err != nil {
				return err
			}
			plans[kind{r.SpecRev, r.Fixed != nil}] = pl
		}
		r.Steps.Planned, r.Goal = pl.planned(), pl.goal.goal()
		if err := s.describeProgress(tx, p, r); err != nil {
			return err
		}
	}
	if err := tally(tx, byK); err != nil {
		return err
	}
	return winnersValues(tx, byK)
}

func (s *Service) describeProgress(tx *store.Tx, p fairlead.Project, r *Run) error {
	if r.State.Final() {
		return nil
	}
	j, err := s.Jobs.Find(tx, p.K, r.Job)
	if err != nil {
		return err
	}
	r.Progress = j.Progress
	if j.State == job.Queued && j.Error != "" { // it was lost, and waits
		r.Progress = j.Error
	}
	return nil
}

// each calls fn with every row of a query about some runs, whose first column is the
// run's key; `run_k in runs` in the query stands for them.
func each(tx *store.Tx, byK map[int64]*Run, query string, fn func(rows *sql.Rows) error) error {
	args := make([]any, 0, len(byK))
	for k := range byK {
		args = append(args, k)
	}
	marks := "in (" + strings.TrimSuffix(strings.Repeat("?, ", len(args)), ", ") + ")"
	rows, err := tx.Query(strings.Replace(query, "in runs", marks, 1), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func tally(tx *store.Tx, byK map[int64]*Run) error {
	return each(tx, byK, `select run_k, state, count(*) from pipeline_step where run_k in runs
		group by run_k, state`, func(rows *sql.Rows) error {
		var k int64
		var state State
		var n int
		if err := rows.Scan(&k, &state, &n); err != nil {
			return err
		}
		byK[k].Steps.count(state, n)
		return nil
	})
}

// count adds n steps that are in a state.
func (t *Tally) count(state State, n int) {
	switch state {
	case Succeeded:
		t.Succeeded += n
	case Cached:
		t.Cached += n
	case Failed:
		t.Failed += n
	case Cancelled:
		t.Cancelled += n
	default:
		t.Running += n
	}
}

// tallyNodes counts the steps of a run by node, in the graph's order.
func tallyNodes(tx *store.Tx, r *Run, pl *plan) error {
	at := map[string]*NodeTally{}
	r.Nodes = make([]NodeTally, 0, len(pl.order)+1)
	add := func(node string, planned int) {
		r.Nodes = append(r.Nodes, NodeTally{Node: node, Tally: Tally{Planned: planned}})
		at[node] = &r.Nodes[len(r.Nodes)-1]
	}
	for _, step := range pl.order {
		if pl.tried[step.Name] {
			add(step.Name, len(pl.tries))
		} else {
			add(step.Name, 1)
		}
	}
	for _, step := range pl.refit() {
		add(stepName(step.Name, Refit), 1)
	}
	return each(tx, map[int64]*Run{r.k: r}, `select run_k, name, case when n = -1 then -1 else 0 end,
		state, count(*), min(started_ms), max(finished_ms) from pipeline_step where run_k in runs
		group by 1, 2, 3, 4`, func(rows *sql.Rows) error {
		var k, started, finished int64
		var name string
		var part, n int
		var state State
		if err := rows.Scan(&k, &name, &part, &state, &n, &started, &finished); err != nil {
			return err
		}
		node := at[stepName(name, part)]
		if node == nil {
			return nil
		}
		node.count(state, n)
		if began := fairlead.FromMS(started); node.Started.IsZero() || began.Before(node.Started) {
			node.Started = began
		}
		if ended := fairlead.FromMS(finished); finished != 0 && ended.After(node.Finished) {
			node.Finished = ended
		}
		return nil
	})
}

func winnersValues(tx *store.Tx, byK map[int64]*Run) error {
	return each(tx, byK, `select t.run_k, t.value from pipeline_try t join pipeline_run r
		on r.k = t.run_k and r.winner = t.n where t.run_k in runs and t.value is not null`,
		func(rows *sql.Rows) error {
			var k int64
			var value float64
			err := rows.Scan(&k, &value)
			byK[k].Value = &value
			return err
		})
}

// RunList says which runs are listed.
type RunList struct {
	State State // "" for all
	Page  string
	Limit int // 0 is 100; at most 1000 are returned
}

// has reports whether the version is an input of the run, or its holdout.
func (r *Run) has(ref data.Ref) bool {
	return ref.Covers(r.Holdout) || slices.ContainsFunc(slices.Collect(maps.Values(r.Inputs)), ref.Covers)
}

// RunsWith returns at most limit runs that have a dataset version as input or as holdout
// (N = 0: any version of the dataset), the newest first.
func (s *Service) RunsWith(ctx context.Context, p fairlead.Project, ref data.Ref,
	limit int) (out []*Run, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		out, err = listRunsWith(tx, p, ref, limit)
		return err
	})
	return slices.DeleteFunc(out, func(r *Run) bool { return !r.has(ref) }), err
}

// List returns a page of the project's runs, newest first.
func (s *Service) List(ctx context.Context, p fairlead.Project, in RunList) (
	page fairlead.Page[*Run], err error) {
	limit, before, filter := atOnce(in.Limit), int64(1<<62), "pipeline runs "+string(in.State)
	if err := fairlead.DecodeCursor(in.Page, filter, &before); err != nil {
		return page, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if page.Items, err = listRuns(tx, p, in.State, before, limit+1); err != nil {
			return err
		}
		if len(page.Items) > limit {
			page.Items = page.Items[:limit]
			page.Next = fairlead.EncodeCursor(filter, page.Items[limit-1].k)
		}
		return s.describe(tx, p, page.Items)
	})
	return page, err
}
