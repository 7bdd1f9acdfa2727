package tracking

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Statuses of a run, as MLflow names them.
const (
	Running   = "RUNNING"
	Scheduled = "SCHEDULED"
	Finished  = "FINISHED"
	Failed    = "FAILED"
	Killed    = "KILLED"
)

var (
	ended    = []string{Finished, Failed, Killed}
	statuses = append([]string{Running, Scheduled}, ended...)
)

// Run is one execution that logged something. Metrics holds the latest value of
// each key.
type Run struct {
	ID           string         `json:"id"` // 32 hexadecimal digits
	Name         string         `json:"name"`
	ExperimentID string         `json:"experiment_id"`
	User         string         `json:"user"`
	Status       string         `json:"status"`
	State        string         `json:"state"` // active | deleted
	StartMS      int64          `json:"start_ms"`
	EndMS        int64          `json:"end_ms,omitempty"`     // 0 while it runs
	DeletedMS    int64          `json:"deleted_ms,omitempty"` // 0 for an active one
	Parent       string         `json:"parent,omitempty"`     // the id of the run that it is below
	Metrics      []Metric       `json:"metrics"`
	Params       []Param        `json:"params"`
	Tags         []Tag          `json:"tags"`
	Datasets     []DatasetInput `json:"datasets"`
	ModelInputs  []string       `json:"model_inputs"`
	ModelOutputs []ModelOutput  `json:"model_outputs"`

	k, expK int64
}

// ArtifactURI is where the run's artifacts are; see artifact.go for its form.
func (r *Run) ArtifactURI() string {
	return artifactScheme + r.ExperimentID + "/" + r.ID + "/artifacts"
}

// NewRun describes a run to create. Experiment is an experiment's id; empty means
// experiment "0". StartMS 0 means now; an empty Name or ID is invented.
type NewRun struct {
	ID         string // of one that is brought in from elsewhere: 32 hexadecimal digits
	Experiment string
	Name       string
	User       string
	Tags       []Tag
	Params     []Param
	StartMS    int64
}

// CreateRun adds a running run.
func (s *Service) CreateRun(ctx context.Context, tx *store.Tx, p fairlead.Project, n NewRun) (*Run,
	error) {
	if err := n.complete(ctx, s.clock.Now()); err != nil {
		return nil, err
	}
	b, err := Batch{Tags: n.Tags, Params: n.Params}.check()
	if err != nil {
		return nil, err
	}
	e, err := s.activeExperiment(ctx, tx, p, n.Experiment)
	if err != nil {
		return nil, err
	}
	r := &Run{ID: cmp.Or(n.ID, fairlead.NewHexID()), Name: n.Name, ExperimentID: e.ID, User: n.User,
		Status: Running, State: Active, StartMS: n.StartMS, expK: e.k}
	if err := insertRun(tx, p, r, s.nowMS()); err != nil {
		return nil, err
	}
	ring := s.keyring(tx)
	if err := s.writeTags(ring, r, b.Tags); err != nil {
		return nil, err
	}
	if err := writeParams(ring, r, b.Params); err != nil {
		return nil, err
	}
	r.Tags, r.Params = b.Tags, b.Params
	return r, s.emitRun(ctx, tx, p, r, event.RunCreatedType)
}

// complete fills what the caller left out. A name is given as such, as a tag, or
// not at all.
func (n *NewRun) complete(ctx context.Context, now time.Time) error {
	n.Tags = slices.Clone(n.Tags)
	i := slices.IndexFunc(n.Tags, func(t Tag) bool { return t.Key == runNameTag })
	switch {
	case i < 0 && n.Name == "":
		n.Name = inventName()
		fallthrough
	case i < 0:
		n.Tags = append(n.Tags, Tag{runNameTag, n.Name})
	case n.Name != "" && n.Name != n.Tags[i].Value:
		return fairlead.Errorf(fairlead.Invalid, "Both 'run_name' argument and 'mlflow.runName' tag "+
			"are specified, but with different values (run_name='%s', mlflow.runName='%s').",
			n.Name, n.Tags[i].Value)
	default:
		n.Name = n.Tags[i].Value
	}
	if n.User == "" {
		n.User = fairlead.ActorFrom(ctx).Name
	}
	if n.StartMS == 0 {
		n.StartMS = fairlead.MS(now)
	}
	return nil
}

func (s *Service) emitRun(ctx context.Context, tx *store.Tx, p fairlead.Project, r *Run,
	name string) error {
	return s.emit(ctx, tx, p, "run/"+r.ID,
		event.Run{Name: name, Run: r.ID, Experiment: r.ExperimentID, Status: r.Status})
}

// StartRun is CreateRun in a transaction of its own.
func (s *Service) StartRun(ctx context.Context, p fairlead.Project, n NewRun) (r *Run, err error) {
	err = s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		r, err = s.CreateRun(ctx, tx, p, n)
		return err
	})
	return r, err
}

