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
	Reason   string   `json:"reason,omitempty"`   // why it ran though nothing had changed
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

// Why compares a step with the same step in the run before. The step is named
// `train`, or `train@3` for the one of try 3; `train@refit` for the refit.
// NotFound when the run has not begun it.
func (s *Service) Why(ctx context.Context, p fairlead.Project, runID, step string) (*Why, error) {
	var run, before *Run
	var now, then *Step
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if run, now, err = findStep(tx, p, runID, step); err != nil {
			return err
		}
		then, err = stepBefore(tx, p, run, now)
		if errors.Is(err, store.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		before, err = runByK(tx, p, then.runK)
		return err
	})
	if err != nil {
		return nil, err
	}
	w := &Why{Run: run.ID, Step: now.Name, Try: now.Try, State: now.State, Changes: []Change{}}
	if now.From != "" {
		if w.From, err = s.runOfStep(ctx, p, now.From); err != nil {
			return nil, err
		}
	}
	if then == nil {
		return w, nil
	}
	w.Previous = before.ID
	w.Changes = append(w.Changes, then.parts.differences(now.parts)...)
	if then.parts.Code != now.parts.Code {
		code, err := s.codeChanges(ctx, p, before, run, now.Name)
		if err != nil {
			return nil, err
		}
		w.Changes = append(w.Changes, code...)
	}
	if len(w.Changes) == 0 && now.State != Cached {
		w.Reason, err = s.whyAgain(ctx, p, run, now, then)
	}
	return w, err
}

// whyAgain says why a step was not answered from the cache though its key is that of
// the one before.
func (s *Service) whyAgain(ctx context.Context, p fairlead.Project, run *Run, now, then *Step) (
	string, error) {
	rev, err := s.Projects.RevisionAt(ctx, p, run.SpecRev)
	if err != nil {
		return "", err
	}
	step, _ := rev.Spec.Step(now.Name)
	switch {
	case !step.Cached():
		return "the file says `cache: false`", nil
	case then.parts.Format != now.parts.Format:
		return "this version of fairlead makes other keys", nil
	case then.State != Succeeded && then.State != Cached:
		return fmt.Sprintf("it had not ended well in that run (%s)", then.State), nil
	}
	return "what it had left was not in the cache any more", nil
}

func (s *Service) runOfStep(ctx context.Context, p fairlead.Project, stepID string) (id string,
	err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		step, err := stepByID(tx, p, stepID)
		if err != nil {
			return err
		}
		r, err := runByK(tx, p, step.runK)
		if err == nil {
			id = r.ID
		}
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		return "", nil
	}
	return id, err
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

// codeChanges lists the files that a step sees and that differ between the commits
// of two runs.
func (s *Service) codeChanges(ctx context.Context, p fairlead.Project, before, now *Run,
	step string) (out []Change, err error) {
	then, err := s.codeOf(ctx, p, before, step)
	if err != nil {
		return nil, err
	}
	files, err := s.codeOf(ctx, p, now, step)
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

func (s *Service) codeOf(ctx context.Context, p fairlead.Project, r *Run, step string) (
	tree, error) {
	rev, err := s.Projects.RevisionAt(ctx, p, r.SpecRev)
	if err != nil {
		return nil, err
	}
	files, err := s.code(ctx, p, rev.Spec, r.Commit)
	if err != nil {
		return nil, err
	}
	seen, _ := rev.Spec.Step(step)
	return files.seenBy(seen), nil
}
