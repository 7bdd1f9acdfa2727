package rest

import (
	"context"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// ListedModel is a model with what was decided about it last.
type ListedModel struct {
	*registry.Model
	Versions int64        `json:"versions" doc:"how many there are"`
	Newest   int64        `json:"newest" doc:"the highest version, 0 without any"`
	Decision *DecisionRow `json:"decision,omitempty" doc:"the newest of all versions"`
	Case     *loop.Case   `json:"case,omitempty" doc:"the newest"`
}

// DecisionRow is a decision without what it was made from.
type DecisionRow struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"`
	Result  string    `json:"result" doc:"passed or failed"`
	Failed  []string  `json:"failed" doc:"the red checks"`
	At      time.Time `json:"at" doc:"stream time of the model's endpoint"`
	Created time.Time `json:"created" doc:"wall time"`
}

// ModelsInput asks for models.
type ModelsInput struct {
	ListInput
	Name string `query:"name" maxLength:"500" doc:"only those whose name has this in it, in any case"`
}

func (a *API) models(ctx context.Context, p fairlead.Project, in *ModelsInput) (
	out fairlead.Page[ListedModel], err error) {
	search := registry.Search{Limit: in.Limit, PageToken: in.Page}
	if in.Name != "" {
		search.Filter = "name CONTAINS " + quoted(in.Name)
	}
	page, err := a.Registry.SearchModels(ctx, p, search)
	if err != nil {
		return out, err
	}
	names := make([]string, len(page.Items))
	for i, m := range page.Items {
		names[i] = m.Name
	}
	var counts map[string]int64
	var decisions map[string]*gate.Record
	var cases map[string]*loop.Case
	err = a.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if counts, err = a.Registry.CountVersions(tx, page.Items); err != nil {
			return err
		}
		if decisions, err = a.Gate.Newest(tx, p, names); err != nil {
			return err
		}
		cases, err = a.Loop.Newest(tx, p, names)
		return err
	})
	out.Items, out.Next = []ListedModel{}, page.Next
	for _, m := range page.Items {
		out.Items = append(out.Items, ListedModel{Model: wholeModel(m), Versions: counts[m.Name],
			Newest: newest(m), Decision: decisionRow(decisions[m.Name]), Case: cases[m.Name]})
	}
	return out, err
}

// newest returns the highest version, which is the newest of some stage.
func newest(m *registry.Model) (n int64) {
	for _, v := range m.Latest {
		n = max(n, v.N)
	}
	return n
}

func decisionRow(r *gate.Record) *DecisionRow {
	if r == nil {
		return nil
	}
	return &DecisionRow{ID: r.ID, Version: r.Version, Result: r.Result,
		Failed: append([]string{}, r.Red()...), At: r.At, Created: r.Created}
}

// wholeModel has lists where there is nothing, as the document says.
func wholeModel(m *registry.Model) *registry.Model {
	if m == nil {
		return nil
	}
	m.Tags = append([]registry.Tag{}, m.Tags...)
	m.Latest = append([]*registry.Version{}, m.Latest...)
	for _, v := range m.Latest {
		wholeLists(v)
	}
	return m
}

// wholeLists is wholeModel for a version.
func wholeLists(v *registry.Version) {
	v.Tags = append([]registry.Tag{}, v.Tags...)
	v.Aliases = append([]string{}, v.Aliases...)
}

// wholeVersion returns a version with its conditions and holds.
func (a *API) wholeVersion(tx *store.Tx, p fairlead.Project, model string, n int64) (
	v *ModelVersion, err error) {
	v = &ModelVersion{}
	if v.Version, err = a.Registry.Version(tx, p, model, n); err != nil {
		return nil, noVersion(err, model, n)
	}
	wholeLists(v.Version)
	conditions, err := a.Registry.Conditions(tx, p, model, n)
	if err != nil {
		return nil, err
	}
	v.Conditions = append([]registry.Condition{}, conditions...)
	holds, err := a.Registry.Holds(tx, p, model, n)
	v.Holds = append([]registry.Holder{}, holds...)
	return v, err
}

// MovesInput asks for the moves of a model's aliases.
type MovesInput struct {
	ModelInput
	Past
	Page  string `query:"page" doc:"the next of the page before; only with the same filter"`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

// DecisionsInput asks for decisions about a model.
type DecisionsInput struct {
	ModelInput
	Past
	Version int64  `query:"version" minimum:"1" doc:"only those about this one"`
	Page    string `query:"page" doc:"the next of the page before; only with the same filter"`
	Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"200"`
}

func (a *API) modelHistory() {
	register(a, op{id: "list-model-moves", method: "GET", path: "/models/{model}/moves",
		summary: "What all aliases of a model have named, the newest move first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *MovesInput) (
			out fairlead.Page[registry.AliasMove], err error) {
			at, _, err := in.at()
			if err != nil {
				return out, err
			}
			return filled(read(ctx, a, func(tx *store.Tx) (fairlead.Page[registry.AliasMove], error) {
				page, err := a.Registry.Moves(tx, p, in.Model, at, in.Page, in.Limit)
				return page, noModel(err, in.Model)
			}))
		})
	register(a, op{id: "list-decisions", method: "GET", path: "/models/{model}/decisions",
		summary: "The gate's decisions about a model with each check's operands, the newest first",
		may:     auth.Read},
		func(ctx context.Context, p fairlead.Project, in *DecisionsInput) (
			out fairlead.Page[*gate.Record], err error) {
			at, _, err := in.at()
			if err != nil {
				return out, err
			}
			return filled(a.Gate.Decisions(ctx, p,
				gate.Filter{Model: in.Model, Version: in.Version, AsOf: at}, in.Page, in.Limit))
		})
}

// quoted writes a text in the language of searches.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
