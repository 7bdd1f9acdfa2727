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
	"github.com/fairlead-ml/fairlead/pipeline"
)

func (c *cli) rerunCommand() *cobra.Command {
	var run string
	var detach bool
	cmd := &cobra.Command{
		Use:   "rerun STEP",
		Short: "Do a pipeline run again from a step on",
		Long: `Rerun starts a pipeline run with the commit, file and data of one that has ended.
STEP and all that comes after it are run, whatever the cache holds; what was before is
taken from that run. It opens no case: make the version that it made the candidate with
` + "`fairlead release`" + `.`,
		Example: `  fairlead rerun train
  fairlead rerun train@3 --run pr_01h2x…   # only that of try 3, and the refit
  fairlead rerun evaluate --detach`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				if err := cl.mayDetach(detach); err != nil {
					return err
				}
				id, err := newestRun(cmd, cl, run)
				if err != nil {
					return err
				}
				var r pipeline.Run
				err = cl.once(ctx, http.MethodPost, "/pipeline-runs/"+url.PathEscape(id)+"/rerun",
					map[string]string{"from": args[0]}, &r)
				if err != nil || detach {
					return c.printRun(&r, err)
				}
				return c.awaitRun(ctx, cl, r.ID)
			})
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "pipeline run; default: the newest")
	cmd.Flags().BoolVar(&detach, "detach", false, "do not wait for the end")
	return cmd
}

// awaitRun follows a pipeline run to its end, telling on stderr what happens.
func (c *cli) awaitRun(ctx context.Context, cl *client, id string) error {
	told := c.newProgress()
	defer told.end()
	for {
		var r pipeline.Run
		err := cl.do(ctx, http.MethodGet, "/pipeline-runs/"+url.PathEscape(id)+"?wait=1s&tries=false", nil, &r)
		if err != nil {
			return err
		}
		told.status(strings.TrimSpace(fmt.Sprintf("run %s: %s  %s", r.ID, r.State, headline(r.Progress))))
		if !r.State.Final() {
			continue
		}
		told.end()
		if err := c.printRun(&r, nil); err != nil || r.State == pipeline.Succeeded {
			return err
		}
		return &statusError{fairlead.ExitError, r.Reason}
	}
}

func (c *cli) printRun(r *pipeline.Run, err error) error {
	if err != nil {
		return err
	}
	return c.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "pipeline run %s: %s", r.ID, r.State)
		if r.Version != 0 {
			fmt.Fprintf(w, ", version %d", r.Version)
		}
		if r.Reason != "" {
			fmt.Fprintf(w, " (%s)", headline(r.Reason))
		}
		fmt.Fprintln(w)
		if r.Version != 0 {
			fmt.Fprintf(w, "to release it: fairlead release %s %d\n", r.Model, r.Version)
		}
	})
}
