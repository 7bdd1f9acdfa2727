package tracking

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Description is a run with what belongs to it, but without its metrics.
type Description struct {
	Run        *Run
	Experiment *Experiment   // without its tags
	Parent     *Run          // without its data; nil when it has none, or that is gone
	Inputs     []LinkedModel // models that it read
	Outputs    []LinkedModel // models that it made
}

// LinkedModel is a logged model that a run read or made. Of one that is deleted only the
// id and the step are there.
type LinkedModel struct {
	ID     string `json:"id"`
	Name   string `json:"name,omitempty"`
	Type   string `json:"type,omitempty"`
	Status string `json:"status,omitempty"`
	Step   int64  `json:"step"`
}

// Describe returns what is known of a run, also of a deleted one.
func (s *Service) Describe(ctx context.Context, p fairlead.Project, id string) (d *Description,
	err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err := runByID(tx, p, id)
		if err != nil {
			return err
		}
		d = &Description{Run: r}
		return s.describe(tx, p, d)
	})
	return d, err
}

func (s *Service) describe(tx *store.Tx, p fairlead.Project, d *Description) error {
	r := []*Run{d.Run}
	if err := s.loadParams(tx, r); err != nil {
		return err
	}
	if err := s.loadTags(tx, r); err != nil {
		return err
	}
	if err := loadInputs(tx, r); err != nil {
		return err
	}
	if err := loadModels(tx, r); err != nil {
		return err
	}
	var err error
	if d.Experiment, err = s.experimentByID(tx, p, d.Run.ExperimentID); err != nil {
		return err
	}
	if d.Run.Parent != "" {
		d.Parent, err = runByID(tx, p, d.Run.Parent)
		if err != nil && !fairlead.Is(err, fairlead.NotFound) {
			return err
		}
	}
	for _, id := range d.Run.ModelInputs {
		m, err := linkedModel(tx, p, ModelOutput{ModelID: id})
		if err != nil {
			return err
		}
		d.Inputs = append(d.Inputs, m)
	}
	for _, out := range d.Run.ModelOutputs {
		m, err := linkedModel(tx, p, out)
		if err != nil {
			return err
		}
		d.Outputs = append(d.Outputs, m)
	}
	return nil
}

func linkedModel(tx *store.Tx, p fairlead.Project, o ModelOutput) (LinkedModel, error) {
	out := LinkedModel{ID: o.ModelID, Step: o.Step}
	m, err := loggedModelByID(tx, p, o.ModelID)
	switch {
	case fairlead.Is(err, fairlead.NotFound):
		return out, nil
	case err != nil:
		return out, err
	}
	out.Name, out.Type, out.Status = m.Name, m.Type, m.Status
	return out, nil
}
