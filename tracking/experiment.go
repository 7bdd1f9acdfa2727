package tracking

import (
	"context"
	"errors"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// DefaultExperiment is the name of experiment "0", which every project has from
// its first use: MLflow's client logs there unless told otherwise.
const DefaultExperiment = "Default"

// Experiment groups runs. Its id is a number in text, from 0 in each project.
type Experiment struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	State     string `json:"state"` // active | deleted
	CreatedMS int64  `json:"created_ms"`
	UpdatedMS int64  `json:"updated_ms"`
	DeletedMS int64  `json:"deleted_ms,omitempty"` // 0 for an active one
	Tags      []Tag  `json:"tags"`

	k int64
}

// ArtifactURI is the root of what the experiment's runs and models store.
func (e *Experiment) ArtifactURI() string { return artifactScheme + e.ID }

// CreateExperiment adds an experiment; Conflict when an active one has the name.
func (s *Service) CreateExperiment(ctx context.Context, p fairlead.Project, name string,
	tags []Tag) (e *Experiment, err error) {
	if err := validateExperiment(name, tags); err != nil {
		return nil, err
	}
	err = s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if err := s.ensureDefault(ctx, tx, p); err != nil {
			return err
		}
		e, err = s.addExperiment(ctx, tx, p, name, tags)
		return err
	})
	return e, err
}

func (s *Service) addExperiment(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name string, tags []Tag) (*Experiment, error) {
	e, err := insertExperiment(tx, p, name, s.nowMS())
	if store.IsUnique(err) {
		return nil, taken(name)
	}
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		if err := upsertExperimentTag(tx, e.k, t); err != nil {
			return nil, err
		}
	}
	e.Tags = tags
	return e, s.emitExperiment(ctx, tx, p, e, event.ExperimentCreatedType)
}

func taken(name string) error { return exists("Experiment(name=%s) already exists", name) }

func (s *Service) emitExperiment(ctx context.Context, tx *store.Tx, p fairlead.Project,
	e *Experiment, name string) error {
	return s.emit(ctx, tx, p, "experiment/"+e.ID,
		event.Experiment{Name: name, Experiment: e.ID, Title: e.Name})
}

// ensureDefault creates experiment 0 of a project that has none.
func (s *Service) ensureDefault(ctx context.Context, tx *store.Tx, p fairlead.Project) error {
	if _, err := experimentByN(tx, p, 0); !errors.Is(err, store.ErrNoRows) {
		return err
	}
	_, err := s.addExperiment(ctx, tx, p, DefaultExperiment, nil)
	return err
}

// EnsureExperiment returns the active experiment of that name, and creates it when
// there is none.
func (s *Service) EnsureExperiment(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name string) (*Experiment, error) {
	if err := validateExperiment(name, nil); err != nil {
		return nil, err
	}
	if err := s.ensureDefault(ctx, tx, p); err != nil {
		return nil, err
	}
	e, err := experimentByName(tx, p, name)
	if errors.Is(err, store.ErrNoRows) || err == nil && e.State != Active {
		return s.addExperiment(ctx, tx, p, name, nil)
	}
	return e, err
}

// Experiment returns the experiment with the id, with its tags.
func (s *Service) Experiment(ctx context.Context, p fairlead.Project, id string) (*Experiment,
	error) {
	return s.readExperiment(ctx, p, func(tx *store.Tx) (*Experiment, error) {
		return s.experimentByID(tx, p, id)
	})
}

// ExperimentByName returns the active experiment of that name, else the one that was
// deleted last.
func (s *Service) ExperimentByName(ctx context.Context, p fairlead.Project, name string) (
	*Experiment, error) {
	return s.readExperiment(ctx, p, func(tx *store.Tx) (*Experiment, error) {
		e, err := experimentByName(tx, p, name)
		return e, found(err, "Could not find experiment with name '%s'", name)
	})
}

// readExperiment runs a look-up, and again after creating experiment 0 when a
// fresh project does not have it yet.
func (s *Service) readExperiment(ctx context.Context, p fairlead.Project,
	get func(*store.Tx) (*Experiment, error)) (e *Experiment, err error) {
	read := func(tx *store.Tx) error {
		if e, err = get(tx); err != nil {
			return err
		}
		return loadExperimentTags(tx, []*Experiment{e})
	}
	err = s.db.Read(ctx, read)
	if !fairlead.Is(err, fairlead.NotFound) {
		return e, err
	}
	created, e2 := s.createDefault(ctx, p)
	if e2 != nil || !created {
		return nil, errors.Join(err, e2)
	}
	err = s.db.Read(ctx, read)
	return e, err
}

