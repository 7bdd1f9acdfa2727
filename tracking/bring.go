package tracking

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// What is brought in of records keeps their ids, times and states. Runs and logged models
// lie in the trash until they are settled, which comes last: one that never is goes as
// everything there does. All of it can be done again, and adds only what is missing.

// FindExperiment returns the experiment that a record is of, nil when it is not here: the
// one of its number that was created then. Every project has one experiment 0.
func (s *Service) FindExperiment(tx *store.Tx, p fairlead.Project, r *ExperimentRecord) (
	*ExperimentRecord, error) {
	n, err := experimentNumber(r.ID)
	if err != nil {
		return nil, err
	}
	condition, args := "e.n = ?", []any{n}
	if n != 0 {
		condition, args = condition+" and e.created_ms = ?", append(args, r.CreatedMS)
	}
	return first(experimentRecords(tx, p, condition, args...))
}

// ExperimentRecord returns the record of an experiment, nil when there is none.
func (s *Service) ExperimentRecord(tx *store.Tx, p fairlead.Project, id string) (
	*ExperimentRecord, error) {
	n, err := experimentNumber(id)
	if err != nil {
		return nil, err
	}
	return first(experimentRecords(tx, p, "e.n = ?", n))
}

func experimentNumber(id string) (int64, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != id {
		return 0, ErrValue("experiment", id, "it is no number of an experiment")
	}
	return n, nil
}

// CheckExperiment is Conflict when a record that is not here cannot be brought in, because
// another active experiment has its name.
func (s *Service) CheckExperiment(tx *store.Tx, p fairlead.Project, r *ExperimentRecord) error {
	if err := r.check(); err != nil || r.State != Active {
		return err
	}
	other, err := experimentByName(tx, p, r.Name)
	if err == nil && other.State == Active {
		return fairlead.Errorf(fairlead.Conflict, "the experiment %q is another one here (%s); rename "+
			"one of them", r.Name, other.ID)
	}
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	return err
}

func (r *ExperimentRecord) check() error {
	if err := checkState(r.State, r.DeletedMS); err != nil {
		return err
	}
	return validateExperiment(r.Name, tagsOf[Tag](r.Tags))
}

func checkState(state string, deletedMS int64) error {
	if state != Active && state != Deleted || (state == Deleted) != (deletedMS > 0) {
		return ErrValue("state", state, "it is active, or deleted since deleted_ms")
	}
	return nil
}

// tagsOf lists tags or params by key.
func tagsOf[T Tag | Param](all map[string]string) (out []T) {
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, T{k, all[k]})
	}
	return out
}

// BringExperiment adds the experiment of a record, and returns its id here: its own unless
// the project has given the number already.
func (s *Service) BringExperiment(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ExperimentRecord) (id string, err error) {
	n, err := experimentNumber(r.ID)
	if err == nil {
		err = s.CheckExperiment(tx, p, r)
	}
	if err == nil && n != 0 {
		err = s.ensureDefault(ctx, tx, p)
	}
	if err != nil {
		return "", err
	}
	if n, err = takeExperimentNumber(tx, p, n); err != nil {
		return "", err
	}
	e := &Experiment{ID: strconv.FormatInt(n, 10), Name: r.Name}
	if e.k, err = insertExperimentRecord(tx, p, n, r, s.nowMS()); err != nil {
		return "", err
	}
	for k, v := range r.Tags {
		if err := upsertExperimentTag(tx, e.k, Tag{k, v}); err != nil {
			return "", err
		}
	}
	err = s.emitExperiment(ctx, tx, p, e, event.ExperimentCreatedType)
	if err != nil || r.State == Active {
		return e.ID, err
	}
	return e.ID, s.emitExperiment(ctx, tx, p, e, event.ExperimentDeletedType)
}

// BringDataset adds a dataset to an experiment.
func (s *Service) BringDataset(tx *store.Tx, p fairlead.Project, exp string,
	r *DatasetRecord) error {
	if err := validateInputs([]DatasetInput{{Dataset: r.Dataset}}); err != nil {
		return err
	}
	e, err := s.experimentByID(tx, p, exp)
	if err != nil {
		return err
	}
	return insertDataset(tx, e.k, r.Dataset)
}

