package gate

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of evidence and decisions.
func Schema() store.Schema { return store.Embedded("gate", files) }

// Evaluator runs `evaluate` for a model on a holdout and returns the metrics that
// it printed; pipeline.Service.Evaluate is the one. Precondition says that the
// model cannot be evaluated, which the decision then holds against its version;
// any other error says that the run did not come about, and it is tried again.
type Evaluator func(ctx context.Context, p fairlead.Project, r pipeline.EvaluateRequest) (
	map[string]float64, error)

// Deps is what gates stand on.
type Deps struct {
	DB       *store.DB // its schema must include Schema()
	Ledger   *ledger.Ledger
	Jobs     *job.Service
	Stream   *stream.Service
	Projects *spec.Projects
	Data     *data.Service
	Registry *registry.Service
	Evaluate Evaluator
	Clock    fairlead.Clock // wall time
	Log      *slog.Logger
}

// Service stores evidence and decisions, and runs gates.
type Service struct {
	Deps
	dir string // evaluations work below it
}

// JobKind is the kind of the jobs that run gates.
const JobKind = "gate"

// retries is how often a gate that did not come about is tried again.
const retries = 2

// New returns the service, which works in dir/gates, and registers the jobs that
// run gates. It is called before jobs start.
func New(d Deps, dir string) (*Service, error) {
	s := &Service{Deps: d, dir: filepath.Join(dir, "gates")}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the gates' directory: %w", err)
	}
	d.Jobs.Handle(JobKind, s.handle, job.Limits{Retries: retries})
	d.Jobs.OnDone(JobKind, s.done)
	return s, nil
}
