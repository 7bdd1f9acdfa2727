package transfer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
)

// shelf is what a server hands out of one run or logged model: by its id, wherever the
// server keeps it.
type shelf struct {
	*remote
	owner    blob.Owner
	id       url.Values
	list     string // path that lists a directory, and the parameter that names it
	dirParam string
	get      string // path that gives a file, and the parameter that names it
	param    string
	each     func(path string, r io.Reader) error
	left     []string
}

func (c *remote) files(ctx context.Context, o blob.Owner, _ string,
	each func(path string, r io.Reader) error) (left []string, err error) {
	s := &shelf{remote: c, owner: o, each: each, id: url.Values{"run_id": {o.ID}},
		list: api + "artifacts/list", dirParam: "path", get: "/get-artifact", param: "path"}
	if o.Kind == "logged_model" {
		of := "logged-models/" + url.PathEscape(o.ID) + "/artifacts/"
		s.id, s.list, s.dirParam = nil, api+of+"directories", "artifact_directory_path"
		s.get, s.param = "/ajax-api/2.0/mlflow/"+of+"files", "artifact_file_path"
	}
	err = s.walk(ctx, "", 0)
	return s.left, err
}

// walk passes the files of a directory and of those in it.
func (s *shelf) walk(ctx context.Context, dir string, depth int) error {
	var found struct {
		Files []struct {
			Path  string
			IsDir bool `json:"is_dir"`
		}
	}
	body, err := s.open(ctx, s.list, s.with(s.dirParam, dir), nil)
	if err != nil {
		return s.refusedOr(err, dir)
	}
	err = json.NewDecoder(io.LimitReader(body, maxAnswer)).Decode(&found)
	body.Close()
	if err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "%s does not answer as an MLflow server does (%s): %w",
			s.base, s.list, err)
	}
	for _, f := range found.Files {
		switch {
		case !beneath(dir, f.Path) || depth == maxDepth:
			s.left = append(s.left, fmt.Sprintf("%q of %s is no path below %q", f.Path, called(s.owner), dir))
		case f.IsDir:
			err = s.walk(ctx, f.Path, depth+1)
		default:
			err = s.pass(ctx, f.Path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) pass(ctx context.Context, path string) error {
	body, err := s.open(ctx, s.get, s.with(s.param, path), nil)
	if err != nil {
		return s.refusedOr(err, path)
	}
	defer body.Close()
	return s.each(path, body)
}

// refusedOr notes what the server refuses, and returns any other error.
func (s *shelf) refusedOr(err error, path string) error {
	r := (*refusal)(nil)
	if !errors.As(err, &r) {
		return err
	}
	s.left = append(s.left, fmt.Sprintf("files of %s: the server answers %v for %q", called(s.owner), r,
		cmp.Or(path, "/")))
	return nil
}

func (s *shelf) with(param, value string) url.Values {
	q := url.Values{}
	maps.Copy(q, s.id)
	if value != "" {
		q.Set(param, value)
	}
	return q
}

// beneath reports whether a path is directly in a directory.
func beneath(dir, path string) bool {
	rest := path
	if dir != "" {
		var ok bool
		if rest, ok = strings.CutPrefix(path, dir+"/"); !ok {
			return false
		}
	}
	return rest != "" && rest != "." && rest != ".." && !strings.ContainsRune(rest, '/')
}
