package data

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// draft is a version whose file is written and not yet published.
type draft struct {
	dataset  string
	source   string
	time     string // column with the time of a row, may be empty
	key      string // column that identifies a row, may be empty
	label    string // column with the truth, may be empty
	expect   []spec.Expectation
	commit   string
	parents  []Ref
	at       time.Time
	columns  []Column
	path     string    // the canonical file
	from, to time.Time // when zero, those of the time column
}

func (s *Service) discard(d *draft) {
	if d.path != "" {
		os.Remove(d.path)
	}
}

// publish profiles and stores the draft's file and makes it the dataset's next
// version, or returns the version that has the same content already.
func (s *Service) publish(ctx context.Context, p fairlead.Project, d *draft) (*Version, error) {
	rows, profile, err := s.profile(ctx, d.path, d.columns)
	if err != nil {
		return nil, err
	}
	v := &Version{
		Dataset: d.dataset, Rows: rows, Columns: d.columns, Profile: profile, Source: d.source,
		Time: d.time, Key: d.key, Label: d.label, Expect: d.expect, Parents: d.parents, Commit: d.commit, FromAt: d.from, ToAt: d.to,
	}
	for i, cp := range profile {
		v.Columns[i].Nulls = cp.Nulls
		if cp.Name == d.time && cp.Times != nil && d.to.IsZero() {
			v.FromAt, v.ToAt = cp.Times.Min, cp.Times.Max
		}
	}
	obj, err := s.blobs.PutFile(ctx, d.path)
	if err != nil {
		return nil, fmt.Errorf("store dataset %s: %w", d.dataset, err)
	}
	v.Digest, v.Bytes = obj.Digest, obj.Bytes
	return s.insert(ctx, p, d, v, obj)
}

func (s *Service) insert(ctx context.Context, p fairlead.Project, d *draft, v *Version,
	obj blob.Object) (out *Version, err error) {
	now := s.clock.Now()
	v.CreatedAt = fairlead.FromMS(fairlead.MS(now))
	err = s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		n, err := sameContent(tx, p, v)
		if err == nil {
			out, err = readVersion(tx, p, Ref{v.Dataset, n})
			return err
		}
		if !errors.Is(err, store.ErrNoRows) {
			return err
		}
		if v.N, err = insertVersion(tx, p, v); err != nil {
			return err
		}
		out = v
		if err := s.blobs.Link(tx, p, owner(v.Ref()), content, obj); err != nil {
			return err
		}
		_, err = s.ledger.Append(ctx, tx, p, "dataset/"+v.Ref().String(), d.at,
			event.DatasetVersionCreated{Dataset: v.Dataset, N: v.N, Digest: v.Digest, Rows: v.Rows,
				Source: v.Source})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("publish dataset %s: %w", v.Dataset, err)
	}
	return out, nil
}
