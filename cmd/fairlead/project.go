package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/spec"
)

func (c *cli) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Check a fairlead.yaml without running anything",
		Example: `  fairlead check
  fairlead check path/to/fairlead.yaml -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			file := spec.FileName
			if len(args) == 1 {
				file = args[0]
			}
			s, err := readSpec(file)
			if err != nil {
				return err
			}
			return c.print(map[string]any{"file": file, "project": s.Project, "model": s.Model, "valid": true}, func(w io.Writer) {
				fmt.Fprintf(w, "%s is right: project %s, model %s, %d gates, %d environments\n",
					file, s.Project, s.Model, len(s.Gates), len(s.Release))
			})
		},
	}
}

// readSpec parses the file and compiles its gates.
func readSpec(file string) (*spec.Spec, error) {
	body, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no %s; write one (docs/fairlead-yaml.md), or name it: fairlead check FILE", file)
	}
	if err != nil {
		return nil, err
	}
	s, err := spec.Parse(file, body)
	if err != nil {
		return nil, err
	}
	_, err = gate.Compile(s.Gates)
	return s, err
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
			return c.with(cmd.Context(), func(cl *client) error {
				rev, err := cl.apply(cmd.Context(), dir, dirty)
				if err != nil {
					return err
				}
				return c.print(rev, func(w io.Writer) {
					fmt.Fprintf(w, "project %s is at revision %d (commit %.12s)\n", cl.project, rev.N, rev.Commit)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&dirty, "allow-dirty", false, "also with uncommitted changes; the lineage says so")
	return cmd
}

// enter returns the repository's directory, and takes the project's name from its
// file.
func (c *cli) enter(args []string) (string, error) {
	dir := "."
	if len(args) == 1 {
		dir = args[0]
	}
	s, err := readSpec(filepath.Join(dir, spec.FileName))
	if err != nil {
		return "", err
	}
	c.project = s.Project
	return dir, nil
}

// apply uploads the commit that is checked out in dir.
func (cl *client) apply(ctx context.Context, dir string, dirty bool) (*spec.Revision, error) {
	tree, commit, err := scm.Pack(ctx, dir, dirty)
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
	body, contentType, err := form(rest.Commit{SHA: commit.SHA, Object: commit.Object, Dirty: commit.Dirty}, file, tree)
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

func (c *cli) runCommand() *cobra.Command {
	var dirty, detach bool
	cmd := &cobra.Command{
		Use:   "run [DIR]",
		Short: "Take the model the whole way: data, pipeline, package, gate, release",
		Long: `Run applies the repository's HEAD and opens a case for it: the data is collected,
the pipeline trains, the winner is packaged, the gate judges it, and what passes is
released. The exit status is 3 when the gate stopped it.`,
		Example: `  fairlead run
  fairlead run --detach   # and look later: fairlead case`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := c.enter(args)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				if _, err := cl.apply(ctx, dir, dirty); err != nil {
					return err
				}
				var opened loop.Case
				if err := cl.do(ctx, http.MethodPost, "/cases", nil, &opened); err != nil {
					return err
				}
				if detach {
					return c.printCase(&opened)
				}
				return c.await(ctx, cl, opened.ID)
			})
		},
	}
	cmd.Flags().BoolVar(&dirty, "allow-dirty", false, "also with uncommitted changes; the lineage says so")
	cmd.Flags().BoolVar(&detach, "detach", false, "do not wait for the end")
	return cmd
}

// await follows a case to its end, telling on stderr what happens.
func (c *cli) await(ctx context.Context, cl *client, id string) error {
	seen := ""
	for {
		var k loop.Case
		wait := "1s"
		if err := cl.do(ctx, http.MethodGet, "/cases/"+id+"?wait="+wait, nil, &k); err != nil {
			return err
		}
		if line := fmt.Sprintf("%s %s", k.State, k.Reason); line != seen {
			fmt.Fprintf(c.err, "%s  case %s: %s\n", time.Now().Format(time.TimeOnly), k.ID, line)
			seen = line
		}
		if k.State == loop.Closed {
			if err := c.printCase(&k); err != nil {
				return err
			}
			return caseStatus(&k)
		}
		if k.State == loop.Releasing && k.Rollout != "" {
			done, err := c.canary(ctx, cl, &k)
			if err != nil || done {
				return err
			}
		}
	}
}

// canary tells of a rollout that waits for labels: that can take days of stream
// time, so the command does not.
func (c *cli) canary(ctx context.Context, cl *client, k *loop.Case) (bool, error) {
	var e struct {
		Rollout struct {
			Strategy string `json:"strategy"`
			State    string `json:"state"`
		} `json:"rollout"`
	}
	if err := cl.do(ctx, http.MethodGet, "/rollouts/"+k.Rollout, nil, &e); err != nil {
		return false, err
	}
	if e.Rollout.Strategy != "canary" || e.Rollout.State == "finished" {
		return false, nil
	}
	return true, c.printCase(k)
}

