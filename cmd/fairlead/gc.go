package main

import (
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/tracking"
)

func (c *cli) gcCommand() *cobra.Command {
	var in rest.CollectRequest
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove for good what was deleted long ago, and files that nothing refers to",
		Example: `  fairlead gc --dry-run
  fairlead gc --older-than 7d
  fairlead gc --shrink             # in a quiet hour`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				var got tracking.Collection
				if err := cl.do(cmd.Context(), http.MethodPost, "/gc", in, &got); err != nil {
					return err
				}
				return c.print(got, func(w io.Writer) { writeCollection(w, &got) })
			})
		},
	}
	cmd.Flags().StringVar(&in.OlderThan, "older-than", "",
		"only what was deleted at least this long ago, by the wall clock "+
			"(default: as the project is set to, or the server)")
	cmd.Flags().BoolVar(&in.DryRun, "dry-run", false, "only say what would be removed")
	cmd.Flags().BoolVar(&in.Shrink, "shrink", false,
		"also give free room of the database back to the disk; all writes wait meanwhile")
	return cmd
}

func writeCollection(w io.Writer, c *tracking.Collection) {
	did := "removed"
	if c.DryRun {
		did = "would remove"
	}
	fmt.Fprintf(w, "%s %d experiments, %d runs and %d logged models, with %d files of %s\n", did,
		c.Purged.Experiments, c.Purged.Runs, c.Purged.LoggedModels, c.Purged.Files, size(c.Purged.Bytes))
	if len(c.Purged.Kept) > 0 {
		fmt.Fprintln(w)
		tw := table(w, "KEPT", "ID", "NAME", "DELETED", "BECAUSE")
		for _, k := range c.Purged.Kept {
			tw.row(k.Kind, k.ID, k.Name, fairlead.FromMS(k.DeletedMS), k.Reason)
		}
		tw.flush()
	}
	fmt.Fprintln(w)
	tw := table(w, "", "BEFORE", "AFTER")
	tw.row("files of the project", size(c.Before.Project), size(c.After.Project))
	tw.row("files of the whole server", size(c.Before.Files), size(c.After.Files))
	tw.row("of them, nobody's", size(c.Before.Unused), size(c.After.Unused))
	tw.row("database, in use", size(c.Before.DatabaseUsed), size(c.After.DatabaseUsed))
	tw.row("database, the file", size(c.Before.Database), size(c.After.Database))
	tw.flush()
	if c.After.Unused > 0 && !c.DryRun {
		fmt.Fprintln(w, "files younger than a day may still be about to be used, and go later")
	}
}

// size prints bytes as people read them.
func size(n int64) string {
	const units = "kMGT"
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/1000, 0
	for value >= 999.95 && unit < len(units)-1 {
		value, unit = value/1000, unit+1
	}
	return fmt.Sprintf("%.1f %cB", value, units[unit])
}
