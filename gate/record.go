package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// Record is a stored decision together with what it was made from.
type Record struct {
	ID             string    `json:"id"`
	Case           string    `json:"case,omitempty"`
	Model          string    `json:"model"`
	Version        int64     `json:"version"`
	Baseline       int64     `json:"baseline,omitempty"` // the live version then; 0: none
	SpecRev        int64     `json:"spec_revision"`      // of the file that held the policy
	Commit         string    `json:"commit,omitempty"`   // whose `evaluate` was run
	Policy         string    `json:"policy"`             // its text, as ReadPolicy reads it
	PolicyDigest   string    `json:"policy_digest"`      // SHA-256, hex
	Evidence       string    `json:"evidence"`           // its id
	EvidenceDigest string    `json:"evidence_digest"`
	At             time.Time `json:"at"`      // stream time of the model's endpoint
	Created        time.Time `json:"created"` // wall time
	Decision
}

// store stores a decision on evidence, and announces it with gate.decided.
func (s *Service) store(ctx context.Context, tx *store.Tx, p fairlead.Project, r *Record) error {
	body, err := json.Marshal(r.Decision)
	if err != nil {
		return fmt.Errorf("store decision: %w", err)
	}
	r.Created = s.Clock.Now()
	r.ID = fairlead.NewID("dec", r.Created)
	if err := insertDecision(tx, p, r, string(body)); err != nil {
		return fmt.Errorf("store decision: %w", err)
	}
	_, err = s.Ledger.Append(ctx, tx, p, registry.Subject(r.Model, r.Version), r.At, event.GateDecided{
		Decision: r.ID, Model: r.Model, Version: r.Version, Baseline: r.Baseline, Result: r.Result,
		Failed: r.Red(), Case: r.Case, Evidence: r.EvidenceDigest})
	return err
}

// Decision returns a stored decision; NotFound for an id of another project.
func (s *Service) Decision(ctx context.Context, p fairlead.Project, id string) (r *Record,
	err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		r, err = readDecision(tx, p, id)
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no decision %s", id)
	}
	return r, err
}

// Latest returns the newest decision about a model version; NotFound when no
// gate has judged it.
func (s *Service) Latest(ctx context.Context, p fairlead.Project, model string,
	version int64) (r *Record, err error) {
	var id string
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		id, err = latestDecision(tx, p, model, version)
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "no gate has judged %s yet",
			registry.Subject(model, version))
	}
	if err != nil {
		return nil, err
	}
	return s.Decision(ctx, p, id)
}

// Replay computes a stored decision again, from its policy and its evidence as
// they were stored, and returns both. Conflict when either was changed since.
func (s *Service) Replay(ctx context.Context, p fairlead.Project, id string) (
	stored *Record, again Decision, err error) {
	if stored, err = s.Decision(ctx, p, id); err != nil {
		return nil, again, err
	}
	var e *Evidence
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		e, err = s.Evidence(tx, p, stored.Evidence)
		return err
	})
	if err != nil {
		return nil, again, err
	}
	if got, err := e.Facts.Digest(); err != nil || got != stored.EvidenceDigest {
		return nil, again, fairlead.Errorf(fairlead.Conflict,
			"the evidence of decision %s has digest %s, it was made on %s", id, got, stored.EvidenceDigest)
	}
	policy, err := ReadPolicy(stored.Policy)
	if err != nil {
		return nil, again, err
	}
	if got := policy.Digest(); got != stored.PolicyDigest {
		return nil, again, fairlead.Errorf(fairlead.Conflict,
			"the policy of decision %s has digest %s, it was made by %s", id, got, stored.PolicyDigest)
	}
	return stored, Decide(policy, e.Facts), nil
}
