package tracking

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Statuses of a logged model.
const (
	ModelPending = "PENDING" // its files are being uploaded
	ModelReady   = "READY"
	ModelFailed  = "FAILED"
)

// LoggedModel is a model as a run logged it: files, params, tags and what was
// measured on it. Its id is "m-" and 32 hexadecimal digits.
type LoggedModel struct {
	ID           string   `json:"id"`
	ExperimentID string   `json:"experiment_id"`
	RunID        string   `json:"run_id,omitempty"`
	Name         string   `json:"name"`
	Type         string   `json:"type,omitempty"`
	Status       string   `json:"status"`
	State        string   `json:"state"`
	CreatedMS    int64    `json:"created_ms"`
	UpdatedMS    int64    `json:"updated_ms"`
	Tags         []Tag    `json:"tags"`
	Params       []Param  `json:"params"`
	Metrics      []Metric `json:"metrics"`

	k int64
}

// ArtifactURI is where the model's files are; see artifact.go for its form.
func (m *LoggedModel) ArtifactURI() string {
	return artifactScheme + m.ExperimentID + "/models/" + m.ID + "/artifacts"
}

// NewLoggedModel describes a logged model to create. Experiment is an
// experiment's id; empty means the run's, or experiment "0".
type NewLoggedModel struct {
	ID         string // of one that is brought in from elsewhere; else invented
	Experiment string
	RunID      string
	Name       string // invented when empty
	Type       string
	Tags       []Tag
	Params     []Param
}

// CreateLoggedModel adds a logged model whose files are still to come.
func (s *Service) CreateLoggedModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	n NewLoggedModel) (*LoggedModel, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	if n.RunID != "" && n.ID == "" { // one that is brought in comes before its run
		r, err := runByID(tx, p, n.RunID)
		if err != nil {
			return nil, err
		}
		n.Experiment = cmp.Or(n.Experiment, r.ExperimentID)
	}
	e, err := s.activeExperiment(ctx, tx, p, n.Experiment)
	if err != nil {
		return nil, err
	}
	now := s.nowMS()
	m := &LoggedModel{ID: cmp.Or(n.ID, "m-"+fairlead.NewHexID()), ExperimentID: e.ID, RunID: n.RunID,
		Name: n.Name, Type: n.Type, Status: ModelPending, State: Active, CreatedMS: now,
		UpdatedMS: now, Tags: n.Tags, Params: n.Params}
	if m.Name == "" {
		m.Name = inventName()
	}
	if err := insertLoggedModel(tx, p, e.k, m); err != nil {
		return nil, err
	}
	if err := upsertModelTags(tx, m.k, n.Tags); err != nil {
		return nil, err
	}
	if err := insertModelParams(tx, m.k, n.Params); err != nil {
		return nil, err
	}
	return m, s.emitLoggedModel(ctx, tx, p, m, event.LoggedModelCreatedType)
}

// badModelName are characters that a model's URI could not carry.
const badModelName = "/:.%\"'"

// check checks the description, and cuts values to their limits.
func (n *NewLoggedModel) check() error {
	if strings.ContainsAny(n.Name, badModelName) {
		return fairlead.Errorf(fairlead.Invalid, "Invalid model name ('%s') provided. Model name must "+
			"be a non-empty string and cannot contain the following characters: ('/', ':', '.', '%%', "+
			"'\"', \"'\")", n.Name)
	}
	if err := validateLength("name", maxLoggedModelNameSize, n.Name); err != nil {
		return err
	}
	n.Tags, n.Params = slices.Clone(n.Tags), slices.Clone(n.Params)
	for i := range n.Tags {
		if err := ValidateKey("key", "Tag", n.Tags[i].Key); err != nil {
			return err
		}
		n.Tags[i].Value = truncate(n.Tags[i].Value, maxTagValue)
	}
	return checkParams(n.Params, func(int) string { return "" })
}

func (s *Service) emitLoggedModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	m *LoggedModel, name string) error {
	return s.emit(ctx, tx, p, "loggedmodel/"+m.ID,
		event.LoggedModel{Name: name, LoggedModel: m.ID, Run: m.RunID, Status: m.Status})
}

// AddLoggedModel is CreateLoggedModel in a transaction of its own.
func (s *Service) AddLoggedModel(ctx context.Context, p fairlead.Project, n NewLoggedModel) (
	m *LoggedModel, err error) {
	err = s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		m, err = s.CreateLoggedModel(ctx, tx, p, n)
		return err
	})
	return m, err
}