// BringRun adds a run, without its history, to an experiment. One that has begun to come
// becomes what the record says, which may be of a later export.
func (s *Service) BringRun(ctx context.Context, tx *store.Tx, p fairlead.Project, exp string,
	r *RunRecord) error {
	if err := r.check(); err != nil {
		return err
	}
	run, err := runByID(tx, p, r.ID)
	if fairlead.Is(err, fairlead.NotFound) {
		run, err = s.insertBroughtRun(ctx, tx, p, exp, r)
	} else if err == nil {
		run.Name, run.Status, run.EndMS = r.Name, r.Status, r.EndMS
		err = errors.Join(updateRun(tx, run), deleteTags(tx, run.k))
	}
	if err != nil {
		return err
	}
	ring := s.keyring(tx)
	if err := bringPairs(ring, run, filter.Param, r.Params); err != nil {
		return err
	}
	if err := bringPairs(ring, run, filter.Tag, r.Tags); err != nil {
		return err
	}
	if err := setParent(tx, run.k, r.Tags[parentTag]); err != nil {
		return err
	}
	for _, d := range r.Datasets {
		if err := linkDataset(tx, run.k, d); err != nil {
			return err
		}
	}
	for _, m := range r.Models {
		if err := insertRunModel(tx, run.k, m.Direction, ModelOutput{m.ModelID, m.Step}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) insertBroughtRun(ctx context.Context, tx *store.Tx, p fairlead.Project,
	exp string, r *RunRecord) (*Run, error) {
	e, err := s.experimentByID(tx, p, exp)
	if err != nil {
		return nil, err
	}
	run := &Run{ID: r.ID, Name: r.Name, ExperimentID: e.ID, User: r.User, Status: r.Status,
		State: Deleted, StartMS: r.StartMS, EndMS: r.EndMS, DeletedMS: s.nowMS(),
		expK: e.k}
	err = insertRun(tx, p, run, s.nowMS())
	if store.IsUnique(err) {
		return nil, elsewhere("run", r.ID)
	}
	if err != nil {
		return nil, err
	}
	if err := updateRun(tx, run); err != nil { // its end
		return nil, err
	}
	return run, s.emitRun(ctx, tx, p, run, event.RunCreatedType)
}

func elsewhere(what, id string) error {
	return fairlead.Errorf(fairlead.Conflict, "the %s %s is in another project of this server",
		what, id)
}

func (r *RunRecord) check() error {
	if err := checkID(r.ID); err != nil {
		return err
	}
	if err := checkState(r.State, r.DeletedMS); err != nil {
		return err
	}
	if !slices.Contains(statuses, r.Status) {
		return ErrValue("status", r.Status, "")
	}
	if err := checkPairs(r.Params, r.Tags); err != nil {
		return err
	}
	for _, d := range r.Datasets {
		if err := validateInputTags("datasets.tags", d.Tags); err != nil {
			return err
		}
	}
	for _, m := range r.Models {
		if m.Direction != "input" && m.Direction != "output" {
			return ErrValue("direction", m.Direction, "it is input or output")
		}
	}
	return nil
}

// checkID refuses what could not be a part of an artifact's URI.
func checkID(id string) error {
	if clean, err := blob.CleanPath(id); err != nil || clean != id || strings.Contains(id, "/") {
		return ErrValue("id", id, "it is no id")
	}
	return nil
}

func checkPairs(params, tags map[string]string) error {
	for k, v := range params {
		if err := ValidateKey("params.key", "Param", k); err != nil {
			return err
		}
		if err := validateLength("params."+k, maxParamValue, v); err != nil {
			return err
		}
	}
	for k, v := range tags {
		if err := validateTagKey("tags.key", k); err != nil {
			return err
		}
		if err := validateLength("tags."+k, maxTagValue, v); err != nil {
			return err
		}
	}
	return nil
}

// pairTables are where params and tags are.
var pairTables = map[filter.Kind]string{filter.Param: "param", filter.Tag: "tag"}

// bringPairs adds params or tags.
func bringPairs(ring *keyring, r *Run, kind filter.Kind, all map[string]string) error {
	args := make([]any, 0, 3*len(all))
	for _, k := range slices.Sorted(maps.Keys(all)) {
		key, err := ring.of(r.expK, kind, k)
		if err != nil {
			return err
		}
		args = append(args, r.k, key, all[k])
	}
	return insertRows(ring.tx, "insert into "+pairTables[kind]+" (run_k, key_k, value)",
		" on conflict do nothing", 3, args)
}

func linkDataset(tx *store.Tx, runK int64, d DatasetLink) error {
	in := DatasetInput{Tags: d.Tags}
	tags, err := json.Marshal(in.Tags)
	if err != nil {
		return err
	}
	return insertDatasetLink(tx, runK, d, in.context(), string(tags))
}

// BringPoints adds points to a run's history.
func (s *Service) BringPoints(tx *store.Tx, p fairlead.Project, runID string,
	points []PointRecord) error {
	r, err := runByID(tx, p, runID)
	if err != nil {
		return err
	}
	metrics := make([]Metric, len(points))
	for i, at := range points {
		metrics[i] = Metric{Key: at.Key, Value: at.Value, TimestampMS: at.TimestampMS, Step: at.Step}
		if err := metrics[i].check(""); err != nil {
			return err
		}
	}
	if _, err := s.index.behind(tx, r.k); err != nil {
		return err
	}
	s.thin.changing(tx, runID)
	return writeMetrics(s.keyring(tx), p, r, metrics)
}

// SettleBrought gives a run that is whole its state.
func (s *Service) SettleBrought(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *RunRecord) error {
	run, err := runByID(tx, p, r.ID)
	if err != nil {
		return err
	}
	run.State, run.DeletedMS = r.State, r.DeletedMS
	if err := updateRun(tx, run); err != nil {
		return err
	}
	if slices.Contains(ended, run.Status) {
		if err := s.emitRun(ctx, tx, p, run, event.RunFinishedType); err != nil {
			return err
		}
	}
	if run.State == Active {
		return nil
	}
	return s.emitRun(ctx, tx, p, run, event.RunDeletedType)
}

// BringLoggedModel adds a logged model, without what was measured of it. One that has
// begun to come becomes what the record says.
func (s *Service) BringLoggedModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	exp string, r *LoggedModelRecord) error {
	if err := r.check(); err != nil {
		return err
	}
	have, err := s.LoggedModelRecord(tx, p, r.ID)
	if err != nil {
		return err
	}
	m := &LoggedModel{ID: r.ID, RunID: r.RunID, Name: r.Name, Type: r.Type, Status: r.Status,
		State: Deleted, CreatedMS: r.CreatedMS}
	if have != nil {
		if m.k, err = have.k, updateModelRecord(tx, have.k, r); err != nil {
			return err
		}
	} else if err := s.insertBroughtModel(ctx, tx, p, exp, m); err != nil {
		return err
	}
	if err := upsertModelTags(tx, m.k, tagsOf[Tag](r.Tags)); err != nil {
		return err
	}
	return insertModelParams(tx, m.k, tagsOf[Param](r.Params))
}

func (s *Service) insertBroughtModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	exp string, m *LoggedModel) error {
	e, err := s.experimentByID(tx, p, exp)
	if err != nil {
		return err
	}
	err = insertLoggedModel(tx, p, e.k, m)
	if store.IsUnique(err) {
		return elsewhere("logged model", m.ID)
	}
	if err != nil {
		return err
	}
	if err := modelArrived(tx, m.k, s.nowMS()); err != nil {
		return err
	}
	if err := updateLoggedModel(tx, m, s.nowMS()); err != nil { // when it came into the trash
		return err
	}
	return s.emitLoggedModel(ctx, tx, p, m, event.LoggedModelCreatedType)
}

