package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/pipeline"
)

// newestRun returns --run, or the project's newest pipeline run.
func newestRun(cmd *cobra.Command, cl *client, run string) (string, error) {
	if run != "" {
		return run, nil
	}
	var page fairlead.Page[*pipeline.Run]
	if err := cl.do(cmd.Context(), http.MethodGet, "/pipeline-runs?limit=1", nil, &page); err != nil {
		return "", err
	}
	if len(page.Items) == 0 {
		return "", fairlead.Errorf(fairlead.NotFound,
			"project %s has no pipeline run yet; start one with `fairlead run`", cl.project)
	}
	return page.Items[0].ID, nil
}

func (c *cli) whyCommand() *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use:     "why STEP",
		Short:   "Say why a step ran or was answered from the cache: what changed in its key",
		Example: "  fairlead why train\n  fairlead why train --run pr_01h2x…",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				id, err := newestRun(cmd, cl, run)
				if err != nil {
					return err
				}
				var why pipeline.Why
				if err := cl.do(cmd.Context(), http.MethodGet,
					"/pipeline-runs/"+url.PathEscape(id)+"/steps/"+url.PathEscape(args[0])+"/why", nil,
					&why); err != nil {
					return err
				}
				return c.print(why, func(w io.Writer) { fmt.Fprintln(w, why.String()) })
			})
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "pipeline run; default: the newest")
	return cmd
}

func (c *cli) logCommand() *cobra.Command {
	var run string
	cmd := &cobra.Command{
		Use:     "log STEP",
		Short:   "Print what a step printed",
		Example: "  fairlead log train",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				id, err := newestRun(cmd, cl, run)
				if err != nil {
					return err
				}
				var whole rest.LogPart // printed as one document, or as it comes
				for {
					var part rest.LogPart
					path := "/pipeline-runs/" + url.PathEscape(id) + "/steps/" + url.PathEscape(args[0]) +
						"/log?offset=" + strconv.FormatInt(whole.Next, 10)
					if err := cl.do(cmd.Context(), http.MethodGet, path, nil, &part); err != nil {
						return err
					}
					if c.output == "text" {
						if part.Skipped > 0 {
							fmt.Fprintf(c.out, "\n[fairlead: %d bytes of output dropped here]\n", part.Skipped)
						}
						io.WriteString(c.out, part.Text)
					} else {
						whole.Text += part.Text
					}
					part.Text, part.Skipped = whole.Text, whole.Skipped+part.Skipped
					if part.Next <= whole.Next {
						return c.print(part, func(io.Writer) {})
					}
					whole = part
				}
			})
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "pipeline run; default: the newest")
	return cmd
}

func (c *cli) gateCommand() *cobra.Command {
	var replay bool
	explain := &cobra.Command{
		Use:     "explain DECISION | MODEL VERSION",
		Short:   "Say check by check why a gate passed or stopped a version",
		Example: "  fairlead gate explain dec_01h2x…\n  fairlead gate explain flight-delays 3 --replay",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				id := args[0]
				if len(args) == 2 {
					path, err := versionPath(args[0], args[1])
					if err != nil {
						return err
					}
					var r gate.Record
					err = cl.do(cmd.Context(), http.MethodGet, path+"/decision", nil, &r)
					if err != nil {
						return err
					}
					id = r.ID
				}
				var e gate.Explanation
				path := "/decisions/" + url.PathEscape(id) + "?replay=" + strconv.FormatBool(replay)
				if err := cl.do(cmd.Context(), http.MethodGet, path, nil, &e); err != nil {
					return err
				}
				return c.print(e, func(w io.Writer) { fmt.Fprintln(w, e.Text) })
			})
		},
	}
	explain.Flags().BoolVar(&replay, "replay", false,
		"compute the decision again from what it was made from")
	return group("gate", "Look at what the gates decided", explain)
}

