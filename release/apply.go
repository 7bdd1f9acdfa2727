package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// at runs one transition of an endpoint.
func (s *Service) at(ctx context.Context, tx *store.Tx, p fairlead.Project, endpoint string,
	in input) error {
	env, err := s.environment(tx, p, endpoint)
	if err != nil {
		return err
	}
	return s.transit(ctx, tx, p, env, in)
}

// transit lets one input happen: it reads what stands, asks the machine, and
// makes what follows true, all in tx.
func (s *Service) transit(ctx context.Context, tx *store.Tx, p fairlead.Project, env environment,
	in input) error {
	at, err := s.now(tx, p, env.endpoint)
	if err != nil {
		return fmt.Errorf("%s: %w", env.endpoint, err)
	}
	t := transition{Service: s, tx: tx, project: p, env: env, at: at}
	if t.before, err = t.read(); err != nil {
		return fmt.Errorf("%s: %w", env.endpoint, err)
	}
	after, effects, err := next(t.before, in, at)
	if err != nil {
		return err
	}
	t.after = after
	if env.changed {
		if err := putEnvironment(tx, p, &t.env, s.Clock.Now()); err != nil {
			return fmt.Errorf("%s: %w", env.endpoint, err)
		}
	}
	if err := t.apply(ctx, effects); err != nil {
		return fmt.Errorf("%s: %w", env.endpoint, err)
	}
	return nil
}

// transition is one step of the machine on its way into the database.
type transition struct {
	*Service
	tx            *store.Tx
	project       fairlead.Project
	env           environment
	at            time.Time
	gen           int64
	variants      []Variant // before
	before, after endpoint
}

// read builds the machine's view from the rows.
func (t *transition) read() (e endpoint, err error) {
	if t.gen, t.variants, e.reason, err = readVariants(t.tx, t.env.k); err != nil {
		return e, err
	}
	if e.rollout, err = t.ActiveRollout(t.tx, t.project, t.env.endpoint); err != nil {
		return e, err
	}
	own := int64(0)
	if e.active() && e.rollout.Strategy == spec.Shadow {
		own = e.rollout.To
	}
	for _, v := range t.variants {
		switch {
		case v.Role == RoleLive:
			e.live = v.Version
		case v.Role == RoleStandby:
			e.standby = append(e.standby, v.Version)
		case v.Role == RoleShadow && v.Version != own:
			e.shadows = append(e.shadows, v.Version)
		}
	}
	return e, nil
}

