package mlflow

import (
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Version is the release of MLflow whose protocol is spoken. Clients ask for it
// before they use what older servers lack.
const Version = "3.17.2"

// API holds the protocol's routes.
type API struct {
	tracking *tracking.Service
	registry *registry.Service
	tokens   *auth.Tokens
	webhooks *sink.Service
	projects *spec.Projects
}

// New returns the API over the two stages, the webhooks and the projects; tokens tell who
// may make a candidate.
func New(tr *tracking.Service, reg *registry.Service, tokens *auth.Tokens,
	webhooks *sink.Service, projects *spec.Projects) *API {
	return &API{tracking: tr, registry: reg, tokens: tokens, webhooks: webhooks,
		projects: projects}
}
