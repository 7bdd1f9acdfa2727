package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
)

// incident is one incident with what the loop did about it.
type incident struct {
	monitor.Incident
	loop.Response
}

func (i incident) state() string {
	if i.Open() {
		return "open"
	}
	return "resolved"
}

// followed says what the loop did about it.
func (i incident) followed() string {
	var out []string
	for _, k := range i.Cases {
		end := k.Outcome
		if end == "" {
			end = string(k.State)
		}
		out = append(out, fmt.Sprintf("%s %s", k.ID, end))
	}
	return strings.Join(out, ", ")
}

func (c *cli) incidentCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "incident [ID]",
		Short:   "Show the incidents and what the loop did about them, or one of them",
		Example: "  fairlead incident\n  fairlead incident in_01h2x… -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				if len(args) == 0 {
					return c.listIncidents(ctx, cl, all)
				}
				var i incident
				path := "/incidents/" + url.PathEscape(args[0])
				if err := cl.do(ctx, http.MethodGet, path, nil, &i); err != nil {
					return err
				}
				return c.print(i, func(w io.Writer) { i.write(w) })
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "not only the newest")
	return cmd
}

func (c *cli) listIncidents(ctx context.Context, cl *client, all bool) error {
	out, err := newest[incident](ctx, c, cl, "/incidents", url.Values{}, all)
	if err != nil {
		return err
	}
	return c.print(out, func(w io.Writer) {
		tw := table(w, "INCIDENT", "ENDPOINT", "KIND", "VERSION", "STATE", "OPENED", "RESOLVED", "THEN",
			"CASES")
		for _, i := range out.Items {
			tw.row(i.ID, i.Endpoint, i.Kind, i.Version, i.state(), i.OpenedAt, i.ResolvedAt, i.Action,
				i.followed())
		}
		tw.flush()
	})
}

func (i incident) write(w io.Writer) {
	fmt.Fprintf(w, "incident %s: %s of %s version %d, %s\n", i.ID, i.Kind, i.Endpoint, i.Version,
		i.state())
	fmt.Fprintf(w, "opened %s: %s\n", i.OpenedAt.UTC().Format("2006-01-02 15:04"), i.Reason)
	if !i.Open() {
		fmt.Fprintf(w, "resolved %s: %s\n", i.ResolvedAt.UTC().Format("2006-01-02 15:04"), i.Resolution)
	}
	fmt.Fprintf(w, "fairlead.yaml asks for: %s\n", i.Action)
	for _, a := range i.Answers {
		fmt.Fprintf(w, "%s the loop: %s\n", a.At.UTC().Format("2006-01-02 15:04"), a.Note)
	}
	for _, k := range i.Cases {
		fmt.Fprintf(w, "case %s: %s %s %s\n", k.ID, k.State, k.Outcome, k.Reason)
	}
	if i.Open() {
		fmt.Fprintf(w, "what comes next: fairlead loop explain %s\n", i.Model)
	}
}