func (t *transition) apply(ctx context.Context, effects []effect) error {
	if r := t.after.rollout; r != nil {
		if err := putRollout(t.tx, t.project, t.env.k, r); err != nil {
			return err
		}
	}
	if err := t.setTimer(); err != nil {
		return err
	}
	for _, e := range effects {
		if err := t.do(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (t *transition) do(ctx context.Context, e effect) error {
	switch e := e.(type) {
	case tell:
		if err := t.note(ctx, e.event); err != nil {
			return err
		}
		return t.tell(ctx, e.event)
	case assign:
		return t.assign(ctx, e.reason)
	case retire:
		return t.retire(ctx, e.version)
	}
	return fmt.Errorf("rollout machine has no effect %T", e)
}

// setTimer keeps the timer of the present step as the rollout has it.
func (t *transition) setTimer() error {
	was, is := t.before.rollout, t.after.rollout
	if is == nil || was.due().Equal(is.due()) {
		return nil
	}
	due := is.due()
	if due.IsZero() {
		return t.Stream.Cancel(t.tx, t.project, t.env.endpoint, timerKind, is.ID)
	}
	payload, err := json.Marshal(is.Step)
	if err != nil {
		return err
	}
	return t.Stream.Set(t.tx, t.project, stream.Timer{
		Stream: t.env.endpoint, Kind: timerKind, Key: is.ID, Due: due, Payload: payload})
}

func (t *transition) tell(ctx context.Context, name string) error {
	r := t.after.rollout
	_, err := t.Ledger.Append(ctx, t.tx, t.project, t.env.endpoint, t.at, event.Rollout{
		Name: name, Rollout: r.ID, Environment: r.Environment, Endpoint: r.Endpoint, Model: r.Model,
		From: r.From, To: r.To, Strategy: r.Strategy, Step: r.Step, Percent: r.Percent,
		Outcome: r.Outcome, Reason: r.Reason, Case: r.Case, Evidence: r.Evidence.Evidence})
	return err
}

// assign writes the next generation, moves the holds and the alias with it.
func (t *transition) assign(ctx context.Context, reason string) error {
	is := t.after.variants()
	if err := writeVariants(t.tx, t.env.k, t.gen+1, is, reason, t.at); err != nil {
		return err
	}
	_, err := t.Ledger.Append(ctx, t.tx, t.project, t.env.endpoint, t.at, event.Assignment{
		Name: event.AssignmentChangedType, Endpoint: t.env.endpoint, Generation: t.gen + 1,
		Reason: reason})
	if err != nil {
		return err
	}
	if err := t.moveHolds(t.variants, is); err != nil {
		return err
	}
	if t.after.live == t.before.live || t.env.early {
		return nil
	}
	return t.Registry.SetLive(ctx, t.tx, t.project, t.env.model, t.after.live)
}

// moveHolds holds what has got a role and lets go of what has lost one: first
// the former, so that nothing is without a hold in between.
func (t *transition) moveHolds(was, is []Variant) error {
	for _, v := range is {
		if has(was, v) {
			continue
		}
		err := t.Registry.Hold(t.tx, t.project, t.env.model, v.Version, registry.Holder{
			Kind: v.Role, ID: t.env.endpoint, Reason: "by the assignment of this endpoint"})
		if err != nil {
			return err
		}
	}
	for _, v := range was {
		if has(is, v) {
			continue
		}
		err := t.Registry.Unhold(t.tx, t.project, t.env.model, v.Version, v.Role, t.env.endpoint)
		if err != nil {
			return err
		}
	}
	return nil
}

func has(all []Variant, v Variant) bool {
	return slices.ContainsFunc(all, func(o Variant) bool {
		return o.Version == v.Version && o.Role == v.Role
	})
}

// retire ends a version that was live here once, unless somebody still holds it.
func (t *transition) retire(ctx context.Context, version int64) error {
	once, err := wasPromoted(t.tx, t.env.k, version)
	if err != nil || !once {
		return err
	}
	holders, err := t.Registry.Holds(t.tx, t.project, t.env.model, version)
	if err != nil || len(holders) > 0 {
		return err
	}
	return t.Registry.Retire(ctx, t.tx, t.project, t.env.model, version,
		fmt.Sprintf("replaced on %s, and no longer a standby", t.env.endpoint))
}

// onTimer runs when a step has waited for evidence as long as it may.
func (s *Service) onTimer(ctx context.Context, tx *store.Tx, p fairlead.Project,
	t stream.Timer) error {
	var step int
	if err := json.Unmarshal(t.Payload, &step); err != nil {
		return fmt.Errorf("timer of rollout %s: %w", t.Key, err)
	}
	return s.at(ctx, tx, p, t.Stream, overdue{step})
}

// onBegin counts the wait of an active rollout from the stream's first time.
func (s *Service) onBegin(ctx context.Context, tx *store.Tx, p fairlead.Project, name string,
	_ time.Time) error {
	env, err := readEnvironment(tx, p, name)
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.transit(ctx, tx, p, env, begun{})
}

// onEvidence takes paired evidence to the rollout that it is for. Evidence that
// is not about an active rollout, or lacks a fact, changes nothing.
func (s *Service) onEvidence(ctx context.Context, tx *store.Tx, rec *ledger.Record) error {
	var told event.EvidenceRecorded
	if err := rec.Decode(&told); err != nil {
		return err
	}
	if told.Kind != gate.KindPaired || told.Rollout == "" {
		return nil
	}
	p := rec.ProjectRef()
	r, err := s.Rollout(tx, p, told.Rollout)
	if fairlead.Is(err, fairlead.NotFound) || err == nil && !r.Active() {
		return nil
	}
	if err != nil {
		return err
	}
	e, err := s.Gate.Evidence(tx, p, told.Evidence)
	if err != nil {
		return err
	}
	paired, ok := readPaired(e)
	if !ok {
		s.Log.Warn("evidence lacks facts that a rollout needs", "evidence", e.ID, "rollout", r.ID)
		return nil
	}
	return s.at(ctx, tx, p, r.Endpoint, observed{paired})
}

// readPaired reads the facts that monitor pushes for a rollout.
func readPaired(e *gate.Evidence) (out Paired, ok bool) {
	out.Evidence = e.ID
	labels, ok1 := e.Facts["labels"].(int64)
	blocks, ok2 := e.Facts["blocks"].(int64)
	wealth, ok3 := e.Facts.Float("wealth")
	rejected, ok4 := e.Facts["rejected"].(bool)
	candidate, ok5 := e.Facts.Float("loss_candidate")
	live, ok6 := e.Facts.Float("loss_live")
	tolerated, ok7 := e.Facts.Float("loss_tolerated")
	out.Labels, out.Blocks, out.Wealth, out.Rejected = labels, blocks, wealth, rejected
	out.LossCandidate, out.LossLive, out.LossTolerated = candidate, live, tolerated
	out.Requests, _ = e.Facts["requests"].(int64)
	out.Failed, _ = e.Facts["failed"].(int64)
	out.Note, _ = e.Facts["note"].(string)
	there := ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7
	return out, there && finite(wealth) && finite(candidate) && finite(live) && finite(tolerated)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
