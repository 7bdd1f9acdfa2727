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
	"github.com/fairlead-ml/fairlead/release"
)

// rolloutPrefix tells a rollout's id from a model's name.
const rolloutPrefix = "rol_"

// rolloutFlags are what a person decides about a rollout.
type rolloutFlags struct {
	promote, rollback, all bool
	reason                 string
}

// decision returns what is to be done, "" for only showing it.
func (f rolloutFlags) decision() (string, error) {
	switch {
	case f.promote && f.rollback:
		return "", usage("say either --promote or --rollback")
	case !f.promote && !f.rollback && f.reason != "":
		return "", usage("--reason is for --promote or --rollback")
	case !f.promote && !f.rollback:
		return "", nil
	case f.reason == "":
		return "", usage("say why with --reason; it is part of the record")
	case f.promote:
		return "promote", nil
	}
	return "rollback", nil
}

func (c *cli) rolloutCommand() *cobra.Command {
	var f rolloutFlags
	cmd := &cobra.Command{
		Use:   "rollout [ID | MODEL | ENDPOINT]",
		Short: "Show the rollouts, or one of them; promote it or roll it back",
		Long: `Rollout shows how versions make their way into an environment. A canary or shadow that
has waited for evidence as long as it may asks a human: look at it, then promote it or
roll it back. A model or endpoint stands for its rollout that is under way.`,
		Example: `  fairlead rollout
  fairlead rollout rol_01h2x…
  fairlead rollout flight-delays --promote --reason "better on the new routes"
  fairlead rollout rol_01h2x… --rollback --reason "the callers complain"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			decision, err := f.decision()
			if err != nil {
				return err
			}
			if decision != "" && len(args) == 0 {
				return usage("say which rollout: fairlead rollout ID --%s --reason WHY", decision)
			}
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				if len(args) == 0 || decision == "" && !strings.HasPrefix(args[0], rolloutPrefix) {
					return c.listRollouts(ctx, cl, args, f.all)
				}
				id, err := cl.rollout(ctx, args[0])
				if err != nil {
					return err
				}
				path := "/rollouts/" + url.PathEscape(id)
				if decision != "" {
					in := map[string]string{"reason": f.reason}
					if err := cl.once(ctx, http.MethodPost, path+"/"+decision, in, nil); err != nil {
						return err
					}
				}
				var e release.Explanation
				if err := cl.do(ctx, http.MethodGet, path, nil, &e); err != nil {
					return err
				}
				return c.print(e, func(w io.Writer) { fmt.Fprint(w, e.Text) })
			})
		},
	}
	cmd.Flags().BoolVar(&f.promote, "promote", false, "make its version live, whatever the evidence")
	cmd.Flags().BoolVar(&f.rollback, "rollback", false, "end it without its version")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why; it is part of the record")
	cmd.Flags().BoolVar(&f.all, "all", false, "not only the newest")
	return cmd
}

// rollout returns the id that is named, or that of the rollout that is under way for the
// named model or endpoint.
func (cl *client) rollout(ctx context.Context, name string) (string, error) {
	if strings.HasPrefix(name, rolloutPrefix) {
		return name, nil
	}
	all, err := every[*release.Rollout](ctx, cl, "/rollouts", url.Values{})
	if err != nil {
		return "", err
	}
	var under []*release.Rollout
	for _, r := range all {
		if r.Active() && (r.Model == name || r.Endpoint == name) {
			under = append(under, r)
		}
	}
	switch len(under) {
	case 0:
		return "", fairlead.Errorf(fairlead.NotFound,
			"no rollout of %s is under way; see `fairlead rollout`", name)
	case 1:
		return under[0].ID, nil
	}
	return "", fairlead.Errorf(fairlead.Precondition,
		"%d rollouts of %s are under way; name one: %s or %s", len(under), name, under[0].ID, under[1].ID)
}

// listRollouts shows those of the project, or of the named model or endpoint.
func (c *cli) listRollouts(ctx context.Context, cl *client, names []string, all bool) error {
	path := "/rollouts"
	if len(names) == 1 {
		path = "/endpoints/" + url.PathEscape(names[0]) + "/rollouts"
	}
	page, err := newest[*release.Rollout](ctx, c, cl, path, url.Values{}, all)
	if err != nil {
		return err
	}
	return c.print(page, func(w io.Writer) {
		tw := table(w, "ROLLOUT", "ENDPOINT", "STRATEGY", "VERSION", "STATE", "PERCENT", "LABELS",
			"REASON")
		for _, r := range page.Items {
			state := r.State
			if r.Outcome != "" {
				state = r.Outcome
			}
			tw.row(r.ID, r.Endpoint, r.Strategy, r.To, state, r.Percent, r.Evidence.Labels, r.Reason)
		}
		tw.flush()
	})
}
