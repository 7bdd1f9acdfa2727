package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/spec"
)

func (c *cli) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a fairlead.yaml, or that of a directory, without running anything",
		Example: `  fairlead check
  fairlead check ../flights
  fairlead check path/to/fairlead.yaml -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := spec.FileName
			if len(args) == 1 {
				file = args[0]
			}
			if dir, err := os.Stat(file); err == nil && dir.IsDir() {
				file = filepath.Join(file, spec.FileName)
			}
			s, err := readSpec(file)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"file": file, "project": s.Project, "model": s.Model,
				"valid": true}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is right: project %s, model %s; gates: %s; environments: %s\n",
					file, s.Project, s.Model, namesOf(s.Gates, func(g spec.Gate) string { return g.Name }),
					namesOf(s.Release, func(e spec.Environment) string { return e.Name }))
			})
		},
	}
}

// namesOf lists the names of parts of a file, in its order.
func namesOf[T any](parts []T, name func(T) string) string {
	if len(parts) == 0 {
		return "none"
	}
	var names []string
	for _, p := range parts {
		names = append(names, name(p))
	}
	return strings.Join(names, ", ")
}

// readSpec reads a file that is to be applied.
func readSpec(file string) (*spec.Spec, error) {
	body, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		if filepath.Base(file) != spec.FileName {
			return nil, fairlead.Errorf(fairlead.NotFound, "there is no %s", file)
		}
		init := strings.TrimSuffix("fairlead init "+shellWord(filepath.Dir(file)), " .")
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no %s; `%s` writes one for what is there, or "+
			"go to the project's folder", file, init)
	}
	if err != nil {
		return nil, err
	}
	return gate.Parse(file, body)
}

func (c *cli) applyCommand() *cobra.Command {
	var dirty bool
	cmd := &cobra.Command{
		Use:   "apply [DIR]",
		Short: "Upload the repository's HEAD and make its fairlead.yaml current",
		Example: `  fairlead apply
  fairlead apply ../flights --allow-dirty`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := c.enter(args)
			if err != nil {
				return err
			}
			return c.withSource(cmd.Context(), dir, dirty, func(cl *client, src *scm.Source) error {
				rev, err := cl.apply(cmd.Context(), dir, src)
				if err != nil {
					return err
				}
				return c.print(rev, func(w io.Writer) {
					fmt.Fprintf(w, "project %s is at revision %d (commit %.12s)\n", cl.project, rev.N, rev.Commit)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&dirty, "allow-dirty", false,
		"also with uncommitted changes; the lineage says so")
	return cmd
}

// enter returns the repository's directory, and takes the project's name from its
// file, which a name that was given must not contradict.
func (c *cli) enter(args []string) (string, error) {
	dir := "."
	if len(args) == 1 {
		dir = args[0]
	}
	s, err := readSpec(filepath.Join(dir, spec.FileName))
	if err != nil {
		return "", err
	}
	if c.project != "" && c.project != s.Project {
		return "", usage("the project is %q by --project or FAIRLEAD_PROJECT, and %s is about %q",
			c.project, filepath.Join(dir, spec.FileName), s.Project)
	}
	c.project = s.Project
	return dir, nil
}

// withSource calls fn with a client and with what is checked out in dir; the one is
// found while Git is asked for the other.
func (c *cli) withSource(ctx context.Context, dir string, dirty bool,
	fn func(cl *client, src *scm.Source) error) error {
	look := sync.OnceValues(func() (*scm.Source, error) { return scm.Look(ctx, dir, dirty) })
	go look()
	defer func() {
		if src, err := look(); err == nil {
			src.Close()
		}
	}()
	return c.with(ctx, func(cl *client) error {
		src, err := look()
		if err != nil {
			return err
		}
		if !same(dir, src.Root()) {
			return fairlead.Errorf(fairlead.Precondition, "%s lies within the Git repository %s, and a project "+
				"is a whole repository: move the file to its root, or make a repository of %[1]s",
				filepath.Clean(dir), src.Root())
		}
		return fn(cl, src)
	})
}

// apply makes the commit that is checked out in dir current, and uploads it if the
// project is at another one.
func (cl *client) apply(ctx context.Context, dir string, src *scm.Source) (*spec.Revision, error) {
	commit := src.Commit
	if !commit.Dirty {
		var now spec.Revision
		err := cl.do(ctx, http.MethodGet, "", nil, &now)
		if err == nil && now.Commit == commit.ID() {
			return &now, nil
		}
		if err != nil && !fairlead.Is(err, fairlead.NotFound) {
			return nil, err
		}
	}
	tree, err := src.Tar(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		tree.Close()
		os.Remove(tree.Name())
	}()
	file, err := os.ReadFile(filepath.Join(dir, spec.FileName))
	if err != nil {
		return nil, err
	}
	body, contentType, err := form(rest.Commit{SHA: commit.SHA, Object: commit.Object,
		Dirty: commit.Dirty}, file, tree)
	if err != nil {
		return nil, err
	}
	var rev spec.Revision
	return &rev, cl.send(ctx, http.MethodPost, "/revisions", contentType, body, &rev)
}

func form(c rest.Commit, file []byte, tree io.Reader) (body []byte, contentType string, err error) {
	commit, err := json.Marshal(c)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, part := range []struct {
		name string
		from io.Reader
	}{{"commit", bytes.NewReader(commit)}, {"file", bytes.NewReader(file)}, {"tree", tree}} {
		pw, err := w.CreateFormField(part.name)
		if err != nil {
			return nil, "", err
		}
		if _, err := io.Copy(pw, part.from); err != nil {
			return nil, "", err
		}
	}
	return b.Bytes(), w.FormDataContentType(), w.Close()
}