// createDefault makes sure that experiment 0 exists and reports whether it had to.
func (s *Service) createDefault(ctx context.Context, p fairlead.Project) (bool, error) {
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		_, err := experimentByN(tx, p, 0)
		return err
	})
	if !errors.Is(err, store.ErrNoRows) {
		return false, err
	}
	return true, s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		return s.ensureDefault(ctx, tx, p)
	})
}

func (s *Service) experimentByID(tx *store.Tx, p fairlead.Project, id string) (*Experiment,
	error) {
	n, err := parseExperimentID(id)
	if err != nil {
		return nil, err
	}
	e, err := experimentByN(tx, p, n)
	return e, found(err, "No Experiment with id=%s exists", id)
}

func parseExperimentID(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != id {
		return 0, fairlead.Errorf(fairlead.Invalid,
			"Invalid experiment ID '%s'. Experiment ID must be a valid integer.", id)
	}
	return n, nil
}

// activeExperiment is experimentByID for writers; Invalid for a deleted one.
func (s *Service) activeExperiment(ctx context.Context, tx *store.Tx, p fairlead.Project,
	id string) (*Experiment, error) {
	if id == "" || id == "0" {
		if err := s.ensureDefault(ctx, tx, p); err != nil {
			return nil, err
		}
		id = "0"
	}
	e, err := s.experimentByID(tx, p, id)
	if err == nil && e.State != Active {
		return nil, fairlead.Errorf(fairlead.Invalid, "The experiment %s must be in the 'active' "+
			"state. Current state is deleted.", id)
	}
	return e, err
}

// noExperiment is NotFound for an experiment that is not there, or not in the state that
// is asked for.
func noExperiment(id string) error {
	return found(store.ErrNoRows, "No Experiment with id=%s exists", id)
}

// SetExperimentTag sets one tag.
func (s *Service) SetExperimentTag(ctx context.Context, p fairlead.Project, id string,
	t Tag) error {
	if err := validateExperimentTag(t); err != nil {
		return err
	}
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		e, err := s.activeExperiment(ctx, tx, p, id)
		if err != nil {
			return err
		}
		return upsertExperimentTag(tx, e.k, t)
	})
}

// DeleteExperimentTag removes a tag; NotFound when there is none.
func (s *Service) DeleteExperimentTag(ctx context.Context, p fairlead.Project,
	id, key string) error {
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		e, err := s.activeExperiment(ctx, tx, p, id)
		if err != nil {
			return err
		}
		ok, err := deleteExperimentTag(tx, e.k, key)
		if err == nil && !ok {
			return found(store.ErrNoRows, "No tag with name: %s in experiment with id %s", key, id)
		}
		return err
	})
}

// RenameExperiment gives the experiment another name; Conflict when it is taken.
func (s *Service) RenameExperiment(ctx context.Context, p fairlead.Project,
	id, name string) error {
	if err := validateExperiment(name, nil); err != nil {
		return err
	}
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		e, err := s.activeExperiment(ctx, tx, p, id)
		if err != nil {
			return err
		}
		e.Name = name
		err = updateExperiment(tx, e, s.nowMS())
		if store.IsUnique(err) {
			return taken(name)
		}
		if err != nil {
			return err
		}
		return s.emitExperiment(ctx, tx, p, e, event.ExperimentUpdatedType)
	})
}

// DeleteExperiment moves the experiment with its active runs to the trash. Its name can
// be taken again at once.
func (s *Service) DeleteExperiment(ctx context.Context, p fairlead.Project, id string) error {
	return s.db.Free(ctx, store.Client, func(tx *store.Tx) error {
		e, err := s.experimentByID(tx, p, id)
		if err != nil {
			return err
		}
		if e.State == Deleted {
			return noExperiment(id)
		}
		now := s.nowMS()
		if err := trashRuns(tx, e.k, now); err != nil {
			return err
		}
		e.State, e.DeletedMS = Deleted, now
		if err := updateExperiment(tx, e, now); err != nil {
			return err
		}
		return s.emitExperiment(ctx, tx, p, e, event.ExperimentDeletedType)
	})
}

// RestoreExperiment undoes DeleteExperiment, for the runs that it deleted; NotFound for an
// active one, and Conflict when another experiment has taken the name.
func (s *Service) RestoreExperiment(ctx context.Context, p fairlead.Project, id string) error {
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		e, err := s.experimentByID(tx, p, id)
		if err != nil {
			return err
		}
		if e.State == Active {
			return noExperiment(id)
		}
		if err := restoreRuns(tx, e.k, e.DeletedMS); err != nil {
			return err
		}
		e.State, e.DeletedMS = Active, 0
		err = updateExperiment(tx, e, s.nowMS())
		if store.IsUnique(err) {
			return exists("Experiment(name=%s) already exists; rename that one, and restore then", e.Name)
		}
		if err != nil {
			return err
		}
		return s.emitExperiment(ctx, tx, p, e, event.ExperimentRestoredType)
	})
}
