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

// CleanURI returns the canonical form of an artifact URI of this server, so that URIs
// which name one file are one text, and whether the URI has that form.
func CleanURI(uri string) (string, bool) {
	path, ok := strings.CutPrefix(uri, artifactScheme)
	if !ok {
		return "", false
	}
	path, err := blob.CleanPath(strings.TrimLeft(path, "/"))
	return artifactScheme + path, err == nil
}

// ParseURI returns the place that an artifact URI of this server names, and
// whether the URI has that form.
func ParseURI(uri string) (Place, bool) {
	uri, ok := CleanURI(uri)
	if !ok {
		return Place{}, false
	}
	place, err := ParsePath(strings.TrimPrefix(uri, artifactScheme))
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

// ArtifactRoot returns the artifact URI of an existing run, also a deleted one, or of an
// active logged model.
func (s *Service) ArtifactRoot(tx *store.Tx, p fairlead.Project, o blob.Owner) (string, error) {
	if o.Kind == "logged_model" {
		m, err := loggedModelByID(tx, p, o.ID)
		if err != nil {
			return "", err
		}
		return m.ArtifactURI(), nil
	}
	r, err := runByID(tx, p, o.ID)
	if err != nil {
		return "", err
	}
	return r.ArtifactURI(), nil
}

// PutArtifact streams r into the place, if check agrees to it when it has come whole; nil
// agrees. NotFound when the owner is not an active one of this project; Precondition when
// the place is sealed and r differs from what is there.
func (s *Service) PutArtifact(ctx context.Context, p fairlead.Project, at Place, r io.Reader,
	check func(blob.Object) error) error {
	err := s.db.Read(ctx, func(tx *store.Tx) error { return s.requireOwner(tx, p, at.Owner) })
	if err != nil {
		return err
	}
	if at.Path, err = blob.CleanPath(at.Path); err != nil {
		return err
	}
	obj, err := s.blobs.PutChecked(ctx, r, check)
	if err != nil {
		return err
	}
	if old, err := s.blobs.Stat(ctx, p, at.Owner, at.Path); err == nil && old == obj {
		return nil // sent again
	}
	return s.link(ctx, p, at, obj, func(*store.Tx) error { return nil })
}

// link makes the place refer to what was stored, and does what then says in the same
// transaction.
func (s *Service) link(ctx context.Context, p fairlead.Project, at Place, obj blob.Object,
	then func(tx *store.Tx) error) error {
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if err := s.requireWritable(tx, p, at); err != nil {
			return err
		}
		if err := s.blobs.Link(tx, p, at.Owner, at.Path, obj); err != nil {
			return err
		}
		return then(tx)
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

// requireWritable checks that a file may be written at the place.
func (s *Service) requireWritable(tx *store.Tx, p fairlead.Project, at Place) error {
	if err := s.requireOwner(tx, p, at.Owner); err != nil {
		return err
	}
	return requireUnsealed(tx, p, at)
}

// Seal keeps the files at and below the place as they are, until Unseal: a model
// version was registered from them, and what was judged must be what is served.
func (s *Service) Seal(tx *store.Tx, p fairlead.Project, at Place, reason string) error {
	return insertSeal(tx, p, at, reason)
}

// Unseal lifts the seal of exactly that place; one that is not there is fine.
func (s *Service) Unseal(tx *store.Tx, p fairlead.Project, at Place) error {
	return deleteSeal(tx, p, at)
}

// requireUnsealed is Precondition when a seal covers the place, or lies below it.
func requireUnsealed(tx *store.Tx, p fairlead.Project, at Place) error {
	seals, err := sealsOf(tx, p, at.Owner)
	if err != nil {
		return err
	}
	for _, seal := range seals {
		if within(at.Path, seal.Key) || within(seal.Key, at.Path) {
			return fairlead.Errorf(fairlead.Precondition,
				"%q belongs to %s, whose files never change; log a new model", at.Path, seal.Value)
		}
	}
	return nil
}

// within reports whether path is dir or lies below it.
func within(path, dir string) bool {
	return dir == "" || path == dir || strings.HasPrefix(path, dir+"/")
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
// place. An owner's root is refused: delete the run or the model. Precondition
// when any of it is sealed.
func (s *Service) DeleteArtifacts(ctx context.Context, p fairlead.Project, at Place) error {
	var err error
	if at.Path, err = blob.CleanPath(at.Path); err != nil {
		return err
	}
	below, err := s.blobs.Files(ctx, p, at.Owner, at.Path)
	if err != nil {
		return err
	}
	return s.db.Free(ctx, store.Client, func(tx *store.Tx) error {
		if err := requireUnsealed(tx, p, at); err != nil {
			return err
		}
		if len(below) == 0 {
			return s.blobs.Unlink(tx, p, at.Owner, at.Path)
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
