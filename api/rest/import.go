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
		From      string `json:"from" minLength:"1" doc:"absolute path of the store, on the server's machine, or its URL: postgresql:// or http(s)://, without a password"`
		Artifacts string `json:"artifacts,omitempty" doc:"absolute path of the directory that mlflow-artifacts:/ stands for there"`
		Username  string `json:"username,omitempty" doc:"of a server"`
		Password  string `json:"password,omitempty" doc:"of a server or of a database; neither kept nor shown"`
		Token     string `json:"token,omitempty" doc:"of a server, in place of username and password"`
	}
}

func (a *API) importOperations() {
	register(a, op{id: "import-mlflow", method: "POST", path: "/imports/mlflow",
		summary: "Bring in all of an MLflow store; answers when it is done", may: auth.Own}, a.importMLflow)
	register(a, op{id: "get-import", method: "GET", path: "/imports/mlflow",
		summary: "How far the import into this project is that runs, or ran last", may: auth.Administer},
		func(_ context.Context, p fairlead.Project, _ *InProject) (transfer.Report, error) {
			return a.Transfer.Progress(p), nil
		})
}

func (a *API) importMLflow(ctx context.Context, p fairlead.Project, in *ImportInput) (
	transfer.Report, error) {
	return a.Transfer.ImportMLflow(ctx, p, transfer.Source(in.Body))
}
