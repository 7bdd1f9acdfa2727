package tracking

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Bulk is what a change of many runs came to. Each run changes by itself: when the server
// ends in the middle, some have changed and some have not, and it can be sent again.
type Bulk struct {
	Changed []string    `json:"changed" doc:"ids"`
	Failed  []Unchanged `json:"failed" doc:"runs that were left as they are, and why"`
}

// Unchanged is a run that a change of many could not change.
type Unchanged struct {
	Run    string        `json:"run"`
	Code   fairlead.Code `json:"code"`
	Reason string        `json:"reason"`
}

// MaxBulk is the most runs that are changed at once.
const MaxBulk = 1000

// bulkChunk bounds the runs of one transaction, so that other writers wait briefly.
const bulkChunk = 50

// DeleteRuns moves runs to the trash; those that are there already are fine.
func (s *Service) DeleteRuns(ctx context.Context, p fairlead.Project, ids []string) (*Bulk, error) {
	return s.bulk(ctx, ids, s.db.Free, func(tx *store.Tx, id string) error {
		return s.deleteRun(ctx, tx, p, id)
	})
}

// RestoreRuns undoes DeleteRuns; active runs stay as they are.
func (s *Service) RestoreRuns(ctx context.Context, p fairlead.Project, ids []string) (*Bulk,
	error) {
	return s.bulk(ctx, ids, s.db.Write, func(tx *store.Tx, id string) error {
		return s.restoreRun(ctx, tx, p, id)
	})
}

// TagRuns sets tags of active runs, and removes others, which they need not have.
func (s *Service) TagRuns(ctx context.Context, p fairlead.Project, ids []string, set []Tag,
	remove []string) (*Bulk, error) {
	b, err := Batch{Tags: set}.check()
	if err != nil {
		return nil, err
	}
	for _, t := range set {
		if slices.Contains(remove, t.Key) {
			return nil, fairlead.Errorf(fairlead.Invalid, "the tag %s is to be set and removed", t.Key)
		}
	}
	return s.bulk(ctx, ids, s.db.Write, func(tx *store.Tx, id string) error {
		r, err := activeRun(tx, p, id)
		if err != nil {
			return err
		}
		if err := s.writeTags(s.keyring(tx), r, b.Tags); err != nil {
			return err
		}
		for _, key := range remove {
			if _, err := removeTag(tx, r.k, key); err != nil {
				return err
			}
		}
		return nil
	})
}

// bulk changes runs, few in each transaction. What is wrong with a run is reported, and
// everything else ends it.
func (s *Service) bulk(ctx context.Context, ids []string,
	write func(context.Context, store.Lane, func(*store.Tx) error) error,
	change func(tx *store.Tx, id string) error) (*Bulk, error) {
	if len(ids) < 1 || len(ids) > MaxBulk {
		return nil, ErrValue("runs", len(ids), fmt.Sprintf("It names 1 to %d runs", MaxBulk))
	}
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	out := &Bulk{Changed: []string{}, Failed: []Unchanged{}}
	for part := range slices.Chunk(ids, bulkChunk) {
		var changed []string
		var failed []Unchanged
		err := write(ctx, store.Client, func(tx *store.Tx) error {
			changed, failed = nil, nil
			for _, id := range part {
				err := change(tx, id)
				switch code := fairlead.CodeOf(err); code {
				case "":
					changed = append(changed, id)
				case fairlead.NotFound, fairlead.Invalid:
					failed = append(failed, Unchanged{id, code, fairlead.MessageOf(err)})
				default:
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out.Changed, out.Failed = append(out.Changed, changed...), append(out.Failed, failed...)
	}
	return out, nil
}
