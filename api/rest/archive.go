package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/transfer/archive"
)

// ExportInput says what to export, and where to.
type ExportInput struct {
	Body struct {
		To       string   `json:"to" minLength:"1" doc:"absolute path on the server's machine"`
		Projects []string `json:"projects,omitempty" doc:"all when none is named"`
	}
}

// ImportExportInput says which export to bring in.
type ImportExportInput struct {
	Body struct {
		From string `json:"from" minLength:"1" doc:"absolute path of the export, on the server's machine"`
		Into string `json:"into,omitempty" doc:"what its only project is called here; default: its name"`
	}
}

func (a *API) archiveOperations() {
	registerServer(a, op{id: "export", method: "POST", path: "/exports",
		summary: "Write all of tracking and registry into a directory of the server's machine, in open " +
			"formats; answers when it is synced", may: auth.Own, limit: 1 << 20},
		func(ctx context.Context, in *ExportInput) (archive.Report, error) {
			return a.Archive.Export(ctx, in.Body.To, in.Body.Projects)
		})
	registerServer(a, op{id: "get-export", method: "GET", path: "/exports",
		summary: "How far the export or import of an export is that runs, or ran last", may: auth.Own},
		func(context.Context, *struct{}) (archive.Report, error) { return a.Archive.Progress(), nil })
	registerServer(a, op{id: "import-export", method: "POST", path: "/imports",
		summary: "Bring in all of an export that lies in a directory of the server's machine; answers " +
			"when it is done", may: auth.Own}, func(ctx context.Context, in *ImportExportInput) (
		archive.Report, error) {
		return a.Archive.Import(ctx, in.Body.From, in.Body.Into)
	})
}
