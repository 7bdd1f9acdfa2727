package govern

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Phase is one of the six phases of CRISP-DM (Chapman et al., CRISP-DM 1.0, 2000), as a
// list of checks that facts answer.
type Phase struct {
	Name   string  `json:"name" enum:"business,data,preparation,modelling,evaluation,deployment"`
	Title  string  `json:"title"`
	About  string  `json:"about"` // the question that the phase answers
	Checks []Check `json:"checks"`
	Done   int     `json:"done"` // of the checks
}

// The states of a check.
const (
	Done      = "done"
	Open      = "open"      // nothing is there yet
	Attention = "attention" // it is there, and does not hold
)

// Check is one thing that a phase should have come to.
type Check struct {
	Name  string `json:"name"`
	State string `json:"state" enum:"done,open,attention"`
	Fact  string `json:"fact"`           // what there is, or that there is nothing
	Next  string `json:"next,omitempty"` // what to do: a command, or lines of fairlead.yaml
	Link  *Link  `json:"link,omitempty"` // the fact's own page
}

// facts are what the checks are answered from. What is not there is nil.
type facts struct {
	rev         *spec.Revision
	sp          *spec.Spec // of rev, or an empty one
	versions    map[string]*data.Version
	holdout     *data.Version
	reads       int // of that version of the holdout
	run         *pipeline.Run
	model       *registry.Model
	live        int64 // in the last environment
	decision    *gate.Record
	metrics     map[string]float64 // that the decision saw of its version
	endpoint    *release.Assignment
	drift       *monitor.Window
	performance *monitor.Window
	incidents   []*monitor.Incident
	began       time.Time // stream time of the endpoint; zero before its first request
}

// Phases returns how far the project is in each phase.
func (s *Service) Phases(ctx context.Context, p fairlead.Project) ([]Phase, error) {
	f, err := s.facts(ctx, p)
	if err != nil {
		return nil, err
	}
	phases := []Phase{
		{Name: "business", Title: "Business understanding", Checks: f.business(),
			About: "What does success mean, and who answers for it?"},
		{Name: "data", Title: "Data understanding", Checks: f.data(),
			About: "What data is there, and what is it like?"},
		{Name: "preparation", Title: "Data preparation", Checks: f.preparation(),
			About: "How does the data become what a model learns from?"},
		{Name: "modelling", Title: "Modelling", Checks: f.modelling(),
			About: "Which models were tried, and which one won?"},
		{Name: "evaluation", Title: "Evaluation", Checks: f.evaluation(),
			About: "Is it good enough for what it is meant for?"},
		{Name: "deployment", Title: "Deployment", Checks: f.deployment(),
			About: "Does it answer, is it watched, and what happens when it decays?"},
	}
	for i := range phases {
		for _, c := range phases[i].Checks {
			if c.State == Done {
				phases[i].Done++
			}
		}
	}
	return phases, nil
}

func (s *Service) facts(ctx context.Context, p fairlead.Project) (*facts, error) {
	f := &facts{sp: &spec.Spec{}, versions: map[string]*data.Version{}}
	rev, err := s.current(ctx, p)
	if err != nil {
		return nil, err
	}
	if rev != nil {
		f.rev, f.sp = rev, rev.Spec
	}
	if err := s.dataFacts(ctx, p, f); err != nil {
		return nil, err
	}
	runs, err := s.Pipeline.List(ctx, p, pipeline.RunList{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(runs.Items) > 0 {
		if f.run, err = s.Pipeline.Get(ctx, p, runs.Items[0].ID); err != nil {
			return nil, err
		}
	}
	if f.sp.Model == "" {
		return f, nil
	}
	if err := s.releaseFacts(ctx, p, f); err != nil {
		return nil, err
	}
	return f, s.gateFacts(ctx, p, f)
}

// optional turns an error that something is not there into nothing.
func optional[T any](v T, err error) (T, error) {
	if fairlead.Is(err, fairlead.NotFound) {
		var none T
		return none, nil
	}
	return v, err
}

func (s *Service) dataFacts(ctx context.Context, p fairlead.Project, f *facts) (err error) {
	for _, d := range f.sp.Data {
		v, err := optional(s.Data.Latest(ctx, p, d.Name))
		if err != nil {
			return err
		}
		if v != nil {
			f.versions[d.Name] = v
		}
	}
	if f.holdout, err = optional(s.Data.Latest(ctx, p, data.HoldoutDataset)); err != nil || f.holdout == nil {
		return err
	}
	reads, err := s.Data.HoldoutReads(ctx, p, f.holdout.Ref())
	f.reads = len(reads)
	return err
}

func (s *Service) releaseFacts(ctx context.Context, p fairlead.Project, f *facts) error {
	return s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if f.model, err = optional(s.Registry.Model(tx, p, f.sp.Model)); err != nil {
			return err
		}
		env, ok := f.sp.LastEnvironment()
		if !ok {
			return nil
		}
		name := release.EndpointName(f.sp.Model, env.Name)
		if f.endpoint, err = optional(s.Release.Assignment(tx, p, name)); err != nil || f.endpoint == nil {
			return err
		}
		f.live = f.endpoint.Version(release.RoleLive)
		if f.began, err = s.Stream.Now(tx, p, name); err != nil {
			return err
		}
		if f.drift, err = s.Monitor.Newest(tx, p, name, monitor.Drift); err != nil {
			return err
		}
		if f.performance, err = s.Monitor.Newest(tx, p, name, monitor.Performance); err != nil {
			return err
		}
		f.incidents, err = s.Monitor.Open(tx, p, name)
		return err
	})
}