func (r *LoggedModelRecord) check() error {
	if err := checkID(r.ID); err != nil {
		return err
	}
	if err := checkState(r.State, r.DeletedMS); err != nil {
		return err
	}
	if !slices.Contains([]string{ModelPending, ModelReady, ModelFailed}, r.Status) {
		return ErrValue("status", r.Status, "")
	}
	n := NewLoggedModel{Name: r.Name}
	if err := n.check(); err != nil {
		return err
	}
	return checkPairs(r.Params, r.Tags)
}

// BringModelPoints adds what runs measured of a logged model; of runs that are not here,
// nothing.
func (s *Service) BringModelPoints(tx *store.Tx, p fairlead.Project, modelID string,
	points []ModelPointRecord) error {
	m, err := s.LoggedModelRecord(tx, p, modelID)
	if err != nil {
		return err
	}
	if m == nil {
		return fairlead.Errorf(fairlead.NotFound, "the logged model %s was purged meanwhile", modelID)
	}
	all := make([]Metric, len(points))
	for i, at := range points {
		all[i] = Metric{Key: at.Key, Value: at.Value, TimestampMS: at.TimestampMS, Step: at.Step,
			RunID: at.RunID, DatasetName: at.DatasetName, DatasetDigest: at.DatasetDigest}
		if err := all[i].check(""); err != nil {
			return err
		}
	}
	_, err = storeModelPoints(s.keyring(tx), p, m.k, all)
	return err
}

// SettleBroughtModel gives a logged model that is whole its times and state.
func (s *Service) SettleBroughtModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *LoggedModelRecord) error {
	if err := settleModelRecord(tx, p, r); err != nil {
		return err
	}
	name := event.LoggedModelFinishedType
	if r.State == Deleted {
		name = event.LoggedModelDeletedType
	}
	m := &LoggedModel{ID: r.ID, RunID: r.RunID, Status: r.Status}
	return s.emitLoggedModel(ctx, tx, p, m, name)
}

// Same reports whether two records of a run say the same.
func (r *RunRecord) Same(other *RunRecord) bool { return same(r, other) }

// Same reports whether two records of a logged model say the same.
func (r *LoggedModelRecord) Same(other *LoggedModelRecord) bool { return same(r, other) }

// Same reports whether two records of an experiment say the same.
func (r *ExperimentRecord) Same(other *ExperimentRecord) bool { return same(r, other) }

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// CheckRun is Invalid for what is no run, and Conflict when another project has a run of
// the id: ids are those of the whole server.
func (s *Service) CheckRun(tx *store.Tx, p fairlead.Project, r *RunRecord) error {
	if err := r.check(); err != nil {
		return err
	}
	there, err := inOtherProject(tx, p, "run", r.ID)
	if err == nil && there {
		return elsewhere("run", r.ID)
	}
	return err
}

// CheckLoggedModel is CheckRun for a logged model.
func (s *Service) CheckLoggedModel(tx *store.Tx, p fairlead.Project, r *LoggedModelRecord) error {
	if err := r.check(); err != nil {
		return err
	}
	there, err := inOtherProject(tx, p, "logged_model", r.ID)
	if err == nil && there {
		return elsewhere("logged model", r.ID)
	}
	return err
}
