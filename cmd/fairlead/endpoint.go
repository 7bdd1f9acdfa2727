package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/release"
)

func (c *cli) endpointCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "endpoint [NAME]",
		Short:   "Show the endpoints, or what one serves",
		Example: "  fairlead endpoint\n  fairlead endpoint flight-delays@production",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				if len(args) == 1 {
					var e rest.Endpoint
					if err := cl.do(cmd.Context(), http.MethodGet, "/endpoints/"+url.PathEscape(args[0]), nil,
						&e); err != nil {
						return err
					}
					return c.print(e, func(w io.Writer) {
						fmt.Fprintf(w, "%s, generation %d (loaded %d)\n", e.Endpoint, e.Generation,
							e.ObservedGeneration)
						if e.Failure != "" {
							fmt.Fprintf(w, "it cannot be served: %s\n", e.Failure)
						}
						if e.Clock.Watermark.IsZero() {
							fmt.Fprint(w, "no request yet, and so no stream time\n\n")
						} else {
							fmt.Fprintf(w, "stream time %s, %d timers\n\n", e.Clock.Watermark.Format("2006-01-02 15:04"),
								e.Clock.Timers)
						}
						tw := table(w, "VERSION", "ROLE", "PERCENT")
						for _, v := range e.Variants {
							tw.row(v.Version, v.Role, v.Percent)
						}
						tw.flush()
						describeWindow(w, e.Drift)
						describeWindow(w, e.Performance)
					})
				}
				var page fairlead.Page[*release.Assignment]
				if err := cl.do(cmd.Context(), http.MethodGet, "/endpoints", nil, &page); err != nil {
					return err
				}
				return c.print(page, func(w io.Writer) {
					tw := table(w, "ENDPOINT", "GENERATION", "VERSIONS", "STATE")
					for _, a := range page.Items {
						var vs []string
						for _, v := range a.Variants {
							vs = append(vs, fmt.Sprintf("%d %s", v.Version, v.Role))
						}
						tw.row(a.Endpoint, a.Generation, strings.Join(vs, ", "), served(a))
					}
					tw.flush()
				})
			})
		},
	}
}

// served says whether all of an assignment is loaded, and if it cannot be, why.
func served(a *release.Assignment) string {
	switch {
	case a.Failure != "":
		return "cannot be served: " + headline(a.Failure)
	case a.ObservedGeneration < a.Generation:
		return "loading"
	}
	return "loaded"
}

// describeWindow says how the newest window of a kind came out, and on what.
func describeWindow(w io.Writer, x *monitor.Window) {
	if x == nil {
		return
	}
	const layout = "2006-01-02 15:04"
	fmt.Fprintf(w, "\n%s from %s to %s: version %d is %s", x.Kind, x.From.UTC().Format(layout),
		x.To.UTC().Format(layout), x.Version, x.State)
	if x.State != monitor.Unknown {
		fmt.Fprintf(w, ", %.4g (limit %.4g) on %d rows", x.Value, x.Limit, x.Rows)
	}
	if x.Reason != "" {
		fmt.Fprintf(w, "; %s", x.Reason)
	}
	if x.Unanswered > 0 {
		fmt.Fprintf(w, "; %d labelled requests have no answer that can be judged", x.Unanswered)
	}
	if x.Kind == monitor.Performance {
		fmt.Fprintf(w, "; %.0f%% of the requests have a label, half of them within %s",
			100*x.Coverage, time.Duration(x.LagMS)*time.Millisecond)
	}
	fmt.Fprintln(w)
}

func (c *cli) rollbackCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "rollback ENDPOINT",
		Short:   "Roll back the running rollout, or the live version to the one before",
		Example: `  fairlead rollback flight-delays@production --reason "wrong units since noon"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason == "" {
				return usage("say why with --reason; it is part of the record")
			}
			return c.with(cmd.Context(), func(cl *client) error {
				path := "/endpoints/" + url.PathEscape(args[0]) + "/rollback"
				if err := cl.once(cmd.Context(), http.MethodPost, path, map[string]string{"reason": reason},
					nil); err != nil {
					return err
				}
				return c.print(map[string]any{"endpoint": args[0], "rolled_back": true},
					func(w io.Writer) {
						fmt.Fprintf(w, "%s is rolled back\n", args[0])
					})
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why (required)")
	return cmd
}

func (c *cli) shadowCommand() *cobra.Command {
	var stop bool
	cmd := &cobra.Command{
		Use:   "shadow ENDPOINT VERSION",
		Short: "Let a version score every request and answer none",
		Example: `  fairlead shadow flight-delays@production 1
  fairlead shadow flight-delays@production 1 --stop`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			method, word := http.MethodPut, "scores"
			if stop {
				method, word = http.MethodDelete, "no longer scores"
			}
			return c.with(cmd.Context(), func(cl *client) error {
				path := "/endpoints/" + url.PathEscape(args[0]) + "/shadows/" + url.PathEscape(args[1])
				if err := cl.do(cmd.Context(), method, path, nil, nil); err != nil {
					return err
				}
				return c.print(map[string]any{"endpoint": args[0], "version": args[1], "shadow": !stop},
					func(w io.Writer) {
						fmt.Fprintf(w, "version %s %s every request of %s\n", args[1], word, args[0])
					})
			})
		},
	}
	cmd.Flags().BoolVar(&stop, "stop", false, "end the shadow")
	return cmd
}
