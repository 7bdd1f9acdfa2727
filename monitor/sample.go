package monitor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// The size of a reference: datasets are added, the newest first, until there are
// enough rows, and of more than the most only the newest count.
const (
	sampleEnough = 1_000
	sampleMost   = 50_000
)

// PredictionFeature is the feature that stands for the version's own answers.
const PredictionFeature = "prediction"

// sample is the data that a version was made from, as far as its inputs go.
type sample struct {
	datasets []data.Ref
	holdout  bool // the version names no data, this is the newest holdout
	times    []time.Time
	columns  []column // the inputs that the data has, and PredictionFeature
	note     string   // what could not be had, and why
}

// column is one input: numbers with NaN for missing, or texts.
type column struct {
	name    string
	text    bool
	floats  []float64
	strings []string
	missing []bool // of texts
}

func (s *sample) rows() int { return len(s.times) }

func (s *sample) column(name string) *column {
	i := slices.IndexFunc(s.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return &s.columns[i]
}

// sample reads the data behind a version and lets the version predict it, for job j.
func (s *Service) sample(ctx context.Context, j *job.Job, model string, version int64) (*sample,
	error) {
	p := j.Project
	m, err := s.Registry.Manifest(ctx, p, model, version)
	if err != nil {
		return nil, err
	}
	versions, holdout, err := s.behind(ctx, p, model, version, m.Signature)
	if err != nil {
		return nil, err
	}
	out := &sample{holdout: holdout}
	for _, v := range versions {
		if holdout {
			err := s.Data.RecordHoldoutRead(ctx, p, v.Ref(), data.HoldoutRead{Model: model,
				Version: version, Purpose: data.ReadByReference, Reader: j.ID})
			if err != nil {
				return nil, err
			}
		}
		if err := s.read(ctx, p, out, v, m.Signature); err != nil {
			return nil, fmt.Errorf("read %s: %w", v.Ref(), err)
		}
	}
	out.newest(sampleMost)
	if err := s.predict(ctx, j, out, model, version, m.Signature); err != nil {
		return nil, err
	}
	return out, nil
}

// behind returns the datasets to compare with, the oldest first: those of the
// version's lineage that have the most of its inputs, without the holdout, which
// was kept from the training. A version without lineage is compared with the newest
// holdout.
func (s *Service) behind(ctx context.Context, p fairlead.Project, model string, version int64,
	sig engine.Signature) (out []*data.Version, holdout bool, err error) {
	var refs []data.Ref
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		v, err := s.Registry.Version(tx, p, model, version)
		if err == nil {
			refs = v.ProducedBy.Datasets
		}
		return err
	})
	if err != nil {
		return nil, false, err
	}
	var all []*data.Version
	for _, ref := range refs {
		v, err := s.Data.Get(ctx, p, ref)
		if err != nil {
			return nil, false, err
		}
		if v.Rows > 0 && ref.Dataset != data.HoldoutDataset {
			all = append(all, v)
		}
	}
	if len(all) > 0 {
		return choose(all, sig), false, nil
	}
	v, err := s.Data.Latest(ctx, p, data.HoldoutDataset)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil, true, nil
	}
	return []*data.Version{v}, true, err
}

// choose keeps the datasets with the most inputs, from the newest on back until
// there are enough rows.
func choose(all []*data.Version, sig engine.Signature) []*data.Version {
	most := 0
	for _, v := range all {
		most = max(most, len(usable(v, sig)))
	}
	all = slices.DeleteFunc(all, func(v *data.Version) bool { return len(usable(v, sig)) < most })
	slices.SortStableFunc(all, func(a, b *data.Version) int { return b.ToAt.Compare(a.ToAt) })
	rows, n := int64(0), 0
	for n < len(all) && rows < sampleEnough {
		rows += all[n].Rows
		n++
	}
	out := slices.Clone(all[:n])
	slices.Reverse(out)
	return out
}

// usable lists the inputs that the data has. A time never repeats, so it always
// drifts, and is left out.
func usable(v *data.Version, sig engine.Signature) (out []string) {
	for _, f := range sig.Inputs {
		c := v.Column(f.Name)
		if c != nil && c.Type != data.Datetime && f.Kind != engine.Datetime {
			out = append(out, f.Name)
		}
	}
	return out
}

// read appends the rows of a dataset.
func (s *Service) read(ctx context.Context, p fairlead.Project, out *sample, v *data.Version,
	sig engine.Signature) error {
	names := usable(v, sig)
	if out.columns == nil {
		out.columns = make([]column, len(names))
		for i, name := range names {
			out.columns[i].name = name
		}
	}
	out.datasets = append(out.datasets, v.Ref())
	if len(names) == 0 {
		return nil
	}
	path, err := s.Data.Path(ctx, p, v.Ref())
	if err != nil {
		return err
	}
	if v.Time != "" {
		names = append(slices.Clone(names), v.Time)
	}
	table, err := s.Data.ReadLast(ctx, path, names, sampleMost)
	if err != nil {
		return err
	}
	out.append(table, v.Time)
	return nil
}

