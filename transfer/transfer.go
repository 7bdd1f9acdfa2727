package transfer

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the table of what has been brought in.
func Schema() store.Schema { return store.Embedded("transfer", files) }

// Service imports, one import at a time.
type Service struct {
	db       *store.DB
	tracking *tracking.Service
	registry *registry.Service

	busy sync.Mutex // held by the import that runs
	mu   sync.Mutex
	now  Report // of the import that runs, or of the last one
}

// New returns the service on db, whose schema must include Schema().
func New(db *store.DB, tr *tracking.Service, reg *registry.Service) *Service {
	return &Service{db: db, tracking: tr, registry: reg}
}

// Report counts what the source has and Fairlead has now too.
type Report struct {
	Source       string   `json:"source"`
	Experiments  int      `json:"experiments"`
	Runs         int      `json:"runs"`
	Points       int      `json:"points"` // of metrics
	LoggedModels int      `json:"logged_models"`
	Models       int      `json:"models"` // registered
	Versions     int      `json:"versions"`
	Files        int      `json:"files"`   // that were stored now
	Skipped      int      `json:"skipped"` // runs, models and versions that had come in before
	Left         []string `json:"left"`    // what could not be brought in, and why
}

// Progress returns the report of the import that runs, as far as it is, or of the last.
func (s *Service) Progress() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.now
	r.Left = slices.Clone(r.Left)
	return r
}

func (s *Service) note(change func(r *Report)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.now)
}

// Source says what to import.
type Source struct {
	From      string // absolute path of MLflow's file store, or of its SQLite file
	Artifacts string // absolute path of what its server stores below mlflow-artifacts:/
}

// experiment, run, model and registered are what sources yield.
type (
	experiment struct {
		tracking.Experiment
		DeletedMS int64
	}
	run struct {
		tracking.Run // Metrics is the whole history
		DeletedMS    int64
		Artifacts    string // URI
	}
	model struct {
		tracking.LoggedModel // Metrics is empty: they come with the run
		Artifacts            string
	}
	version    = registry.Version
	registered struct {
		registry.Model
		Versions []version
	}
)

// source reads a tracking server's store.
type source interface {
	experiments(ctx context.Context) ([]experiment, error)
	runs(ctx context.Context, id string) ([]string, error) // ids, in an experiment
	run(ctx context.Context, exp, id string) (*run, error)
	models(ctx context.Context, exp string) ([]model, error)
	registered(ctx context.Context) ([]registered, error)
	close() error
}

// ImportMLflow brings in all of an MLflow store, and returns what it has and what could
// not be brought in. Conflict when another import runs, or something here has the name
// or id of something else there; what came in before that stays, and a repetition goes
// on there.
func (s *Service) ImportMLflow(ctx context.Context, p fairlead.Project, from Source) (Report,
	error) {
	if !s.busy.TryLock() {
		return Report{}, fairlead.Errorf(fairlead.Conflict, "another import runs; wait for its end")
	}
	defer s.busy.Unlock()
	s.note(func(r *Report) { *r = Report{Source: from.From, Left: []string{}} })
	src, err := open(from)
	if err != nil {
		return s.Progress(), err
	}
	defer src.close()
	im := &importing{Service: s, p: p, src: src, from: from, places: map[string]string{}}
	err = im.all(ctx)
	return s.Progress(), err
}

func open(from Source) (source, error) {
	if !filepath.IsAbs(from.From) {
		return nil, fairlead.Errorf(fairlead.Invalid, "%q is no absolute path", from.From)
	}
	info, err := os.Stat(from.From)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is nothing to read at %s; name the directory "+
			"that MLflow's client writes (mlruns) or its SQLite file (mlflow.db)", from.From).Because(err)
	}
	if info.IsDir() {
		return fileStore{from.From}, nil
	}
	return openSQLite(from.From)
}

// importing is one import.
type importing struct {
	*Service
	p      fairlead.Project
	src    source
	from   Source
	places map[string]string // root of artifacts there → what a version's source says here
}

func (im *importing) all(ctx context.Context) error {
	experiments, err := im.src.experiments(ctx)
	if err != nil {
		return err
	}
	for _, e := range experiments {
		if err := im.experiment(ctx, e); err != nil {
			return fmt.Errorf("experiment %q: %w", e.Name, err)
		}
		im.note(func(r *Report) { r.Experiments++ })
	}
	models, err := im.src.registered(ctx)
	if err != nil {
		return err
	}
	for _, m := range models {
		if err := im.registered(ctx, m); err != nil {
			return fmt.Errorf("model %q: %w", m.Name, err)
		}
		im.note(func(r *Report) { r.Models++ })
	}
	return nil
}

