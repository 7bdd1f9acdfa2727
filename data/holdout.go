package data

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Holdout says what is kept from the pipeline: the newest part, by time.
type Holdout struct {
	TimeColumn map[string]string // dataset → its column with the time of a row
	Last       time.Duration     // back from the newest row of all datasets
	At         time.Time         // stream time of the events; zero: now
}

// Split holds the newest rows back. The cutoff is the newest time over all
// versions minus Last. Rows after it, of all versions, united by column name in
// the given order, become the next version of HoldoutDataset. What is left of each
// version becomes a version of its dataset with source "split"; a version without
// rows after the cutoff stays as it is. Refs come back in the given order. Splitting
// the same versions again gives the same refs.
//
// Invalid when a version lacks its time column or when nothing would be left to
// train on; Precondition when there are no rows at all.
func (s *Service) Split(ctx context.Context, p fairlead.Project, refs []Ref,
	h Holdout) (rest []Ref, holdout Ref, err error) {
	if h.Last <= 0 {
		return nil, Ref{}, fairlead.Errorf(fairlead.Invalid, "`holdout.last` must be longer than nothing")
	}
	parts, err := s.splitParts(ctx, p, refs, h)
	if err != nil {
		return nil, Ref{}, err
	}
	cutoff, err := cutoffOf(parts, h.Last)
	if err != nil {
		return nil, Ref{}, err
	}
	holdout, err = s.take(ctx, p, parts, cutoff, h)
	if err != nil {
		return nil, Ref{}, fmt.Errorf("take the holdout: %w", err)
	}
	for _, part := range parts {
		ref, err := s.leave(ctx, p, part, cutoff, h)
		if err != nil {
			return nil, Ref{}, fmt.Errorf("split %s: %w", part.version.Ref(), err)
		}
		rest = append(rest, ref)
	}
	return rest, holdout, nil
}

// part is one version that Split divides.
type part struct {
	version  *Version
	path     string
	time     string
	from, to time.Time // zero without rows
}

func (s *Service) splitParts(ctx context.Context, p fairlead.Project, refs []Ref,
	h Holdout) ([]*part, error) {
	var parts []*part
	for _, ref := range refs {
		v, err := s.Get(ctx, p, ref)
		if err != nil {
			return nil, err
		}
		pt := &part{version: v, time: or(h.TimeColumn[ref.Dataset], v.Time)}
		if err := pt.check(); err != nil {
			return nil, err
		}
		if pt.path, err = s.Path(ctx, p, ref); err != nil {
			return nil, err
		}
		if pt.from, pt.to, err = s.span(ctx, pt.path, pt.time); err != nil {
			return nil, err
		}
		parts = append(parts, pt)
	}
	return parts, nil
}

func (pt *part) check() error {
	v := pt.version
	if pt.time == "" {
		return fairlead.Errorf(fairlead.Invalid,
			"a holdout by time needs `time`, the column with the time of a row, in the data %q", v.Dataset)
	}
	c := v.Column(pt.time)
	if c == nil {
		names := make([]string, len(v.Columns))
		for i, c := range v.Columns {
			names[i] = c.Name
		}
		return missingColumn("dataset "+v.Dataset, "time", pt.time, names)
	}
	if c.Type != Datetime {
		return fairlead.Errorf(fairlead.Invalid,
			"column %q of dataset %s is of type %s and should be %s", c.Name, v.Dataset, c.Type,
			howTo[Datetime])
	}
	return nil
}

func cutoffOf(parts []*part, last time.Duration) (time.Time, error) {
	var oldest, newest time.Time
	for _, pt := range parts {
		if pt.to.IsZero() {
			continue
		}
		if pt.to.After(newest) {
			newest = pt.to
		}
		if oldest.IsZero() || pt.from.Before(oldest) {
			oldest = pt.from
		}
	}
	if newest.IsZero() {
		return time.Time{}, fairlead.Errorf(fairlead.Precondition,
			"there are no rows to hold back; the data is empty")
	}
	cutoff := newest.Add(-last)
	if oldest.After(cutoff) {
		return time.Time{}, fairlead.Errorf(fairlead.Invalid,
			"`holdout.last` takes all rows, which go from %s to %s; make it shorter, or bring older data",
			oldest.Format(time.DateTime), newest.Format(time.DateTime))
	}
	return cutoff, nil
}

// take publishes the rows after the cutoff as one version.
func (s *Service) take(ctx context.Context, p fairlead.Project, parts []*part,
	cutoff time.Time, h Holdout) (Ref, error) {
	d := &draft{dataset: HoldoutDataset, source: SourceHoldout, at: h.At}
	defer s.discard(d)
	var giving []*part
	for _, pt := range parts {
		d.parents = append(d.parents, pt.version.Ref())
		if !pt.to.After(cutoff) {
			continue
		}
		giving = append(giving, pt)
		if d.to.IsZero() || pt.to.After(d.to) {
			d.to = pt.to
		}
		d.time = or(d.time, pt.time)
		if err := d.unite(pt.version); err != nil {
			return Ref{}, err
		}
	}
	selects := make([]string, len(giving))
	for i, pt := range giving {
		selects[i] = fmt.Sprintf("select %s from %s where %s > %s", d.columnsFrom(pt.version),
			fromParquet(pt.path), ident(pt.time), timeLiteral(cutoff))
	}
	d.from = cutoff
	if err := s.write(ctx, d, strings.Join(selects, " union all "), nil); err != nil {
		return Ref{}, err
	}
	v, err := s.publish(ctx, p, d)
	if err != nil {
		return Ref{}, err
	}
	return v.Ref(), nil
}