// gateFacts reads the decision about the live version, or about the newest before there
// is one.
func (s *Service) gateFacts(ctx context.Context, p fairlead.Project, f *facts) (err error) {
	if f.model == nil {
		return nil
	}
	n := cmp.Or(f.live, newest(f.model))
	if f.decision, err = optional(s.Gate.Latest(ctx, p, f.sp.Model, n)); err != nil || f.decision == nil {
		return err
	}
	return s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		f.metrics, err = s.Gate.CandidateMetrics(tx, p, f.decision.ID)
		return err
	})
}

// when returns done with the fact, or open with what there is not and what to do.
func when(name string, ok bool, fact, missing, next string) Check {
	if ok {
		return Check{Name: name, State: Done, Fact: fact}
	}
	return Check{Name: name, State: Open, Fact: missing, Next: next}
}

// to adds the page of the fact.
func (c Check) to(kind, id string) Check {
	c.Link = &Link{kind, id}
	return c
}

func (f *facts) business() []Check {
	goal, value := "", ""
	if g := f.sp.Goal; g != nil {
		goal = bound(g.Metric, g.AtLeast, g.AtMost)
		if v := g.Value; v != nil {
			value = strings.TrimSpace(fmt.Sprintf("right and wrong predictions are worth %g, %g, %g and %g %s "+
				"(true and false positive, true and false negative)", v.TruePositive, v.FalsePositive,
				v.TrueNegative, v.FalseNegative, v.Currency))
		}
	}
	return []Check{
		when("The file that says the model's life", f.rev != nil, f.revision(),
			"no fairlead.yaml was applied", "fairlead apply"),
		when("Goal", goal != "", goal, "no goal is stated", "goal: {metric: accuracy, at_least: 0.85}"),
		when("Value of a prediction", value != "", value, "what a right or wrong prediction is worth is not stated",
			"goal: {…, value: {true_positive: 35, false_positive: -8, currency: EUR}}"),
		when("Owner", f.sp.Owner != "", f.sp.Owner+" answers for the model", "nobody is named", "owner: the-team"),
		when("Risk class", f.rev != nil, "the risk is "+string(f.sp.Risk), "no risk class is stated",
			"risk: limited"),
	}
}

func (f *facts) revision() string {
	if f.rev == nil {
		return ""
	}
	text := fmt.Sprintf("revision %d is current", f.rev.N)
	if f.rev.Commit != "" {
		text += ", of commit " + f.rev.Commit[:min(len(f.rev.Commit), 10)]
	}
	return text
}

// bound writes "wape at most 0.45".
func bound(metric string, atLeast, atMost *float64) string {
	switch {
	case atLeast != nil:
		return fmt.Sprintf("%s at least %g", metric, *atLeast)
	case atMost != nil:
		return fmt.Sprintf("%s at most %g", metric, *atMost)
	}
	return metric
}