// LoggedModel returns an active logged model with its data.
func (s *Service) LoggedModel(ctx context.Context, p fairlead.Project, id string) (m *LoggedModel,
	err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		m, err = s.LoggedModelTx(tx, p, id)
		return err
	})
	return m, err
}

// LoggedModelTx is LoggedModel inside the caller's transaction.
func (s *Service) LoggedModelTx(tx *store.Tx, p fairlead.Project, id string) (*LoggedModel,
	error) {
	m, err := loggedModelByID(tx, p, id)
	if err != nil {
		return nil, err
	}
	return m, loadLoggedModels(tx, []*LoggedModel{m})
}

// FinalizeLoggedModel says that the files are complete (READY) or never will be
// (FAILED).
func (s *Service) FinalizeLoggedModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	id, status string) error {
	if !slices.Contains([]string{ModelReady, ModelFailed}, status) {
		return ErrValue("status", status, "a logged model becomes READY or FAILED")
	}
	m, err := loggedModelByID(tx, p, id)
	if err != nil {
		return err
	}
	m.Status = status
	if err := updateLoggedModel(tx, m, s.nowMS()); err != nil {
		return err
	}
	return s.emitLoggedModel(ctx, tx, p, m, event.LoggedModelFinishedType)
}

// FinishLoggedModel is FinalizeLoggedModel in a transaction of its own; it
// returns the model.
func (s *Service) FinishLoggedModel(ctx context.Context, p fairlead.Project, id, status string) (
	m *LoggedModel, err error) {
	return s.changeLoggedModel(ctx, p, id, func(tx *store.Tx, _ *LoggedModel) error {
		return s.FinalizeLoggedModel(ctx, tx, p, id, status)
	})
}

// changeLoggedModel runs a change of an existing model and returns the result.
func (s *Service) changeLoggedModel(ctx context.Context, p fairlead.Project, id string,
	change func(tx *store.Tx, m *LoggedModel) error) (m *LoggedModel, err error) {
	err = s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if m, err = loggedModelByID(tx, p, id); err != nil {
			return err
		}
		if err := change(tx, m); err != nil {
			return err
		}
		m, err = s.LoggedModelTx(tx, p, id)
		return err
	})
	return m, err
}

// SetLoggedModelTags sets tags and returns the model.
func (s *Service) SetLoggedModelTags(ctx context.Context, p fairlead.Project, id string,
	tags []Tag) (*LoggedModel, error) {
	n := NewLoggedModel{Tags: tags}
	if err := n.check(); err != nil {
		return nil, err
	}
	return s.changeLoggedModel(ctx, p, id, func(tx *store.Tx, m *LoggedModel) error {
		return upsertModelTags(tx, m.k, n.Tags)
	})
}

// TagLoggedModel sets a tag inside the caller's transaction.
func (s *Service) TagLoggedModel(tx *store.Tx, m *LoggedModel, t Tag) error {
	return upsertModelTags(tx, m.k, []Tag{t})
}

// DeleteLoggedModelTag removes a tag; NotFound when there is none.
func (s *Service) DeleteLoggedModelTag(ctx context.Context, p fairlead.Project,
	id, key string) error {
	_, err := s.changeLoggedModel(ctx, p, id, func(tx *store.Tx, m *LoggedModel) error {
		ok, err := deleteModelTag(tx, m.k, key)
		if err == nil && !ok {
			return found(store.ErrNoRows, "No tag with key '%s' found for model with ID '%s'.", key, id)
		}
		return err
	})
	return err
}

// LogLoggedModelParams adds params; another value for one that exists is Invalid.
func (s *Service) LogLoggedModelParams(ctx context.Context, p fairlead.Project, id string,
	params []Param) error {
	n := NewLoggedModel{Params: params}
	if err := n.check(); err != nil {
		return err
	}
	_, err := s.changeLoggedModel(ctx, p, id, func(tx *store.Tx, m *LoggedModel) error {
		return insertModelParams(tx, m.k, n.Params)
	})
	return err
}

// DeleteLoggedModel moves the model to the trash: it is no longer found. What was
// registered from it keeps its files.
func (s *Service) DeleteLoggedModel(ctx context.Context, p fairlead.Project, id string) error {
	return s.db.Free(ctx, store.Client, func(tx *store.Tx) error {
		m, err := loggedModelByID(tx, p, id)
		if err != nil {
			return err
		}
		m.State = Deleted
		if err := updateLoggedModel(tx, m, s.nowMS()); err != nil {
			return err
		}
		return s.emitLoggedModel(ctx, tx, p, m, event.LoggedModelDeletedType)
	})
}
