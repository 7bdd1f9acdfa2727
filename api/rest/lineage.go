package rest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/store"
)

// Lineage is how a version came to be and where it went: data, pipeline, run, version,
// decisions, rollouts, endpoints. An edge goes the way that time goes.
type Lineage struct {
	Nodes []LineageNode `json:"nodes"`
	Edges []LineageEdge `json:"edges"`
}

// Kinds of nodes.
const (
	ofDataset  = "dataset"
	ofPipeline = "pipeline"
	ofRun      = "run"
	ofModel    = "loggedmodel"
	ofVersion  = "version"
	ofDecision = "decision"
	ofRollout  = "rollout"
	ofEndpoint = "endpoint"
)

// LineageNode is one thing of a lineage. Key and N name it among its kind.
type LineageNode struct {
	ID     string `json:"id"`
	Kind   string `json:"kind" enum:"dataset,pipeline,run,loggedmodel,version,decision,rollout,endpoint"`
	Key    string `json:"key" doc:"a dataset's or model's name, or an id"`
	N      int64  `json:"n,omitempty" doc:"the number of a version of a dataset or model"`
	Name   string `json:"name,omitempty" doc:"for people, where the key is an id"`
	State  string `json:"state,omitempty"`
	Reason string `json:"reason,omitempty"`
	Rows   int64  `json:"rows,omitempty" doc:"of a dataset version"`
	TimeMS int64  `json:"time_ms,omitempty" doc:"wall time of its beginning"`
	AtMS   int64  `json:"at_ms,omitempty" doc:"stream time, of a decision or the newest of a rollout"`
	Within string `json:"within,omitempty" doc:"the experiment of a run"`
	Self   bool   `json:"self,omitempty" doc:"it is the version that was asked for"`
}

// LineageEdge leads from one node to another.
type LineageEdge struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Label string `json:"label,omitempty"`
}

const (
	maxAncestors = 40 // dataset versions of a lineage
	maxJudged    = 20 // decisions of a lineage
)

func (a *API) lineageOperations() {
	register(a, op{id: "get-version-lineage", method: "GET",
		path:    "/models/{model}/versions/{version}/lineage",
		summary: "How a version came to be and where it went, as a graph; now or as of a time",
		may:     auth.Read}, a.versionLineage)
}

func (a *API) versionLineage(ctx context.Context, p fairlead.Project, in *struct {
	VersionInput
	Past
}) (*Lineage, error) {
	at, past, err := in.at()
	if err != nil {
		return nil, err
	}
	v, err := read(ctx, a, func(tx *store.Tx) (*registry.Version, error) {
		if past {
			return a.Registry.VersionAsOf(tx, p, in.Model, in.Version, at)
		}
		v, err := a.Registry.Version(tx, p, in.Model, in.Version)
		return v, noVersion(err, in.Model, in.Version)
	})
	if err != nil {
		return nil, err
	}
	g := &graph{api: a, p: p, v: v, until: at, nodes: map[string]bool{}}
	for _, draw := range []func(context.Context) error{g.made, g.data, g.judged, g.released} {
		if err := draw(ctx); err != nil {
			return nil, err
		}
	}
	return g.lineage(), nil
}

// graph draws the lineage of a version, as it was at a point of wall time.
type graph struct {
	api   *API
	p     fairlead.Project
	v     *registry.Version
	until time.Time // the zero time: now
	out   Lineage
	nodes map[string]bool
	maker string // the node that the data went into
}

// later reports whether something came after the point of time.
func (g *graph) later(ms int64) bool { return !g.until.IsZero() && ms > fairlead.MS(g.until) }

// add adds a node that there was by then, once.
func (g *graph) add(n LineageNode) (id string) {
	n.ID = n.Kind + "/" + n.Key
	if n.N != 0 {
		n.ID = fmt.Sprintf("%s/%d", n.ID, n.N)
	}
	if !g.nodes[n.ID] && !g.later(n.TimeMS) {
		g.nodes[n.ID] = true
		g.out.Nodes = append(g.out.Nodes, n)
	}
	return n.ID
}

func (g *graph) join(from, to, label string) {
	if from != to && from != "" {
		g.out.Edges = append(g.out.Edges, LineageEdge{from, to, label})
	}
}

// lineage leaves out edges to what came later, and what is said twice.
func (g *graph) lineage() *Lineage {
	said := map[LineageEdge]bool{}
	edges := []LineageEdge{}
	for _, e := range g.out.Edges {
		if g.nodes[e.From] && g.nodes[e.To] && !said[e] {
			said[e] = true
			edges = append(edges, e)
		}
	}
	return &Lineage{Nodes: g.out.Nodes, Edges: edges}
}

func (g *graph) version(n int64, self bool) string {
	return g.add(LineageNode{Kind: ofVersion, Key: g.v.Model, N: n, Self: self})
}

// made draws what made the version: a pipeline, its run, or a run alone.
func (g *graph) made(ctx context.Context) error {
	v := g.v
	self := g.add(LineageNode{Kind: ofVersion, Key: v.Model, N: v.N, State: v.State, Reason: v.Reason,
		TimeMS: v.CreatedMS, Self: true})
	g.maker = self
	if v.RunID != "" {
		node := LineageNode{Kind: ofRun, Key: v.RunID}
		r, err := g.api.Tracking.Run(ctx, g.p, v.RunID)
		if known(err) != nil {
			return err
		}
		if err == nil {
			node.Name, node.State, node.TimeMS, node.Within = r.Name, r.Status, r.StartMS, r.ExperimentID
		}
		run := g.add(node)
		g.join(run, self, "")
		g.maker = run
	}
	id := v.ProducedBy.PipelineRun
	if id == "" {
		return nil
	}
	node := LineageNode{Kind: ofPipeline, Key: id}
	r, err := g.api.Pipeline.Get(ctx, g.p, id)
	if known(err) != nil {
		return err
	}
	if err == nil {
		node.State, node.Reason, node.TimeMS = string(r.State), r.Reason, fairlead.MS(r.Created)
	}
	maker := g.add(node)
	g.join(maker, g.maker, "")
	g.maker = maker
	return nil
}

