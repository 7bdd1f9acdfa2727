package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
)

func (c *cli) runsCommand() *cobra.Command {
	var filter string
	var order, columns, experiments []string
	var count, all bool
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "Search the tracked runs of all experiments",
		Example: `  fairlead runs --filter "metrics.auc > 0.7 AND NOT tags.team = 'a'" --order "metrics.auc DESC"
  fairlead runs --select run_name --select metrics.auc -o json
  fairlead runs --filter "status = 'FAILED' OR metrics.loss IS NULL" --count`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{"filter": {filter}, "order": order, "select": columns, "experiment": experiments}
			return c.with(cmd.Context(), func(cl *client) error {
				if count {
					return c.countRuns(cmd, cl, q)
				}
				page, err := newest[rest.Run](cmd.Context(), c, cl, "/runs", q, all)
				if err != nil {
					return err
				}
				return c.print(page, func(w io.Writer) { writeRuns(w, page, columns) })
			})
		},
	}
	cmd.Flags().StringVar(&filter, "filter", "", "in the language of docs/search.md; default: all active runs")
	cmd.Flags().StringArrayVar(&order, "order", nil, "such as \"metrics.auc DESC\"; may be repeated")
	cmd.Flags().StringArrayVar(&columns, "select", nil, "a column, such as params.depth; may be repeated")
	cmd.Flags().StringArrayVar(&experiments, "experiment", nil, "id of an experiment; may be repeated")
	cmd.Flags().BoolVar(&count, "count", false, "only say how many there are")
	cmd.Flags().BoolVar(&all, "all", false, "not only the first")
	return cmd
}

func (c *cli) countRuns(cmd *cobra.Command, cl *client, q url.Values) error {
	q.Set("count", "true")
	var out rest.Runs
	if err := cl.do(cmd.Context(), http.MethodGet, "/runs?"+q.Encode(), nil, &out); err != nil {
		return err
	}
	return c.print(map[string]any{"count": out.Count}, func(w io.Writer) { fmt.Fprintln(w, *out.Count) })
}

func writeRuns(w io.Writer, page fairlead.Page[rest.Run], columns []string) {
	if len(columns) == 0 {
		columns = []string{"run_name", "experiment", "status", "start_time"}
	}
	head := []string{"RUN"}
	for _, name := range columns {
		head = append(head, strings.ToUpper(name))
	}
	tw := table(w, head...)
	for _, r := range page.Items {
		row := []any{r.ID}
		for _, name := range columns {
			row = append(row, runColumn(&r, name))
		}
		tw.row(row...)
	}
	tw.flush()
}

// runColumn returns what a run has under a name as it stands in a filter.
func runColumn(r *rest.Run, name string) any {
	kind, key, _ := strings.Cut(name, ".")
	key = strings.Trim(key, "`\"")
	switch kind {
	case "metric", "metrics":
		v, ok := r.Metrics[key]
		switch {
		case !ok:
			return ""
		case v == nil:
			return "NaN"
		}
		return strconv.FormatFloat(*v, 'g', 6, 64)
	case "param", "params", "parameter", "parameters":
		return r.Params[key]
	case "tag", "tags":
		return r.Tags[key]
	case "attribute", "attributes", "attr", "run":
		name = key
	}
	switch strings.Trim(name, "`\"") {
	case "run_id":
		return r.ID
	case "run_name", "run name", "Run name", "Run Name":
		return r.Name
	case "artifact_uri":
		return r.ArtifactURI
	case "experiment":
		return r.Experiment
	case "status":
		return r.Status
	case "user_id":
		return r.User
	case "start_time", "created", "Created":
		return fairlead.FromMS(r.StartMS)
	case "end_time":
		return fairlead.FromMS(r.EndMS)
	}
	return ""
}
