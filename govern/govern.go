package govern

import (
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Deps are the stages that are looked at.
type Deps struct {
	DB       *store.DB
	Ledger   *ledger.Ledger
	Stream   *stream.Service
	Projects *spec.Projects
	Data     *data.Service
	Tracking *tracking.Service
	Registry *registry.Service
	Pipeline *pipeline.Service
	Gate     *gate.Service
	Release  *release.Service
	Serving  *serving.Service
	Monitor  *monitor.Service
	Loop     *loop.Service
}

// Service looks at the stages. It is safe for concurrent use.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{d} }

// The kinds of what a Link leads to.
const (
	ModelKind       = "model"
	VersionKind     = "version" // model/number
	ExperimentKind  = "experiment"
	RunKind         = "run"
	DatasetKind     = "dataset"
	DataVersionKind = "dataset_version" // dataset/number
	EndpointKind    = "endpoint"        // model@environment
	RolloutKind     = "rollout"
	IncidentKind    = "incident"
	CaseKind        = "case"
	PipelineRunKind = "pipeline_run"
)

// Link names a thing of the project that has a page.
type Link struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}
