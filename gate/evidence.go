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
	"github.com/fairlead-ml/fairlead/store"
)

// Kinds of evidence.
const (
	KindEvaluation = "evaluation" // candidate and live on the holdout: what Decide reads
	KindPaired     = "paired"     // candidate and live on the same requests, cumulated
)

// Evidence is a snapshot of facts about a subject. It never changes.
type Evidence struct {
	ID      string    `json:"id"`
	Subject string    `json:"subject"` // "model/flights/7" or "flights@production"
	Kind    string    `json:"kind"`    // evaluation | paired
	Facts   Facts     `json:"facts"`
	Digest  string    `json:"digest"`            // SHA-256 of the facts' canonical JSON, hex
	Rollout string    `json:"rollout,omitempty"` // that the facts are for
	From    time.Time `json:"from,omitzero"`     // stream time that the facts cover
	To      time.Time `json:"to,omitzero"`
	Source  string    `json:"source,omitempty"` // who found the facts
	Created time.Time `json:"created"`          // wall time
}

// PutEvidence stores facts and announces them with evidence.recorded, at the
// stream time e.To. It sets the id, the digest and the time of creation.
func (s *Service) PutEvidence(ctx context.Context, tx *store.Tx, p fairlead.Project,
	e Evidence) (id string, err error) {
	if e.Subject == "" || e.Kind == "" {
		return "", fairlead.Errorf(fairlead.Invalid, "evidence needs a subject and a kind")
	}
	if e.Facts, err = NewFacts(e.Facts); err != nil {
		return "", err
	}
	text, err := json.Marshal(e.Facts)
	if err != nil {
		return "", fmt.Errorf("put evidence: %w", err)
	}
	now := s.Clock.Now()
	e.ID, e.Digest, e.Created = fairlead.NewID("evd", now), digest(text), now
	if err := insertEvidence(tx, p, e, string(text)); err != nil {
		return "", fmt.Errorf("put evidence: %w", err)
	}
	_, err = s.Ledger.Append(ctx, tx, p, e.Subject, e.To, event.EvidenceRecorded{
		Evidence: e.ID, Kind: e.Kind, Digest: e.Digest, Rollout: e.Rollout})
	return e.ID, err
}

// Evidence returns stored evidence; NotFound for an id of another project.
func (s *Service) Evidence(tx *store.Tx, p fairlead.Project, id string) (*Evidence, error) {
	e, err := readEvidence(tx, p, id)
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no evidence %s", id)
	}
	return e, err
}

// maxOfRollout is how much evidence OfRollout returns: years of days.
const maxOfRollout = 1_000

// OfRollout returns what was recorded for a rollout, the newest maxOfRollout, in order.
func (s *Service) OfRollout(tx *store.Tx, p fairlead.Project, rollout string) ([]*Evidence, error) {
	out, err := readOfRollout(tx, p, rollout, maxOfRollout)
	slices.Reverse(out)
	return out, err
}
