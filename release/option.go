package release

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// What a human can decide about an endpoint.
const (
	ActionPromote  = "promote"  // the active rollout's version becomes live
	ActionRollback = "rollback" // the active rollout ends without its version
	ActionRestore  = "restore"  // the newest standby becomes live again
)

// Option is what a human can decide about an endpoint now, and all that would follow.
type Option struct {
	Action  string    `json:"action"`            // promote | rollback | restore
	Rollout string    `json:"rollout,omitempty"` // that would end
	Refused string    `json:"refused,omitempty"` // why it cannot be done now; empty: it can
	After   []Variant `json:"after,omitempty"`   // what the endpoint would serve
	Retires []int64   `json:"retires,omitempty"` // versions that nothing would hold any more
	Alias   int64     `json:"alias,omitempty"`   // the version that `live` would move to; 0: it stays
	Effects []string  `json:"effects,omitempty"` // the same, in sentences
}

// Options are an endpoint's, under the generation that they start from.
type Options struct {
	Endpoint   string    `json:"endpoint"`
	Generation int64     `json:"generation"`
	Now        []Variant `json:"now"`
	Options    []Option  `json:"options"` // promote, rollback, restore
}

// Options tells what can be decided about the endpoint and what would follow. It asks the
// machine that would do it, and changes nothing. NotFound for an endpoint that nothing was
// released to.
func (s *Service) Options(ctx context.Context, p fairlead.Project, name string) (*Options, error) {
	var out *Options
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		env, err := s.environment(tx, p, name)
		if err != nil {
			return err
		}
		t := transition{Service: s, tx: tx, project: p, env: env}
		if t.at, err = s.now(tx, p, name); err != nil {
			return err
		}
		if t.before, err = t.read(); err != nil {
			return err
		}
		out = &Options{Endpoint: name, Generation: t.gen, Now: t.variants}
		for _, o := range []struct {
			action string
			in     input
		}{{ActionPromote, promote{}}, {ActionRollback, rollback{}}, {ActionRestore, restore{}}} {
			option, err := t.option(o.action, o.in)
			if err != nil {
				return err
			}
			out.Options = append(out.Options, option)
		}
		return nil
	})
	return out, err
}

// option is what would follow if in happened now.
func (t *transition) option(action string, in input) (Option, error) {
	o := Option{Action: action}
	if action != ActionRestore && !t.before.active() {
		o.Refused = "no rollout is under way"
		return o, nil
	}
	after, effects, err := next(t.before, in, t.at)
	if err != nil {
		o.Refused = fairlead.MessageOf(err)
		return o, nil
	}
	if t.before.active() {
		o.Rollout = t.before.rollout.ID
	}
	o.After = after.variants()
	if after.live != t.before.live && !t.env.early {
		o.Alias = after.live
	}
	for _, e := range effects {
		r, ok := e.(retire)
		if !ok {
			continue
		}
		ends, err := t.wouldRetire(r.version, o.After)
		if err != nil {
			return o, err
		}
		if ends {
			o.Retires = append(o.Retires, r.version)
		}
	}
	o.Effects = t.sentences(o, after)
	return o, nil
}

// wouldRetire reports whether retire would end the version once the endpoint serves after.
func (t *transition) wouldRetire(version int64, after []Variant) (bool, error) {
	once, err := wasPromoted(t.tx, t.env.k, version)
	if err != nil || !once {
		return false, err
	}
	holders, err := t.Registry.Holds(t.tx, t.project, t.env.model, version)
	if err != nil {
		return false, err
	}
	for _, h := range holders {
		own := h.ID == t.env.endpoint && has(t.variants, Variant{Version: version, Role: h.Kind})
		if !own || has(after, Variant{Version: version, Role: h.Kind}) {
			return false, nil
		}
	}
	return true, nil
}

// sentences say what the option does.
func (t *transition) sentences(o Option, after endpoint) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	was, r := t.before.live, t.before.rollout
	switch {
	case after.live == was:
		say("Version %d answers all requests of %s.", was, t.env.endpoint)
	case was == 0:
		say("Version %d becomes live and answers all requests of %s.", after.live, t.env.endpoint)
	default:
		say("Version %d becomes live in place of version %d, and answers all requests of %s.",
			after.live, was, t.env.endpoint)
	}
	if t.before.active() {
		verb := map[string]string{ActionPromote: "is promoted", ActionRollback: "ends without its version",
			ActionRestore: "is aborted"}[o.Action]
		say("The %s of version %d %s.", r.Strategy, r.To, verb)
	}
	for _, v := range t.before.versions() {
		switch {
		case v == after.live || slices.Contains(o.Retires, v):
		case slices.Contains(after.standby, v) && !slices.Contains(t.before.standby, v):
			say("Version %d stays loaded on standby, to go back to.", v)
		case !slices.Contains(after.versions(), v):
			say("Version %d leaves the endpoint.", v)
		}
	}
	if o.Action == ActionRestore && len(after.standby) == 0 {
		say("No version is left on standby afterwards: the next rollback would need a release.")
	}
	for _, v := range o.Retires {
		say("Version %d is retired: it was replaced, and nothing else holds it.", v)
	}
	if o.Alias != 0 {
		say("The alias `live` of %s moves to version %d.", t.env.model, o.Alias)
	}
	return out
}

// versions lists all that have a role at the endpoint, ascending.
func (e endpoint) versions() []int64 {
	var out []int64
	for _, v := range e.variants() {
		out = append(out, v.Version)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// RequireGeneration is Conflict unless the endpoint's assignment is still the one that a
// caller has seen: what the caller decides was meant for that one.
func (s *Service) RequireGeneration(tx *store.Tx, p fairlead.Project, name string, seen int64) error {
	a, err := s.Assignment(tx, p, name)
	if err != nil || a.Generation == seen {
		return err
	}
	return fairlead.Errorf(fairlead.Conflict, "%s has changed meanwhile (%s): look at it again, "+
		"then decide", name, a.Reason).With("generation", fmt.Sprint(a.Generation))
}
