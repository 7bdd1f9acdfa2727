package gate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Request asks for a decision about a version.
type Request struct {
	Case     string   `json:"case,omitempty"`
	Model    string   `json:"model"`
	Version  int64    `json:"version"`
	Baseline int64    `json:"baseline,omitempty"` // the live version; 0: none
	SpecRev  int64    `json:"spec_revision"`      // of the file whose gates decide
	Commit   string   `json:"commit,omitempty"`   // whose `evaluate` is run, for both versions
	Holdout  data.Ref `json:"holdout"`            // zero: there is none
}

func (r Request) subject() string { return registry.Subject(r.Model, r.Version) }

// Request asks for a decision in the caller's transaction; a job makes it, and
// gate.decided tells. The same request within a case is made once.
func (s *Service) Request(_ context.Context, tx *store.Tx, p fairlead.Project, r Request) error {
	t := job.Task{Project: p, Kind: JobKind, Payload: r}
	if r.Case != "" {
		t.Key = fmt.Sprintf("%s/%s/%d", r.Case, r.subject(), r.Baseline)
	}
	if _, _, err := s.Jobs.Enqueue(tx, t); err != nil {
		return fmt.Errorf("request gate for %s: %w", r.subject(), err)
	}
	return nil
}

// handle runs a gate as a job. What its evaluations have left is kept only for
// the run that goes on with them.
func (s *Service) handle(ctx context.Context, run *job.Run) error {
	var r Request
	if err := run.Job.Decode(&r); err != nil {
		return job.Permanent(err)
	}
	_, err := s.run(ctx, run.Job.Project, r, run.Job.ID, func(fn func(tx *store.Tx) error) error {
		return run.Commit(ctx, store.Control, fn)
	})
	cause := context.Cause(ctx)
	if errors.Is(cause, job.ErrStopping) || errors.Is(cause, job.ErrFenced) {
		return err
	}
	return errors.Join(err, os.RemoveAll(s.workDir(run.Job.ID)))
}

// workDir is where the evaluations of one gate work.
func (s *Service) workDir(id string) string { return filepath.Join(s.dir, id) }

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
	at, err := s.now(tx, j.Project, r)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, j.Project, r.subject(), at, event.GateDecided{
		Model: r.Model, Version: r.Version, Baseline: r.Baseline, Result: Undecided, Case: r.Case,
		Reason: fmt.Sprintf("the gate could not be run (job %s %s): %s", j.ID, j.State, j.Error)})
	return err
}

// RunGate evaluates candidate and live on the holdout, decides, and stores the
// evidence and the decision in one transaction. Each read of the holdout is on
// record before it happens.
func (s *Service) RunGate(ctx context.Context, p fairlead.Project, r Request) (*Record, error) {
	id := fairlead.NewID("gate", s.Clock.Now())
	defer os.RemoveAll(s.workDir(id))
	return s.run(ctx, p, r, id, func(fn func(tx *store.Tx) error) error {
		return s.DB.Write(ctx, store.Control, fn)
	})
}

// run is RunGate with an id and a commit that may be a job's: run again after a
// crash it goes on with the evaluations of that id, and still commits once.
func (s *Service) run(ctx context.Context, p fairlead.Project, r Request, id string,
	commit func(func(tx *store.Tx) error) error) (*Record, error) {
	g, err := s.prepare(ctx, p, r, id)
	if err == nil {
		err = g.gather(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("gate %s: %w", r.subject(), err)
	}
	out := &Record{Case: r.Case, Model: r.Model, Version: r.Version, Baseline: r.Baseline,
		SpecRev: r.SpecRev, Commit: r.Commit, Policy: g.policy.Text(),
		PolicyDigest: g.policy.Digest(), At: g.at, Decision: Decide(g.policy, g.facts)}
	err = commit(func(tx *store.Tx) error { return g.commit(ctx, tx, out) })
	return out, err
}

func (s *Service) prepare(ctx context.Context, p fairlead.Project, r Request, id string) (*run,
	error) {
	g := &run{Service: s, p: p, r: r, id: id, dir: s.workDir(id)}
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		rev, err := s.Projects.Revision(tx, p, r.SpecRev)
		if err != nil {
			return err
		}
		g.spec = rev.Spec
		g.at, err = s.now(tx, p, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	g.policy, err = Compile(g.spec.Gates)
	return g, err
}

// now returns the stream time of the model's last environment, wall time when
// there is none, in whole milliseconds.
func (s *Service) now(tx *store.Tx, p fairlead.Project, r Request) (at time.Time, err error) {
	at = s.Clock.Now()
	rev, err := s.Projects.Revision(tx, p, r.SpecRev)
	if err != nil {
		return at, err
	}
	if env, ok := rev.Spec.LastEnvironment(); ok {
		at, err = s.Stream.NowOrWall(tx, p, r.Model+"@"+env.Name)
	}
	return at.UTC().Truncate(time.Millisecond), err
}

// run is one gate on its way.
type run struct {
	*Service
	p      fairlead.Project
	r      Request
	id     string // the job's, if it is one
	dir    string
	spec   *spec.Spec
	policy *Policy
	at     time.Time
	facts  Facts
}

func (g *run) commit(ctx context.Context, tx *store.Tx, out *Record) (err error) {
	out.Evidence, err = g.PutEvidence(ctx, tx, g.p, Evidence{
		Subject: g.r.subject(), Kind: KindEvaluation, Facts: g.facts, To: g.at, Source: "gate"})
	if err != nil {
		return err
	}
	if out.EvidenceDigest, err = g.facts.Digest(); err != nil {
		return err
	}
	return g.store(ctx, tx, g.p, out)
}