// experiment brings in an experiment with what is in it; its state comes last.
func (im *importing) experiment(ctx context.Context, e experiment) error {
	key := im.key("experiment", im.from.From, e.ID)
	target, settled, err := im.known(ctx, key)
	if err != nil {
		return err
	}
	if target == "" {
		if target, err = im.newExperiment(ctx, key, e); err != nil {
			return err
		}
	}
	if settled == e.State { // a deleted one takes nothing more, and was whole
		if e.State == tracking.Deleted {
			return im.skipExperiment(ctx, e)
		}
	} else if settled == tracking.Deleted {
		return fairlead.Errorf(fairlead.Conflict, "it was restored there after it was brought in "+
			"deleted; restore experiment %s here, and import again", target)
	}
	models, err := im.src.models(ctx, e.ID)
	if err != nil {
		return err
	}
	for i := range models {
		if err := im.model(ctx, target, &models[i]); err != nil {
			return fmt.Errorf("logged model %s: %w", models[i].ID, err)
		}
	}
	ids, err := im.src.runs(ctx, e.ID)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := im.run(ctx, e, target, id); err != nil {
			return fmt.Errorf("run %s: %w", id, err)
		}
	}
	for i := range models {
		if err := im.settleModel(ctx, &models[i]); err != nil {
			return fmt.Errorf("logged model %s: %w", models[i].ID, err)
		}
	}
	if settled == "" && target != "0" || e.State == tracking.Deleted {
		err := im.tracking.SettleExperiment(ctx, im.p, target, e.CreatedMS, e.UpdatedMS, e.DeletedMS)
		if err != nil {
			return err
		}
	}
	return im.done(ctx, key, e.State, target)
}

// skipExperiment counts what came in with a deleted experiment.
func (im *importing) skipExperiment(ctx context.Context, e experiment) error {
	ids, err := im.src.runs(ctx, e.ID)
	im.note(func(r *Report) { r.Runs, r.Skipped = r.Runs+len(ids), r.Skipped+len(ids) })
	return err
}

// newExperiment takes the active experiment of the name, or makes it. One that was
// deleted there must not be the one that is active here.
func (im *importing) newExperiment(ctx context.Context, key note, e experiment) (id string,
	err error) {
	have, err := im.tracking.ExperimentByName(ctx, im.p, e.Name)
	if err == nil && have.State == tracking.Active && e.State == tracking.Deleted {
		return "", fairlead.Errorf(fairlead.Conflict,
			"it was deleted there, and experiment %s here has its name; rename that one, and import again",
			have.ID)
	}
	if err != nil && !fairlead.Is(err, fairlead.NotFound) {
		return "", err
	}
	err = im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		made, err := im.tracking.EnsureExperiment(ctx, tx, im.p, e.Name)
		if err != nil {
			return err
		}
		id = made.ID
		return record(tx, key, "", id)
	})
	if err != nil {
		return "", err
	}
	for _, t := range e.Tags {
		if err := im.tracking.SetExperimentTag(ctx, im.p, id, t); err != nil {
			return "", err
		}
	}
	return id, nil
}

// model brings in a logged model, whose state comes with settleModel.
func (im *importing) model(ctx context.Context, exp string, m *model) error {
	im.places[strings.TrimSuffix(m.Artifacts, "/")] = "models:/" + m.ID
	_, err := im.tracking.LoggedModel(ctx, im.p, m.ID)
	target, _, e := im.known(ctx, im.key("logged model", "", m.ID))
	if e != nil || err == nil || target != "" {
		return e
	}
	if !fairlead.Is(err, fairlead.NotFound) {
		return err
	}
	_, err = im.tracking.AddLoggedModel(ctx, im.p, tracking.NewLoggedModel{ID: m.ID, Experiment: exp,
		RunID: m.RunID, Name: m.Name, Type: m.Type, Tags: m.Tags, Params: m.Params})
	return err
}

// settleModel brings in a logged model's files, and then its state.
func (im *importing) settleModel(ctx context.Context, m *model) error {
	key, digest := im.key("logged model", "", m.ID), digestOf(m)
	target, have, err := im.known(ctx, key)
	if err != nil {
		return err
	}
	im.note(func(r *Report) { r.LoggedModels++ })
	if target != "" {
		if have != digest {
			im.leave("logged model %s has changed since it was brought in", m.ID)
		}
		im.note(func(r *Report) { r.Skipped++ })
		return nil
	}
	err = im.artifacts(ctx, tracking.LoggedModelOwner(m.ID), m.Artifacts)
	if err != nil {
		return err
	}
	err = im.tracking.SettleLoggedModel(ctx, im.p, m.ID, m.Status, m.State, m.CreatedMS, m.UpdatedMS)
	if err != nil {
		return err
	}
	return im.done(ctx, key, digest, m.ID)
}

// batch is how many points, params or tags go in one write.
const batch = 100

