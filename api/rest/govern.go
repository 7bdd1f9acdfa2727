package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/govern"
)

// Phases are those of CRISP-DM.
type Phases struct {
	Phases []govern.Phase `json:"phases"`
}

// Hits are what a search for a name has found.
type Hits struct {
	Items []govern.Hit `json:"items"`
}

func (a *API) governOperations() {
	register(a, op{id: "get-overview", method: "GET", path: "/overview",
		summary: "The project at a glance: where each model stands in the loop, how the endpoints do, and " +
			"what waits for a human", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, _ *InProject) (*govern.Overview, error) {
			return a.Govern.Overview(ctx, p)
		})
	register(a, op{id: "list-phases", method: "GET", path: "/phases",
		summary: "The six phases of CRISP-DM as checks, each with its fact", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, _ *InProject) (out Phases, err error) {
			out.Phases, err = a.Govern.Phases(ctx, p)
			return out, err
		})
	register(a, op{id: "find", method: "GET", path: "/find",
		summary: "What has the text in its name, or an id that begins with it", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Text string `query:"text" maxLength:"200" required:"true"`
		}) (out Hits, err error) {
			out.Items, err = a.Govern.Find(ctx, p, in.Text)
			return out, err
		})
}
