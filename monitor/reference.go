package monitor

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

// The resolution of a reference: quantile bins of a number, categories of a text.
const (
	referenceBins       = 10
	referenceCategories = 20
	driftAlpha          = 0.01 // chance of a red feature without drift, per window
)

// Reference is what a version knew when it was made: the distribution of each
// input, and, once the gate has judged it, its metrics on the holdout.
type Reference struct {
	Dataset  data.Ref           `json:"dataset"`
	Rows     int                `json:"rows"`
	Features []Feature          `json:"features"`
	Metrics  map[string]float64 `json:"-"`
}

// Feature is the distribution of one input; exactly one form is set.
type Feature struct {
	Name       string           `json:"name"`
	Histogram  *stat.Histogram  `json:"histogram,omitempty"`
	Categories *stat.Categories `json:"categories,omitempty"`
}

type referencePayload struct {
	Model   string `json:"model"`
	Version int64  `json:"version"`
}

// versionPackaged asks for the reference of a version whose signature is known.
func (s *Service) versionPackaged(tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var e event.ModelVersionCondition
	if err := r.Decode(&e); err != nil || e.Condition != registry.ConditionPackaged || e.Status != string(registry.True) {
		return err
	}
	_, _, err := s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: referenceJob, Key: fmt.Sprintf("%s/%d", e.Model, e.Version),
		Payload: referencePayload{e.Model, e.Version}})
	return err
}

// buildReference counts the inputs of the version on the data it was made from,
// and sets the condition `reference`.
func (s *Service) buildReference(ctx context.Context, r *job.Run) error {
	var in referencePayload
	if err := r.Job.Decode(&in); err != nil {
		return err
	}
	p := r.Job.Project
	sig, err := s.signature(ctx, p, in)
	if err != nil {
		return err
	}
	ref, err := s.count(ctx, p, in, sig)
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		if err := saveReference(tx, p, in.Model, in.Version, ref); err != nil {
			return err
		}
		return s.Registry.SetCondition(ctx, tx, p, in.Model, in.Version, registry.Condition{
			Type: registry.ConditionReference, Status: registry.True,
			Reason: fmt.Sprintf("%d inputs on %d rows of %s version %d", len(ref.Features), ref.Rows, ref.Dataset.Dataset, ref.Dataset.N),
		})
	})
}

// referenceDone makes a failure visible where a release waits for it.
func (s *Service) referenceDone(ctx context.Context, tx *store.Tx, j *job.Job) error {
	if j.State == job.Done {
		return nil
	}
	var in referencePayload
	if err := j.Decode(&in); err != nil {
		return err
	}
	return s.Registry.SetCondition(ctx, tx, j.Project, in.Model, in.Version, registry.Condition{
		Type: registry.ConditionReference, Status: registry.False, Reason: "the reference cannot be built: " + j.Error,
	})
}

// signature reads the inputs from the version's package.
func (s *Service) signature(ctx context.Context, p fairlead.Project, in referencePayload) (engine.Signature, error) {
	m, err := s.Registry.Manifest(ctx, p, in.Model, in.Version)
	if err != nil {
		return engine.Signature{}, err
	}
	return m.Signature, nil
}

// count reads the newest data that the version's lineage names; a version without
// lineage is compared with the newest holdout.
func (s *Service) count(ctx context.Context, p fairlead.Project, in referencePayload, sig engine.Signature) (*Reference, error) {
	v, err := s.referenceData(ctx, p, in)
	if err != nil {
		return nil, err
	}
	path, err := s.Data.Path(ctx, p, data.Ref{Dataset: v.Dataset, N: v.N})
	if err != nil {
		return nil, err
	}
	ref := &Reference{Dataset: data.Ref{Dataset: v.Dataset, N: v.N}, Rows: int(v.Rows)}
	var names []string
	for _, f := range sig.Inputs {
		if v.Column(f.Name) != nil {
			names = append(names, f.Name)
		}
	}
	table, err := s.Data.ReadTable(ctx, path, names)
	if err != nil {
		return nil, err
	}
	for i := range table.Columns {
		f, err := newFeature(&table.Columns[i])
		if err != nil {
			return nil, fmt.Errorf("reference of %s: %w", table.Columns[i].Name, err)
		}
		ref.Features = append(ref.Features, f)
	}
	return ref, nil
}

func (s *Service) referenceData(ctx context.Context, p fairlead.Project, in referencePayload) (*data.Version, error) {
	var refs []data.Ref
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		v, err := s.Registry.Version(tx, p, in.Model, in.Version)
		if err != nil {
			return err
		}
		refs = v.ProducedBy.Datasets
		return nil
	})
	if err != nil {
		return nil, err
	}
	var newest *data.Version
	for _, ref := range refs {
		if ref.Dataset == data.HoldoutDataset {
			continue // it was kept from the training
		}
		v, err := s.Data.Get(ctx, p, ref)
		if err != nil {
			return nil, err
		}
		if v.Rows > 0 && (newest == nil || v.ToAt.After(newest.ToAt)) {
			newest = v
		}
	}
	if newest != nil {
		return newest, nil
	}
	v, err := s.Data.Latest(ctx, p, data.HoldoutDataset)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil, fairlead.Errorf(fairlead.Precondition,
			"the version names no data that it was made from, and the project has no holdout to take instead")
	}
	return v, err
}

func newFeature(c *data.TableColumn) (Feature, error) {
	f := Feature{Name: c.Name}
	if c.Floats == nil {
		categories, err := stat.NewCategories(stat.TopCategories(c.Strings, referenceCategories))
		if err != nil {
			return f, err
		}
		f.Categories = categories
		for i, v := range c.Strings {
			if c.Missing(i) {
				categories.AddMissing()
			} else {
				categories.Add(v)
			}
		}
		return f, nil
	}
	h, err := stat.NewHistogram(stat.Edges(c.Floats, referenceBins))
	if err != nil {
		return f, err
	}
	f.Histogram = h
	for _, v := range c.Floats {
		h.Add(v)
	}
	return f, nil
}

// compare returns the PSI of the rows against the feature's reference, and the
// value that chance alone exceeds with probability driftAlpha on so few rows.
func (f *Feature) compare(rows []map[string]any) (psi, chance float64, err error) {
	if f.Categories != nil {
		cur, err := stat.NewCategories(f.Categories.Names)
		if err != nil {
			return 0, 0, err
		}
		for _, r := range rows {
			if v, ok := r[f.Name].(string); ok {
				cur.Add(v)
			} else {
				cur.AddMissing()
			}
		}
		psi, err = f.Categories.PSI(cur)
		return psi, stat.PSICritical(len(cur.Counts), f.Categories.Total(), cur.Total(), driftAlpha), err
	}
	cur, err := stat.NewHistogram(f.Histogram.Edges)
	if err != nil {
		return 0, 0, err
	}
	for _, r := range rows {
		cur.Add(numberOf(r[f.Name]))
	}
	psi, err = f.Histogram.PSI(cur)
	return psi, stat.PSICritical(len(cur.Counts), f.Histogram.Total(), cur.Total(), driftAlpha), err
}

func numberOf(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case bool:
		if x {
			return 1
		}
		return 0
	}
	return math.NaN()
}

// keepMetrics stores what the gate saw of a version that passed: what its windows
// are compared with.
func (s *Service) keepMetrics(tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var d event.GateDecided
	if err := r.Decode(&d); err != nil {
		return err
	}
	metrics, err := s.Gate.CandidateMetrics(tx, p, d.Decision)
	if err != nil {
		return err
	}
	err = saveMetrics(tx, p, d.Model, d.Version, metrics)
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	return err
}