func (s *sample) append(t *data.Table, timeColumn string) {
	for i := range s.columns {
		if c := t.Column(s.columns[i].name); c != nil {
			s.columns[i].append(c)
		} else {
			s.columns[i].pad(s.rows() + t.Rows())
		}
	}
	at := make([]time.Time, t.Rows())
	if c := t.Column(timeColumn); timeColumn != "" && c != nil {
		copy(at, c.Times)
	}
	s.times = append(s.times, at...)
}

func (c *column) len() int { return max(len(c.floats), len(c.strings)) }

// append adds the values of a dataset's column. Numbers become text when another
// dataset has text in their place.
func (c *column) append(t *data.TableColumn) {
	if t.Type == data.String && !c.text {
		c.text = true
		for _, v := range c.floats {
			c.strings = append(c.strings, number(v))
			c.missing = append(c.missing, math.IsNaN(v))
		}
		c.floats = nil
	}
	for i := range t.Len() {
		switch {
		case c.text && t.Type == data.String:
			c.strings = append(c.strings, t.Strings[i])
			c.missing = append(c.missing, t.Missing(i))
		case c.text:
			c.strings = append(c.strings, number(t.Floats[i]))
			c.missing = append(c.missing, t.Missing(i))
		case t.Missing(i):
			c.floats = append(c.floats, math.NaN())
		default:
			c.floats = append(c.floats, t.Floats[i])
		}
	}
}

// pad fills up to n rows with missing values.
func (c *column) pad(n int) {
	for c.len() < n {
		if c.text {
			c.strings, c.missing = append(c.strings, ""), append(c.missing, true)
		} else {
			c.floats = append(c.floats, math.NaN())
		}
	}
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// newest keeps the last n rows.
func (s *sample) newest(n int) {
	cut := s.rows() - n
	if cut <= 0 {
		return
	}
	s.times = s.times[cut:]
	for i := range s.columns {
		c := &s.columns[i]
		if c.text {
			c.strings, c.missing = c.strings[cut:], c.missing[cut:]
		} else {
			c.floats = c.floats[cut:]
		}
	}
}

// predictRows is how many rows one call of the model gets.
const predictRows = 1_000

// predict adds the version's own answers as a column. A version that cannot answer
// its own data gets none, and the reason in the note: their drift is not watched. What
// may pass is left to the job's other attempts.
func (s *Service) predict(ctx context.Context, j *job.Job, sm *sample, model string,
	version int64, sig engine.Signature) error {
	if s.Load == nil || len(sm.columns) == 0 || sm.column(PredictionFeature) != nil {
		return nil
	}
	work := filepath.Join(s.Dir, "work", fairlead.NewID("reference", s.Clock.Now()))
	defer os.RemoveAll(work)
	owner := registry.PackageOwner(model, version)
	if err := s.Blobs.Materialize(ctx, j.Project, owner, "", work); err != nil {
		return fmt.Errorf("unpack %s version %d: %w", model, version, err)
	}
	predictor, _, err := s.Load(ctx, work)
	if err == nil {
		defer predictor.Close()
		var c *column
		if c, err = sm.answers(engine.Background(ctx), predictor, sig); c != nil {
			sm.columns = append(sm.columns, *c)
		}
	}
	if err == nil || ctx.Err() != nil || mayPass(err, j) {
		return err
	}
	sm.note = "its own predictions are not compared: " + fairlead.MessageOf(err)
	return nil
}

// mayPass reports whether another attempt at j may end better. A full disk is waited for
// (job.Transient); an engine that this machine lacks is not.
func mayPass(err error, j *job.Job) bool {
	switch fairlead.CodeOf(err) {
	case fairlead.Exhausted:
		return true
	case fairlead.Unavailable:
		return j.Attempt < j.MaxAttempts && !errors.Is(err, engine.ErrAbsent)
	}
	return false
}

// answers returns the model's first number for each row, as serving logs it.
func (s *sample) answers(ctx context.Context, m engine.Predictor, sig engine.Signature) (
	*column, error) {
	out := &column{name: PredictionFeature}
	for from := 0; from < s.rows(); from += predictRows {
		got, err := m.Predict(ctx, s.frame(from, min(from+predictRows, s.rows()), sig))
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(got.Columns, func(c engine.Column) bool { return c.Kind.Numeric() })
		if i < 0 {
			return nil, nil
		}
		for row := range got.Rows {
			v := math.NaN()
			if !got.Columns[i].Missing(row) {
				v = got.Columns[i].Floats[row]
			}
			out.floats = append(out.floats, v)
		}
	}
	return out, nil
}

// frame is the rows [from, to) as a request would bring them.
func (s *sample) frame(from, to int, sig engine.Signature) *engine.Frame {
	f := &engine.Frame{Rows: to - from}
	for _, c := range s.columns {
		col := engine.Column{Name: c.name, Kind: engine.Double}
		i := slices.IndexFunc(sig.Inputs, func(in engine.Field) bool { return in.Name == c.name })
		if c.text {
			col.Kind, col.Strings = engine.String, c.strings[from:to]
			for _, missing := range c.missing[from:to] {
				col.Valid = append(col.Valid, !missing)
			}
		} else {
			col.Floats = c.floats[from:to]
			if sig.Inputs[i].Kind == engine.Boolean {
				col.Kind = engine.Boolean
			}
		}
		f.Columns = append(f.Columns, col)
	}
	return f
}
