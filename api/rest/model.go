package rest

import (
	"context"
	"time"

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

// Past asks for what there was at a point of wall time.
type Past struct {
	AsOf string `query:"as_of" doc:"RFC 3339, or a day, which begins at midnight UTC; absent for now"`
}

// at returns the time, and whether there is one.
func (in Past) at() (t time.Time, ok bool, err error) {
	if in.AsOf == "" {
		return t, false, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err = time.Parse(layout, in.AsOf); err == nil {
			return t, true, nil
		}
	}
	return t, false, fairlead.Errorf(fairlead.Invalid,
		"as_of is %q; write it as 2026-03-01 or 2026-03-01T12:00:00Z", in.AsOf)
}

// ModelVersion is a version with what other stages found out about it.
type ModelVersion struct {
	*registry.Version
	Conditions []registry.Condition `json:"conditions" doc:"packaged, reference, … and how each stands"`
	Holds      []registry.Holder    `json:"holds" doc:"who depends on it; it is not retired while anybody does"`
}

func (a *API) modelOperations() {
	register(a, op{id: "list-models", method: "GET", path: "/models",
		summary: "List the registered models by name, each with its newest decision and case",
		may:     auth.Read}, a.models)
	register(a, op{id: "get-model", method: "GET", path: "/models/{model}",
		summary: "A model with its aliases, now or as of a time", may: auth.Read}, a.model)
	register(a, op{id: "list-model-versions", method: "GET", path: "/models/{model}/versions",
		summary: "List a model's versions by number, now or as of a time", may: auth.Read},
		a.modelVersions)
	register(a, op{id: "get-model-version", method: "GET", path: "/models/{model}/versions/{version}",
		summary: "A version with its lineage, conditions and holds; as of a time without the latter two",
		may:     auth.Read}, a.modelVersion)
	register(a, op{id: "list-alias-moves", method: "GET",
		path:    "/models/{model}/aliases/{alias}/moves",
		summary: "What an alias has named, and since which event", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ModelInput
			Paging
			Alias string `path:"alias"`
		}) (out fairlead.Page[registry.AliasMove], err error) {
			all, err := read(ctx, a, func(tx *store.Tx) ([]registry.AliasMove, error) {
				moves, err := a.Registry.AliasMoves(tx, p, in.Model, in.Alias)
				return moves, noModel(err, in.Model)
			})
			if err != nil {
				return out, err
			}
			return cut(all, in.Paging, list(p, "moves", in.Model, in.Alias),
				func(m registry.AliasMove) string { return m.Event })
		})
	a.modelHistory()
	a.modelChanges()
	a.factsOperations()
	a.lineageOperations()
	a.proofOperations()
}

// noModel says in our words, which name the next command, that there is no such model.
func noModel(err error, model string) error {
	if fairlead.Is(err, fairlead.NotFound) {
		return fairlead.Errorf(fairlead.NotFound,
			"there is no model %q; `fairlead model` lists those that there are", model).Because(err)
	}
	return err
}

// noVersion is noModel for a version of a model.
func noVersion(err error, model string, n int64) error {
	if fairlead.Is(err, fairlead.NotFound) {
		return fairlead.Errorf(fairlead.NotFound, "there is no version %d of a model %q; "+
			"`fairlead model %s` lists its versions", n, model, model).Because(err)
	}
	return err
}

func (a *API) model(ctx context.Context, p fairlead.Project, in *struct {
	ModelInput
	Past
}) (*registry.Model, error) {
	at, past, err := in.at()
	if err != nil {
		return nil, err
	}
	return read(ctx, a, func(tx *store.Tx) (*registry.Model, error) {
		if past {
			m, err := a.Registry.ModelAsOf(tx, p, in.Model, at)
			return wholeModel(m), err
		}
		m, err := a.Registry.Model(tx, p, in.Model)
		return wholeModel(m), noModel(err, in.Model)
	})
}

func (a *API) modelVersions(ctx context.Context, p fairlead.Project, in *struct {
	ModelInput
	Paging
	Past
	After int64 `query:"after" minimum:"0" doc:"only numbers above this one"`
}) (out fairlead.Page[*registry.Version], err error) {
	at, past, err := in.at()
	if err != nil {
		return out, err
	}
	filter, after := list(p, "versions", in.Model, in.AsOf, in.After), in.After
	if err := fairlead.DecodeCursor(in.Page, filter, &after); err != nil {
		return out, err
	}
	out.Items, err = read(ctx, a, func(tx *store.Tx) ([]*registry.Version, error) {
		if past {
			return a.Registry.VersionsAsOf(tx, p, in.Model, at, after, in.Limit+1)
		}
		versions, err := a.Registry.Versions(tx, p, in.Model, after, in.Limit+1)
		return versions, noModel(err, in.Model)
	})
	if len(out.Items) > in.Limit {
		out.Items = out.Items[:in.Limit]
		out.Next = fairlead.EncodeCursor(filter, out.Items[in.Limit-1].N)
	}
	for _, v := range out.Items {
		wholeLists(v)
	}
	return filled(out, err)
}

func (a *API) modelVersion(ctx context.Context, p fairlead.Project, in *struct {
	VersionInput
	Past
}) (*ModelVersion, error) {
	at, past, err := in.at()
	if err != nil {
		return nil, err
	}
	return read(ctx, a, func(tx *store.Tx) (v *ModelVersion, err error) {
		if !past {
			return a.wholeVersion(tx, p, in.Model, in.Version)
		}
		v = &ModelVersion{Conditions: []registry.Condition{}, Holds: []registry.Holder{}}
		if v.Version, err = a.Registry.VersionAsOf(tx, p, in.Model, in.Version, at); err != nil {
			return nil, err
		}
		wholeLists(v.Version)
		return v, nil
	})
}
