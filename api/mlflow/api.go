package mlflow

import (
	"log/slog"

	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Version is the release of MLflow whose protocol is spoken. Clients ask for it
// before they use what older servers lack.
const Version = "3.17.2"

// API holds the protocol's routes.
type API struct {
	tracking *tracking.Service
	registry *registry.Service
	log      *slog.Logger
}

// New returns the API over the two stages; log gets what clients must not see.
func New(tr *tracking.Service, reg *registry.Service, log *slog.Logger) *API {
	return &API{tracking: tr, registry: reg, log: log}
}
