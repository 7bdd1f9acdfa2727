package tracking

import (
	"context"
	"fmt"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Dataset is a dataset as a client describes it. It is a note of the run; package
// data keeps the datasets of pipelines.
type Dataset struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	SourceType string `json:"source_type"`
	Source     string `json:"source"`
	Schema     string `json:"schema,omitempty"`
	Profile    string `json:"profile,omitempty"`
}

// DatasetInput is a dataset that a run read; the tag mlflow.data.context says for
// what.
type DatasetInput struct {
	Dataset Dataset `json:"dataset"`
	Tags    []Tag   `json:"tags,omitempty"`
}

// contextTag says what a run used a dataset for, such as "training".
const contextTag = "mlflow.data.context"

func (d *DatasetInput) context() string {
	for _, t := range d.Tags {
		if t.Key == contextTag {
			return t.Value
		}
	}
	return ""
}

// ModelOutput is a logged model that a run produced, at a step.
type ModelOutput struct {
	ModelID string `json:"model_id"`
	Step    int64  `json:"step"`
}

// LogInputs notes what the run read. The same dataset again replaces its tags.
func (s *Service) LogInputs(ctx context.Context, p fairlead.Project, runID string,
	datasets []DatasetInput, models []string) error {
	if err := validateInputs(datasets); err != nil {
		return err
	}
	if err := validateLinks(len(models)); err != nil {
		return err
	}
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		r, err := activeRun(tx, p, runID)
		if err != nil {
			return err
		}
		for _, d := range datasets {
			if err := insertInput(tx, r.k, d); err != nil {
				return err
			}
		}
		for _, id := range models {
			if err := linkModel(tx, p, r.k, "input", ModelOutput{ModelID: id}); err != nil {
				return err
			}
		}
		return nil
	})
}

// LogOutputs notes the logged models that the run produced.
func (s *Service) LogOutputs(ctx context.Context, p fairlead.Project, runID string,
	models []ModelOutput) error {
	if err := validateLinks(len(models)); err != nil {
		return err
	}
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		r, err := activeRun(tx, p, runID)
		if err != nil {
			return err
		}
		for _, m := range models {
			if err := linkModel(tx, p, r.k, "output", m); err != nil {
				return err
			}
		}
		return nil
	})
}

func validateLinks(models int) error {
	if models > maxLinks {
		return fairlead.Errorf(fairlead.Invalid, "A request can log at most %d models. Got %d.", maxLinks,
			models)
	}
	return nil
}

func linkModel(tx *store.Tx, p fairlead.Project, runK int64, direction string,
	m ModelOutput) error {
	if _, err := loggedModelByID(tx, p, m.ModelID); err != nil {
		return err
	}
	return insertRunModel(tx, runK, direction, m)
}

func validateInputs(datasets []DatasetInput) error {
	if len(datasets) > maxDatasets {
		return fairlead.Errorf(fairlead.Invalid,
			"A request can log at most %d datasets. Got %d.", maxDatasets, len(datasets))
	}
	for i, d := range datasets {
		for _, l := range []struct {
			what, value string
			limit       int
			required    bool
		}{
			{"name", d.Dataset.Name, maxDatasetName, true},
			{"digest", d.Dataset.Digest, maxDatasetDigest, true},
			{"source_type", d.Dataset.SourceType, maxDatasetName, true},
			{"source", d.Dataset.Source, maxDatasetSource, true},
			{"schema", d.Dataset.Schema, maxDatasetSchema, false},
			{"profile", d.Dataset.Profile, maxDatasetProfile, false},
		} {
			what := fmt.Sprintf("datasets[%d].dataset.%s", i, l.what)
			if l.required && l.value == "" {
				return ErrMissing(what)
			}
			if err := validateLength(what, l.limit, l.value); err != nil {
				return err
			}
		}
		if err := validateInputTags(fmt.Sprintf("datasets[%d].tags", i), d.Tags); err != nil {
			return err
		}
	}
	return nil
}

func validateInputTags(at string, tags []Tag) error {
	for _, t := range tags {
		if t.Key == "" {
			return ErrMissing(at + ".key")
		}
		if err := validateLength(at+".key", maxInputTagKey, t.Key); err != nil {
			return err
		}
		if err := validateLength(at+".value", maxInputTagValue, t.Value); err != nil {
			return err
		}
	}
	return nil
}
