package release

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/spec"
)

// What can happen to an endpoint.
type (
	// start begins a rollout: ID, Case, names, To and Plan are set.
	start struct{ Rollout }
	// observed is new paired evidence for the active rollout.
	observed struct{ Paired }
	// overdue tells that a step has waited as long as it may.
	overdue struct{ step int }
	// begun tells that the endpoint's stream has got its first time, so that
	// what was counted from wall time is counted from there.
	begun struct{}
	// promote is a human's answer, and an early yes.
	promote struct{ reason string }
	// rollback ends the active rollout without its version.
	rollback struct{ reason string }
	// restore goes from the live version back to the newest standby.
	restore struct{ reason string }
	// lose takes a version that cannot answer from the standbys.
	lose struct {
		version int64
		reason  string
	}
	// shadow adds a standing shadow; unshadow removes it.
	shadow struct {
		version int64
		reason  string
	}
	unshadow struct {
		version int64
		reason  string
	}
)

// input is one of the above.
type input any

// What follows from a transition, in the order in which it is done.
type (
	// tell announces the rollout, as it now stands, in an event.
	tell struct{ event string }
	// assign makes the endpoint's variants the next generation.
	assign struct{ reason string }
	// retire takes a version that nothing else holds out of service.
	retire struct{ version int64 }
)

// effect is one of the above.
type effect any

// next is the whole machine: what stands after in has happened at stream time at,
// and what follows. It changes nothing that it is given. What cannot happen now is
// a Conflict or a Precondition, what does not concern the endpoint no effect.
func next(e endpoint, in input, at time.Time) (endpoint, []effect, error) {
	e = e.clone()
	switch in := in.(type) {
	case start:
		return e.start(in.Rollout, at)
	case observed:
		return e.observe(in.Paired, at)
	case overdue:
		return e.overdue(in.step, at)
	case begun:
		return e.begin(at)
	case promote:
		return e.promoteBy(in.reason, at)
	case rollback:
		return e.rollback(in.reason, at)
	case restore:
		return e.restore(in.reason, at)
	case lose:
		return e.lose(in.version, in.reason)
	case shadow:
		return e.addShadow(in.version, in.reason)
	case unshadow:
		return e.dropShadow(in.version, in.reason)
	}
	return e, nil, fmt.Errorf("rollout machine has no input %T", in)
}

func (e endpoint) clone() endpoint {
	e.standby, e.shadows = slices.Clone(e.standby), slices.Clone(e.shadows)
	if e.rollout != nil {
		r := *e.rollout
		e.rollout = &r
	}
	return e
}

func (e endpoint) start(r Rollout, at time.Time) (endpoint, []effect, error) {
	if e.active() {
		return e, nil, fairlead.Errorf(fairlead.Conflict,
			"%s is active on %s; wait for it, or decide: %s", e.rollout.name(), r.Endpoint,
			e.rollout.commands()).
			With("rollout", e.rollout.ID)
	}
	if r.To == e.live {
		return e, nil, fairlead.Errorf(fairlead.Precondition,
			"version %d is live on %s already", r.To, r.Endpoint)
	}
	r.From, r.Strategy, r.State = e.live, r.Plan.Strategy, Running
	r.Started, r.Changed, r.StepAt = at, at, at
	if e.live == 0 && r.Strategy != spec.Replace {
		r.Note = "first release: there is no live version for a " + r.Strategy + " to compare with"
		r.Strategy = spec.Replace
	}
	e.rollout = &r
	out := []effect{tell{event.RolloutStartedType}}
	switch r.Strategy {
	case spec.Replace:
		reason := r.Note
		if reason == "" {
			reason = "replaced at once, as the environment says"
		}
		return e.promote(reason, at, out)
	case spec.Canary:
		if len(r.Plan.Steps) == 0 {
			return e, nil, fairlead.Errorf(fairlead.Invalid,
				"a canary needs steps, such as [5%%, 25%%, 100%%]")
		}
		r.Step, r.Percent = 1, r.Plan.Steps[0]
	case spec.Shadow:
		if slices.Contains(e.shadows, r.To) {
			return e, nil, fairlead.Errorf(fairlead.Conflict, "version %d is a standing shadow of %s, "+
				"which the rollout would end; end it first: `fairlead shadow %s %d --stop`",
				r.To, r.Endpoint, r.Endpoint, r.To)
		}
		r.Step = 1
	default:
		return e, nil, fairlead.Errorf(fairlead.Invalid, "there is no strategy %q", r.Strategy)
	}
	return e, append(out, assign{fmt.Sprintf("%s of version %d began", r.Strategy, r.To)}), nil
}