func (f *facts) data() []Check {
	var names, expected, missing []string
	var labels []string
	for _, d := range f.sp.Data {
		names = append(names, d.Name)
		if len(d.Expect) > 0 {
			expected = append(expected, fmt.Sprintf("%s: %s", d.Name, plural(len(d.Expect), "column")))
		}
		if d.Label != "" {
			labels = append(labels, fmt.Sprintf("%s of %s", d.Label, d.Name))
		} else if d.Labelled {
			labels = append(labels, "the truth of what was asked ("+d.Name+")")
		}
		if v := f.versions[d.Name]; v == nil {
			missing = append(missing, d.Name)
		}
	}
	checks := []Check{
		when("Data that is named", len(names) > 0, "the file names "+strings.Join(names, ", "),
			"the file names no data", "data: {history: {from: data/history.csv, time: at, key: id, label: y}}"),
	}
	if len(names) > 0 {
		checks = append(checks, when("Collected versions", len(missing) == 0, "each has a version with a profile",
			"nothing was collected of "+strings.Join(missing, ", "), "fairlead run"))
	}
	for _, name := range names {
		if v := f.versions[name]; v != nil {
			checks = append(checks, profiled(v))
		}
	}
	return append(checks,
		when("Label", len(labels) > 0, strings.Join(labels, "; "), "no column is named as the truth",
			"data: {history: {…, label: y}}"),
		when("Expectations", len(expected) > 0, strings.Join(expected, "; "),
			"nothing is said about what the columns must be like", "data: {history: {…, expect: {y: {min: 0}}}}"))
}

// profiled tells of a version in short. One without rows is there, and says nothing.
func profiled(v *data.Version) Check {
	gaps := 0
	for _, c := range v.Columns {
		if c.Nulls > 0 {
			gaps++
		}
	}
	c := Check{Name: "Profile of " + v.Dataset, State: Done,
		Fact: fmt.Sprintf("version %d has %s in %s; %d of them with gaps", v.N, plural(int(v.Rows), "row"),
			plural(len(v.Columns), "column"), gaps)}
	if v.Rows == 0 {
		c.State, c.Fact = Attention, fmt.Sprintf("version %d has no rows yet", v.N)
	}
	return c.to(DataVersionKind, v.Ref().String())
}

func (f *facts) preparation() []Check {
	holdout := ""
	if h := f.sp.Holdout; h != nil {
		holdout = fmt.Sprintf("the newest %s are kept from the pipeline", h.Last)
	}
	checks := []Check{when("Holdout", holdout != "", holdout, "the pipeline sees all data",
		"holdout: {by: time, last: 7d}")}
	if v := f.holdout; v != nil {
		checks = append(checks, Check{Name: "Reads of the holdout", State: Done,
			Fact: fmt.Sprintf("version %d has %s and was read %s; each read is recorded before it happens", v.N,
				plural(int(v.Rows), "row"), plural(f.reads, "time"))}.to(DataVersionKind, v.Ref().String()))
	}
	steps := f.before()
	pinned := ""
	if pl := f.sp.Pipeline; pl != nil && pl.Python != nil {
		pinned = "built from " + pl.Python.Requirements + " and kept by its lock"
	}
	return append(checks,
		when("Steps before the model", len(steps) > 0, strings.Join(steps, ", "),
			"no step prepares the data", "pipeline: {steps: {prepare: {run: python prepare.py, in: [history], out: [train]}}}"),
		when("Environment", pinned != "", pinned, "the steps' environment is not pinned",
			"pipeline: {python: {requirements: requirements.txt}}"))
}

// before lists the steps that the step which makes the model waits for.
func (f *facts) before() (names []string) {
	output, ok := f.sp.ModelOutput()
	if !ok {
		return nil
	}
	wanted := []string{output}
	for i := 0; i < len(wanted); i++ {
		for _, step := range f.sp.Pipeline.Steps {
			if !slices.Contains(step.Out, wanted[i]) || slices.Contains(names, step.Name) {
				continue
			}
			names = append(names, step.Name)
			wanted = append(wanted, step.In...)
		}
	}
	slices.Reverse(names)
	return names[:max(len(names)-1, 0)] // the last one makes the model
}

