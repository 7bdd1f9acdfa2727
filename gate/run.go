package gate

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Request asks for a decision about a version.
type Request struct {
	Case     string  `json:"case,omitempty"`
	Model    string  `json:"model"`
	Version  int64   `json:"version"`
	Baseline int64   `json:"baseline,omitempty"` // the live version; 0: none
	SpecRev  int64   `json:"spec_revision"`
	Commit   string  `json:"commit,omitempty"`
	Holdout  Holdout `json:"holdout"`
}

// Request asks for a decision in the caller's transaction; a job makes it, and
// gate.decided tells. The same request within a case is made once.
func (s *Service) Request(ctx context.Context, tx *store.Tx, p fairlead.Project, r Request) error {
	n := job.Task{Project: p, Kind: JobKind, Payload: r}
	if r.Case != "" {
		n.Key = fmt.Sprintf("%s/%s/%d", r.Case, Subject(r.Model, r.Version), r.Baseline)
	}
	if _, _, err := s.jobs.Enqueue(tx, n); err != nil {
		return fmt.Errorf("request gate for %s: %w", Subject(r.Model, r.Version), err)
	}
	return nil
}

func (s *Service) handle(ctx context.Context, run *job.Run) error {
	var r Request
	if err := run.Job.Decode(&r); err != nil {
		return err
	}
	_, err := s.run(ctx, run.Job.Project, r, func(ctx context.Context, fn func(tx *store.Tx) error) error {
		return run.Commit(ctx, store.Control, fn)
	})
	return err
}

// done tells of a gate that could not be run: it decided nothing, and whoever
// waits for gate.decided must not wait forever.
func (s *Service) done(ctx context.Context, tx *store.Tx, j *job.Job) error {
	if j.State == job.Done {
		return nil
	}
	var r Request
	if err := j.Decode(&r); err != nil {
		return err
	}
	_, err := s.led.Append(ctx, tx, j.Project, Subject(r.Model, r.Version), time.Time{}, event.GateDecided{
		Model: r.Model, Version: r.Version, Baseline: r.Baseline, Result: Undecided, Case: r.Case,
		Reason: fmt.Sprintf("the gate could not be run (job %s %s): %s", j.ID, j.State, j.Error)})
	return err
}

// commitFunc runs the effect of a gate in one transaction.
type commitFunc func(ctx context.Context, fn func(tx *store.Tx) error) error

// RunGate evaluates candidate and live on the holdout, decides, and stores the
// evidence, the decision and the holdout's reads in one transaction.
func (s *Service) RunGate(ctx context.Context, p fairlead.Project, r Request) (*Record, error) {
	return s.run(ctx, p, r, func(ctx context.Context, fn func(tx *store.Tx) error) error {
		return s.db.Write(ctx, store.Control, fn)
	})
}

// run is RunGate with the commit of a job: run again after a crash it starts
// over, and still commits once.
func (s *Service) run(ctx context.Context, p fairlead.Project, r Request, commit commitFunc) (*Record, error) {
	rev, err := s.projects.RevisionAt(ctx, p, r.SpecRev)
	if err != nil {
		return nil, fmt.Errorf("gate %s: %w", Subject(r.Model, r.Version), err)
	}
	policy, err := Compile(rev.Spec.Gates)
	if err != nil {
		return nil, err
	}
	at, err := s.now(ctx, p, rev.Spec, r.Model)
	if err != nil {
		return nil, err
	}
	facts, err := s.facts(ctx, p, rev.Spec, r)
	if err != nil {
		return nil, fmt.Errorf("gate %s: %w", Subject(r.Model, r.Version), err)
	}
	facts["now"] = at
	out := &Record{Case: r.Case, Model: r.Model, Version: r.Version, Baseline: r.Baseline,
		SpecRev: r.SpecRev, Commit: r.Commit, Policy: policy.Text(), PolicyDigest: policy.Digest(),
		At: at, Decision: Decide(policy, facts)}
	err = commit(ctx, func(tx *store.Tx) error { return s.commit(ctx, tx, p, r, facts, out) })
	return out, err
}

func (s *Service) commit(ctx context.Context, tx *store.Tx, p fairlead.Project, r Request,
	facts Facts, out *Record) (err error) {
	out.Evidence, err = s.PutEvidence(ctx, tx, p, Evidence{
		Subject: Subject(r.Model, r.Version), Kind: Evaluation, Facts: facts, To: out.At, Source: "gate"})
	if err != nil {
		return err
	}
	if out.EvidenceDigest, err = facts.Digest(); err != nil {
		return err
	}
	for _, v := range r.versions() {
		err := s.from.ReadHoldout(ctx, tx, p, r.Holdout, r.Model, v.n, "gate")
		if err != nil {
			return err
		}
	}
	return s.store(ctx, tx, p, out)
}

// now returns the stream time of the model's last environment.
func (s *Service) now(ctx context.Context, p fairlead.Project, sp *spec.Spec, model string) (at time.Time, err error) {
	env, ok := sp.LastEnvironment()
	if !ok {
		return s.clock.Now().UTC().Truncate(time.Millisecond), nil
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		at, err = s.from.Now(tx, p, model+"@"+env.Name)
		return err
	})
	return at.UTC().Truncate(time.Millisecond), err
}

// role is a version under the name that facts give it.
type role struct {
	root string
	n    int64
}

func (r Request) versions() []role {
	out := []role{{candidateRoot, r.Version}}
	if r.Baseline != 0 {
		out = append(out, role{liveRoot, r.Baseline})
	}
	return out
}

// facts gathers what the table documents, `now` aside.
func (s *Service) facts(ctx context.Context, p fairlead.Project, sp *spec.Spec, r Request) (Facts, error) {
	rows, reads, err := s.from.Holdout(ctx, p, r.Holdout)
	if err != nil {
		return nil, err
	}
	f := Facts{
		"holdout.dataset": r.Holdout.Dataset, "holdout.version": r.Holdout.N,
		"holdout.rows": rows, "holdout.reads": reads,
		"project.name": p.Name, "project.risk": string(sp.Risk),
	}
	for _, v := range r.versions() {
		if err := s.evaluate(ctx, p, r, v, f); err != nil {
			return nil, err
		}
	}
	pkg, err := s.from.Package(ctx, p, r.Model, r.Version)
	if err != nil {
		return nil, err
	}
	if pkg.Engine != "" {
		f["candidate.package.engine"] = pkg.Engine
	}
	if pkg.MaxRelative != nil {
		f["candidate.parity.max_relative"] = *pkg.MaxRelative
	}
	return f, nil
}

// evaluate adds a version's metrics to the facts, or why there are none. Names
// of the table win over metrics of the same name.
func (s *Service) evaluate(ctx context.Context, p fairlead.Project, r Request, v role, f Facts) error {
	metrics, err := s.from.Evaluate(ctx, p, EvaluateRequest{
		Model: r.Model, Version: v.n, SpecRev: r.SpecRev, Commit: r.Commit, Holdout: r.Holdout})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("evaluate version %d: %w", v.n, context.Cause(ctx))
	case fairlead.Is(err, fairlead.Invalid) || fairlead.Is(err, fairlead.Precondition):
		s.log.Warn("version cannot be evaluated", "model", r.Model, "version", v.n, "err", err)
		f[v.root+".error"] = fairlead.MessageOf(err)
	case err != nil:
		return fmt.Errorf("evaluate version %d: %w", v.n, err)
	}
	for name, value := range metrics {
		if name = v.root + "." + name; !documentedExactly(name) {
			f[name] = value
		}
	}
	f[v.root+".version"] = v.n
	return nil
}
