package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/registry"
)

func (c *cli) jobCommand() *cobra.Command {
	var cancel, all bool
	var state string
	cmd := &cobra.Command{
		Use:   "job [ID]",
		Short: "Show the newest jobs, or one of them; cancel it",
		Example: `  fairlead job --state failed
  fairlead job job_01h2x… --cancel`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cancel && len(args) == 0 {
				return usage("say which job to cancel: fairlead job ID --cancel")
			}
			return c.with(cmd.Context(), func(cl *client) error {
				if len(args) == 0 {
					return c.listJobs(cmd, cl, state, all)
				}
				method, path := http.MethodGet, "/jobs/"+url.PathEscape(args[0])
				if cancel {
					method, path = http.MethodPost, path+"/cancel"
				}
				var j rest.Job
				if err := cl.do(cmd.Context(), method, path, nil, &j); err != nil {
					return err
				}
				return c.print(j, func(w io.Writer) { printJob(w, &j) })
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only queued, running, done, failed or cancelled ones")
	cmd.Flags().BoolVar(&cancel, "cancel", false, "cancel it")
	cmd.Flags().BoolVar(&all, "all", false, "not only the newest")
	return cmd
}

func (c *cli) listJobs(cmd *cobra.Command, cl *client, state string, all bool) error {
	q := url.Values{}
	if state != "" {
		q.Set("state", state)
	}
	page, err := newest[*rest.Job](cmd.Context(), c, cl, "/jobs", q, all)
	if err != nil {
		return err
	}
	return c.print(page, func(w io.Writer) {
		tw := table(w, "JOB", "KIND", "STATE", "ATTEMPT", "CREATED", "PROGRESS OR ERROR")
		for _, j := range page.Items {
			tw.row(j.ID, j.Kind, j.State, j.Attempt, j.CreatedAt, says(j))
		}
		tw.flush()
	})
}

// says is the one line that tells most about a job.
func says(j *rest.Job) string {
	text := j.Progress
	if j.Error != "" {
		text = j.Error
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func printJob(w io.Writer, j *rest.Job) {
	fmt.Fprintf(w, "job %s (%s): %s, attempt %d of %d, lost %d times\n", j.ID, j.Kind, j.State,
		j.Attempt, j.MaxAttempts, j.Losses)
	for _, line := range []struct{ name, text string }{
		{"about", j.Key}, {"progress", j.Progress}, {"error", j.Error}, {"cause", j.CauseEvent},
		{"result", string(j.Result)},
	} {
		if line.text != "" {
			fmt.Fprintf(w, "%s: %s\n", line.name, line.text)
		}
	}
}

func (c *cli) modelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model [NAME [VERSION]]",
		Short: "Show the models, the versions of one, or one version with all that is known",
		Example: `  fairlead model
  fairlead model flight-delays
  fairlead model flight-delays 3`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				switch len(args) {
				case 0:
					return c.listModels(cmd, cl)
				case 1:
					return c.listVersions(cmd, cl, args[0], url.Values{})
				}
				return c.showVersion(cmd, cl, args[0], args[1], url.Values{})
			})
		},
	}
	cmd.AddCommand(c.modelShowCommand(), c.modelHistoryCommand(), c.modelCardCommand())
	return cmd
}

func (c *cli) listModels(cmd *cobra.Command, cl *client) error {
	all, err := every[*registry.Model](cmd.Context(), cl, "/models", url.Values{})
	if err != nil {
		return err
	}
	return c.print(fairlead.Page[*registry.Model]{Items: all}, func(w io.Writer) {
		tw := table(w, "MODEL", "ALIASES", "CHANGED")
		for _, m := range all {
			var aliases []string
			for name, n := range m.Aliases {
				aliases = append(aliases, name+"="+strconv.FormatInt(n, 10))
			}
			slices.Sort(aliases)
			tw.row(m.Name, strings.Join(aliases, " "), fairlead.FromMS(m.UpdatedMS))
		}
		tw.flush()
	})
}

func (c *cli) listVersions(cmd *cobra.Command, cl *client, model string, q url.Values) error {
	all, err := every[*registry.Version](cmd.Context(), cl,
		"/models/"+url.PathEscape(model)+"/versions", q)
	if err != nil {
		return err
	}
	return c.print(fairlead.Page[*registry.Version]{Items: all}, func(w io.Writer) {
		tw := table(w, "VERSION", "STATE", "ALIASES", "CREATED", "CAUSE", "COMMIT")
		for _, v := range all {
			tw.row(v.N, v.State, strings.Join(v.Aliases, " "), fairlead.FromMS(v.CreatedMS),
				v.ProducedBy.Cause, fmt.Sprintf("%.12s", v.ProducedBy.Commit))
		}
		tw.flush()
	})
}

func printVersion(w io.Writer, v *rest.ModelVersion) {
	fmt.Fprintf(w, "%s version %d: %s\n", v.Model, v.N,
		strings.Join(append([]string{v.State}, v.Aliases...), ", "))
	made := v.ProducedBy
	var inputs []string
	for _, d := range made.Datasets {
		inputs = append(inputs, d.String())
	}
	stage := v.Stage
	if stage == registry.StageNone {
		stage = ""
	}
	for _, line := range []struct{ name, text string }{
		{"description", v.Description}, {"stage", stage}, {"retired", v.Reason},
		{"pipeline run", made.PipelineRun}, {"commit", made.Commit},
		{"data", strings.Join(inputs, ", ")}, {"environment", made.EnvLock}, {"run", v.RunID},
		{"source", v.Source},
	} {
		if line.text != "" {
			fmt.Fprintf(w, "  %-13s %s\n", line.name, line.text)
		}
	}
	for _, t := range v.Tags {
		fmt.Fprintf(w, "  %-13s %s=%s\n", "tag", t.Key, t.Value)
	}
	for _, k := range v.Conditions {
		fmt.Fprintf(w, "  %-13s %s  %s\n", k.Type, k.Status, k.Reason)
	}
	for _, h := range v.Holds {
		fmt.Fprintf(w, "  held by       %s %s (%s)\n", h.Kind, h.ID, h.Reason)
	}
}
