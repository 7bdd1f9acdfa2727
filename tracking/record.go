package tracking

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

// The records are all that is kept of things, as package archive writes and reads them.
// Their JSON is the format of an export: a field that is added needs a new format there.
// Times are wall times in Unix milliseconds; deleted_ms is 0 for what is active.

// ExperimentRecord is an experiment.
type ExperimentRecord struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	State     string            `json:"state"` // active | deleted
	CreatedMS int64             `json:"created_ms"`
	UpdatedMS int64             `json:"updated_ms"`
	DeletedMS int64             `json:"deleted_ms,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`

	k int64
}

// DatasetRecord is a dataset as the runs of an experiment described it.
type DatasetRecord struct {
	Experiment string `json:"experiment"`
	Dataset
}

// RunRecord is a run without its history.
type RunRecord struct {
	ID         string            `json:"id"`
	Experiment string            `json:"experiment"`
	Name       string            `json:"name"`
	User       string            `json:"user"`
	Status     string            `json:"status"`
	State      string            `json:"state"` // active | deleted
	StartMS    int64             `json:"start_ms"`
	EndMS      int64             `json:"end_ms,omitempty"` // 0 while it runs
	DeletedMS  int64             `json:"deleted_ms,omitempty"`
	Params     map[string]string `json:"params,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Datasets   []DatasetLink     `json:"datasets,omitempty"` // that it read, in their order
	Models     []ModelLink       `json:"models,omitempty"`
	Points     int64             `json:"points"` // of its whole history

	k int64
}

// DatasetLink is a dataset of the run's experiment that the run read.
type DatasetLink struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	Tags   []Tag  `json:"tags,omitempty"`
}

// ModelLink is a logged model that the run read or made.
type ModelLink struct {
	Direction string `json:"direction"` // input | output
	ModelID   string `json:"model_id"`
	Step      int64  `json:"step"`
}

// PointRecord is a point of a run's history.
type PointRecord struct {
	RunID       string  `parquet:"run_id,dict"`
	Key         string  `parquet:"key,dict"`
	Step        int64   `parquet:"step"`
	TimestampMS int64   `parquet:"timestamp_ms"`
	Value       float64 `parquet:"value"` // may be NaN
}

// LoggedModelRecord is a logged model without what was measured of it.
type LoggedModelRecord struct {
	ID         string            `json:"id"`
	Experiment string            `json:"experiment"`
	RunID      string            `json:"run_id,omitempty"`
	Name       string            `json:"name"`
	Type       string            `json:"type,omitempty"`
	Status     string            `json:"status"`
	State      string            `json:"state"` // active | deleted
	CreatedMS  int64             `json:"created_ms"`
	UpdatedMS  int64             `json:"updated_ms"`
	DeletedMS  int64             `json:"deleted_ms,omitempty"`
	Params     map[string]string `json:"params,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Points     int64             `json:"points"` // that were measured of it

	k int64
}

// ModelPointRecord is a point that a run measured of a logged model.
type ModelPointRecord struct {
	ModelID       string  `parquet:"model_id,dict"`
	RunID         string  `parquet:"run_id,dict"`
	Key           string  `parquet:"key,dict"`
	DatasetName   string  `parquet:"dataset_name,dict"`
	DatasetDigest string  `parquet:"dataset_digest,dict"`
	Step          int64   `parquet:"step"`
	TimestampMS   int64   `parquet:"timestamp_ms"`
	Value         float64 `parquet:"value"` // may be NaN
}

// Experiments calls fn with each experiment of the project, in the order in which they were
// made.
func (s *Service) Experiments(tx *store.Tx, p fairlead.Project,
	fn func(*ExperimentRecord) error) error {
	return each(func(after int64) ([]*ExperimentRecord, error) {
		return experimentRecords(tx, p, "e.k > ?", after)
	}, func(e *ExperimentRecord) int64 { return e.k }, fn)
}

