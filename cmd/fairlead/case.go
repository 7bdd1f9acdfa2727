package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/spec"
)

func (c *cli) runCommand() *cobra.Command {
	var dirty, detach bool
	cmd := &cobra.Command{
		Use:   "run [DIR]",
		Short: "Take the model the whole way: data, pipeline, package, gate, release",
		Long: `Run applies the repository's HEAD and opens a case for it: the data is collected,
the pipeline trains, the winner is packaged, the gate judges it, and what passes is
released. When a canary or shadow begins, or has to end first, which waits for live
labels, the command ends and says how to follow it. The exit status is 3 when the gate
stopped the version, and 4 when the rollout asks for a human.`,
		Example: `  fairlead run
  fairlead run --detach   # and look later: fairlead case`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := c.enter(args)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			return c.withSource(ctx, dir, dirty, func(cl *client, src *scm.Source) error {
				if err := cl.mayDetach(detach); err != nil {
					return err
				}
				if _, err := cl.apply(ctx, dir, src); err != nil {
					return err
				}
				var opened loop.Case
				if err := cl.once(ctx, http.MethodPost, "/cases", nil, &opened); err != nil {
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
	told := c.newProgress()
	defer told.end()
	for {
		var k loop.Case
		if err := cl.do(ctx, http.MethodGet, "/cases/"+id+"?wait=1s", nil, &k); err != nil {
			if ctx.Err() != nil {
				return &statusError{fairlead.ExitError, interrupted(cl, id)}
			}
			return err
		}
		told.status(strings.TrimSpace(fmt.Sprintf("case %s: %s  %s", k.ID, k.State, headline(k.Reason))))
		if k.State == loop.Closed {
			told.end()
			if err := c.printCase(&k); err != nil {
				return err
			}
			if err := c.whereItFailed(ctx, cl, &k); err != nil {
				return err
			}
			c.whereItIs(cl, &k)
			return caseStatus(&k)
		}
		r, err := cl.waitedFor(ctx, &k)
		if err != nil {
			return err
		}
		if r != nil && r.Active() {
			told.end()
			return c.leave(cl, &k, r)
		}
	}
}

// interrupted says what becomes of a case that nobody waits for any more.
func interrupted(cl *client, id string) string {
	if cl.own {
		return "interrupted; case " + id + " goes on when a server runs again: `fairlead serve`, or any command"
	}
	return "interrupted; case " + id + " goes on: `fairlead case " + id + "`"
}

// waitedFor returns the rollout that has to end before the case goes on: its own, or that
// of the case before it; nil for none.
func (cl *client) waitedFor(ctx context.Context, k *loop.Case) (*release.Rollout, error) {
	switch {
	case k.State == loop.Releasing && k.Rollout != "":
		var e release.Explanation
		err := cl.do(ctx, http.MethodGet, "/rollouts/"+k.Rollout, nil, &e)
		return e.Rollout, err
	case k.State == loop.Waiting:
		var e loop.Explanation
		err := cl.do(ctx, http.MethodGet, "/loop/"+url.PathEscape(k.Model), nil, &e)
		return e.Rollout, err
	}
	return nil, nil
}

// leave tells of a rollout that waits for labels or a human: that can take days of stream
// time, so the command does not.
func (c *cli) leave(cl *client, k *loop.Case, r *release.Rollout) error {
	if err := c.printCase(k); err != nil {
		return err
	}
	switch {
	case k.State == loop.Waiting:
		fmt.Fprintf(c.err, "case %s begins when the %s of version %d on %s has ended, which waits for "+
			"live labels\n", k.ID, r.Strategy, r.To, r.Endpoint)
	case r.Strategy == spec.Shadow:
		fmt.Fprintf(c.err, "version %d scores every request of %s and answers none, until a human "+
			"decides on the evidence of live labels\n", r.To, r.Endpoint)
	default:
		fmt.Fprintf(c.err, "version %d answers %g%% of %s; it goes on with the evidence of live labels\n",
			r.To, r.Percent, r.Endpoint)
	}
	if cl.own {
		fmt.Fprintln(c.err, "start a server, so that there are any: fairlead serve")
	}
	fmt.Fprintf(c.err, "follow it: fairlead rollout %s, fairlead case %s, fairlead loop explain %s\n",
		r.ID, k.ID, k.Model)
	if r.State == release.Waiting {
		return &statusError{fairlead.ExitNeedsApproval, "the rollout asks for a human: " + r.Reason}
	}
	return nil
}

// whereItFailed names the command that shows all that a failed step printed: the
// case's reason has the end of it.
func (c *cli) whereItFailed(ctx context.Context, cl *client, k *loop.Case) error {
	if k.Outcome != loop.Failed || k.PipelineRun == "" {
		return nil
	}
	steps, err := every[*pipeline.Step](ctx, cl,
		"/pipeline-runs/"+url.PathEscape(k.PipelineRun)+"/steps", url.Values{})
	if err != nil {
		return err
	}
	for _, s := range steps {
		if s.State == pipeline.Failed {
			fmt.Fprintf(c.err, "all that step %s printed: fairlead log %s --run %s\n",
				s.Name, s.Name, k.PipelineRun)
			break
		}
	}
	return nil
}

// whereItIs says how to ask and see what was released.
func (c *cli) whereItIs(cl *client, k *loop.Case) {
	if k.Outcome != loop.Promoted {
		return
	}
	if cl.own {
		fmt.Fprintln(c.err, "start a server, so that it answers: fairlead serve")
	}
	fmt.Fprintf(c.err, "look at it: fairlead endpoint %s, or in a browser: fairlead ui\n", k.Model)
}

func caseStatus(k *loop.Case) error {
	switch k.Outcome {
	case loop.Promoted, loop.Unchanged:
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
	var all bool
	cmd := &cobra.Command{
		Use:     "case [ID]",
		Short:   "Show the cases of the project, or one of them",
		Example: "  fairlead case\n  fairlead case ca_01h2x… -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				if len(args) == 1 {
					var k loop.Case
					if err := cl.do(cmd.Context(), http.MethodGet, "/cases/"+url.PathEscape(args[0]), nil, &k); err != nil {
						return err
					}
					return c.printCase(&k)
				}
				page, err := newest[*loop.Case](cmd.Context(), c, cl, "/cases", url.Values{}, all)
				if err != nil {
					return err
				}
				return c.print(page, func(w io.Writer) {
					tw := table(w, "CASE", "CAUSE", "STATE", "VERSION", "OUTCOME", "REASON")
					for _, k := range page.Items {
						tw.row(k.ID, k.Cause, k.State, k.Version, k.Outcome,
							headline(k.Reason))
					}
					tw.flush()
				})
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "not only the newest")
	return cmd
}

// releaseArgs reads [MODEL [VERSION]]; version 0 stands for the newest.
func (c *cli) releaseArgs(args []string) (model string, version int64, err error) {
	if model, err = c.modelOf(args); err != nil || len(args) < 2 {
		return model, 0, err
	}
	version, err = versionNumber(model, args[1])
	return model, version, err
}

// newest returns the number of a model's newest version.
func (cl *client) newest(ctx context.Context, model string) (n int64, err error) {
	all, err := every[*registry.Version](ctx, cl, "/models/"+url.PathEscape(model)+"/versions", url.Values{})
	for _, v := range all {
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
			model, n, err := c.releaseArgs(args)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				if err := cl.mayDetach(detach); err != nil {
					return err
				}
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
				if err := cl.once(ctx, http.MethodPut, path, map[string]int64{"version": n}, &opened); err != nil {
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

// headline is the first line of a reason: that of a step that failed goes on with the
// end of its log.
func headline(reason string) string {
	first, _, _ := strings.Cut(reason, "\n")
	return first
}
