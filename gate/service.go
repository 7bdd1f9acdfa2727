package gate

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of evidence, decisions and approvals.
func Schema() store.Schema {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return store.Schema{Component: "gate", Files: sub}
}

// Sources are what a gate asks of the stages before it.
type Sources struct {
	// Evaluate runs `evaluate` for a version on a holdout and returns the metrics
	// that it printed. Invalid and Precondition say that the version cannot be
	// evaluated, which the decision then holds against it; any other error says
	// that the run did not come about, and it is tried again.
	Evaluate func(ctx context.Context, p fairlead.Project, e EvaluateRequest) (map[string]float64, error)
	// Package returns what is known of the version's package.
	Package func(ctx context.Context, p fairlead.Project, model string, version int64) (Package, error)
	// Holdout returns the rows of a holdout and how often it was read before.
	Holdout func(ctx context.Context, p fairlead.Project, h Holdout) (rows, reads int64, err error)
	// ReadHoldout records that a holdout was read.
	ReadHoldout func(ctx context.Context, tx *store.Tx, p fairlead.Project, h Holdout, model string,
		version int64, purpose string) error
	// Now returns an endpoint's stream time, wall time before its first request.
	Now func(tx *store.Tx, p fairlead.Project, endpoint string) (time.Time, error)
}

// Holdout is the dataset version that candidate and live are compared on.
type Holdout struct {
	Dataset string `json:"dataset"`
	N       int64  `json:"n"`
}

// EvaluateRequest asks for the metrics of one version on one holdout.
type EvaluateRequest struct {
	Model   string
	Version int64
	SpecRev int64
	Commit  string // whose `evaluate` is run, for candidate and live alike
	Holdout Holdout
}

// Package is what a gate tells checks about the candidate's package.
type Package struct {
	Engine      string   // onnx | python; "" when there is no package
	MaxRelative *float64 // parity with the Python model; nil when it was not compared
}

// Service stores evidence and decisions, and runs gates.
type Service struct {
	db       *store.DB
	led      *ledger.Ledger
	jobs     *job.Service
	clock    fairlead.Clock
	log      *slog.Logger
	projects *spec.Projects
	from     Sources
}

// JobKind is the kind of the jobs that run gates.
const JobKind = "gate"

// retries is how often a gate that did not come about is tried again.
const retries = 2

// New returns the service over db, whose schema must include Schema(), and
// registers the jobs that run gates. It is called before jobs start.
func New(db *store.DB, led *ledger.Ledger, jobs *job.Service, clock fairlead.Clock, log *slog.Logger,
	projects *spec.Projects, from Sources) *Service {
	s := &Service{db: db, led: led, jobs: jobs, clock: clock, log: log, projects: projects, from: from}
	jobs.Handle(JobKind, s.handle, job.Limits{Retries: retries})
	jobs.OnDone(JobKind, s.done)
	return s
}
