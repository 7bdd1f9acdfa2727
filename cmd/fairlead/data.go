package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/data"
)

func (c *cli) dataCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "data [NAME [VERSION]]",
		Short: "Show the datasets, the versions of one, or one version with its profile",
		Example: `  fairlead data
  fairlead data flights
  fairlead data flights latest`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				if len(args) < 2 {
					return c.listData(cmd, cl, args)
				}
				var v data.Version
				path := "/datasets/" + url.PathEscape(args[0]) + "/versions/" + url.PathEscape(args[1])
				if err := cl.do(cmd.Context(), http.MethodGet, path, nil, &v); err != nil {
					return err
				}
				return c.print(v, func(w io.Writer) { printDataset(w, &v) })
			})
		},
	}
	cmd.AddCommand(c.dataQueryCommand(), c.dataDiffCommand())
	return cmd
}

func (c *cli) dataQueryCommand() *cobra.Command {
	var in rest.QueryRequest
	cmd := &cobra.Command{
		Use:   "query SQL",
		Short: "Run SQL over the datasets: the name of one is its newest version, \"name/3\" is version 3",
		Long: `Runs one SELECT over the project's datasets, in DuckDB's SQL. It changes nothing and
reads nothing else. The name of a dataset is its newest version; "name/3" is version 3.
A query that names a holdout needs --reason: each look at it is recorded.
With -o csv or parquet all rows come, up to a million.`,
		Example: `  fairlead data query "select carrier, avg(delayed) from flights group by 1"
  fairlead data query "from flights limit 5" -o json
  fairlead data query "from flights" -o csv > flights.csv
  fairlead data query "from flights" -o parquet > flights.parquet`,
		Args:        cobra.ExactArgs(1),
		Annotations: map[string]string{outputs: "csv parquet"},
		RunE: func(cmd *cobra.Command, args []string) error {
			in.SQL = args[0]
			return c.with(cmd.Context(), func(cl *client) error {
				if c.output == data.CSV || c.output == data.Parquet {
					return cl.copy(cmd.Context(), "/queries/"+c.output, in, c.out)
				}
				var out rest.QueryAnswer
				if err := cl.do(cmd.Context(), http.MethodPost, "/queries", in, &out); err != nil {
					return err
				}
				return c.print(out, func(w io.Writer) { c.printRows(w, &out) })
			})
		},
	}
	cmd.Flags().Int64Var(&in.Limit, "limit", 0, "rows, at most 10000 (default 1000; with -o csv and parquet all)")
	cmd.Flags().StringVar(&in.Reason, "reason", "", "why a holdout is read; it is recorded with your name")
	return cmd
}

func (c *cli) printRows(w io.Writer, out *rest.QueryAnswer) {
	names := make([]string, len(out.Columns))
	for i, col := range out.Columns {
		names[i] = col.Name
	}
	tw := table(w, names...)
	for _, row := range out.Rows {
		var cells []json.RawMessage
		if json.Unmarshal(row, &cells) != nil {
			continue // the server sends arrays
		}
		shown := make([]any, len(cells))
		for i, cell := range cells {
			text := string(cell)
			if json.Unmarshal(cell, &text) != nil {
				text = string(cell) // a number, or a list
			}
			if shown[i] = text; string(cell) == "null" {
				shown[i] = ""
			}
		}
		tw.row(shown...)
	}
	tw.flush()
	if out.Cut != "" {
		fmt.Fprintf(c.err, "the first %d rows; there are more: --limit, or -o csv\n", len(out.Rows))
	}
}

func (c *cli) dataDiffCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "diff NAME FROM TO",
		Short: "Show what is different between two versions: columns, distributions, rows",
		Example: `  fairlead data diff flights 3 4
  fairlead data diff flights 3 latest --key flight_id
  fairlead data diff recent history/1 latest`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				q := url.Values{"from": {args[1]}}
				if key != "" {
					q.Set("key", key)
				}
				var d data.Diff
				path := "/datasets/" + url.PathEscape(args[0]) + "/versions/" + url.PathEscape(args[2]) +
					"/diff?" + q.Encode()
				if err := cl.do(cmd.Context(), http.MethodGet, path, nil, &d); err != nil {
					return err
				}
				return c.print(d, func(w io.Writer) { printDiff(w, &d) })
			})
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "column that identifies a row; default: the versions' own")
	return cmd
}

func printDiff(w io.Writer, d *data.Diff) {
	fmt.Fprintf(w, "from %s (%d rows) to %s (%d rows)\n", d.From.Ref(), d.From.Rows, d.To.Ref(), d.To.Rows)
	if r := d.Rows; r != nil {
		fmt.Fprintf(w, "by %s: %d rows added, %d removed, %d changed, %d the same\n", r.Key, r.Added,
			r.Removed, r.Changed, r.Unchanged)
	} else {
		fmt.Fprintf(w, "rows are not compared: %s\n", d.NoRows)
	}
	fmt.Fprintln(w)
	tw := table(w, "COLUMN", "", "TYPE", "MISSING", "PSI", "BY CHANCE", "NEW VALUES", "LOST VALUES", "CHANGED")
	for _, col := range d.Columns {
		kind, missing := "", ""
		if col.From != nil {
			kind, missing = col.From.Type, fmt.Sprint(col.From.Nulls)
		}
		if col.To != nil && kind != col.To.Type {
			kind = arrow(kind, col.To.Type)
		}
		if col.To != nil && missing != fmt.Sprint(col.To.Nulls) {
			missing = arrow(missing, fmt.Sprint(col.To.Nulls))
		}
		row := []any{col.Name, col.State, kind, missing, "", "", "", "", ""}
		if s := col.Shape; s != nil {
			if s.PSI != nil {
				row[4], row[5] = fmt.Sprintf("%.3f", *s.PSI), fmt.Sprintf("%.3f", s.ByChance)
			}
			row[6], row[7] = s.New.Distinct, s.Lost.Distinct
		}
		if d.Rows != nil {
			row[8] = d.Rows.ByColumn[col.Name]
		}
		tw.row(row...)
	}
	tw.flush()
}

// arrow is what a value was and is.
func arrow(from, to string) string {
	if from == "" {
		return to
	}
	return from + " → " + to
}

func (c *cli) listData(cmd *cobra.Command, cl *client, args []string) error {
	path := "/datasets"
	if len(args) == 1 {
		path += "/" + url.PathEscape(args[0]) + "/versions"
	}
	all, err := every[*data.Version](cmd.Context(), cl, path, url.Values{})
	if err != nil {
		return err
	}
	return c.print(fairlead.Page[*data.Version]{Items: all}, func(w io.Writer) {
		tw := table(w, "DATASET", "VERSION", "ROWS", "FROM", "TO", "SOURCE", "DIGEST")
		for _, v := range all {
			tw.row(v.Dataset, v.N, v.Rows, v.FromAt, v.ToAt, v.Source, fmt.Sprintf("%.12s", v.Digest))
		}
		tw.flush()
	})
}

func printDataset(w io.Writer, v *data.Version) {
	fmt.Fprintf(w, "dataset %s version %d: %d rows, %d bytes, from %s, SHA-256 %s\n", v.Dataset, v.N,
		v.Rows, v.Bytes, v.Source, v.Digest)
	for _, p := range v.Parents {
		fmt.Fprintf(w, "made from %s\n", p)
	}
	fmt.Fprintln(w)
	tw := table(w, "COLUMN", "TYPE", "PRESENT", "MISSING", "DISTINCT")
	for _, p := range v.Profile {
		tw.row(p.Name, p.Type, p.Count, p.Nulls, p.Distinct)
	}
	tw.flush()
}
