package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
	"github.com/fairlead-ml/fairlead/tracking"
)

const endpoint = "bikes@production"

var (
	project = fairlead.Project{K: 1, Name: "default"}
	day0    = time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)
	wall    = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
)

func env(strategy string) spec.Environment {
	e := spec.Environment{Name: "production", Strategy: strategy, Log: spec.Durable, Keep: 1}
	if strategy != spec.Replace {
		e.Steps = []float64{10, 50, 100}
		e.Hold = spec.Hold{Labels: 48, AtMost: spec.Duration{Duration: 14 * 24 * time.Hour}}
		e.Abort = &spec.Abort{Metric: "wape", WorseBy: 0.1, Alpha: 0.05}
	}
	return e
}

// world is the release stage over a real database, with stream time and ledger.
type world struct {
	t        *testing.T
	path     string
	db       *store.DB
	led      *ledger.Ledger
	streams  *stream.Service
	gates    *gate.Service
	models   *registry.Service
	tracking *tracking.Service
	projects *spec.Projects
	release  *release.Service
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, path: filepath.Join(t.TempDir(), "f.db")}
	w.open()
	t.Cleanup(w.close)
	w.do(w.register)
	return w
}

// open starts the process on the database, as it stands.
func (w *world) open() {
	w.t.Helper()
	var err error
	w.db, err = store.Open(w.t.Context(), store.Options{Path: w.path},
		ledger.Schema(), stream.Schema(), job.Schema(), spec.Tables(), blob.Schema(),
		tracking.Schema(), registry.Schema(), gate.Schema(),
		release.Schema())
	if err != nil {
		w.t.Fatal(err)
	}
	log, clock := slog.New(slog.DiscardHandler), fairlead.NewFakeClock(wall)
	w.led = ledger.New(w.db, clock, log)
	w.streams = stream.New(w.db, clock, log)
	jobs := job.New(w.db, w.led, clock, log, job.Options{})
	w.projects = spec.NewProjects(w.db, w.led, clock)
	w.gates, err = gate.New(gate.Deps{DB: w.db, Ledger: w.led, Jobs: jobs, Clock: clock, Log: log},
		filepath.Dir(w.path))
	if err != nil {
		w.t.Fatal(err)
	}
	blobs, err := blob.New(w.db, filepath.Dir(w.path))
	if err != nil {
		w.t.Fatal(err)
	}
	w.tracking = tracking.New(w.db, w.led, blobs, clock, slog.New(slog.DiscardHandler))
	w.models = registry.New(w.db, w.led, blobs, w.tracking, clock)
	w.release = release.New(release.Deps{DB: w.db, Ledger: w.led, Stream: w.streams,
		Projects: w.projects, Registry: w.models, Gate: w.gates, Clock: clock, Log: log})
	w.streams.Settles(func(ctx context.Context, _ fairlead.Project) (bool, error) {
		return w.led.Idle(ctx)
	})
	if err := w.led.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// close ends the process; nothing but the database is left of it.
func (w *world) close() {
	w.led.Stop()
	w.db.Close()
}

func (w *world) write(fn func(tx *store.Tx) error) error {
	return w.db.Write(context.Background(), store.Control, fn)
}

func (w *world) read(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Read(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start(version int64, e spec.Environment) (id string, err error) {
	err = w.write(func(tx *store.Tx) (err error) {
		id, err = w.release.Start(context.Background(), tx, project, release.Start{
			Environment: e, Model: "bikes", Version: version, Case: fmt.Sprintf("case_%d", version)})
		return err
	})
	return id, err
}

func (w *world) mustStart(version int64, e spec.Environment) string {
	w.t.Helper()
	id, err := w.start(version, e)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// do runs one change of the release stage and wants it to succeed.
func (w *world) do(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.write(fn); err != nil {
		w.t.Fatal(err)
	}
}

// evidence pushes what monitor would push, and waits until it has had its effect.
func (w *world) evidence(rollout string, labels int, rejected bool) {
	w.t.Helper()
	w.push(rollout, map[string]any{"labels": labels, "blocks": labels / 24, "wealth": 0.5,
		"rejected": rejected, "loss_candidate": float64(labels), "loss_live": float64(labels),
		"loss_tolerated": float64(labels)})
	w.settle()
}

func (w *world) push(rollout string, facts map[string]any) {
	w.t.Helper()
	w.do(func(tx *store.Tx) error {
		_, err := w.gates.PutEvidence(context.Background(), tx, project, gate.Evidence{
			Subject: endpoint, Kind: gate.KindPaired, Rollout: rollout, Facts: facts, Source: "monitor"})
		return err
	})
}

func (w *world) settle() {
	w.t.Helper()
	for {
		changed := w.db.Changed()
		idle, err := w.led.Idle(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		if idle {
			return
		}
		select {
		case <-changed:
		case <-time.After(10 * time.Millisecond): // the last event may be nobody's
		}
	}
}

func (w *world) advance(to time.Time) {
	w.t.Helper()
	if err := w.streams.Advance(w.t.Context(), project, endpoint, to); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) assignment() (a *release.Assignment) {
	w.t.Helper()
	w.read(func(tx *store.Tx) (err error) {
		a, err = w.release.Assignment(tx, project, endpoint)
		return err
	})
	return a
}

func (w *world) rollout(id string) (r *release.Rollout) {
	w.t.Helper()
	w.read(func(tx *store.Tx) (err error) {
		r, err = w.release.Rollout(tx, project, id)
		return err
	})
	return r
}

// wantServing checks the roles at the endpoint, as "live=2 standby=1".
func (w *world) wantServing(want string) {
	w.t.Helper()
	var parts []string
	for _, v := range w.assignment().Variants {
		parts = append(parts, fmt.Sprintf("%s=%d", v.Role, v.Version))
	}
	if got := strings.Join(parts, " "); got != want {
		w.t.Errorf("serves %s, want %s", got, want)
	}
}

// events returns the types of the events of a rollout or endpoint, in order.
func (w *world) events() (all []*ledger.Record) {
	w.t.Helper()
	all, err := w.led.List(w.t.Context(), ledger.Filter{Subject: endpoint, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) lastEvent(kind string) *ledger.Record {
	w.t.Helper()
	for _, r := range slices.Backward(w.events()) {
		if r.Type == kind {
			return r
		}
	}
	w.t.Fatalf("no event %s", kind)
	return nil
}

func TestStart_FirstReleaseIsLiveAtOnceWhateverTheStrategy(t *testing.T) {
	w := newWorld(t)
	id := w.mustStart(1, env(spec.Canary))
	w.wantServing("live=1")
	r := w.rollout(id)
	if r.Strategy != spec.Replace || r.Plan.Strategy != spec.Canary || r.Note == "" ||
		r.Outcome != release.Promoted {
		t.Errorf("rollout %+v", r)
	}
	var types []string
	for _, e := range w.events() {
		types = append(types, e.Type)
	}
	want := []string{event.RolloutStartedType, event.AssignmentChangedType, event.RolloutFinishedType}
	if !slices.Equal(types, want) {
		t.Errorf("events %v, want %v", types, want)
	}
	w.wantRegistry("live=1 held=1:live")
}

func TestStart_RefusesWhatCannotBeReleased(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	w.do(func(tx *store.Tx) error {
		return w.models.Retire(t.Context(), tx, project, "bikes", 5, "too old")
	})
	for version, want := range map[int64]fairlead.Code{1: fairlead.Precondition, 5: fairlead.Gone,
		unpackaged: fairlead.Precondition, 77: fairlead.NotFound} {
		if _, err := w.start(version, env(spec.Replace)); !fairlead.Is(err, want) {
			t.Errorf("version %d: %v, want %s", version, err, want)
		}
	}
	id := w.mustStart(2, env(spec.Canary))
	_, err := w.start(3, env(spec.Replace))
	if !fairlead.Is(err, fairlead.Conflict) || !strings.Contains(err.Error(), id) {
		t.Errorf("a second rollout: %v", err)
	}
	w.wantServing("live=1 canary=2")
	if a := w.assignment(); a.Settings.Strategy != spec.Canary {
		t.Errorf("the refused rollout changed the settings to %s", a.Settings.Strategy)
	}
}

func TestStart_ToAnEarlierEnvironmentLeavesTheAliasAlone(t *testing.T) {
	w := newWorld(t)
	_, err := w.projects.Apply(t.Context(), []byte("project: default\nmodel: bikes\nrelease:\n"+
		"  staging: {strategy: replace}\n  production: {strategy: replace}\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	w.mustStart(1, spec.Environment{Name: "staging", Strategy: spec.Replace})
	w.wantRegistry("live=0 held=1:live")
	w.mustStart(2, env(spec.Replace))
	w.wantRegistry("live=2 held=1:live,2:live")
}

func TestCanary_IsPromotedByEvidenceInStreamTime(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	w.advance(day0)
	w.mustStart(2, env(spec.Replace))
	id := w.mustStart(3, env(spec.Canary))
	for day := 1; day <= 6; day++ {
		w.advance(day0.AddDate(0, 0, day))
		w.evidence(id, 24*day, false)
	}
	w.wantServing("live=3 standby=2")
	w.wantRegistry("live=3 held=2:standby,3:live retired=1")
	r := w.rollout(id)
	if r.Outcome != release.Promoted || !r.Ended.Equal(day0.AddDate(0, 0, 6)) ||
		r.Evidence.Labels != 144 {
		t.Errorf("rollout %+v", r)
	}
	var body event.Rollout
	if e := w.lastEvent(event.RolloutFinishedType); !e.At().Equal(r.Ended) || e.Decode(&body) != nil ||
		body.Outcome != release.Promoted || body.Case != "case_3" || body.From != 2 {
		t.Errorf("event %+v", body)
	}
	a := w.assignment()
	if a.Generation != 6 || a.Settings.Log != spec.Durable || a.Version(release.RoleLive) != 3 {
		t.Errorf("assignment %+v", a)
	}
	w.noTimers()
}

func (w *world) noTimers() {
	w.t.Helper()
	if st, err := w.streams.Describe(w.t.Context(), project, endpoint); err != nil || st.Timers != 0 {
		w.t.Errorf("stream %+v, %v", st, err)
	}
}

func TestCanary_IsRolledBackOnRejection(t *testing.T) {
	w := newWorld(t)
	w.advance(day0)
	w.mustStart(1, env(spec.Replace))
	id := w.mustStart(2, env(spec.Canary))
	w.evidence(id, 48, false)
	w.evidence(id, 120, true)
	w.wantServing("live=1")
	w.wantRegistry("live=1 held=1:live")
	r := w.rollout(id)
	if r.Outcome != release.RolledBack || !strings.Contains(r.Reason, "worse than version 1") {
		t.Errorf("rollout %+v", r)
	}
	w.noTimers()
	w.evidence(id, 240, false) // late, and for a finished rollout
	w.wantServing("live=1")
}

func TestCanary_AsksAHumanWithoutEvidenceAndNeverPromotesSilently(t *testing.T) {
	w := newWorld(t)
	w.advance(day0)
	w.mustStart(1, env(spec.Replace))
	id := w.mustStart(2, env(spec.Canary))
	w.advance(day0.AddDate(1, 0, 0))
	w.wantServing("live=1 canary=2")
	if r := w.rollout(id); r.State != release.Waiting {
		t.Errorf("rollout %+v", r)
	}
	if e := w.lastEvent(event.RolloutAskedType); !e.At().Equal(day0.AddDate(0, 0, 14)) {
		t.Errorf("asked at %v", e.At())
	}
	e, err := w.release.Explain(t.Context(), project, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"step 1 of 3 (10% of the requests)",
		"asks a human: 0 of 48 labels after 14d",
		"this step has 0 of 48 labels since 2011-03-01"} {
		if !strings.Contains(e.Text, want) {
			t.Errorf("explanation lacks %q:\n%s", want, e.Text)
		}
	}
	w.do(func(tx *store.Tx) error {
		return w.release.Promote(t.Context(), tx, project, id, "seen by ops")
	})
	w.wantServing("live=2 standby=1")
	if r := w.rollout(id); r.Reason != "seen by ops" || r.Outcome != release.Promoted {
		t.Errorf("rollout %+v", r)
	}
}

func TestCanary_WaitsFromTheStreamsFirstTime(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	id := w.mustStart(2, env(spec.Canary)) // wall time: the stream has none yet
	w.advance(day0)
	w.advance(day0.AddDate(0, 0, 13))
	if r := w.rollout(id); r.State != release.Running || !r.StepAt.Equal(day0) {
		t.Errorf("rollout %+v", r)
	}
	w.advance(day0.AddDate(0, 0, 14))
	if r := w.rollout(id); r.State != release.Waiting {
		t.Errorf("rollout %+v", r)
	}
}

func TestRollback_IsAlwaysPossibleInUnderASecond(t *testing.T) {
	w := newWorld(t)
	w.advance(day0)
	w.mustStart(1, env(spec.Replace))
	w.mustStart(2, env(spec.Replace))
	id := w.mustStart(3, env(spec.Canary))
	began := time.Now()
	w.do(func(tx *store.Tx) error {
		return w.release.Rollback(t.Context(), tx, project, id, "looks odd")
	})
	w.wantServing("live=2 standby=1")
	id = w.mustStart(4, env(spec.Canary))
	w.do(func(tx *store.Tx) error {
		return w.release.RollbackEndpoint(t.Context(), tx, project, endpoint, "incident")
	})
	if took := time.Since(began); took > 10*time.Second { // beside other tests; alone some ms
		t.Errorf("two rollbacks took %v", took)
	}
	w.wantServing("live=1")
	w.wantRegistry("live=1 held=1:live")
	if r := w.rollout(id); r.Outcome != release.Aborted {
		t.Errorf("rollout %+v", r)
	}
	err := w.write(func(tx *store.Tx) error {
		return w.release.RollbackEndpoint(t.Context(), tx, project, endpoint, "again")
	})
	if !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("without a standby: %v", err)
	}
	err = w.write(func(tx *store.Tx) error {
		return w.release.Rollback(t.Context(), tx, project, id, "again")
	})
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), endpoint) {
		t.Errorf("a finished rollout: %v", err)
	}
}

func TestShadow_HoldsItsVersionBesideRollouts(t *testing.T) {
	w := newWorld(t)
	w.advance(day0)
	w.mustStart(1, env(spec.Replace))
	w.do(func(tx *store.Tx) error {
		return w.release.StartShadow(t.Context(), tx, project, endpoint, 1, "frozen")
	})
	w.wantServing("live=1 shadow=1")
	if got := w.assignment().Scoring(); !slices.Equal(got, []int64{1}) {
		t.Errorf("scoring %v, want version 1 once", got)
	}
	w.mustStart(2, env(spec.Replace))
	w.mustStart(3, env(spec.Replace))
	w.mustStart(4, env(spec.Canary))
	w.wantServing("live=3 canary=4 shadow=1 standby=2")
	w.wantRegistry("live=3 held=1:shadow,2:standby,3:live,4:canary")
	w.do(func(tx *store.Tx) error {
		return w.release.StopShadow(t.Context(), tx, project, endpoint, 1, "enough")
	})
	w.wantRegistry("live=3 held=2:standby,3:live,4:canary retired=1")
	stop := func() error {
		return w.write(func(tx *store.Tx) error {
			return w.release.StopShadow(t.Context(), tx, project, endpoint, 1, "enough")
		})
	}
	if err := stop(); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("no shadow: %v", err)
	}
}

func TestStopShadow_DoesNotRetireAVersionThatWasNeverLive(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	w.do(func(tx *store.Tx) error {
		return errors.Join(w.release.StartShadow(t.Context(), tx, project, endpoint, 2, "a look"),
			w.release.StopShadow(t.Context(), tx, project, endpoint, 2, "seen"))
	})
	w.wantRegistry("live=1 held=1:live")
}

func TestObserve_ReportsWhatIsServed(t *testing.T) {
	w := newWorld(t)
	observe := func(gen int64) error {
		return w.write(func(tx *store.Tx) error {
			return w.release.Observe(t.Context(), tx, project, endpoint, gen)
		})
	}
	idle := func() bool {
		ok, err := w.release.Idle(t.Context(), project)
		if err != nil {
			t.Fatal(err)
		}
		return ok
	}
	if err := observe(1); !fairlead.Is(err, fairlead.NotFound) || !idle() {
		t.Errorf("no endpoint: %v", err)
	}
	w.mustStart(1, env(spec.Replace))
	w.mustStart(2, env(spec.Replace))
	if err := observe(1); err != nil || idle() {
		t.Errorf("an older generation: %v, idle %v", err, idle())
	}
	if err := observe(3); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a generation that is not there: %v", err)
	}
	for range 2 {
		if err := observe(2); err != nil || !idle() {
			t.Errorf("the newest generation: %v, idle %v", err, idle())
		}
	}
	applied := 0
	for _, e := range w.events() {
		if e.Type == event.AssignmentAppliedType {
			applied++
		}
	}
	if a := w.assignment(); a.ObservedGeneration != 2 || applied != 2 {
		t.Errorf("assignment %+v, %d events", a, applied)
	}
}

func TestUnserved_SaysWhyUntilItIsServed(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	w.mustStart(2, env(spec.Replace))
	unserved := func(gen int64, why string) {
		t.Helper()
		w.do(func(tx *store.Tx) error {
			return w.release.Unserved(t.Context(), tx, project, endpoint, gen, gen, why)
		})
	}
	wantFailure := func(want string, events int) {
		t.Helper()
		n := 0
		for _, e := range w.events() {
			if e.Type == event.AssignmentFailedType {
				n++
			}
		}
		a := w.assignment()
		if a.Failure != want || (a.FailedVersion != 0) != (want != "") || n != events {
			t.Errorf("failure %q of version %d after %d events, want %q after %d",
				a.Failure, a.FailedVersion, n, want, events)
		}
	}
	unserved(1, "of an older generation")
	wantFailure("", 0)
	unserved(2, "no engine")
	unserved(2, "no engine")
	wantFailure("no engine", 1)
	w.do(func(tx *store.Tx) error {
		return w.release.Observe(t.Context(), tx, project, endpoint, 2)
	})
	unserved(2, "it was served once")
	wantFailure("", 1)
	w.mustStart(3, env(spec.Replace))
	unserved(3, "no engine")
	w.mustStart(4, env(spec.Replace))
	wantFailure("", 2)
}

func TestLookups_FindNothingOfAnotherProject(t *testing.T) {
	w := newWorld(t)
	id := w.mustStart(1, env(spec.Replace))
	other := fairlead.Project{K: 2, Name: "other"}
	w.read(func(tx *store.Tx) error {
		if _, err := w.release.Rollout(tx, other, id); !fairlead.Is(err, fairlead.NotFound) {
			t.Errorf("rollout: %v", err)
		}
		if _, err := w.release.Assignment(tx, other, endpoint); !fairlead.Is(err, fairlead.NotFound) {
			t.Errorf("assignment: %v", err)
		}
		all, err := w.release.Assignments(tx, project)
		if err != nil || len(all) != 1 {
			t.Errorf("assignments %v, %v", all, err)
		}
		if r, err := w.release.ActiveRollout(tx, project, endpoint); r != nil || err != nil {
			t.Errorf("active rollout %v, %v", r, err)
		}
		list, err := w.release.Rollouts(tx, project, endpoint, 0)
		if err != nil || len(list) != 1 || list[0].ID != id {
			t.Errorf("rollouts %v, %v", list, err)
		}
		return nil
	})
}

func TestEvidence_ThatCannotBeReadChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	id := w.mustStart(2, env(spec.Canary))
	w.push(id, map[string]any{"labels": 500})
	w.push("rol_unknown", map[string]any{"labels": 500})
	w.push("", map[string]any{"labels": 500})
	w.settle()
	w.wantServing("live=1 canary=2")
	b, err := json.Marshal(w.rollout(id))
	if err != nil || !strings.Contains(string(b), `"state":"running"`) {
		t.Errorf("rollout %s, %v", b, err)
	}
}
