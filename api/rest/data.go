package rest

import (
	"context"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/data"
)

// DatasetInput names a version of a dataset.
type DatasetInput struct {
	InProject
	Dataset string `path:"dataset"`
	Version string `path:"version" doc:"its number, or latest"`
}

// ref returns the version that the path names.
func (a *API) ref(ctx context.Context, p fairlead.Project, in *DatasetInput) (data.Ref, error) {
	if in.Version == "latest" {
		v, err := a.Data.Latest(ctx, p, in.Dataset)
		if err != nil {
			return data.Ref{}, err
		}
		return v.Ref(), nil
	}
	n, err := strconv.ParseInt(in.Version, 10, 64)
	if err != nil || n < 1 {
		return data.Ref{}, fairlead.Errorf(fairlead.Invalid,
			"version %q is neither a number from 1 nor `latest`", in.Version)
	}
	return data.Ref{Dataset: in.Dataset, N: n}, nil
}

func (a *API) dataOperations() {
	versionKey := func(v *data.Version) string { return v.Ref().String() }
	register(a, op{id: "list-datasets", method: "GET", path: "/datasets",
		summary: "List the datasets by name, each with its newest version", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ListInput) (
			out fairlead.Page[*data.Version], err error) {
			all, err := a.Data.List(ctx, p, "")
			if err != nil {
				return out, err
			}
			var newest []*data.Version
			for _, v := range all { // by dataset, the newest first
				if len(newest) == 0 || newest[len(newest)-1].Dataset != v.Dataset {
					newest = append(newest, v)
				}
			}
			return cut(newest, in.Paging, list(p, "datasets"), versionKey)
		})
	register(a, op{id: "list-dataset-versions", method: "GET", path: "/datasets/{dataset}/versions",
		summary: "List a dataset's versions, the newest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ListInput
			Dataset string `path:"dataset"`
		}) (out fairlead.Page[*data.Version], err error) {
			all, err := a.Data.List(ctx, p, in.Dataset)
			if err != nil {
				return out, err
			}
			if len(all) == 0 {
				return out, fairlead.Errorf(fairlead.NotFound, "project %s has no dataset %q", p.Name,
					in.Dataset)
			}
			return cut(all, in.Paging, list(p, "dataset", in.Dataset), versionKey)
		})
	register(a, op{id: "get-dataset-version", method: "GET",
		path:    "/datasets/{dataset}/versions/{version}",
		summary: "A dataset's version: schema, profile and lineage", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *DatasetInput) (*data.Version, error) {
			ref, err := a.ref(ctx, p, in)
			if err != nil {
				return nil, err
			}
			return a.Data.Get(ctx, p, ref)
		})
	register(a, op{id: "list-holdout-reads", method: "GET",
		path:    "/datasets/{dataset}/versions/{version}/reads",
		summary: "Who has read a holdout, the oldest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			DatasetInput
			Paging
		}) (out fairlead.Page[data.HoldoutRead], err error) {
			ref, err := a.ref(ctx, p, &in.DatasetInput)
			if err != nil {
				return out, err
			}
			all, err := a.Data.HoldoutReads(ctx, p, ref)
			if err != nil {
				return out, err
			}
			return numbered(all, in.Paging, list(p, "reads", ref))
		})
}