func (f *facts) modelling() []Check {
	output, makes := f.sp.ModelOutput()
	checks := []Check{when("A step that makes a model", makes, "its output is "+output,
		"the pipeline makes no model", "pipeline: {steps: {train: {run: python train.py, in: [train], out: [model]}}}")}
	checks = append(checks, f.ran(), f.searched())
	if f.model == nil {
		return append(checks, Check{Name: "Versions", State: Open, Fact: "no version is registered", Next: "fairlead run"})
	}
	n := newest(f.model)
	return append(checks, when("Versions", n > 0, plural(int(n), "version")+" so far", "no version is registered",
		"fairlead run").to(ModelKind, f.model.Name))
}

// ran tells of the newest pipeline run.
func (f *facts) ran() Check {
	const name = "Pipeline run"
	if f.run == nil {
		return Check{Name: name, State: Open, Fact: "the pipeline has not run yet", Next: "fairlead run"}
	}
	c := Check{Name: name, State: Done, Fact: "the newest one " + string(f.run.State)}
	if f.run.Reason != "" {
		c.Fact += ": " + f.run.Reason
	}
	if f.run.State == pipeline.Failed || f.run.State == pipeline.Cancelled {
		c.State, c.Next = Attention, "fairlead log"
	}
	return c.to(PipelineRunKind, f.run.ID)
}

// searched tells how many settings were tried.
func (f *facts) searched() Check {
	const name = "Search of settings"
	pl := f.sp.Pipeline
	if pl == nil || pl.Search == nil {
		return Check{Name: name, State: Open, Fact: "one setting is taken as it is",
			Next: "pipeline: {…, search: {over: {train.trees: [100, 200]}, when: first}}"}
	}
	var over []string
	for _, param := range pl.Search.Over {
		over = append(over, param.Step+"."+param.Name)
	}
	c := Check{Name: name, State: Done, Fact: "over " + strings.Join(over, ", ")}
	if pl.Until != nil {
		c.Fact += ", until " + bound(pl.Until.Metric, pl.Until.AtLeast, pl.Until.AtMost)
	}
	return c
}

func (f *facts) evaluation() []Check {
	var gates []string
	compared := false
	for _, g := range f.sp.Gates {
		gates = append(gates, g.Name)
		compared = compared || g.When == spec.WhenLive || strings.Contains(g.Check, "live.")
	}
	step, evaluates := f.sp.EvaluateStep()
	checks := []Check{
		when("A step that evaluates", evaluates, step.Name+" runs on the holdout, for the candidate and the live version",
			"no step evaluates a model", "pipeline: {steps: {evaluate: {run: python evaluate.py, in: [model, validation]}}}"),
		when("Gates", len(gates) > 0, strings.Join(gates, ", "), "nothing stops a bad version",
			"gates: {good-enough: {check: candidate.accuracy >= 0.8}}"),
		when("Comparison with the live version", compared, "a candidate must be better than what is live",
			"no gate compares", "gates: {better-than-live: {check: candidate.accuracy >= live.accuracy, when: live}}"),
		f.decided(), f.reached(),
	}
	return checks
}

// decided tells of the gate's decision.
func (f *facts) decided() Check {
	const name = "Decision"
	d := f.decision
	if d == nil {
		return Check{Name: name, State: Open, Fact: "the gate has judged no version yet", Next: "fairlead run"}
	}
	c := Check{Name: name, State: Done, Fact: fmt.Sprintf("version %d %s", d.Version, d.Result)}
	if red := d.Red(); len(red) > 0 {
		c.State, c.Next = Attention, "fairlead gate explain "+d.ID
		c.Fact += ": " + strings.Join(red, ", ")
	}
	return c.to(f.judged())
}

// judged is the version that the decision is about, which has the decision on its page.
func (f *facts) judged() (kind, id string) {
	return VersionKind, fmt.Sprintf("%s/%d", f.decision.Model, f.decision.Version)
}

// reached holds the goal against what the decision saw.
func (f *facts) reached() Check {
	const name = "Goal on the holdout"
	g := f.sp.Goal
	if g == nil || f.decision == nil {
		return Check{Name: name, State: Open, Fact: "there is no goal, or no decision to hold it against",
			Next: "fairlead run"}
	}
	value, ok := f.metrics[g.Metric]
	if !ok {
		return Check{Name: name, State: Attention, Fact: "the evaluation tells no " + g.Metric}.
			to(f.judged())
	}
	c := Check{Name: name, State: Done, Fact: fmt.Sprintf("version %d has %s %.4g; the goal is %s", f.decision.Version,
		g.Metric, value, bound(g.Metric, g.AtLeast, g.AtMost))}
	if g.AtLeast != nil && value < *g.AtLeast || g.AtMost != nil && value > *g.AtMost {
		c.State = Attention
	}
	return c.to(f.judged())
}

