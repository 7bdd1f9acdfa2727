package gate

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"

	"github.com/fairlead-ml/fairlead/spec"
)

// Results of a decision. Undecided is only told by gate.decided, for a gate that
// could not be run; no decision is stored then.
const (
	Passed    = "passed"
	Failed    = "failed"
	Undecided = "undecided"
)

// States of a check.
const (
	Green   = "green"   // true
	Red     = "red"     // false, or not to be known
	Skipped = "skipped" // `when: live`, and nothing is live
)

// Check is the outcome of one gate.
type Check struct {
	Name    string   `json:"name"`
	Check   string   `json:"check"` // the CEL expression
	When    string   `json:"when,omitempty"`
	State   string   `json:"state"`             // green | red | skipped
	Values  Facts    `json:"values"`            // of the facts that the check names
	Missing []string `json:"missing,omitempty"` // those that it names and that are not there
	Gap     *Gap     `json:"gap,omitempty"`     // of the comparison that failed
	Message string   `json:"message"`
}

// Decision is what a policy says about facts. The result is passed when no check
// is red; skipped checks do not count, and a note says so when none was evaluated.
type Decision struct {
	Result string  `json:"result"` // passed | failed
	Note   string  `json:"note,omitempty"`
	Checks []Check `json:"checks"` // all of them, in the order of the file
}

// Digest returns the SHA-256 of the decision's JSON, in hex.
func (d Decision) Digest() (string, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	return digest(b), nil
}

// Red returns the names of the red checks.
func (d Decision) Red() []string { return d.named(Red) }

func (d Decision) named(state string) []string {
	var out []string
	for _, c := range d.Checks {
		if c.State == state {
			out = append(out, c.Name)
		}
	}
	return out
}

// Decide evaluates every check on the facts. It depends on nothing else, always
// answers, and gives equal decisions for equal arguments.
func Decide(p *Policy, f Facts) Decision {
	facts := nest(f)
	vars := facts.variables()
	d := Decision{Result: Passed, Checks: []Check{}}
	for i, c := range p.checks {
		out := c.decide(p.gates[i], f, facts, vars)
		if out.State == Red {
			d.Result = Failed
		}
		d.Checks = append(d.Checks, out)
	}
	d.Note = d.note()
	return d
}

func (d Decision) note() string {
	switch {
	case len(d.Checks) == 0:
		return "passed without a check: the file has no gates"
	case len(d.named(Skipped)) == len(d.Checks):
		return "passed without a check: all gates are for a live version, and there is none"
	}
	return ""
}

func (c check) decide(g spec.Gate, f Facts, facts tree, vars map[string]any) Check {
	out := Check{Name: g.Name, Check: g.Check, When: g.When, Values: Facts{}}
	if _, live := f["version.live"]; g.When == spec.WhenLive && !live {
		out.State = Skipped
		out.Message = "skipped: there is no live version to compare with"
		return out
	}
	c.look(f, facts, &out)
	if out.Message != "" {
		out.State = Red
		return out
	}
	out.State, out.Message, out.Gap = c.judge(vars)
	return out
}

// look notes the facts that the check names, and complains when one that it
// needs is missing or is no number.
func (c check) look(f Facts, facts tree, out *Check) {
	var complaints []string
	for _, r := range c.reads {
		v, there := facts.find(r.path)
		if !there {
			if !r.guarded(c.reads) && !slices.Contains(out.Missing, r.name()) {
				out.Missing = append(out.Missing, r.name())
				complaints = append(complaints, r.name()+" is missing: "+why(r, f))
			}
			continue
		}
		for _, name := range note(out.Values, r.name(), v) {
			complaints = append(complaints, name+" is not a number (NaN)")
		}
	}
	out.Message = strings.Join(complaints, "; ")
}

// note adds a fact, or all facts of a group, to values and returns the names of
// those that are NaN: nothing is true of them, so a check must not look past them.
func note(values Facts, name string, v any) (nan []string) {
	group, ok := v.(tree)
	if !ok {
		_, noted := values[name]
		values[name] = v
		if x, ok := v.(float64); ok && math.IsNaN(x) && !noted {
			return []string{name}
		}
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(group)) {
		nan = append(nan, note(values, name+"."+key, group[key])...)
	}
	return nan
}

// why says where a fact that is missing should have come from.
func why(r read, f Facts) string {
	root := r.path[0]
	if !openRoot(root) {
		return "it was not known when the gate ran"
	}
	if problem, ok := f["error."+root]; ok {
		return fmt.Sprintf("evaluate failed for version %v: %v", f["version."+root], problem)
	}
	if _, live := f["version.live"]; root == liveRoot && !live {
		return "there is no live version; write `when: live` to skip the check for a first release"
	}
	if _, holdout := f["holdout.dataset"]; !holdout {
		return "there is no holdout to evaluate on; add `holdout:` to the file"
	}
	if has := metrics(f, root); len(has) > 0 {
		return "`evaluate` did not print it; it printed " + strings.Join(has, ", ")
	}
	return "`evaluate` printed no metric"
}

// metrics lists the first metrics that evaluate printed for a root.
func metrics(f Facts, root string) []string {
	const most = 8
	var out []string
	for _, name := range slices.Sorted(maps.Keys(f)) {
		metric, ok := strings.CutPrefix(name, root+".")
		if !ok {
			continue
		}
		if len(out) == most {
			return append(out, "…")
		}
		out = append(out, metric)
	}
	return out
}

// judge evaluates the check itself.
func (c check) judge(vars map[string]any) (state, message string, gap *Gap) {
	v, _, err := c.program.Eval(vars)
	switch {
	case err != nil:
		return Red, reason(err), nil
	case v == types.True:
		return Green, "true", nil
	case v != types.False:
		return Red, fmt.Sprintf("the check is neither true nor false but a %s", v.Type().TypeName()), nil
	}
	t := failed(c.terms, vars)
	if t == nil {
		return Red, "false", nil
	}
	if gap = t.gap(vars); gap != nil {
		return Red, fmt.Sprintf("%s: %s", t.text, gap), gap
	}
	return Red, t.text + " is false", nil
}

// reason says in our terms why a check could not be evaluated.
func reason(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "no such overload"):
		return "the check cannot be evaluated: " + text +
			"; metrics are doubles, so write 2.0 and not 2 beside * / + -"
	case strings.Contains(text, "no such key"):
		return "a fact that the check asks for is missing: " + text
	case strings.Contains(text, "cost limit"):
		return "the check was ended because it takes too many steps; make it simpler"
	}
	return "the check cannot be evaluated: " + text
}
