package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// ModelInput names a model.
type ModelInput struct {
	InProject
	Model string `path:"model"`
}

// VersionInput names a version of a model.
type VersionInput struct {
	ModelInput
	Version int64 `path:"version" minimum:"1"`
}

// ModelVersion is a version with what other stages found out about it.
type ModelVersion struct {
	*registry.Version
	Conditions []registry.Condition `json:"conditions" doc:"packaged, reference, … and how each stands"`
	Holds      []registry.Holder    `json:"holds" doc:"who depends on it; it is not retired while anybody does"`
}

func (a *API) modelOperations() {
	register(a, op{id: "list-models", method: "GET", path: "/models",
		summary: "List the registered models by name", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ListInput) (
			fairlead.Page[*registry.Model], error) {
			return filled(a.Registry.SearchModels(ctx, p,
				registry.Search{Limit: in.Limit, PageToken: in.Page}))
		})
	register(a, op{id: "get-model", method: "GET", path: "/models/{model}",
		summary: "A model with its aliases", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ModelInput) (*registry.Model, error) {
			return read(ctx, a, func(tx *store.Tx) (*registry.Model, error) {
				return a.Registry.Model(tx, p, in.Model)
			})
		})
	register(a, op{id: "list-model-versions", method: "GET", path: "/models/{model}/versions",
		summary: "List a model's versions by number", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ModelInput
			Paging
		}) (out fairlead.Page[*registry.Version], err error) {
			all, err := read(ctx, a, func(tx *store.Tx) ([]*registry.Version, error) {
				return a.Registry.Versions(tx, p, in.Model)
			})
			if err != nil {
				return out, err
			}
			return cut(all, in.Paging, list(p, "versions", in.Model),
				func(v *registry.Version) string { return number(v.N) })
		})
	register(a, op{id: "get-model-version", method: "GET", path: "/models/{model}/versions/{version}",
		summary: "A version with its lineage, conditions and holds", may: auth.Read}, a.modelVersion)
	register(a, op{id: "list-alias-moves", method: "GET",
		path:    "/models/{model}/aliases/{alias}/moves",
		summary: "What an alias has named, and since which event", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ModelInput
			Paging
			Alias string `path:"alias"`
		}) (out fairlead.Page[registry.AliasMove], err error) {
			all, err := read(ctx, a, func(tx *store.Tx) ([]registry.AliasMove, error) {
				return a.Registry.AliasMoves(tx, p, in.Model, in.Alias)
			})
			if err != nil {
				return out, err
			}
			return cut(all, in.Paging, list(p, "moves", in.Model, in.Alias),
				func(m registry.AliasMove) string { return number(m.Rev) })
		})
}

func (a *API) modelVersion(ctx context.Context, p fairlead.Project,
	in *VersionInput) (*ModelVersion, error) {
	return read(ctx, a, func(tx *store.Tx) (v *ModelVersion, err error) {
		v = &ModelVersion{}
		if v.Version, err = a.Registry.Version(tx, p, in.Model, in.Version); err != nil {
			return nil, err
		}
		if v.Conditions, err = a.Registry.Conditions(tx, p, in.Model, in.Version); err != nil {
			return nil, err
		}
		v.Holds, err = a.Registry.Holds(tx, p, in.Model, in.Version)
		return v, err
	})
}
