package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
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

	k int64
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
		Failed: r.Red(), Case: r.Case, Outcome: digest(body), Policy: r.PolicyDigest,
		Evidence: r.EvidenceDigest})
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

// Filter selects decisions about a model. Zero values select all.
type Filter struct {
	Model   string
	Version int64
	AsOf    time.Time // wall time: made by then
}

// Decisions returns a page of the decisions about a model, the newest first; at most 200.
func (s *Service) Decisions(ctx context.Context, p fairlead.Project, f Filter, token string,
	limit int) (page fairlead.Page[*Record], err error) {
	if limit <= 0 || limit > maxDecisions {
		limit = maxDecisions
	}
	bound, before := fmt.Sprint("decisions", p.K, f.Model, f.Version, fairlead.MS(f.AsOf)), int64(0)
	if err := fairlead.DecodeCursor(token, bound, &before); err != nil {
		return page, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		page.Items, err = readDecisions(tx, p, f, before, limit+1)
		return err
	})
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = fairlead.EncodeCursor(bound, page.Items[limit-1].k)
	}
	return page, err
}

// maxDecisions is the most decisions of one page: each has its policy and its checks.
const maxDecisions = 200

// Newest returns the newest decision about each of the models that has one, by model.
func (s *Service) Newest(tx *store.Tx, p fairlead.Project, models []string) (map[string]*Record,
	error) {
	out := map[string]*Record{}
	for part := range slices.Chunk(models, 200) {
		found, err := newestDecisions(tx, p, part)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			out[r.Model] = r
		}
	}
	return out, nil
}

// Replay computes a stored decision again, from its policy and its evidence as they
// are stored, and holds all three against the digests that the ledger has of them.
// Conflict when one is not what it was, or when something else comes out.
func (s *Service) Replay(ctx context.Context, p fairlead.Project, id string) error {
	stored, err := s.Decision(ctx, p, id)
	if err != nil {
		return err
	}
	told, err := s.told(ctx, p, stored)
	if err != nil {
		return err
	}
	if err := unchanged(id, "result", stored.Decision.Digest, told.Outcome); err != nil {
		return err
	}
	var e *Evidence
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		e, err = s.Evidence(tx, p, stored.Evidence)
		return err
	})
	if err != nil {
		return err
	}
	if err := unchanged(id, "evidence", e.Facts.Digest, told.Evidence); err != nil {
		return err
	}
	policy, err := ReadPolicy(stored.Policy)
	if err != nil {
		return err
	}
	if got := policy.Digest(); got != told.Policy {
		return changed(id, "policy", got, told.Policy)
	}
	return unchanged(id, "result, computed again,", Decide(policy, e.Facts).Digest, told.Outcome)
}

// told returns what the ledger has of a decision.
func (s *Service) told(ctx context.Context, p fairlead.Project, r *Record) (event.GateDecided,
	error) {
	f := ledger.Filter{ProjectK: p.K, Subject: registry.Subject(r.Model, r.Version),
		Types: []string{event.GateDecidedType}}
	for {
		records, err := s.Ledger.List(ctx, f)
		if err != nil {
			return event.GateDecided{}, err
		}
		for _, rec := range records {
			var e event.GateDecided
			if err := rec.Decode(&e); err != nil || e.Decision == r.ID {
				return e, err
			}
			f.After = rec.Seq
		}
		if len(records) == 0 {
			return event.GateDecided{}, fairlead.Errorf(fairlead.Conflict,
				"the ledger has no decision %s", r.ID)
		}
	}
}

// unchanged is Conflict unless a part of a decision has the digest that the ledger has.
func unchanged(id, part string, digest func() (string, error), want string) error {
	got, err := digest()
	if err != nil || got == want {
		return err
	}
	return changed(id, part, got, want)
}

func changed(id, part, got, want string) error {
	return fairlead.Errorf(fairlead.Conflict,
		"the %s of decision %s has the digest %s, and the ledger has %s", part, id, got, want)
}