// observe takes evidence in. A rejection ends the rollout whatever it waits for;
// otherwise a step moves on when it has what it holds for, also after a human was
// asked: the question was about evidence, and here it is.
func (e endpoint) observe(p Paired, at time.Time) (endpoint, []effect, error) {
	r := e.rollout
	if !e.active() || p.Labels < r.Evidence.Labels {
		return e, nil, nil
	}
	r.Evidence, r.Changed = p.after(r.Evidence, int64(r.Plan.Hold.Labels)), at
	switch {
	case p.Rejected:
		return e.finish(RolledBack, rejection(r), at)
	case !r.held():
		return e, nil, nil
	case r.Strategy == spec.Shadow:
		return e.ask(fmt.Sprintf("the shadow has been compared on %d labels", r.labels()), at)
	case r.worse():
		return e, nil, nil // a wider step would only let more callers feel it
	case !r.last():
		return e.step(at)
	case !r.tested():
		return e, nil, nil
	}
	return e.promote(fmt.Sprintf("%d labels over %d blocks do not show that version %d is worse",
		p.Labels, p.Blocks, r.To), at, nil)
}

// rejection says why the evidence ends the rollout. That is the sequential test, or that
// the version cannot answer, for which no test is needed.
func rejection(r *Rollout) string {
	p := r.Evidence
	if a := r.Plan.Abort; p.Failed > 0 && (a == nil || p.Wealth < 1/a.Alpha) {
		return p.failures(r)
	}
	text := fmt.Sprintf("version %d is worse than version %d: wealth %.3g after %d blocks, "+
		"loss %.4g against %.4g on %d labels",
		r.To, r.From, p.Wealth, p.Blocks, p.LossCandidate, p.LossLive, p.Labels)
	if a := r.Plan.Abort; a != nil {
		text += fmt.Sprintf(" (%s, worse by more than %.4g%%, alpha %g)",
			a.Metric, 100*a.WorseBy, a.Alpha)
	}
	if p.Failed > 0 {
		text += "; " + p.failures(r)
	}
	return text
}

func (e endpoint) step(at time.Time) (endpoint, []effect, error) {
	r := e.rollout
	had := r.labels()
	r.Step++
	r.Percent = r.Plan.Steps[r.Step-1]
	r.StepLabels, r.StepAt, r.Changed, r.State = r.Evidence.Labels, at, at, Running
	r.Reason = fmt.Sprintf("%d labels do not show that version %d is worse", had, r.To)
	return e, []effect{tell{event.RolloutSteppedType},
		assign{fmt.Sprintf("canary of version %d at %g%%", r.To, r.Percent)}}, nil
}

func (e endpoint) overdue(step int, at time.Time) (endpoint, []effect, error) {
	r := e.rollout
	if !e.active() || r.State != Running || r.Step != step {
		return e, nil, nil
	}
	reason := fmt.Sprintf("%d of %d labels after %s", r.labels(), r.Plan.Hold.Labels,
		r.Plan.Hold.AtMost)
	if r.Strategy == spec.Canary {
		reason += fmt.Sprintf(" at %g%%", r.Percent)
	}
	if r.held() && r.worse() {
		recent := r.Evidence.recent()
		reason = fmt.Sprintf("loss %.4g against %.4g on the newest labels after %s: neither "+
			"shown to be worse nor good enough", recent.LossCandidate, recent.LossLive,
			r.Plan.Hold.AtMost)
	}
	if r.Evidence.Note != "" {
		reason += ": " + r.Evidence.Note
	}
	return e.ask(reason, at)
}

// ask leaves the rollout to a human, and says how to answer.

func (e endpoint) ask(reason string, at time.Time) (endpoint, []effect, error) {
	if e.rollout.State == Waiting {
		return e, nil, nil
	}
	e.rollout.State, e.rollout.Changed = Waiting, at
	e.rollout.Reason = reason + "; decide: " + e.rollout.commands()
	return e, []effect{tell{event.RolloutAskedType}}, nil
}