func (c *cli) loopCommand() *cobra.Command {
	return group("loop", "Look at the loop, pause it, resume it", &cobra.Command{
		Use:     "explain [MODEL]",
		Short:   "Say what the loop does for a model, and why it did or did not act",
		Example: "  fairlead loop explain",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := c.modelOf(args)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(cl *client) error {
				var e loop.Explanation
				path := "/loop/" + url.PathEscape(model)
				if err := cl.do(cmd.Context(), http.MethodGet, path, nil, &e); err != nil {
					return err
				}
				return c.print(e, func(w io.Writer) {
					for _, line := range e.Lines {
						fmt.Fprintln(w, line)
					}
				})
			})
		},
	}, c.pauseCommand("pause", true), c.pauseCommand("resume", false))
}

func (c *cli) pauseCommand(use string, paused bool) *cobra.Command {
	var reason string
	short := "Let the loop open cases by itself again"
	if paused {
		short = "Stop the loop from opening cases by itself"
	}
	cmd := &cobra.Command{
		Use: use + " [MODEL]", Short: short, Example: "  fairlead loop " + use + ` --reason "audit until Friday"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			model, err := c.modelOf(args)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(cl *client) error {
				in := map[string]any{"paused": paused, "reason": reason}
				if err := cl.do(cmd.Context(), http.MethodPut, "/loop/"+url.PathEscape(model)+"/pause", in,
					nil); err != nil {
					return err
				}
				return c.print(in, func(w io.Writer) { fmt.Fprintf(w, "the loop of %s: %sd\n", model, use) })
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it is part of the record")
	return cmd
}

func (c *cli) auditCommand() *cobra.Command {
	list := c.auditListCommand()
	return group("audit", "List the record of all changes, and prove it", list, &cobra.Command{
		Use:     "verify",
		Short:   "Check the whole ledger: numbers, digests, Merkle tree",
		Example: "  fairlead audit verify",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				rep, err := cl.verify(cmd)
				if err != nil {
					return err
				}
				return c.print(rep, func(w io.Writer) {
					fmt.Fprintf(w, "verified: %d events, %d signed checkpoints, root %s\n", rep.Events,
						rep.Checkpoints, rep.Root)
					if rep.Skipped > 0 {
						fmt.Fprintf(w, "%d events could not be handled and were skipped; "+
							"the delivery.skipped events say which and why\n", rep.Skipped)
					}
				})
			})
		},
	}, &cobra.Command{
		Use:     "prove SEQ",
		Short:   "Export the inclusion proof of an event (RFC 6962) as JSON",
		Example: "  fairlead audit prove 17 > proof.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c.output = "json"
			return c.with(cmd.Context(), func(cl *client) error {
				var p ledger.Proof
				if err := cl.do(cmd.Context(), http.MethodGet, "//api/v1/audit/proofs/"+url.PathEscape(args[0]),
					nil, &p); err != nil {
					return err
				}
				return c.print(p, nil)
			})
		},
	}, c.bundleCommand(), c.checkBundleCommand())
}

func (c *cli) auditListCommand() *cobra.Command {
	var types, subject string
	var all bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List who changed what in the project, the newest first",
		Example: `  fairlead audit list
  fairlead audit list --type access.changed,webhook.created
  fairlead audit list --subject model/flights/7 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"types": {types}, "subject": {subject}, "newest": {"true"}}
			return c.with(cmd.Context(), func(cl *client) error {
				page, err := newest[rest.Event](cmd.Context(), c, cl, "/events", q, all)
				if err != nil {
					return err
				}
				return c.print(page, func(w io.Writer) {
					tw := table(w, "SEQ", "AT", "TYPE", "SUBJECT", "BY", "WHAT")
					for _, r := range page.Items {
						tw.row(r.Seq, fairlead.FromMS(r.TimeMS), r.Type, r.Subject, r.Actor,
							shortened(r.Text, 120))
					}
					tw.flush()
				})
			})
		},
	}
	cmd.Flags().StringVar(&types, "type", "", "only events of these types, separated by commas")
	cmd.Flags().StringVar(&subject, "subject", "", "only what is about this, such as model/flights/7")
	cmd.Flags().BoolVar(&all, "all", false, "not only the newest")
	return cmd
}

// shortened cuts a text to n characters, and shows that it did.
func shortened(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return text
}

func (cl *client) verify(cmd *cobra.Command) (*ledger.Report, error) {
	var rep ledger.Report
	return &rep, cl.do(cmd.Context(), http.MethodPost, "//api/v1/audit/verify", struct{}{}, &rep)
}
