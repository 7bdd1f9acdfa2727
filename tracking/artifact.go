package tracking

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

// artifactScheme begins every artifact URI: the client's proxied scheme, without
// a host and with a path that is never bare. For such a URI the client appends
// the proxy's path to its own tracking URI, prefix included, so that the same
// stored URI works at / and under /p/<project>; from a bare `mlflow-artifacts:/`
// it drops the prefix. Below it, as MLflow lays them out:
//
//	<experiment>/<run>/artifacts/…            a run's
//	<experiment>/models/<model>/artifacts/…   a logged model's
//	<experiment>/…                            anything else, the experiment's own
const artifactScheme = "mlflow-artifacts:/"

// RunOwner owns the artifacts of a run, with paths relative to its artifact URI.
func RunOwner(id string) blob.Owner { return blob.Owner{Kind: "run", ID: id} }

// LoggedModelOwner owns the files of a logged model, MLmodel at their root.
func LoggedModelOwner(id string) blob.Owner { return blob.Owner{Kind: "logged_model", ID: id} }

func experimentOwner(id string) blob.Owner { return blob.Owner{Kind: "experiment", ID: id} }

// Place is one owner's artifact or, with an empty path, its root.
type Place struct {
	Owner blob.Owner
	Path  string
}

// ParseURI returns the place that an artifact URI of this server names, and
// whether the URI has that form.
func ParseURI(uri string) (Place, bool) {
	path, ok := strings.CutPrefix(uri, artifactScheme)
	if !ok {
		return Place{}, false
	}
	place, err := ParsePath(strings.TrimLeft(path, "/"))
	return place, err == nil
}

// ParsePath returns the place of a path below the artifact proxy. Paths are keys
// of a map: Invalid for those that blob.CleanPath refuses.
func ParsePath(path string) (Place, error) {
	path, err := blob.CleanPath(path)
	if err != nil {
		return Place{}, err
	}
	parts := strings.SplitN(path, "/", 3)
	if len(parts) > 1 && parts[1] == "models" {
		parts = strings.SplitN(path, "/", 4)
		parts = append(parts[:1], parts[2:]...)
		if owner, rest, ok := ownedBy(parts, LoggedModelOwner); ok {
			return Place{owner, rest}, nil
		}
	} else if owner, rest, ok := ownedBy(parts, RunOwner); ok {
		return Place{owner, rest}, nil
	}
	exp, rest, _ := strings.Cut(path, "/")
	return Place{experimentOwner(exp), rest}, nil
}

// ownedBy reads <experiment>, <id>, "artifacts[/rest]".
func ownedBy(parts []string, owner func(string) blob.Owner) (blob.Owner, string, bool) {
	if len(parts) != 3 {
		return blob.Owner{}, "", false
	}
	root, rest, _ := strings.Cut(parts[2], "/")
	return owner(parts[1]), rest, root == "artifacts"
}

// PutArtifact streams r into the place. NotFound when the owner is not an active
// one of this project.
func (s *Service) PutArtifact(ctx context.Context, p fairlead.Project, at Place,
	r io.Reader) error {
	err := s.db.Read(ctx, func(tx *store.Tx) error { return s.requireOwner(tx, p, at.Owner) })
	if err != nil {
		return err
	}
	if _, err := blob.CleanPath(at.Path); err != nil {
		return err
	}
	obj, err := s.blobs.Put(ctx, r)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		if err := s.requireOwner(tx, p, at.Owner); err != nil {
			return err
		}
		return s.blobs.Link(tx, p, at.Owner, at.Path, obj)
	})
}

// requireOwner checks that artifacts of the owner may be written.
func (s *Service) requireOwner(tx *store.Tx, p fairlead.Project, o blob.Owner) (err error) {
	switch o.Kind {
	case "run":
		_, err = activeRun(tx, p, o.ID)
	case "logged_model":
		_, err = loggedModelByID(tx, p, o.ID)
	default:
		_, err = s.experimentByID(tx, p, o.ID)
	}
	return err
}

// OpenArtifact returns the content of a file; the caller closes it.
func (s *Service) OpenArtifact(ctx context.Context, p fairlead.Project, at Place) (*os.File,
	blob.Object, error) {
	return s.blobs.Open(ctx, p, at.Owner, at.Path)
}

// ListArtifacts returns what lies directly below the place, with full paths below
// its owner. A place that is a file, or nothing, has an empty list.
func (s *Service) ListArtifacts(ctx context.Context, p fairlead.Project, at Place) ([]blob.Entry,
	error) {
	return s.blobs.List(ctx, p, at.Owner, at.Path)
}

// DeleteArtifacts removes the file, or everything below the directory, at the
// place. An owner's root is refused: delete the run or the model.
func (s *Service) DeleteArtifacts(ctx context.Context, p fairlead.Project, at Place) error {
	path, err := blob.CleanPath(at.Path)
	if err != nil {
		return err
	}
	below, err := s.blobs.Files(ctx, p, at.Owner, path)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		if len(below) == 0 {
			return s.blobs.Unlink(tx, p, at.Owner, path)
		}
		for _, e := range below {
			err := s.blobs.Unlink(tx, p, at.Owner, e.Path)
			if err != nil && !fairlead.Is(err, fairlead.NotFound) {
				return err
			}
		}
		return nil
	})
}
