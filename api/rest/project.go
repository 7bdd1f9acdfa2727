package rest

import (
	"context"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/spec"
)

// ProjectItem is a project in a list.
type ProjectItem struct {
	Name string `json:"name"`
}

func (a *API) projectOperations() {
	registerServer(a, op{id: "list-projects", method: "GET", path: "/projects",
		summary: "List the projects that one may read, by name", may: auth.Self},
		func(ctx context.Context, in *Paging) (out fairlead.Page[ProjectItem], err error) {
			all, err := a.Projects.List(ctx)
			if err != nil {
				return out, err
			}
			var items []ProjectItem
			for _, p := range all {
				if auth.CallerFrom(ctx).May(p, auth.Read) {
					items = append(items, ProjectItem{p.Name})
				}
			}
			return cut(items, *in, "projects", func(p ProjectItem) string { return p.Name })
		})
	register(a, op{id: "get-project", method: "GET", path: "",
		summary: "The project's current file", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, _ *InProject) (*spec.Revision, error) {
			return a.Projects.CurrentRevision(ctx, p)
		})
	register(a, op{id: "list-revisions", method: "GET", path: "/revisions",
		summary: "List what was applied, the newest first", may: auth.Read}, a.revisions)
	register(a, op{id: "get-revision", method: "GET", path: "/revisions/{revision}",
		summary: "One applied file", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Revision int64 `path:"revision" minimum:"1"`
		}) (*spec.Revision, error) {
			rev, err := a.Projects.RevisionAt(ctx, p, in.Revision)
			if fairlead.Is(err, fairlead.NotFound) {
				return nil, fairlead.Errorf(fairlead.NotFound, "project %s has no revision %d", p.Name,
					in.Revision)
			}
			return rev, err
		})
}

// RevisionItem is an applied file in a list.
type RevisionItem struct {
	N         int64  `json:"revision"`
	Digest    string `json:"digest" doc:"SHA-256 of the file, hex"`
	Commit    string `json:"commit,omitempty"`
	AppliedMS int64  `json:"applied_ms"`
}

// ListInput is a request for a list of a project.
type ListInput struct {
	InProject
	Paging
}

// maxRevisions bounds a page, because each revision is read and parsed by itself.
const maxRevisions = 50

// revisions walks down from the newest; the numbers have no gaps.
func (a *API) revisions(ctx context.Context, p fairlead.Project, in *ListInput) (
	out fairlead.Page[RevisionItem], err error) {
	out.Items = []RevisionItem{}
	rev, err := a.Projects.CurrentRevision(ctx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	filter, after := list(p, "revisions"), rev.N+1
	if err := fairlead.DecodeCursor(in.Page, filter, &after); err != nil {
		return out, err
	}
	for n := after - 1; n > 0; n-- {
		if len(out.Items) == min(in.Limit, maxRevisions) {
			out.Next = fairlead.EncodeCursor(filter, n+1)
			break
		}
		if rev, err = a.Projects.RevisionAt(ctx, p, n); err != nil {
			return out, err
		}
		out.Items = append(out.Items, RevisionItem{N: n, Digest: rev.Digest, Commit: rev.Commit,
			AppliedMS: fairlead.MS(rev.AppliedAt)})
	}
	return out, nil
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
