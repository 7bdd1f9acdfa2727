package rest

import (
	"context"
	"fmt"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// maxDescription is the limit of a description's request, in bytes; MLflow's own is its text's.
const maxDescription = 1 << 20

// DescriptionInput is a new description of a model.
type DescriptionInput struct {
	ModelInput
	Body Text
}

// VersionDescriptionInput is a new description of a version.
type VersionDescriptionInput struct {
	VersionInput
	Body Text
}

// Text is a description.
type Text struct {
	Description string `json:"description" doc:"empty removes it"`
}

// TagInput names a tag of a model.
type TagInput struct {
	ModelInput
	Key string `path:"key"`
}

// VersionTagInput names a tag of a version.
type VersionTagInput struct {
	VersionInput
	Key string `path:"key"`
}

// TagValue is what a tag is set to.
type TagValue struct {
	Value string `json:"value" maxLength:"100000"`
}

// AliasInput names an alias of a model.
type AliasInput struct {
	ModelInput
	Alias string `path:"alias"`
}

// AliasTarget is where an alias is to point.
type AliasTarget struct {
	Version int64  `json:"version" minimum:"1"`
	From    *int64 `json:"from,omitempty" minimum:"0" doc:"where it must point now, 0 for nowhere; 412 if somebody has moved it since"`
}

// StageTarget is one of MLflow's stages.
type StageTarget struct {
	Stage   string `json:"stage" enum:"None,Staging,Production,Archived"`
	Archive bool   `json:"archive,omitempty" doc:"the other versions of that stage become Archived"`
}

// largeTag is the limit of a tag's request, in bytes.
const largeTag = 512 << 10

func (a *API) modelChanges() {
	register(a, op{id: "describe-model", method: "PUT", path: "/models/{model}/description",
		summary: "Describe a model", may: auth.Track, limit: maxDescription},
		func(ctx context.Context, p fairlead.Project, in *DescriptionInput) (struct{}, error) {
			return a.changeModel(ctx, in.Model, func(tx *store.Tx) error {
				return a.Registry.DescribeModel(ctx, tx, p, in.Model, in.Body.Description)
			})
		})
	register(a, op{id: "set-model-tag", method: "PUT", path: "/models/{model}/tags/{key}",
		summary: "Set a tag of a model", may: auth.Track, limit: largeTag},
		func(ctx context.Context, p fairlead.Project, in *struct {
			TagInput
			Body TagValue
		}) (struct{}, error) {
			return a.changeModel(ctx, in.Model, func(tx *store.Tx) error {
				return a.Registry.SetModelTag(ctx, tx, p, in.Model, registry.Tag{Key: in.Key, Value: in.Body.Value})
			})
		})
	register(a, op{id: "delete-model-tag", method: "DELETE", path: "/models/{model}/tags/{key}",
		summary: "Remove a tag of a model", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *TagInput) (struct{}, error) {
			return a.changeModel(ctx, in.Model, func(tx *store.Tx) error {
				return a.Registry.DeleteModelTag(ctx, tx, p, in.Model, in.Key)
			})
		})
	register(a, op{id: "delete-model", method: "DELETE", path: "/models/{model}",
		summary: "Delete a model with all its versions; 412 while one is live or held", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *ModelInput) (struct{}, error) {
			return a.changeModel(ctx, in.Model, func(tx *store.Tx) error {
				return a.Registry.DeleteModel(ctx, tx, p, in.Model)
			})
		})
	a.aliasChanges()
	a.versionChanges()
}

func (a *API) aliasChanges() {
	register(a, op{id: "set-alias", method: "PUT", path: "/models/{model}/aliases/{alias}",
		summary: "Point an alias at a version; live is moved by releases, candidate by make-candidate",
		may:     auth.Track},
		func(ctx context.Context, p fairlead.Project, in *struct {
			AliasInput
			Body AliasTarget
		}) (struct{}, error) {
			return struct{}{}, a.Registry.Write(ctx, func(tx *store.Tx) error {
				return a.moveAlias(ctx, tx, p, in.AliasInput, in.Body)
			})
		})
	register(a, op{id: "delete-alias", method: "DELETE", path: "/models/{model}/aliases/{alias}",
		summary: "Remove an alias", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *AliasInput) (struct{}, error) {
			return a.changeModel(ctx, in.Model, func(tx *store.Tx) error {
				return a.Registry.DeleteAlias(ctx, tx, p, in.Model, in.Alias)
			})
		})
}

func (a *API) moveAlias(ctx context.Context, tx *store.Tx, p fairlead.Project, in AliasInput,
	to AliasTarget) error {
	if in.Alias == registry.CandidateAlias {
		return fairlead.Errorf(fairlead.Invalid, "the alias %q has the version packaged, judged and "+
			"released, which runs its code: PUT …/models/%s/candidate does that", in.Alias, in.Model)
	}
	n, _, err := a.Registry.AliasRevision(tx, p, in.Model, in.Alias)
	if err != nil {
		return noModel(err, in.Model)
	}
	if to.From != nil && n != *to.From {
		return fairlead.Errorf(fairlead.Precondition, "somebody has moved the alias %q meanwhile: it "+
			"points at %s; look again before you move it", in.Alias, versionOrNone(n))
	}
	if _, err := a.Registry.Version(tx, p, in.Model, to.Version); err != nil {
		return noVersion(err, in.Model, to.Version)
	}
	return a.Registry.SetAlias(ctx, tx, p, in.Model, in.Alias, to.Version)
}

func versionOrNone(n int64) string {
	if n == 0 {
		return "no version"
	}
	return fmt.Sprintf("version %d", n)
}

func (a *API) versionChanges() {
	const path = "/models/{model}/versions/{version}"
	register(a, op{id: "describe-model-version", method: "PUT", path: path + "/description",
		summary: "Describe a version", may: auth.Track, limit: maxDescription},
		func(ctx context.Context, p fairlead.Project, in *VersionDescriptionInput) (struct{}, error) {
			return a.changeVersion(ctx, in.VersionInput, func(tx *store.Tx) error {
				return a.Registry.DescribeVersion(ctx, tx, p, in.Model, in.Version, in.Body.Description)
			})
		})
	register(a, op{id: "set-model-version-tag", method: "PUT", path: path + "/tags/{key}",
		summary: "Set a tag of a version", may: auth.Track, limit: largeTag},
		func(ctx context.Context, p fairlead.Project, in *struct {
			VersionTagInput
			Body TagValue
		}) (struct{}, error) {
			return a.changeVersion(ctx, in.VersionInput, func(tx *store.Tx) error {
				return a.Registry.SetVersionTag(ctx, tx, p, in.Model, in.Version,
					registry.Tag{Key: in.Key, Value: in.Body.Value})
			})
		})
	register(a, op{id: "delete-model-version-tag", method: "DELETE", path: path + "/tags/{key}",
		summary: "Remove a tag of a version", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *VersionTagInput) (struct{}, error) {
			return a.changeVersion(ctx, in.VersionInput, func(tx *store.Tx) error {
				return a.Registry.DeleteVersionTag(ctx, tx, p, in.Model, in.Version, in.Key)
			})
		})
	register(a, op{id: "set-model-version-stage", method: "PUT", path: path + "/stage",
		summary: "Move a version to one of MLflow's stages, which start nothing", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *struct {
			VersionInput
			Body StageTarget
		}) (struct{}, error) {
			return a.changeVersion(ctx, in.VersionInput, func(tx *store.Tx) error {
				return a.Registry.SetStage(ctx, tx, p, in.Model, in.Version, in.Body.Stage, in.Body.Archive)
			})
		})
	register(a, op{id: "delete-model-version", method: "DELETE", path: path,
		summary: "Delete a version with its package; 412 while it is live or held", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *VersionInput) (struct{}, error) {
			return a.changeVersion(ctx, *in, func(tx *store.Tx) error {
				return a.Registry.DeleteVersion(ctx, tx, p, in.Model, in.Version)
			})
		})
}

// changeModel makes a change of a model.
func (a *API) changeModel(ctx context.Context, model string, change func(tx *store.Tx) error) (
	out struct{}, err error) {
	return out, noModel(a.Registry.Write(ctx, change), model)
}

// changeVersion makes a change of a version.
func (a *API) changeVersion(ctx context.Context, in VersionInput,
	change func(tx *store.Tx) error) (out struct{}, err error) {
	return out, noVersion(a.Registry.Write(ctx, change), in.Model, in.Version)
}
