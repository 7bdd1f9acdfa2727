package pipeline

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of pipeline runs, tries, steps and the cache.
func Schema() store.Schema { return store.Embedded("pipeline", files) }

// Kind is the kind of the jobs that drive runs.
const Kind = "pipeline"

const (
	// defaultConcurrency is how many steps of a run go at once unless the file says.
	defaultConcurrency = 2
	// maxRuns is how many runs go at once, fewer than the least number of workers
	// that jobs have: a run may last for days, and other jobs must not wait for it.
	maxRuns = 4
	// leastSteps are the places for steps of a server with few cores: steps also
	// wait for disks, networks and each other.
	leastSteps = 4
)

// Datasets is what the pipeline asks of the data stage.
type Datasets interface {
	Get(ctx context.Context, p fairlead.Project, ref data.Ref) (*data.Version, error)
	// Path returns a local Parquet file with the version's rows.
	Path(ctx context.Context, p fairlead.Project, ref data.Ref) (string, error)
}

// Deps are what the stage stands on.
type Deps struct {
	DB       *store.DB
	Ledger   *ledger.Ledger
	Clock    fairlead.Clock
	Log      *slog.Logger
	Jobs     *job.Service
	Blobs    *blob.Store
	Source   *scm.Service
	Projects *spec.Projects
	Tokens   *auth.Tokens
	Envs     *pyenv.Manager
	Data     Datasets
	Tracking *tracking.Service
	Registry *registry.Service
	// Steps is how many steps of all runs go at once; 0 is one for each core, and at
	// least 4. What the gate evaluates does not count.
	Steps int
	// URL returns the server's own address, such as http://127.0.0.1:4747, under
	// which steps reach tracking; empty when no server listens.
	URL func() string
}

// Service runs pipelines. It is safe for concurrent use.
type Service struct {
	Deps
	dir    string // where runs keep their working files
	places *places
}

// New returns the stage, whose working files live in dir/pipeline, and registers its
// jobs. The database's schema must include Schema().
func New(deps Deps, dir string) (*Service, error) {
	dir, err := filepath.Abs(filepath.Join(dir, "pipeline"))
	if err != nil {
		return nil, err
	}
	if deps.Steps == 0 {
		deps.Steps = max(leastSteps, runtime.GOMAXPROCS(0))
	}
	s := &Service{Deps: deps, dir: dir, places: newPlaces(deps.Steps)}
	s.Jobs.Handle(Kind, s.handle, job.Limits{Concurrency: maxRuns})
	s.Jobs.OnDone(Kind, s.concluded)
	return s, nil
}

// State is where a run, a try or a step stands.
type State string

// The states. Cached steps were answered from the cache; ignored tries came after
// the one that ended the search.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Cached    State = "cached"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Ignored   State = "ignored"
)

// Final reports whether nothing in this state will change.
func (s State) Final() bool { return s != Queued && s != Running }

// Run is one run of a pipeline. Times are wall time.
type Run struct {
	ID         string              `json:"id"`
	Model      string              `json:"model"`
	SpecRev    int64               `json:"spec_revision"`
	Commit     string              `json:"commit"`
	Case       string              `json:"case,omitempty"`
	Cause      string              `json:"cause"`
	RerunOf    string              `json:"rerun_of,omitempty"`   // the run that it does again
	RerunFrom  string              `json:"rerun_from,omitempty"` // the step from which on
	Inputs     map[string]data.Ref `json:"inputs"`
	Holdout    data.Ref            `json:"holdout"`
	Fixed      Params              `json:"fixed,omitempty"`
	Job        string              `json:"job"`
	State      State               `json:"state"`
	Reason     string              `json:"reason,omitempty"` // why it ended so
	Experiment string              `json:"experiment_id,omitempty"`
	Winner     int                 `json:"winner,omitempty"` // number of the try, from 1
	Version    int64               `json:"version,omitempty"`
	Created    time.Time           `json:"created_at"`
	Started    time.Time           `json:"started_at,omitzero"`
	Finished   time.Time           `json:"finished_at,omitzero"`
	Steps      *Tally              `json:"steps,omitempty"`
	Goal       *Goal               `json:"goal,omitempty"`
	Value      *float64            `json:"value,omitempty"`    // of the goal's metric, the winner's
	Progress   string              `json:"progress,omitempty"` // what it is doing
	Tries      []Try               `json:"tries,omitempty"`    // in order; only Get fills it
	Nodes      []NodeTally         `json:"nodes,omitempty"`    // in the graph's order; only Get fills it

	k         int64
	modelStep string // the step whose output the version is
}

// Try is one combination of params, and its run in tracking. N is Shared or Refit
// for the two parts of a run that are no tries.
type Try struct {
	N      int      `json:"n"`
	State  State    `json:"state"`
	Params Params   `json:"params,omitempty"`
	Run    string   `json:"run_id"`          // in tracking
	Value  *float64 `json:"value,omitempty"` // of the metric that decides
	Reason string   `json:"reason,omitempty"`
}

// Step is one step of one try.
type Step struct {
	ID       string     `json:"id"`
	Try      int        `json:"try"` // a Try's N
	Name     string     `json:"name"`
	State    State      `json:"state"`
	Fails    int        `json:"fails,omitempty"` // attempts that failed by themselves
	Key      string     `json:"key"`
	From     string     `json:"from,omitempty"` // the step whose outputs a cached one has
	Outputs  []Output   `json:"outputs,omitempty"`
	Points   []Point    `json:"metrics,omitempty"`
	Dropped  int64      `json:"metrics_dropped,omitempty"` // points that were too many to keep
	Exit     *shim.Exit `json:"exit,omitempty"`            // of the last attempt
	Error    string     `json:"error,omitempty"`
	Queued   time.Time  `json:"queued_at,omitzero"` // all that it waits for had ended
	Started  time.Time  `json:"started_at"`         // its first attempt had a place to run
	Finished time.Time  `json:"finished_at,omitzero"`

	k       int64
	runK    int64
	parts   keyParts
	jobStep string // the step's name in the job; a retry has another one
}