// Datasets calls fn with each dataset that runs described, by experiment and age.
func (s *Service) Datasets(tx *store.Tx, e *ExperimentRecord, fn func(*DatasetRecord) error) error {
	type keyed struct {
		DatasetRecord
		k int64
	}
	return each(func(after int64) ([]*keyed, error) {
		return scanAll(tx, `select k, name, digest, source_type, source, schema, profile
			from run_dataset where exp_k = ? and k > ? order by k limit ?`,
			[]any{e.k, after, recordChunk}, func(row scanner) (*keyed, error) {
				d := &keyed{DatasetRecord: DatasetRecord{Experiment: e.ID}}
				return d, row.Scan(&d.k, &d.Name, &d.Digest, &d.SourceType, &d.Source, &d.Schema, &d.Profile)
			})
	}, func(d *keyed) int64 { return d.k },
		func(d *keyed) error { return fn(&d.DatasetRecord) })
}

// Runs calls fn with each run of the project, in the order in which they were made.
func (s *Service) Runs(tx *store.Tx, p fairlead.Project, fn func(*RunRecord) error) error {
	return each(func(after int64) ([]*RunRecord, error) {
		return s.runRecords(tx, "r.project_k = ? and r.k > ?", p.K, after)
	}, func(r *RunRecord) int64 { return r.k }, fn)
}

// Points calls fn with the run's history: by name of the metric, and then as it is kept.
func (s *Service) Points(tx *store.Tx, r *RunRecord, fn func(*PointRecord) error) error {
	keys, err := pointKeys(tx, r.k)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := eachPoint(tx, r, key, fn); err != nil {
			return err
		}
	}
	return nil
}

// LoggedModels calls fn with each logged model of the project, in the order in which they
// were made.
func (s *Service) LoggedModels(tx *store.Tx, p fairlead.Project,
	fn func(*LoggedModelRecord) error) error {
	return each(func(after int64) ([]*LoggedModelRecord, error) {
		return loggedModelRecords(tx, "m.project_k = ? and m.k > ?", p.K, after)
	}, func(m *LoggedModelRecord) int64 { return m.k }, fn)
}

// ModelPoints calls fn with what was measured of a logged model.
func (s *Service) ModelPoints(tx *store.Tx, m *LoggedModelRecord,
	fn func(*ModelPointRecord) error) error {
	return eachModelPoint(tx, m, fn)
}

// Artifacts returns the files of an owner, by path; see ExperimentOwner.
func (s *Service) Artifacts(tx *store.Tx, p fairlead.Project, o blob.Owner) ([]blob.Entry, error) {
	return s.blobs.FilesTx(tx, p, o)
}

// ExperimentOwner owns files of an experiment that are below no run and no model.
func ExperimentOwner(id string) blob.Owner { return experimentOwner(id) }

// RunRecord returns the record of a run, nil when the project has none of the id.
func (s *Service) RunRecord(tx *store.Tx, p fairlead.Project, id string) (*RunRecord, error) {
	return first(s.runRecords(tx, "r.project_k = ? and r.id = ?", p.K, id))
}

// LoggedModelRecord returns the record of a logged model, also of a deleted one; nil when
// the project has none of the id.
func (s *Service) LoggedModelRecord(tx *store.Tx, p fairlead.Project, id string) (
	*LoggedModelRecord, error) {
	return first(loggedModelRecords(tx, "m.project_k = ? and m.id = ?", p.K, id))
}

// CountPoints returns how many points of a history the run has.
func (s *Service) CountPoints(ctx context.Context, p fairlead.Project, id string) (n int64,
	err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err := runByID(tx, p, id)
		if err != nil {
			return err
		}
		n, err = countPoints(tx, r.k)
		return err
	})
	return n, err
}

func first[T any](all []*T, err error) (*T, error) {
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// each calls fn with all items, which list returns in parts, those after a key.
func each[T any](list func(after int64) ([]T, error), key func(T) int64, fn func(T) error) error {
	for after := int64(0); ; {
		all, err := list(after)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, item := range all {
			if err := fn(item); err != nil {
				return err
			}
		}
		after = key(all[len(all)-1])
	}
}