// run brings in a run with its history and files; its state comes last, and only then
// it is noted as whole.
func (im *importing) run(ctx context.Context, e experiment, exp, id string) error {
	r, err := im.src.run(ctx, e.ID, id)
	if err != nil {
		return err
	}
	im.places[strings.TrimSuffix(r.Artifacts, "/")] = "runs:/" + r.ID
	key, digest := im.key("run", "", id), digestOf(r)
	target, have, err := im.known(ctx, key)
	if err != nil {
		return err
	}
	im.note(func(rep *Report) { rep.Runs, rep.Points = rep.Runs+1, rep.Points+len(r.history()) })
	if target != "" && have == digest {
		im.note(func(rep *Report) { rep.Skipped++ })
		return nil
	}
	if err := im.beginRun(ctx, exp, r); err != nil {
		return err
	}
	if err := im.fillRun(ctx, r); err != nil {
		return err
	}
	if err := im.artifacts(ctx, tracking.RunOwner(id), r.Artifacts); err != nil {
		return err
	}
	if err := im.checkRun(ctx, r); err != nil {
		return err
	}
	deleted := r.DeletedMS
	if deleted != 0 && e.DeletedMS != 0 {
		deleted = e.DeletedMS // so that restoring the experiment restores it
	}
	if err := im.tracking.SettleRun(ctx, im.p, id, r.Status, r.EndMS, deleted); err != nil {
		return err
	}
	return im.done(ctx, key, digest, id)
}

// beginRun makes the run, or opens the one that came in before.
func (im *importing) beginRun(ctx context.Context, exp string, r *run) error {
	have, err := im.tracking.Run(ctx, im.p, r.ID)
	switch {
	case fairlead.Is(err, fairlead.NotFound):
		_, err = im.tracking.StartRun(ctx, im.p, tracking.NewRun{ID: r.ID, Experiment: exp,
			Name: r.Name, User: r.User, StartMS: r.StartMS})
	case err == nil && have.ExperimentID != exp:
		err = fairlead.Errorf(fairlead.Conflict, "a run with its id is in experiment %s",
			have.ExperimentID)
	case err == nil && have.State == tracking.Deleted:
		err = im.tracking.RestoreRun(ctx, im.p, r.ID)
	}
	return err
}

func (im *importing) fillRun(ctx context.Context, r *run) error {
	log := func(b tracking.Batch) error { return im.tracking.LogBatch(ctx, im.p, r.ID, b) }
	for part := range slices.Chunk(r.Params, batch) {
		if err := log(tracking.Batch{Params: part}); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(r.Tags, batch) {
		if err := log(tracking.Batch{Tags: part}); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(r.Metrics, 10*batch) {
		if err := log(tracking.Batch{Metrics: part}); err != nil {
			return err
		}
	}
	if len(r.Datasets)+len(r.ModelInputs) > 0 {
		err := im.tracking.LogInputs(ctx, im.p, r.ID, r.Datasets, r.ModelInputs)
		if err != nil {
			return err
		}
	}
	if len(r.ModelOutputs) == 0 {
		return nil
	}
	return im.tracking.LogOutputs(ctx, im.p, r.ID, r.ModelOutputs)
}

// checkRun compares what is here now with what was read.
func (im *importing) checkRun(ctx context.Context, r *run) error {
	points, params, tags, err := im.tracking.CountRun(ctx, im.p, r.ID)
	if err != nil {
		return err
	}
	want := r.history()
	if points < len(want) || params < len(r.Params) || tags < len(r.Tags) {
		return fairlead.Errorf(fairlead.Internal,
			"%d points, %d params and %d tags came in, of %d, %d and %d that were read", points, params,
			tags, len(want), len(r.Params), len(r.Tags))
	}
	return nil
}

// point is a point of a history; the value is text, so that NaN equals NaN.
type point struct {
	key, value string
	step, ms   int64
}

// history is the set of the run's points: a store of files may have one twice.
func (r *run) history() map[point]bool {
	all := make(map[point]bool, len(r.Metrics))
	for _, m := range r.Metrics {
		all[point{m.Key, fmt.Sprint(m.Value), m.Step, m.TimestampMS}] = true
	}
	return all
}

// artifacts stores the files below a URI.
func (im *importing) artifacts(ctx context.Context, o blob.Owner, uri string) error {
	dir, ok := im.from.local(uri)
	if !ok {
		im.leave("the files of %s %s are at %s, which is not on this machine", o.Kind, o.ID, uri)
		return nil
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // no files were logged
	}
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			im.leave("%s of %s %s is no regular file", name, o.Kind, o.ID)
			return nil
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		im.note(func(r *Report) { r.Files++ })
		return im.tracking.PutArtifact(ctx, im.p, tracking.Place{Owner: o, Path: name}, f)
	})
}

func (im *importing) leave(format string, args ...any) {
	im.note(func(r *Report) { r.Left = append(r.Left, fmt.Sprintf(format, args...)) })
}

// digestOf identifies what something was in the source.
func digestOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // NaN and infinities are no JSON
		b = fmt.Appendf(nil, "%+v", v)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