// Output is one declared output: a file or a directory of files.
type Output struct {
	Name   string `json:"name"`
	Dir    bool   `json:"dir,omitempty"`
	Digest string `json:"digest"` // of a directory: over paths and contents
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"`
	// Executables are the files that can be executed: of a directory by their paths
	// in it, else the output itself.
	Executables []string `json:"executables,omitempty"`
}

// digest is what the keys of steps that read the output hold.
func (o Output) digest() string {
	if !o.Dir && len(o.Executables) > 0 {
		return o.Digest + executable
	}
	return o.Digest
}

// mode is that of one of the output's files, for a step that reads it.
func (o Output) mode(file string) fs.FileMode {
	if slices.Contains(o.Executables, file) {
		return 0o555
	}
	return 0o444
}

// output returns one of the step's outputs.
func (s *Step) output(name string) (Output, bool) {
	i := slices.IndexFunc(s.Outputs, func(o Output) bool { return o.Name == name })
	if i < 0 {
		return Output{}, false
	}
	return s.Outputs[i], true
}

// owner refers to the outputs of a step, each below its name.
func owner(stepID string) blob.Owner { return blob.Owner{Kind: "step", ID: stepID} }

// Start says what to run. Each input of the file's `data` that a step reads needs
// a version. Fixed are the params, by step, of which a retraining keeps those that
// the file searches over; a file that wants a search each time (`when: always`) gets
// one nevertheless.
type Start struct {
	Case    string
	SpecRev int64
	Commit  string
	Inputs  map[string]data.Ref
	Holdout data.Ref // kept from the steps; recorded for the version's lineage
	Fixed   Params
	Cause   string // user | schedule | case
}

// Start stores a run in the caller's transaction; it begins when that commits.
// Precondition when the file has no pipeline, Invalid when an input is missing.
func (s *Service) Start(ctx context.Context, tx *store.Tx, p fairlead.Project, st Start) (
	id string, err error) {
	rev, err := s.Projects.Revision(tx, p, st.SpecRev)
	if err != nil {
		return "", err
	}
	pl, err := newPlan(rev.Spec, st.Fixed)
	if err != nil {
		return "", err
	}
	for _, name := range pl.data() {
		if _, ok := st.Inputs[name]; !ok {
			return "", fairlead.Errorf(fairlead.Invalid,
				"the pipeline reads %q, and no version of it was given", name)
		}
	}
	r := &Run{Model: rev.Spec.Model, SpecRev: st.SpecRev, Commit: st.Commit, Case: st.Case,
		Cause: st.Cause, Inputs: st.Inputs, Holdout: st.Holdout, Fixed: st.Fixed}
	return r.ID, s.enqueue(ctx, tx, p, r)
}

// enqueue gives a new run its id and its job, and stores it.
func (s *Service) enqueue(ctx context.Context, tx *store.Tx, p fairlead.Project, r *Run) (
	err error) {
	r.Created, r.State = s.Clock.Now(), Queued
	r.ID = fairlead.NewID("pr", r.Created)
	r.Job, _, err = s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: Kind, Key: r.ID,
		Payload: payload{Run: r.ID}})
	if err != nil {
		return err
	}
	if err := insertRun(tx, p, r); err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, p, subject(r), time.Time{}, event.PipelineRunStarted{
		Pipeline: r.ID, Commit: r.Commit, Cause: r.Cause, Case: r.Case, RerunOf: r.RerunOf,
		RerunFrom: r.RerunFrom})
	return err
}

// payload is what the job of a run carries.
type payload struct {
	Run string `json:"run"`
}

func subject(r *Run) string { return "pipelinerun/" + r.ID }

// Get returns a run with its tries.
func (s *Service) Get(ctx context.Context, p fairlead.Project, id string) (r *Run, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if r, err = readRun(tx, p, id); err != nil {
			return err
		}
		if r.Tries, err = listTries(tx, r.k); err != nil {
			return err
		}
		if err := s.describe(tx, p, []*Run{r}); err != nil {
			return err
		}
		pl, err := s.planIn(tx, p, r)
		if err != nil {
			return err
		}
		return tallyNodes(tx, r, pl)
	})
	return r, err
}

// StepList says which steps of a run are listed.
type StepList struct {
	Page  string
	Limit int  // 0 is 100; at most 1000 are returned
	Brief bool // without the metrics that they printed and what they made
}

// Steps returns a page of the steps of a run that have begun, in the order of their
// beginning.
func (s *Service) Steps(ctx context.Context, p fairlead.Project, id string, in StepList) (
	page fairlead.Page[*Step], err error) {
	var after int64
	filter, limit := "steps of "+id, atOnce(in.Limit)
	if err := fairlead.DecodeCursor(in.Page, filter, &after); err != nil {
		return page, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		r, err := readRun(tx, p, id)
		if err != nil {
			return err
		}
		page.Items, err = pageSteps(tx, r.k, after, limit+1, in.Brief)
		return err
	})
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = fairlead.EncodeCursor(filter, page.Items[limit-1].k)
	}
	return page, err
}

// atOnce is how many items of a list are returned when limit of them are asked for.
func atOnce(limit int) int {
	if limit <= 0 {
		limit = 100
	}
	return min(limit, 1000)
}
