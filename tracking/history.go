package tracking

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Histories returns the points of one metric of many runs by (run, timestamp, step,
// value), at most limit of them. Runs that this project does not have are passed over.
func (s *Service) Histories(ctx context.Context, p fairlead.Project, runIDs []string, key string,
	limit int) (out []Metric, err error) {
	ids := slices.Compact(slices.Sorted(slices.Values(runIDs)))
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		for _, id := range ids {
			r, err := runByID(tx, p, id)
			if fairlead.Is(err, fairlead.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			points, err := readHistoryByTime(tx, r.k, key, limit-len(out))
			if err != nil {
				return err
			}
			out = appendOf(out, id, points)
			if len(out) == limit {
				break
			}
		}
		return nil
	})
	return out, err
}

// Steps is a range of steps, both ends included.
type Steps struct{ First, Last int64 }

// AllSteps is the range of all steps.
var AllSteps = Steps{math.MinInt64, math.MaxInt64}

// SampleHistories returns for each run at most limit points of one metric within the
// steps, evenly spread over what was logged, the first and the last among them: the
// first of each of limit buckets of the same size. NotFound when a run is not there.
func (s *Service) SampleHistories(ctx context.Context, p fairlead.Project, runIDs []string,
	key string, steps Steps, limit int) (out []Metric, err error) {
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		runs := make([]*Run, len(runIDs))
		for i, id := range runIDs {
			if runs[i], err = runByID(tx, p, id); err != nil {
				return err
			}
		}
		for _, r := range runs {
			points, err := sampleHistory(tx, r.k, key, steps, limit)
			if err != nil {
				return err
			}
			out = appendOf(out, r.ID, points)
		}
		return nil
	})
	return out, err
}

// appendOf appends points of a run with its id.
func appendOf(out []Metric, runID string, points []Metric) []Metric {
	for _, m := range points {
		m.RunID = runID
		out = append(out, m)
	}
	return out
}

// modelHistoryTag lists the models of a run that clients before mlflow 3 logged.
const modelHistoryTag = "mlflow.log-model.history"

// LogModelNote adds the description of a model to the run's tag mlflow.log-model.history:
// how clients before mlflow 3 say what they logged. The description is a JSON object.
func (s *Service) LogModelNote(ctx context.Context, p fairlead.Project, runID string,
	note json.RawMessage) error {
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		r, err := activeRun(tx, p, runID)
		if err != nil {
			return err
		}
		ring := s.keyring(tx)
		key, err := ring.key(modelHistoryTag)
		if err != nil {
			return err
		}
		old, err := tagValue(tx, r.k, key)
		if err != nil && !errors.Is(err, store.ErrNoRows) {
			return err
		}
		var notes []json.RawMessage
		if err == nil && json.Unmarshal([]byte(old), &notes) != nil {
			return fairlead.Errorf(fairlead.Invalid, "the tag %s of run %s is not a list any more",
				modelHistoryTag, runID)
		}
		text, err := json.Marshal(append(notes, note))
		if err != nil {
			return err
		}
		return s.writeTags(ring, r, []Tag{{modelHistoryTag, string(text)}})
	})
}

// DatasetUse says that runs of an experiment read a dataset, and what for.
type DatasetUse struct {
	ExperimentID string `json:"experiment_id"`
	Name         string `json:"name"`
	Digest       string `json:"digest"`
	Context      string `json:"context,omitempty"` // such as "training"
}

// maxDatasetUses bounds the list of DatasetUses, as MLflow does.
const maxDatasetUses = 1000

// DatasetUses returns which datasets the runs of the experiments read, each use once, by
// experiment, name, digest and context. Experiments that are not there are passed over.
func (s *Service) DatasetUses(ctx context.Context, p fairlead.Project, experiments []string) (
	out []DatasetUse, err error) {
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		var ks []any
		for _, id := range experiments {
			e, err := s.experimentByID(tx, p, id)
			if fairlead.Is(err, fairlead.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			ks = append(ks, e.k)
		}
		out, err = datasetUses(tx, ks)
		return err
	})
	return out, err
}
