package monitor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Reference is what a version knew when it was made: the distribution of each
// input and of its own predictions, and, once a gate has passed it, its metrics on
// the holdout.
type Reference struct {
	Datasets []data.Ref         `json:"datasets,omitempty"`
	Rows     int                `json:"rows"`
	Features []*Feature         `json:"features,omitempty"`
	Usual    *Usual             `json:"usual,omitempty"`
	Note     string             `json:"note,omitempty"`
	Metrics  map[string]float64 `json:"-"`
}

// Reference returns what the version knew when it was made; nil when that was not counted.
func (s *Service) Reference(tx *store.Tx, p fairlead.Project, model string, version int64) (
	*Reference, error) {
	return readReference(tx, p, model, version)
}

// Feature returns the distribution of an input; nil for one that r, which may be nil, has
// not.
func (r *Reference) Feature(name string) *Feature {
	if r == nil {
		return nil
	}
	i := slices.IndexFunc(r.Features, func(f *Feature) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return r.Features[i]
}

type referencePayload struct {
	Model   string `json:"model"`
	Version int64  `json:"version"`
}

// versionPackaged asks for the reference of a version whose signature is known.
func (s *Service) versionPackaged(tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var e event.ModelVersionCondition
	if err := r.Decode(&e); err != nil || e.Condition != registry.ConditionPackaged ||
		e.Status != string(registry.True) {
		return err
	}
	return s.askReference(tx, p, e.Model, e.Version, "")
}

// RepeatReference asks again for a reference that could not be built. One that is there,
// or is being built, stays as it is.
func (s *Service) RepeatReference(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model string, n int64) error {
	cond, err := s.Registry.Condition(tx, p, model, n, registry.ConditionReference)
	if err != nil || cond.Status != registry.False {
		return err
	}
	unknown := registry.Condition{Type: cond.Type, Status: registry.Unknown,
		Reason: "it is being built again"}
	if err := s.Registry.SetCondition(ctx, tx, p, model, n, unknown); err != nil {
		return err
	}
	return s.askReference(tx, p, model, n, fmt.Sprintf("/%d", cond.UpdatedMS))
}

func (s *Service) askReference(tx *store.Tx, p fairlead.Project, model string, n int64,
	again string) error {
	_, _, err := s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: referenceJob,
		Key: fmt.Sprintf("%s/%d%s", model, n, again), Payload: referencePayload{model, n}})
	return err
}

// buildReference counts the inputs of the version on the data it was made from,
// and sets the condition `reference`. A version without any usable data gets an
// empty one, which says so: its error can be watched, its drift cannot.
func (s *Service) buildReference(ctx context.Context, r *job.Run) error {
	var in referencePayload
	if err := r.Job.Decode(&in); err != nil {
		return err
	}
	p := r.Job.Project
	sm, err := s.sample(ctx, r.Job, in.Model, in.Version)
	if err != nil {
		return err
	}
	ref, err := s.reference(ctx, p, sm)
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		if err := saveReference(tx, p, in.Model, in.Version, ref); err != nil {
			return err
		}
		return s.Registry.SetCondition(ctx, tx, p, in.Model, in.Version, registry.Condition{
			Type: registry.ConditionReference, Status: registry.True, Reason: ref.summary(sm.holdout),
		})
	})
}

// reference counts the sample, and learns what is usual for the windows that the
// project's file asks for.
func (s *Service) reference(ctx context.Context, p fairlead.Project, sm *sample) (*Reference,
	error) {
	ref, err := countSample(sm)
	if err != nil {
		return nil, err
	}
	var mon *spec.Monitor
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		mon, err = s.settings(tx, p)
		return err
	})
	if err == nil && mon != nil && mon.Drift != nil {
		ref.Usual, err = ref.learn(sm, mon.Drift.Window.Duration, mon.Drift.Threshold)
	}
	return ref, err
}

func countSample(sm *sample) (*Reference, error) {
	ref := &Reference{Datasets: sm.datasets, Rows: sm.rows(), Note: sm.note}
	for i := range sm.columns {
		f, err := newFeature(&sm.columns[i])
		if err != nil {
			return nil, err
		}
		ref.Features = append(ref.Features, f)
	}
	return ref, nil
}

// summary says what the reference is, in one sentence.
func (r *Reference) summary(holdout bool) string {
	names := make([]string, len(r.Datasets))
	for i, d := range r.Datasets {
		names[i] = fmt.Sprintf("%s version %d", d.Dataset, d.N)
	}
	from := strings.Join(names, " and ")
	if holdout {
		from += " (the version names no data of its own)"
	}
	var text string
	switch inputs := r.inputs(); {
	case len(r.Datasets) == 0:
		return "0 inputs: the version names no data, and there is no holdout to take instead; " +
			"its drift cannot be watched"
	case inputs == 0:
		return "0 inputs: " + from + " has none of the model's columns; its drift cannot be watched"
	default:
		text = fmt.Sprintf("%d inputs on %d rows of %s", inputs, r.Rows, from)
	}
	if r.Note != "" {
		text += "; " + r.Note
	}
	return text
}

func (r *Reference) inputs() int {
	n := len(r.Features)
	for _, f := range r.Features {
		if f.Name == PredictionFeature {
			n--
		}
	}
	return n
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
	err := s.Registry.SetCondition(ctx, tx, j.Project, in.Model, in.Version, registry.Condition{
		Type: registry.ConditionReference, Status: registry.False,
		Reason: "the reference cannot be built: " + j.Error,
	})
	if fairlead.Is(err, fairlead.NotFound) {
		return nil // the version was deleted, and nobody waits for it
	}
	return err
}

// keepMetrics stores what the gate saw of a version that passed: what its windows
// are compared with. A gate that stops a version, or could not be run, says
// nothing about one that was released before.
func (s *Service) keepMetrics(tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var d event.GateDecided
	if err := r.Decode(&d); err != nil || d.Result != gate.Passed {
		return err
	}
	metrics, err := s.Gate.CandidateMetrics(tx, p, d.Decision)
	if err != nil {
		return err
	}
	return saveMetrics(tx, p, d.Model, d.Version, metrics)
}

// fits reports whether u was learned for windows of that length and threshold.
func (u *Usual) fits(length time.Duration, threshold float64) bool {
	return u != nil && u.WindowMS == length.Milliseconds() && u.Threshold == threshold
}
