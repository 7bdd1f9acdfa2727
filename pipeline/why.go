package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Why says why a step was run, or was not: how its key differs from that of the
// same step in the run before.
type Why struct {
	Run      string   `json:"run"`
	Step     string   `json:"step"`
	Try      int      `json:"try"`
	State    State    `json:"state"`
	From     string   `json:"from,omitempty"`     // the run whose outputs a cached step has
	Previous string   `json:"previous,omitempty"` // the run that it is compared with
	Changes  []Change `json:"changes"`            // empty: the keys are equal
	Reason   string   `json:"reason,omitempty"`   // why it ran whether anything had changed or not
}

// Change is one part of a key that differs.
type Change struct {
	Part string `json:"part"` // command, env, outputs, input, param, code, lock, platform
	Name string `json:"name,omitempty"`
	Old  string `json:"old"` // "" when there was none
	New  string `json:"new"` // "" when there is none any more
}

// String returns the change in words.
func (c Change) String() string {
	what := strings.TrimSpace(c.Part + " " + c.Name)
	switch {
	case c.Old == "":
		return what + " is new: " + c.New
	case c.New == "":
		return what + " is gone, was: " + c.Old
	}
	return fmt.Sprintf("%s changed: %s → %s", what, c.Old, c.New)
}

// String returns the report as text, a line for each change.
func (w *Why) String() string {
	var b strings.Builder
	switch {
	case w.State == Cached:
		fmt.Fprintf(&b, "%s was answered from the cache (computed in run %s)\n", w.Step, w.From)
	default:
		fmt.Fprintf(&b, "%s was run (%s)\n", w.Step, w.State)
	}
	switch {
	case w.Previous == "":
		b.WriteString("  it is the first run of this step\n")
	case len(w.Changes) == 0:
		fmt.Fprintf(&b, "  nothing changed since run %s\n", w.Previous)
	}
	if w.Reason != "" {
		fmt.Fprintf(&b, "  it ran again because %s\n", w.Reason)
	}
	for _, c := range w.Changes {
		fmt.Fprintf(&b, "  %s\n", c)
	}
	return b.String()
}

// Why compares a step with the same step in the run before; that of a re-run, with the
// run that it does again. The step is named `train`, or `train@3` for the one of try 3;
// `train@refit` for the refit. NotFound when the run has not begun it.
func (s *Service) Why(ctx context.Context, p fairlead.Project, runID, step string) (*Why, error) {
	var run *Run
	var now *Step
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		run, now, err = findStep(tx, p, runID, step)
		return err
	})
	if err != nil {
		return nil, err
	}
	c, err := s.compare(ctx, p, run)
	if err != nil {
		return nil, err
	}
	return c.why(ctx, now)
}

// Whys says of each step of a run what Why says of one, in the order of their beginning;
// limit is as for Steps.
func (s *Service) Whys(ctx context.Context, p fairlead.Project, runID, token string, limit int) (
	page fairlead.Page[*Why], err error) {
	steps, err := s.Steps(ctx, p, runID, StepList{Page: token, Limit: limit, Brief: true})
	if err != nil || len(steps.Items) == 0 {
		return page, err
	}
	var run *Run
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		run, err = readRun(tx, p, runID)
		return err
	})
	if err != nil {
		return page, err
	}
	c, err := s.compare(ctx, p, run)
	if err != nil {
		return page, err
	}
	page.Next = steps.Next
	for _, now := range steps.Items {
		w, err := c.why(ctx, now)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, w)
	}
	return page, nil
}

// comparison is one of the steps of a run with those of runs before. What several steps
// need is read once.
type comparison struct {
	*Service
	p     fairlead.Project
	run   *Run
	spec  *spec.Spec
	again *again
	prior map[string]*prior // by the step's name
	code  map[int64]tree    // by the run's key
	specs map[int64]*spec.Spec
}

// prior is what a step is compared with.
type prior struct {
	run   *Run
	steps []*Step // one for each part of that run that has it
}

func (s *Service) compare(ctx context.Context, p fairlead.Project, run *Run) (*comparison, error) {
	c := &comparison{Service: s, p: p, run: run, prior: map[string]*prior{},
		code: map[int64]tree{}, specs: map[int64]*spec.Spec{}}
	var err error
	if c.spec, err = c.specOf(ctx, run); err != nil || run.RerunOf == "" {
		return c, err
	}
	pl, err := newPlan(c.spec, run.Fixed)
	if err == nil {
		c.again, err = pl.from(run.RerunFrom)
	}
	return c, err
}

func (c *comparison) why(ctx context.Context, now *Step) (*Why, error) {
	w := &Why{Run: c.run.ID, Step: now.Name, Try: now.Try, State: now.State, Changes: []Change{}}
	var before *Run
	var then *Step
	err := c.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if now.From != "" {
			if w.From, err = runOfStep(tx, c.p, now.From); err != nil {
				return err
			}
		}
		before, then, err = c.before(tx, now)
		return err
	})
	if err != nil || then == nil {
		return w, err
	}
	w.Previous = before.ID
	w.Changes = append(w.Changes, then.parts.differences(now.parts)...)
	if then.parts.Code != now.parts.Code {
		code, err := c.codeChanges(ctx, before, now.Name)
		if err != nil {
			return nil, err
		}
		w.Changes = append(w.Changes, code...)
	}
	switch {
	case c.again.includes(now.Name, now.Try):
		w.Reason = fmt.Sprintf("somebody asked for run %s again from %s on", c.run.RerunOf, c.run.RerunFrom)
	case len(w.Changes) == 0 && now.State != Cached:
		w.Reason = c.whyAgain(now, then)
	}
	return w, nil
}

