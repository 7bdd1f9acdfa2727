package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

type projectItem struct {
	Name string `json:"name"`
}

func (a *API) projectOperations() {
	register(a, op{"list-projects", "GET", "//projects", "List the projects", auth.Read, 0},
		func(ctx context.Context, _ *struct{}) (fairlead.Page[projectItem], error) {
			all, err := a.Projects.List(ctx)
			out := fairlead.Page[projectItem]{Items: []projectItem{}}
			for _, p := range all {
				out.Items = append(out.Items, projectItem{p.Name})
			}
			return out, err
		})
	register(a, op{"get-project", "GET", "", "The project's current file", auth.Read, 0},
		func(ctx context.Context, _ *InProject) (*spec.Revision, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Projects.CurrentRevision(ctx, p)
		})
	register(a, op{"list-model-versions", "GET", "/models/{model}/versions", "List a model's versions", auth.Read, 0},
		func(ctx context.Context, in *struct {
			InProject
			Model string `path:"model"`
		}) (out fairlead.Page[*registry.Version], err error) {
			p, err := existing(ctx)
			if err != nil {
				return out, err
			}
			err = a.DB.Read(ctx, func(tx *store.Tx) error {
				out.Items, err = a.Registry.Versions(tx, p, in.Model)
				return err
			})
			return out, err
		})
	type runInput struct {
		InProject
		Run string `path:"run"`
	}
	register(a, op{"list-pipeline-runs", "GET", "/pipeline-runs", "List pipeline runs, the newest first", auth.Read, 0},
		func(ctx context.Context, in *struct {
			InProject
			Page  string `query:"page"`
			Limit int    `query:"limit"`
		}) (out fairlead.Page[*pipeline.Run], err error) {
			p, err := existing(ctx)
			if err != nil {
				return out, err
			}
			return a.Pipeline.List(ctx, p, in.Page, in.Limit)
		})
	register(a, op{"get-pipeline-run", "GET", "/pipeline-runs/{run}", "One pipeline run with its tries", auth.Read, 0},
		func(ctx context.Context, in *runInput) (*pipeline.Run, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Pipeline.Get(ctx, p, in.Run)
		})
	register(a, op{"cancel-pipeline-run", "POST", "/pipeline-runs/{run}/cancel", "Cancel a pipeline run", auth.Operate, 1 << 10},
		func(ctx context.Context, in *runInput) (struct{}, error) {
			p, err := existing(ctx)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, a.Pipeline.Cancel(ctx, p, in.Run)
		})
	register(a, op{"list-steps", "GET", "/pipeline-runs/{run}/steps", "The steps of a pipeline run", auth.Read, 0},
		func(ctx context.Context, in *runInput) (out fairlead.Page[*pipeline.Step], err error) {
			p, err := existing(ctx)
			if err != nil {
				return out, err
			}
			out.Items, err = a.Pipeline.Steps(ctx, p, in.Run)
			return out, err
		})
	a.stepOperations()
}

// The parts of an upload to apply, in this order: the commit as JSON, the file, and
// the tree as tar.
const (
	partCommit = "commit"
	partFile   = "file"
	partTree   = "tree"
)

// Commit is the JSON form of the commit that an upload claims; the server checks
// that the tree is the commit's.
type Commit struct {
	SHA    string `json:"sha"`
	Object []byte `json:"object"` // the raw commit object
	Dirty  bool   `json:"dirty"`
}

// applyRoute is outside the OpenAPI operations because it streams a multipart body.
func (a *API) applyRoute() auth.Route {
	return auth.Route{Method: "POST", Path: project + "/revisions", Permission: auth.Operate,
		BodyLimit: maxTree, Handle: a.apply, Fail: Fail}
}

const (
	maxTree = 256 << 20 // of an uploaded tree, in bytes
	maxPart = 1 << 20   // of the parts before it
)

// apply imports a commit and makes its fairlead.yaml the project's current file.
func (a *API) apply(w http.ResponseWriter, r *http.Request) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "the body is not a multipart form: %w", err)
	}
	var c Commit
	text, err := readPart(parts, partCommit)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return fairlead.Errorf(fairlead.Invalid, "the part %q is not JSON: %w", partCommit, err)
	}
	file, err := readPart(parts, partFile)
	if err != nil {
		return err
	}
	s, err := spec.Parse(spec.FileName, file)
	if err != nil {
		return err
	}
	if name := fairlead.ProjectFrom(r.Context()).Name; s.Project != name {
		return fairlead.Errorf(fairlead.Invalid, "%s is about project %q, and the path says %q", spec.FileName, s.Project, name)
	}
	p, err := a.Projects.Ensure(r.Context(), s)
	if err != nil {
		return err
	}
	tree, err := nextPart(parts, partTree)
	if err != nil {
		return err
	}
	commit, err := a.SCM.Import(r.Context(), p, tree, scm.Commit{SHA: c.SHA, Object: c.Object, Dirty: c.Dirty})
	if err != nil {
		return err
	}
	stored, err := a.SCM.File(r.Context(), p, commit.ID(), spec.FileName)
	if err != nil {
		return err
	}
	if !bytes.Equal(stored, file) {
		return fairlead.Errorf(fairlead.Invalid, "the commit's %s is not the one in the part %q", spec.FileName, partFile)
	}
	rev, err := a.Projects.Apply(r.Context(), file, commit.ID())
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(rev)
}

func nextPart(parts *multipart.Reader, name string) (*multipart.Part, error) {
	part, err := parts.NextPart()
	if errors.Is(err, io.EOF) || err == nil && part.FormName() != name {
		return nil, fairlead.Errorf(fairlead.Invalid, "the form lacks the part %q", name)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the form ended before the part %q", name).Because(err)
	}
	return part, nil
}

func readPart(parts *multipart.Reader, name string) ([]byte, error) {
	part, err := nextPart(parts, name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(part, maxPart+1))
	if err != nil || len(b) > maxPart {
		return nil, fairlead.Errorf(fairlead.Invalid, "the part %q cannot be read, or is larger than %d bytes", name, maxPart).Because(err)
	}
	return b, nil
}