// Run returns the run with its data, inputs and outputs, also a deleted one.
func (s *Service) Run(ctx context.Context, p fairlead.Project, id string) (r *Run, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		if r, err = runByID(tx, p, id); err != nil {
			return err
		}
		return s.loadRuns(tx, []*Run{r})
	})
	return r, err
}

// loadRuns fills everything that belongs to the runs.
func (s *Service) loadRuns(tx *store.Tx, runs []*Run) error {
	for _, load := range []func(*store.Tx, []*Run, ...any) error{s.loadMetrics, s.loadParams, s.loadTags} {
		if err := load(tx, runs); err != nil {
			return err
		}
	}
	if err := loadInputs(tx, runs); err != nil {
		return err
	}
	return loadModels(tx, runs)
}

// activeRun is runByID for writers; Invalid for a deleted run.
func activeRun(tx *store.Tx, p fairlead.Project, id string) (*Run, error) {
	r, err := runByID(tx, p, id)
	if err == nil && r.State != Active {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"The run %s must be in the 'active' state. Current state is deleted.", id)
	}
	return r, err
}

// Update changes what is not nil.
type Update struct {
	Status *string
	EndMS  *int64
	Name   *string
}

// UpdateRun changes status, end and name of an active run and returns it without
// its data.
func (s *Service) UpdateRun(ctx context.Context, p fairlead.Project, id string, u Update) (r *Run,
	err error) {
	err = s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if r, err = activeRun(tx, p, id); err != nil {
			return err
		}
		return s.updateRun(ctx, tx, p, r, u)
	})
	return r, err
}

// FinishRun ends a run with FINISHED, FAILED or KILLED; endMS 0 means now. A run that
// was deleted meanwhile ends too, and stays deleted: whoever ran it goes on.
func (s *Service) FinishRun(ctx context.Context, tx *store.Tx, p fairlead.Project, id,
	status string, endMS int64) error {
	if !slices.Contains(ended, status) {
		return ErrValue("status", status, "a run ends FINISHED, FAILED or KILLED")
	}
	if endMS == 0 {
		endMS = s.nowMS()
	}
	r, err := runByID(tx, p, id)
	if err != nil {
		return err
	}
	return s.updateRun(ctx, tx, p, r, Update{Status: &status, EndMS: &endMS})
}

func (s *Service) updateRun(ctx context.Context, tx *store.Tx, p fairlead.Project, r *Run,
	u Update) error {
	if u.Status != nil && !slices.Contains(statuses, *u.Status) {
		return ErrValue("status", *u.Status, "")
	}
	before := r.Status
	if u.Status != nil {
		r.Status = *u.Status
	}
	if u.EndMS != nil {
		r.EndMS = *u.EndMS
	} else if u.Status != nil && !slices.Contains(ended, r.Status) {
		r.EndMS = 0
	}
	if err := updateRun(tx, r); err != nil {
		return err
	}
	if u.Name != nil {
		b, err := Batch{Tags: []Tag{{runNameTag, *u.Name}}}.check()
		if err != nil {
			return err
		}
		if err := s.writeTags(s.keyring(tx), r, b.Tags); err != nil {
			return err
		}
	}
	if r.Status != before && slices.Contains(ended, r.Status) {
		return s.emitRun(ctx, tx, p, r, event.RunFinishedType)
	}
	return nil
}

// DeleteRun moves a run to the trash; one that is there already is fine.
func (s *Service) DeleteRun(ctx context.Context, p fairlead.Project, id string) error {
	return s.db.Free(ctx, store.Client, func(tx *store.Tx) error {
		return s.deleteRun(ctx, tx, p, id)
	})
}

func (s *Service) deleteRun(ctx context.Context, tx *store.Tx, p fairlead.Project,
	id string) error {
	r, err := runByID(tx, p, id)
	if err != nil || r.State == Deleted {
		return err
	}
	r.State, r.DeletedMS = Deleted, s.nowMS()
	if err := updateRun(tx, r); err != nil {
		return err
	}
	return s.emitRun(ctx, tx, p, r, event.RunDeletedType)
}

// RestoreRun undoes DeleteRun; an active run stays as it is.
func (s *Service) RestoreRun(ctx context.Context, p fairlead.Project, id string) error {
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		return s.restoreRun(ctx, tx, p, id)
	})
}

func (s *Service) restoreRun(ctx context.Context, tx *store.Tx, p fairlead.Project,
	id string) error {
	r, err := runByID(tx, p, id)
	if err != nil || r.State == Active {
		return err
	}
	r.State, r.DeletedMS = Active, 0
	if err := updateRun(tx, r); err != nil {
		return err
	}
	return s.emitRun(ctx, tx, p, r, event.RunRestoredType)
}

// DeleteTag removes a tag from an active run; NotFound when it has none.
func (s *Service) DeleteTag(ctx context.Context, p fairlead.Project, runID, key string) error {
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		r, err := activeRun(tx, p, runID)
		if err != nil {
			return err
		}
		ok, err := removeTag(tx, r.k, key)
		if err == nil && !ok {
			return found(store.ErrNoRows, "No tag with name: %s in run with id %s", key, runID)
		}
		return err
	})
}
