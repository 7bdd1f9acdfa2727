package registry

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Aliases with a meaning of their own.
const (
	LiveAlias      = "live"      // what production serves; moved by releases alone
	CandidateAlias = "candidate" // asks for packaging, gate and release
	latestAlias    = "latest"    // the highest version; it cannot be moved
)

// SetAlias points an alias at a version. Setting it where it already is changes
// nothing. The alias `live` is Denied.
func (s *Service) SetAlias(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model, alias string, n int64) error {
	if err := validateClientAlias(alias); err != nil {
		return err
	}
	v, err := usable(tx, p, model, n)
	if err != nil {
		return err
	}
	return s.moveAlias(ctx, tx, p, &Model{Name: model, k: v.modelK}, alias, n)
}

// DeleteAlias removes an alias; one that is not there is fine. The alias `live`
// is Denied.
func (s *Service) DeleteAlias(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model, alias string) error {
	if err := validateClientAlias(alias); err != nil {
		return err
	}
	m, err := modelByName(tx, p, model)
	if err != nil {
		return err
	}
	return s.moveAlias(ctx, tx, p, m, alias, 0)
}

func validateClientAlias(alias string) error {
	if alias == LiveAlias {
		return fairlead.Errorf(fairlead.Denied, "the alias 'live' is moved by releases alone; "+
			"give the version the alias 'candidate', and it goes through packaging, gate and release")
	}
	return validateAlias(alias)
}

// SetLive points the alias `live` at a version, 0 for none. Only releases call it.
func (s *Service) SetLive(ctx context.Context, tx *store.Tx, p fairlead.Project, model string,
	n int64) error {
	m, err := modelByName(tx, p, model)
	if err != nil {
		return err
	}
	if n != 0 {
		if _, err := usable(tx, p, model, n); err != nil {
			return err
		}
	}
	return s.moveAlias(ctx, tx, p, m, LiveAlias, n)
}

// moveAlias changes what an alias points at, with its revision, history and event.
func (s *Service) moveAlias(ctx context.Context, tx *store.Tx, p fairlead.Project, m *Model,
	alias string, to int64) error {
	from, rev, err := readAlias(tx, m.k, alias)
	if err != nil || from == to {
		return err
	}
	id, err := s.emit(ctx, tx, p, modelSubject(m.Name),
		event.AliasMoved{Model: m.Name, Alias: alias, From: from, To: to})
	if err != nil {
		return err
	}
	if err := writeAlias(tx, m.k, alias, to, rev+1); err != nil {
		return err
	}
	move := AliasMove{Alias: alias, Rev: rev + 1, From: from, To: to, Event: id,
		Actor: fairlead.ActorFrom(ctx).String(), AtMS: s.nowMS()}
	if err := insertAliasMove(tx, m.k, move); err != nil {
		return err
	}
	if alias == LiveAlias {
		for _, n := range []int64{from, to} {
			if err := s.protectNumber(tx, p, m.Name, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// endAliases ends the history of a model's aliases with the event by which it is deleted.
func (s *Service) endAliases(ctx context.Context, tx *store.Tx, m *Model, eventID string) error {
	if err := loadModelAliases(tx, []*Model{m}); err != nil {
		return err
	}
	for alias, from := range m.Aliases {
		_, rev, err := readAlias(tx, m.k, alias)
		if err != nil {
			return err
		}
		err = insertAliasMove(tx, m.k, AliasMove{Alias: alias, Rev: rev + 1, From: from, Event: eventID,
			Actor: fairlead.ActorFrom(ctx).String(), AtMS: s.nowMS()})
		if err != nil {
			return err
		}
	}
	return nil
}

// protectNumber is protect for a version by its number, 0 for none.
func (s *Service) protectNumber(tx *store.Tx, p fairlead.Project, model string, n int64) error {
	if n == 0 {
		return nil
	}
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return err
	}
	return s.protect(tx, p, v)
}

// dropAliases removes the aliases of a version that is deleted.
func (s *Service) dropAliases(ctx context.Context, tx *store.Tx, p fairlead.Project,
	v *Version) error {
	if err := loadVersions(tx, []*Version{v}); err != nil {
		return err
	}
	for _, alias := range v.Aliases {
		if err := s.moveAlias(ctx, tx, p, &Model{Name: v.Model, k: v.modelK}, alias, 0); err != nil {
			return err
		}
	}
	return nil
}

// Alias returns the version that the alias points at, 0 for none. `latest`, in any
// case, is the highest version.
func (s *Service) Alias(tx *store.Tx, p fairlead.Project, model, alias string) (int64, error) {
	if strings.EqualFold(alias, latestAlias) {
		return s.highest(tx, p, model)
	}
	n, _, err := s.AliasRevision(tx, p, model, alias)
	return n, err
}

func (s *Service) highest(tx *store.Tx, p fairlead.Project, model string) (int64, error) {
	m, err := modelByName(tx, p, model)
	if err != nil {
		return 0, err
	}
	return highestVersion(tx, m.k)
}

// AliasRevision returns the version that the alias points at, 0 for none, and how
// often it has been moved, which If-Match compares.
func (s *Service) AliasRevision(tx *store.Tx, p fairlead.Project, model, alias string) (n,
	rev int64, err error) {
	m, err := modelByName(tx, p, model)
	if err != nil {
		return 0, 0, err
	}
	return readAlias(tx, m.k, alias)
}

// AliasMove is one move of an alias. From and To are 0 for none.
type AliasMove struct {
	Alias string `json:"alias"`
	Rev   int64  `json:"rev"`
	From  int64  `json:"from"`
	To    int64  `json:"to"`
	Event string `json:"event"` // id in the ledger
	Actor string `json:"actor"`
	AtMS  int64  `json:"at_ms"`
}

// AliasMoves returns the history of an alias of a name, the oldest move first: of all
// models that have had the name, up to when each lost it. A model that was deleted ends with a
// move to 0. NotFound when no model has had the name.
func (s *Service) AliasMoves(tx *store.Tx, p fairlead.Project, model, alias string) ([]AliasMove,
	error) {
	moves, err := aliasMoves(tx, p, model, alias)
	if err != nil || len(moves) > 0 {
		return moves, err
	}
	return nil, everNamed(tx, p, model)
}

// moveKey is where a move stands among all of a name.
type moveKey struct {
	AtMS  int64  `json:"at"`
	Event string `json:"e"`
	Alias string `json:"a"`
}

// Moves returns a page of the moves of all aliases of a name up to a point of wall time
// (the zero time: now), the newest first. NotFound when no model has had the name.
func (s *Service) Moves(tx *store.Tx, p fairlead.Project, model string, asOf time.Time,
	token string, limit int) (page fairlead.Page[AliasMove], err error) {
	if err := everNamed(tx, p, model); err != nil {
		return page, err
	}
	until := int64(math.MaxInt64)
	if !asOf.IsZero() {
		until = fairlead.MS(asOf)
	}
	bound := fmt.Sprint("moves", p.K, model, until)
	var before *moveKey
	if err := fairlead.DecodeCursor(token, bound, &before); err != nil {
		return page, err
	}
	page.Items, err = movesBefore(tx, p, model, until, before, limit+1)
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		last := page.Items[limit-1]
		page.Next = fairlead.EncodeCursor(bound, moveKey{last.AtMS, last.Event, last.Alias})
	}
	return page, err
}