func (f *facts) deployment() []Check {
	var places []string
	for _, e := range f.sp.Release {
		places = append(places, e.Name+" by "+e.Strategy)
	}
	checks := []Check{
		when("Release plan", len(places) > 0, strings.Join(places, ", then "), "the model is released nowhere",
			"release: {production: {strategy: canary, steps: [10%, 100%], hold: {labels: 50, at_most: 7d}}}"),
		f.served(),
	}
	mon := f.sp.Monitor
	if mon == nil {
		return append(checks, Check{Name: "Monitoring", State: Open, Fact: "nothing is watched",
			Next: "monitor: {drift: {threshold: 0.25, window: 1d}, performance: {metric: accuracy, worse_by: 10%, window: 1d}}"})
	}
	checks = append(checks, f.watched("Drift of the inputs", mon.Drift != nil, f.drift,
		"monitor: {drift: {threshold: 0.25, window: 1d}}"),
		f.watched("Realised performance", mon.Performance != nil, f.performance,
			"monitor: {performance: {metric: accuracy, worse_by: 10%, window: 1d}}"),
		f.truth())
	acts := mon.Then.Drift != spec.Alert || mon.Then.Performance != spec.Alert
	return append(checks,
		when("What follows", acts, fmt.Sprintf("drift: %s; decay: %s", mon.Then.Drift, mon.Then.Performance),
			"incidents only alert", "monitor: {…, then: {performance: retrain}}"), f.untroubled())
}

// served tells what answers.
func (f *facts) served() Check {
	const name = "Live version"
	if f.live == 0 {
		return Check{Name: name, State: Open, Fact: "nothing answers yet", Next: "fairlead run"}
	}
	c := Check{Name: name, State: Done, Fact: fmt.Sprintf("version %d answers at %s", f.live, f.endpoint.Endpoint)}
	switch {
	case f.endpoint.Failure != "":
		c.State, c.Fact = Attention, f.endpoint.Failure
	case f.began.IsZero():
		c.Fact += "; it has had no request yet"
	}
	return c.to(EndpointKind, f.endpoint.Endpoint)
}

// watched tells of the newest window of a kind.
func (f *facts) watched(name string, planned bool, w *monitor.Window, next string) Check {
	switch {
	case !planned:
		return Check{Name: name, State: Open, Fact: "it is not watched", Next: next}
	case w == nil:
		return Check{Name: name, State: Open, Fact: "no window was judged yet: one closes when its stream time is over"}
	}
	c := Check{Name: name, State: Done, Fact: fmt.Sprintf("the window to %s is %s", w.To.UTC().Format("2 January 2006 15:04"),
		w.State)}
	if w.State != monitor.Unknown {
		c.Fact += fmt.Sprintf(": %.3g, limit %.3g", w.Value, w.Limit)
	}
	if w.State != monitor.Green {
		c.State = Attention
	}
	return c.to(EndpointKind, w.Endpoint)
}

// truth tells whether labels arrive.
func (f *facts) truth() Check {
	const name = "Labels"
	w := f.performance
	if w == nil {
		return Check{Name: name, State: Open, Fact: "no ground truth was counted yet",
			Next: "POST …/endpoints/{endpoint}/labels"}
	}
	c := Check{Name: name, State: Done, Fact: fmt.Sprintf("%.0f%% of the newest window's requests have theirs",
		100*w.Coverage)}
	if w.Coverage < 0.5 {
		c.State = Attention
	}
	return c
}

// untroubled tells of open incidents.
func (f *facts) untroubled() Check {
	c := Check{Name: "Incidents", State: Done, Fact: "none is open"}
	if len(f.incidents) > 0 {
		i := f.incidents[0]
		c = Check{Name: c.Name, State: Attention, Fact: plural(len(f.incidents), "open incident") + ": " + i.Reason,
			Next: "fairlead incident " + i.ID}.to(IncidentKind, i.ID)
	}
	return c
}

// plural writes "1 row", "2 rows".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
