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
	"github.com/fairlead-ml/fairlead/serving"
)

// endpointNow is what `fairlead endpoint NAME` tells.
type endpointNow struct {
	rest.Endpoint
	Traffic rest.ServedEndpoint `json:"traffic"` // of late
}

func (c *cli) endpointCommand() *cobra.Command {
	var last string
	cmd := &cobra.Command{
		Use:   "endpoint [NAME]",
		Short: "Show the endpoints, or what one serves, how it answers and what went wrong",
		Example: `  fairlead endpoint
  fairlead endpoint flight-delays@production --last 168h`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				if len(args) == 1 {
					var e endpointNow
					path := "/endpoints/" + url.PathEscape(args[0])
					if err := cl.do(cmd.Context(), http.MethodGet, path, nil, &e.Endpoint); err != nil {
						return err
					}
					path += "/traffic?points=1&last=" + url.QueryEscape(last)
					if err := cl.do(cmd.Context(), http.MethodGet, path, nil, &e.Traffic); err != nil {
						return err
					}
					return c.print(e, e.describe)
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
	cmd.Flags().StringVar(&last, "last", "24h", "how far back traffic is counted, such as 90m")
	return cmd
}

func (e endpointNow) describe(w io.Writer) {
	fmt.Fprintf(w, "%s, generation %d (loaded %d)\n", e.Endpoint.Endpoint, e.Generation,
		e.ObservedGeneration)
	if e.Failure != "" {
		fmt.Fprintf(w, "it cannot be served: %s\n", e.Failure)
	}
	if e.Clock.Watermark.IsZero() {
		fmt.Fprint(w, "no request yet, and so no stream time\n\n")
	} else {
		fmt.Fprintf(w, "stream time %s, %d timers\n", e.Clock.Watermark.Format(minutes), e.Clock.Timers)
		fmt.Fprintf(w, "answers from %s to %s, %s time\n\n", e.Traffic.From.UTC().Format(minutes),
			e.Traffic.To.UTC().Format(minutes), e.Traffic.Clock)
	}
	tw := table(w, "VERSION", "ROLE", "PERCENT", "HEALTH", "ANSWERED", "P50", "P99", "ERRORS",
		"NOT SCORED")
	for _, v := range e.Traffic.Variants {
		did := e.did(v.Version)
		tw.row(v.Version, v.Role, v.Percent, v.State, did.Requests, took(did.P50), took(did.P99),
			did.Errors, did.Failed)
	}
	tw.flush()
	if len(e.Traffic.Failures) > 0 {
		fmt.Fprintln(w, "\nwhat went wrong, the newest first, whenever that was:")
		tw := table(w, "LAST", "TIMES", "VERSION", "WHAT", "IN WORDS")
		for _, f := range e.Traffic.Failures {
			version := "" // none was chosen
			if f.Version != 0 {
				version = fmt.Sprint(f.Version)
			}
			tw.row(f.Last, f.Count, version, f.What, headline(f.Message))
		}
		tw.flush()
	}
	describeWindow(w, e.Drift)
	describeWindow(w, e.Performance)
}

// did is how a version answered.
func (e endpointNow) did(version int64) (out serving.Answers) {
	for _, v := range e.Traffic.Versions {
		if v.Version == version {
			out = v.Total
		}
	}
	return out
}

// took writes a duration in seconds.
func took(seconds *float64) string {
	if seconds == nil {
		return ""
	}
	return time.Duration(*seconds * float64(time.Second)).Round(10 * time.Microsecond).String()
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

// minutes is how times are written.
const minutes = "2006-01-02 15:04"

// describeWindow says how the newest window of a kind came out, and on what.
func describeWindow(w io.Writer, x *monitor.Window) {
	if x == nil {
		return
	}
	fmt.Fprintf(w, "\n%s from %s to %s: version %d is %s", x.Kind, x.From.UTC().Format(minutes),
		x.To.UTC().Format(minutes), x.Version, x.State)
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
