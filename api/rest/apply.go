package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/spec"
)

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

const (
	maxTree = 256 << 20 // of an uploaded tree, in bytes
	maxPart = 1 << 20   // of the parts before it
)

// applyRoute is outside the operations because it streams a multipart body.
func (a *API) applyRoute() auth.Route {
	return auth.Route{Method: http.MethodPost, Path: project + "/revisions", Permission: auth.Run,
		BodyLimit: maxTree, Streams: true, Handle: a.takeApply, Fail: Fail}
}

// takeApply tells an upload that breaks off from one that is wrong.
func (a *API) takeApply(w http.ResponseWriter, r *http.Request) error {
	body := &upload{ReadCloser: r.Body}
	r.Body = body
	return body.problemOr(a.apply(w, r))
}

// documentApply describes the route in the document.
func (a *API) documentApply() {
	a.document(rawOp{
		op: op{id: "apply", method: http.MethodPost, path: project + "/revisions",
			summary: "Import a commit and make its fairlead.yaml current; creates the project", may: auth.Run},
		body: contentOf("multipart/form-data", &huma.Schema{Type: "object",
			Required: []string{partCommit, partFile, partTree},
			Properties: map[string]*huma.Schema{partCommit: textSchema, partFile: textSchema,
				partTree: textSchema}}),
		answer: jsonOf[spec.Revision](a, "Revision"),
	})
}

// apply imports a commit and makes its fairlead.yaml the project's current file.
func (a *API) apply(w http.ResponseWriter, r *http.Request) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "the body is not a multipart form: %w", err)
	}
	c, file, err := claim(parts)
	if err != nil {
		return err
	}
	s, err := gate.Parse(spec.FileName, file)
	if err != nil {
		return err
	}
	if name := fairlead.ProjectFrom(r.Context()).Name; s.Project != name {
		return fairlead.Errorf(fairlead.Invalid, "%s is about project %q, and the path says %q",
			spec.FileName, s.Project, name)
	}
	p, err := a.Projects.Ensure(r.Context(), s)
	if err != nil {
		return err
	}
	tree, err := nextPart(parts, partTree)
	if err != nil {
		return err
	}
	commit, err := a.SCM.Import(r.Context(), p, tree,
		scm.Commit{SHA: c.SHA, Object: c.Object, Dirty: c.Dirty})
	if err != nil {
		return err
	}
	stored, err := a.SCM.File(r.Context(), p, commit.ID(), spec.FileName)
	if err != nil {
		return err
	}
	if !bytes.Equal(stored, file) {
		return fairlead.Errorf(fairlead.Invalid, "the commit's %s is not the one in the part %q",
			spec.FileName, partFile)
	}
	rev, err := a.Projects.Apply(r.Context(), file, commit.ID())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(rev)
}

// claim reads the two parts before the tree.
func claim(parts *multipart.Reader) (c Commit, file []byte, err error) {
	text, err := readPart(parts, partCommit)
	if err != nil {
		return c, nil, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, nil, fairlead.Errorf(fairlead.Invalid, "the part %q is not JSON: %w", partCommit, err)
	}
	file, err = readPart(parts, partFile)
	return c, file, err
}

func nextPart(parts *multipart.Reader, name string) (*multipart.Part, error) {
	part, err := parts.NextPart()
	if errors.Is(err, io.EOF) || err == nil && part.FormName() != name {
		return nil, fairlead.Errorf(fairlead.Invalid, "the form lacks the part %q", name)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the form ended before the part %q",
			name).Because(err)
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
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the part %q cannot be read, or is larger than %d bytes", name, maxPart).Because(err)
	}
	return b, nil
}