// data draws the dataset versions that it was made from, and theirs.
func (g *graph) data(ctx context.Context) error {
	next := slices.Clone(g.v.ProducedBy.Datasets)
	for _, ref := range next {
		if ref.Dataset != data.HoldoutDataset { // the pipeline never sees it
			g.join(datasetID(ref), g.maker, "")
		}
	}
	for seen := map[data.Ref]bool{}; len(next) > 0 && len(seen) < maxAncestors; {
		ref := next[0]
		next = next[1:]
		if seen[ref] {
			continue
		}
		seen[ref] = true
		node := LineageNode{Kind: ofDataset, Key: ref.Dataset, N: ref.N}
		v, err := g.api.Data.Get(ctx, g.p, ref)
		if known(err) != nil {
			return err
		}
		if err == nil {
			node.State, node.Rows, node.TimeMS = v.Source, v.Rows, fairlead.MS(v.CreatedAt)
			for _, parent := range v.Parents {
				g.join(datasetID(parent), datasetID(ref), "")
			}
			next = append(next, v.Parents...)
		}
		g.add(node)
	}
	return nil
}

func datasetID(ref data.Ref) string { return ofDataset + "/" + ref.String() }

// judged draws what the gate decided, and what the version was compared with.
func (g *graph) judged(ctx context.Context) error {
	page, err := g.api.Gate.Decisions(ctx, g.p, gate.Filter{Model: g.v.Model, Version: g.v.N,
		AsOf: g.until}, "", maxJudged)
	if err != nil {
		return err
	}
	self := g.version(g.v.N, true)
	for _, r := range slices.Backward(page.Items) {
		id := g.add(LineageNode{Kind: ofDecision, Key: r.ID, State: r.Result, Reason: r.Note,
			TimeMS: fairlead.MS(r.Created), AtMS: fairlead.MS(r.At)})
		g.join(self, id, "")
		if r.Baseline != 0 {
			g.join(g.version(r.Baseline, false), id, "compared with")
		}
		for _, ref := range g.v.ProducedBy.Datasets {
			if ref.Dataset == data.HoldoutDataset {
				g.join(datasetID(ref), id, "judged on")
			}
		}
	}
	return nil
}

// released draws the rollouts of the version, as their events tell, and the endpoints.
func (g *graph) released(ctx context.Context) error {
	endpoints, err := read(ctx, g.api, func(tx *store.Tx) ([]*release.Assignment, error) {
		return g.api.Release.Assignments(tx, g.p)
	})
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		if e.Model != g.v.Model {
			continue
		}
		if err := g.releasedTo(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (g *graph) releasedTo(ctx context.Context, e *release.Assignment) error {
	rollouts, err := g.api.rolloutEvents(ctx, g.p, e.Endpoint, g.v.N)
	if err != nil {
		return err
	}
	endpoint := LineageNode{Kind: ofEndpoint, Key: e.Endpoint}
	if g.until.IsZero() { // who did what at an earlier time is not known
		endpoint.State = roleOf(e, g.v.N)
	}
	var order []string
	nodes := map[string]*LineageNode{}
	for _, r := range rollouts {
		if g.later(r.record.TimeMS) {
			continue
		}
		node := nodes[r.body.Rollout]
		if node == nil {
			node = &LineageNode{Kind: ofRollout, Key: r.body.Rollout, Name: r.body.Strategy,
				State: release.Running, TimeMS: r.record.TimeMS}
			nodes[r.body.Rollout], order = node, append(order, r.body.Rollout)
		}
		node.AtMS, node.Reason = r.record.AtMS, r.body.Reason
		if r.body.Outcome != "" {
			node.State = r.body.Outcome
		}
	}
	if len(order) == 0 && endpoint.State == "" {
		return nil
	}
	to := g.add(endpoint)
	before := g.version(g.v.N, true)
	for _, r := range g.out.Nodes {
		if r.Kind == ofDecision && r.State == gate.Passed {
			before = r.ID
		}
	}
	for _, id := range order {
		rollout := g.add(*nodes[id])
		g.join(before, rollout, "")
		g.join(rollout, to, nodes[id].State)
	}
	if len(order) == 0 {
		g.join(before, to, endpoint.State)
	}
	return nil
}

// roleOf returns what a version does at an endpoint now, empty for nothing.
func roleOf(e *release.Assignment, n int64) (roles string) {
	for _, v := range e.Variants {
		if v.Version != n {
			continue
		}
		if roles != "" {
			roles += ", "
		}
		roles += v.Role
	}
	return roles
}

// rolloutEvent is an event of a rollout.
type rolloutEvent struct {
	record *ledger.Record
	body   event.Rollout
}

// rolloutEvents returns those of the rollouts of a version to an endpoint, in order.
func (a *API) rolloutEvents(ctx context.Context, p fairlead.Project, endpoint string, n int64) (
	out []rolloutEvent, err error) {
	records, err := a.eventsOf(ctx, p, endpoint, event.RolloutStartedType, event.RolloutSteppedType,
		event.RolloutAskedType, event.RolloutFinishedType)
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		var body event.Rollout
		if err := r.Decode(&body); err != nil {
			return nil, err
		}
		if body.To == n {
			out = append(out, rolloutEvent{r, body})
		}
	}
	return out, nil
}