func (e endpoint) begin(at time.Time) (endpoint, []effect, error) {
	if e.active() {
		e.rollout.StepAt = at
	}
	return e, nil, nil
}

func (e endpoint) promoteBy(reason string, at time.Time) (endpoint, []effect, error) {
	if !e.active() {
		return e, nil, errNotActive
	}
	return e.promote(reason, at, nil)
}

func (e endpoint) rollback(reason string, at time.Time) (endpoint, []effect, error) {
	if !e.active() {
		return e, nil, errNotActive
	}
	return e.finish(RolledBack, reason, at)
}

var errNotActive = fairlead.Errorf(fairlead.Precondition, "the rollout is finished")

// promote makes the rollout's version live; the replaced one becomes the newest
// standby, and what no longer fits among the standbys may retire.
func (e endpoint) promote(reason string, at time.Time, before []effect) (endpoint, []effect,
	error) {
	r := e.rollout
	standby := slices.DeleteFunc(e.standby, func(v int64) bool { return v == r.To })
	if e.live != 0 {
		standby = slices.Insert(standby, 0, e.live)
	}
	kept := min(len(standby), r.Plan.Keep)
	e.live, e.standby = r.To, standby[:kept:kept]
	r.State, r.Outcome, r.Reason, r.Percent = Finished, Promoted, reason, 100
	r.Changed, r.Ended = at, at
	out := append(before, assign{fmt.Sprintf("version %d was promoted", r.To)},
		tell{event.RolloutFinishedType})
	for _, v := range standby[kept:] {
		out = append(out, retire{v})
	}
	return e, out, nil
}

// finish ends the rollout without its version.
func (e endpoint) finish(outcome, reason string, at time.Time) (endpoint, []effect, error) {
	r := e.rollout
	r.State, r.Outcome, r.Reason, r.Percent = Finished, outcome, reason, 0
	r.Changed, r.Ended = at, at
	words := map[string]string{RolledBack: "rolled back", Aborted: "aborted"}[outcome]
	return e, []effect{assign{fmt.Sprintf("%s of version %d was %s", r.Strategy, r.To, words)},
		tell{event.RolloutFinishedType}}, nil
}

// restore makes the newest standby live. The version that was live leaves the
// endpoint: it is no target of a later rollback. An active rollout is aborted,
// because what it is compared with is gone.
func (e endpoint) restore(reason string, at time.Time) (endpoint, []effect, error) {
	if len(e.standby) == 0 {
		return e, nil, fairlead.Errorf(fairlead.Precondition,
			"there is no standby version to go back to; release another version instead "+
				"(newest change: %s)", e.reason)
	}
	var out []effect
	gone := e.live
	if e.active() {
		var err error
		why := fmt.Sprintf("version %d, which it was compared with, was rolled back", gone)
		e, _, err = e.finish(Aborted, why, at)
		if err != nil {
			return e, nil, err
		}
		out = append(out, tell{event.RolloutFinishedType})
	}
	e.live, e.standby = e.standby[0], e.standby[1:]
	return e, append([]effect{assign{reason}}, out...), nil
}

func (e endpoint) lose(version int64, reason string) (endpoint, []effect, error) {
	i := slices.Index(e.standby, version)
	if i < 0 {
		return e, nil, nil
	}
	e.standby = slices.Delete(e.standby, i, i+1)
	return e, []effect{assign{reason}}, nil
}

func (e endpoint) addShadow(version int64, reason string) (endpoint, []effect, error) {
	if slices.Contains(e.shadows, version) {
		return e, nil, nil
	}
	if e.active() && e.rollout.Strategy == spec.Shadow && e.rollout.To == version {
		return e, nil, fairlead.Errorf(fairlead.Conflict,
			"version %d is the shadow of rollout %s; end that first", version, e.rollout.ID)
	}
	e.shadows = append(e.shadows, version)
	slices.Sort(e.shadows)
	return e, []effect{assign{reason}}, nil
}

func (e endpoint) dropShadow(version int64, reason string) (endpoint, []effect, error) {
	i := slices.Index(e.shadows, version)
	if i < 0 {
		return e, nil, fairlead.Errorf(fairlead.Precondition, "version %d is no standing shadow", version)
	}
	e.shadows = slices.Delete(e.shadows, i, i+1)
	return e, []effect{assign{reason}, retire{version}}, nil
}