func caseStatus(k *loop.Case) error {
	switch k.Outcome {
	case loop.Promoted:
		return nil
	case loop.Stopped:
		return &statusError{fairlead.ExitGateFailed, k.Reason + "; see `fairlead gate explain " + k.Decision + "`"}
	}
	return &statusError{fairlead.ExitError, k.Reason}
}

func (c *cli) printCase(k *loop.Case) error {
	return c.print(k, func(w io.Writer) {
		fmt.Fprintf(w, "case %s of model %s: %s", k.ID, k.Model, k.State)
		if k.Outcome != "" {
			fmt.Fprintf(w, ", %s", k.Outcome)
		}
		if k.Version != 0 {
			fmt.Fprintf(w, ", version %d", k.Version)
		}
		if k.Reason != "" {
			fmt.Fprintf(w, " (%s)", k.Reason)
		}
		fmt.Fprintln(w)
	})
}

func (c *cli) caseCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "case [ID]",
		Short:   "Show the cases of the project, or one of them",
		Example: "  fairlead case\n  fairlead case ca_01h2x… -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				if len(args) == 1 {
					var k loop.Case
					if err := cl.do(cmd.Context(), http.MethodGet, "/cases/"+args[0], nil, &k); err != nil {
						return err
					}
					return c.printCase(&k)
				}
				var page fairlead.Page[*loop.Case]
				if err := cl.do(cmd.Context(), http.MethodGet, "/cases", nil, &page); err != nil {
					return err
				}
				return c.print(page, func(w io.Writer) {
					tw := table(w, "CASE", "CAUSE", "STATE", "VERSION", "OUTCOME", "REASON")
					for _, k := range page.Items {
						tw.row(k.ID, k.Cause, k.State, k.Version, k.Outcome, k.Reason)
					}
					tw.flush()
				})
			})
		},
	}
}

// releaseArgs reads [MODEL [VERSION]]; version 0 stands for the newest.
func releaseArgs(args []string) (model string, version int64, err error) {
	if len(args) > 0 {
		model = args[0]
	} else if model, err = modelName(); err != nil {
		return "", 0, err
	}
	if model == "" {
		return "", 0, usage("there is no %s here; name the model: fairlead release MODEL", spec.FileName)
	}
	if len(args) < 2 {
		return model, 0, nil
	}
	version, err = strconv.ParseInt(args[1], 10, 64)
	if err != nil || version < 1 {
		return "", 0, usage("VERSION is %q; it is a whole number", args[1])
	}
	return model, version, nil
}

// newest returns the number of a model's newest version.
func (cl *client) newest(ctx context.Context, model string) (n int64, err error) {
	var page fairlead.Page[*registry.Version]
	err = cl.do(ctx, http.MethodGet, "/models/"+url.PathEscape(model)+"/versions", nil, &page)
	for _, v := range page.Items {
		n = max(n, v.N)
	}
	if err == nil && n == 0 {
		err = fairlead.Errorf(fairlead.NotFound, "model %s has no version yet; make one with `fairlead run`", model)
	}
	return n, err
}

// isLive reports whether the version answers for the model in the last environment.
func (cl *client) isLive(ctx context.Context, model string, n int64) (bool, error) {
	var e rest.Endpoint
	err := cl.do(ctx, http.MethodGet, "/endpoints/"+url.PathEscape(model), nil, &e)
	if fairlead.Is(err, fairlead.NotFound) {
		return false, nil
	}
	if err != nil || e.Assignment == nil {
		return false, err
	}
	return e.Version(release.RoleLive) == n, nil
}

func (c *cli) releaseCommand() *cobra.Command {
	var detach bool
	cmd := &cobra.Command{
		Use:   "release [MODEL [VERSION]]",
		Short: "Make a version the candidate: package, gate and release it",
		Long: `Release takes a registered version to packaging, gate and release. Without a
version it takes the newest, without a model that of ./fairlead.yaml.`,
		Example: `  fairlead release
  fairlead release flight-delays 3
  fairlead release flight-delays 3 --detach`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			model, n, err := releaseArgs(args)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				if n == 0 {
					if n, err = cl.newest(ctx, model); err != nil {
						return err
					}
				}
				live, err := cl.isLive(ctx, model, n)
				if err != nil {
					return err
				}
				if live {
					return c.print(map[string]any{"model": model, "version": n, "live": true}, func(w io.Writer) {
						fmt.Fprintf(w, "%s version %d is live already\n", model, n)
					})
				}
				var opened loop.Case
				path := "/models/" + url.PathEscape(model) + "/candidate"
				if err := cl.do(ctx, http.MethodPut, path, map[string]int64{"version": n}, &opened); err != nil {
					return err
				}
				if detach {
					return c.printCase(&opened)
				}
				return c.await(ctx, cl, opened.ID)
			})
		},
	}
	cmd.Flags().BoolVar(&detach, "detach", false, "do not wait for the end")
	return cmd
}