// unite adds the columns of v to the draft's.
func (d *draft) unite(v *Version) error {
	for _, c := range v.Columns {
		i := slices.IndexFunc(d.columns, func(o Column) bool {
			return strings.EqualFold(o.Name, c.Name)
		})
		if i < 0 {
			d.columns = append(d.columns, Column{Name: c.Name, Type: c.Type})
			continue
		}
		if d.columns[i].Name != c.Name {
			return fairlead.Errorf(fairlead.Invalid,
				"column %q of %s differs from %q only in case; write both alike", c.Name, v.Dataset,
				d.columns[i].Name)
		}
		kind, err := common(d.columns[i], c, "dataset "+v.Dataset)
		if err != nil {
			return err
		}
		d.columns[i].Type = kind
	}
	return nil
}

// columnsFrom is the select list that gives v the draft's columns.
func (d *draft) columnsFrom(v *Version) string {
	out := make([]string, len(d.columns))
	for i, c := range d.columns {
		value := "null"
		if v.Column(c.Name) != nil {
			value = ident(c.Name)
		}
		out[i] = fmt.Sprintf("cast(%s as %s) as %s", value, sqlTypes[c.Type], ident(c.Name))
	}
	return strings.Join(out, ", ")
}

// leave publishes the rows up to the cutoff.
func (s *Service) leave(ctx context.Context, p fairlead.Project, pt *part,
	cutoff time.Time, h Holdout) (Ref, error) {
	v := pt.version
	if !pt.to.After(cutoff) {
		return v.Ref(), nil
	}
	d := &draft{
		dataset: v.Dataset, source: SourceSplit, time: pt.time, key: v.Key, label: v.Label,
		expect: v.Expect, commit: v.Commit,
		parents: []Ref{v.Ref()}, at: h.At, columns: slices.Clone(v.Columns),
	}
	defer s.discard(d)
	query := fmt.Sprintf("select * from %s where %s is null or %s <= %s", fromParquet(pt.path),
		ident(pt.time), ident(pt.time), timeLiteral(cutoff))
	if err := s.write(ctx, d, query, nil); err != nil {
		return Ref{}, err
	}
	left, err := s.publish(ctx, p, d)
	if err != nil {
		return Ref{}, err
	}
	return left.Ref(), nil
}

// Why a holdout is read.
const (
	ReadByGate      = "gate"      // `evaluate` judges a version on it
	ReadByReference = "reference" // the inputs of a version that names no data are counted on it
	ReadByPreview   = "preview"   // somebody looks at its rows, for previewTime
	ReadByQuery     = "query"     // somebody's SQL names it
)

// HoldoutRead is one use of a holdout. Each makes the next a little less honest,
// so they are counted.
type HoldoutRead struct {
	Model   string    `json:"model,omitempty"`   // that is judged, if one is
	Version int64     `json:"version,omitempty"` // of the model
	Purpose string    `json:"purpose"`           // gate | reference | preview | query
	Reader  string    `json:"reader,omitempty"`  // the job that reads, if it is one
	Reason  string    `json:"reason,omitempty"`  // why somebody looks at it, in their words
	Actor   string    `json:"actor"`
	At      time.Time `json:"at"` // wall time
}

// RecordHoldoutRead notes that a holdout is about to be read. It is called before the
// read, so that none is left out when what reads fails or dies. It fills in actor and
// time.
func (s *Service) RecordHoldoutRead(ctx context.Context, p fairlead.Project, ref Ref,
	read HoldoutRead) error {
	read.Actor, read.At = fairlead.ActorFrom(ctx).String(), s.clock.Now()
	err := s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		k, err := versionKey(tx, p, ref)
		if err != nil {
			return lookup(err, "dataset version "+ref.String())
		}
		if err := insertRead(tx, k, read); err != nil {
			return err
		}
		_, err = s.ledger.Append(ctx, tx, p, "dataset/"+ref.String(), time.Time{},
			event.HoldoutRead{Dataset: ref.Dataset, Version: ref.N, Model: read.Model,
				ModelVersion: read.Version, Purpose: read.Purpose, Reader: read.Reader,
				Reason: read.Reason})
		return err
	})
	if err != nil {
		return fmt.Errorf("record holdout read: %w", err)
	}
	return nil
}

// HoldoutReads returns the reads of a holdout, oldest first.
func (s *Service) HoldoutReads(ctx context.Context, p fairlead.Project,
	ref Ref) (out []HoldoutRead, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		k, err := versionKey(tx, p, ref)
		if err != nil {
			return err
		}
		out, err = listReads(tx, k)
		return err
	})
	return out, lookup(err, "dataset version "+ref.String())
}