// before returns the newest step of that name of an earlier run of the model, of the same
// try if that had it; nil when there is none.
func (c *comparison) before(tx *store.Tx, now *Step) (*Run, *Step, error) {
	was, ok := c.prior[now.Name]
	if !ok {
		was = &prior{}
		var err error
		was.run, err = runBefore(tx, c.p, c.run, now.Name)
		if err != nil && !errors.Is(err, store.ErrNoRows) {
			return nil, nil, err
		}
		if err == nil {
			if was.steps, err = stepsNamed(tx, was.run.k, now.Name); err != nil {
				return nil, nil, err
			}
		}
		c.prior[now.Name] = was
	}
	for _, step := range was.steps {
		if step.Try == now.Try {
			return was.run, step, nil
		}
	}
	if len(was.steps) == 0 {
		return nil, nil, nil
	}
	return was.run, was.steps[0], nil
}

// whyAgain says why a step was not answered from the cache though its key is that of
// the one before.
func (c *comparison) whyAgain(now, then *Step) string {
	step, _ := c.spec.Step(now.Name)
	switch {
	case !step.Cached():
		return "the file says `cache: false`"
	case then.parts.Format != now.parts.Format:
		return "this version of fairlead makes other keys"
	case then.State != Succeeded && then.State != Cached:
		return fmt.Sprintf("it had not ended well in that run (%s)", then.State)
	}
	return "what it had left was not in the cache any more"
}

// findStep returns the step that a name with an optional try stands for.
func findStep(tx *store.Tx, p fairlead.Project, runID, name string) (*Run, *Step, error) {
	run, err := readRun(tx, p, runID)
	if err != nil {
		return nil, nil, err
	}
	steps, err := listSteps(tx, run.k)
	if err != nil {
		return nil, nil, err
	}
	name, part, exact := strings.Cut(name, "@")
	n, err := partNumber(part)
	if exact && err != nil {
		return nil, nil, err
	}
	var names []string
	for _, step := range steps {
		if step.Name == name && (!exact || step.Try == n) {
			return run, step, nil
		}
		if !slices.Contains(names, step.Name) {
			names = append(names, step.Name)
		}
	}
	return nil, nil, fairlead.Errorf(fairlead.NotFound,
		"run %s has begun no step %q; it has begun: %s", runID, name, strings.Join(names, ", "))
}

// stepName names the step of one part of a run.
func stepName(step string, n int) string {
	switch n {
	case Shared:
		return step
	case Refit:
		return step + "@refit"
	}
	return step + "@" + strconv.Itoa(n)
}

func partNumber(text string) (int, error) {
	if text == "refit" {
		return Refit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < Shared {
		return 0, fairlead.Errorf(fairlead.Invalid,
			"%q is no try; write a number from 1, or refit", text)
	}
	return n, nil
}

// differences lists what changed from k to now, apart from the code.
func (k keyParts) differences(now keyParts) (out []Change) {
	add := func(part, name, old, new string) {
		if old != new {
			out = append(out, Change{part, name, old, new})
		}
	}
	add("command", "", k.Command, now.Command)
	add("outputs", "", strings.Join(k.Outputs, ", "), strings.Join(now.Outputs, ", "))
	for _, name := range unionKeys(k.Env, now.Env) {
		add("env", name, k.Env[name], now.Env[name])
	}
	for _, name := range unionKeys(k.Inputs, now.Inputs) {
		add("input", name, short(k.Inputs[name]), short(now.Inputs[name]))
	}
	for _, name := range unionKeys(k.Params, now.Params) {
		add("param", name, paramOrNone(k.Params, name), paramOrNone(now.Params, name))
	}
	add("lock", "", short(k.Lock), short(now.Lock))
	add("platform", "", k.Platform, now.Platform)
	return out
}

func paramOrNone(params map[string]any, name string) string {
	v, ok := params[name]
	if !ok {
		return ""
	}
	return text(v)
}

// short is the part of a digest that people compare.
func short(digest string) string {
	digest, executes := strings.CutSuffix(digest, executable)
	digest = digest[:min(len(digest), 12)]
	if executes {
		digest += " (executable)"
	}
	return digest
}

func unionKeys[V any](a, b map[string]V) []string {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]V{}
	}
	maps.Copy(all, b)
	return sortedKeys(all)
}

// codeChanges lists the files that a step sees and that differ from those of a run
// before.
func (c *comparison) codeChanges(ctx context.Context, before *Run, step string) (out []Change,
	err error) {
	then, err := c.codeOf(ctx, before, step)
	if err != nil {
		return nil, err
	}
	files, err := c.codeOf(ctx, c.run, step)
	if err != nil {
		return nil, err
	}
	for _, path := range unionKeys(then, files) {
		if then[path] != files[path] {
			out = append(out, Change{"code", path, short(then[path]), short(files[path])})
		}
	}
	return out, nil
}

func (c *comparison) codeOf(ctx context.Context, r *Run, step string) (tree, error) {
	sp, err := c.specOf(ctx, r)
	if err != nil {
		return nil, err
	}
	files, ok := c.code[r.k]
	if !ok {
		if files, err = c.Service.code(ctx, c.p, sp, r.Commit); err != nil {
			return nil, err
		}
		c.code[r.k] = files
	}
	seen, _ := sp.Step(step)
	return files.seenBy(seen), nil
}

func (c *comparison) specOf(ctx context.Context, r *Run) (*spec.Spec, error) {
	if sp, ok := c.specs[r.SpecRev]; ok {
		return sp, nil
	}
	rev, err := c.Projects.RevisionAt(ctx, c.p, r.SpecRev)
	if err != nil {
		return nil, err
	}
	c.specs[r.SpecRev] = rev.Spec
	return rev.Spec, nil
}
