package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/transfer"
)

// ImportInput says what to bring in.
type ImportInput struct {
	InProject
	Body struct {
		From      string `json:"from" minLength:"1" doc:"absolute path of the store, on the server's machine"`
		Artifacts string `json:"artifacts,omitempty" doc:"what is below mlflow-artifacts:/ there"`
	}
}

func (a *API) importOperations() {
	register(a, op{id: "import-mlflow", method: "POST", path: "/imports/mlflow",
		summary: "Bring in all of an MLflow store; answers when it is done", may: auth.Own}, a.importMLflow)
	register(a, op{id: "get-import", method: "GET", path: "/imports/mlflow",
		summary: "How far the import of this server is that runs, or ran last", may: auth.Administer},
		func(context.Context, fairlead.Project, *InProject) (transfer.Report, error) {
			return a.Transfer.Progress(), nil
		})
}

func (a *API) importMLflow(ctx context.Context, p fairlead.Project, in *ImportInput) (
	transfer.Report, error) {
	return a.Transfer.ImportMLflow(ctx, p,
		transfer.Source{From: in.Body.From, Artifacts: in.Body.Artifacts})
}
