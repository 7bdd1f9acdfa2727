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
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
)

// incident is one incident with the cases that the loop has opened for it.
type incident struct {
	*monitor.Incident
	Cases []*loop.Case `json:"cases"`
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
				i := incident{Incident: &monitor.Incident{}}
				path := "/incidents/" + url.PathEscape(args[0])
				if err := cl.do(ctx, http.MethodGet, path, nil, i.Incident); err != nil {
					return err
				}
				cases, err := cl.casesByIncident(ctx)
				if err != nil {
					return err
				}
				i.Cases = cases[i.ID]
				return c.print(i, func(w io.Writer) { i.write(w) })
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "not only the newest")
	return cmd
}

func (c *cli) listIncidents(ctx context.Context, cl *client, all bool) error {
	page, err := newest[*monitor.Incident](ctx, c, cl, "/incidents", url.Values{}, all)
	if err != nil {
		return err
	}
	cases, err := cl.casesByIncident(ctx)
	if err != nil {
		return err
	}
	out := fairlead.Page[incident]{Items: []incident{}, Next: page.Next}
	for _, i := range page.Items {
		out.Items = append(out.Items, incident{i, cases[i.ID]})
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

// casesByIncident returns the cases of each incident, the oldest first.
func (cl *client) casesByIncident(ctx context.Context) (map[string][]*loop.Case, error) {
	all, err := every[*loop.Case](ctx, cl, "/cases", url.Values{})
	out := map[string][]*loop.Case{}
	for _, k := range all {
		if k.Incident != "" {
			out[k.Incident] = append([]*loop.Case{k}, out[k.Incident]...)
		}
	}
	return out, err
}

func (i incident) write(w io.Writer) {
	fmt.Fprintf(w, "incident %s: %s of %s version %d, %s\n", i.ID, i.Kind, i.Endpoint, i.Version,
		i.state())
	fmt.Fprintf(w, "opened %s: %s\n", i.OpenedAt.UTC().Format("2006-01-02 15:04"), i.Reason)
	if !i.Open() {
		fmt.Fprintf(w, "resolved %s: %s\n", i.ResolvedAt.UTC().Format("2006-01-02 15:04"), i.Resolution)
	}
	fmt.Fprintf(w, "fairlead.yaml asks for: %s\n", i.Action)
	for _, k := range i.Cases {
		fmt.Fprintf(w, "case %s: %s %s %s\n", k.ID, k.State, k.Outcome, k.Reason)
	}
	if i.Open() {
		fmt.Fprintf(w, "what comes next: fairlead loop explain %s\n", i.Model)
	}
}
