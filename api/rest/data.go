package rest

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

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
			"version %q is neither a number from 1 nor `latest`; `fairlead data %s` lists those there are",
			in.Version, in.Dataset)
	}
	return data.Ref{Dataset: in.Dataset, N: n}, nil
}

func (a *API) dataOperations() {
	register(a, op{id: "list-datasets", method: "GET", path: "/datasets",
		summary: "List the datasets by name, each with its newest version", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ListInput
			Search string `query:"search" maxLength:"200" doc:"a part of the name, in any case"`
		}) (out fairlead.Page[*data.Dataset], err error) {
			filter, after := list(p, "datasets", in.Search), ""
			if err := fairlead.DecodeCursor(in.Page, filter, &after); err != nil {
				return out, err
			}
			out.Items, err = a.Data.List(ctx, p, in.Search, after, in.Limit+1)
			if len(out.Items) > in.Limit {
				out.Items = out.Items[:in.Limit]
				out.Next = fairlead.EncodeCursor(filter, out.Items[in.Limit-1].Dataset)
			}
			return filled(out, err)
		})
	register(a, op{id: "list-dataset-versions", method: "GET", path: "/datasets/{dataset}/versions",
		summary: "List a dataset's versions, the newest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ListInput
			Dataset string `path:"dataset"`
		}) (out fairlead.Page[*data.Version], err error) {
			filter, before := list(p, "dataset", in.Dataset), int64(math.MaxInt64)
			if err := fairlead.DecodeCursor(in.Page, filter, &before); err != nil {
				return out, err
			}
			out.Items, err = a.Data.Versions(ctx, p, in.Dataset, before, in.Limit+1)
			if len(out.Items) > in.Limit {
				out.Items = out.Items[:in.Limit]
				out.Next = fairlead.EncodeCursor(filter, out.Items[in.Limit-1].N)
			}
			return filled(out, err)
		})
	register(a, op{id: "get-dataset-version", method: "GET",
		path:    "/datasets/{dataset}/versions/{version}",
		summary: "A dataset's version: schema, profile and parents", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *DatasetInput) (*data.Version, error) {
			ref, err := a.ref(ctx, p, in)
			if err != nil {
				return nil, err
			}
			return a.Data.Described(ctx, p, ref)
		})
	a.rowOperations()
	a.readOperations()
}

// RowsInput asks for rows of a version.
type RowsInput struct {
	DatasetInput
	Offset  int64    `query:"offset" minimum:"0" doc:"of the first row; rows never change their place"`
	Limit   int      `query:"limit" default:"100" minimum:"1" maximum:"500"`
	Columns []string `query:"columns,explode" maxItems:"200" doc:"in this order; default: the first 200"`
}

func (a *API) rowOperations() {
	register(a, op{id: "list-rows", method: "GET",
		path: "/datasets/{dataset}/versions/{version}/rows",
		summary: "Rows of a version, as they are; of a holdout for who has said why they look at it " +
			"(look-at-holdout)", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *RowsInput) (*data.Rows, error) {
			ref, err := a.ref(ctx, p, &in.DatasetInput)
			if err != nil {
				return nil, err
			}
			return a.Data.Rows(ctx, p, ref,
				data.RowsQuery{Offset: in.Offset, Limit: in.Limit, Columns: in.Columns})
		})
	register(a, op{id: "diff-dataset-versions", method: "GET",
		path:    "/datasets/{dataset}/versions/{version}/diff",
		summary: "What is different from another version: columns, distributions, rows", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			DatasetInput
			From string `query:"from" required:"true" doc:"a number, or another dataset's version as name/3"`
			Key  string `query:"key" doc:"the column that rows are compared by; default: the versions' own"`
		}) (*data.Diff, error) {
			to, err := a.ref(ctx, p, &in.DatasetInput)
			if err != nil {
				return nil, err
			}
			other := DatasetInput{Dataset: in.Dataset, Version: in.From}
			if name, n, ok := strings.Cut(in.From, "/"); ok {
				other.Dataset, other.Version = name, n
			}
			from, err := a.ref(ctx, p, &other)
			if err != nil {
				return nil, err
			}
			return a.Data.Diff(ctx, p, from, to, in.Key)
		})
}

func (a *API) readOperations() {
	register(a, op{id: "list-holdout-reads", method: "GET",
		path:    "/datasets/{dataset}/versions/{version}/reads",
		summary: "Who has read a holdout, the oldest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			DatasetInput
			Paging
			Newest bool `query:"newest" doc:"the last ones that limit allows, the newest first, on one page"`
		}) (out fairlead.Page[data.HoldoutRead], err error) {
			ref, err := a.ref(ctx, p, &in.DatasetInput)
			if err != nil {
				return out, err
			}
			all, err := a.Data.HoldoutReads(ctx, p, ref)
			if err != nil {
				return out, err
			}
			if in.Newest {
				slices.Reverse(all)
				return fairlead.Page[data.HoldoutRead]{
					Items: append([]data.HoldoutRead{}, all[:min(in.Limit, len(all))]...)}, nil
			}
			return numbered(all, in.Paging, list(p, "reads", ref))
		})
	register(a, op{id: "look-at-holdout", method: "POST",
		path:    "/datasets/{dataset}/versions/{version}/reads",
		summary: "Say why one looks at a holdout: that is recorded, and for an hour one may read its rows",
		may:     auth.Run},
		func(ctx context.Context, p fairlead.Project, in *struct {
			DatasetInput
			Body struct {
				Reason string `json:"reason" doc:"in your words; it is kept with your name" maxLength:"500"`
			}
		}) (Done, error) {
			ref, err := a.ref(ctx, p, &in.DatasetInput)
			if err != nil {
				return Done{}, err
			}
			return done(a.Data.Look(ctx, p, ref, in.Body.Reason))
		})
}
