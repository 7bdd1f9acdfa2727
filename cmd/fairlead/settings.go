package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead/spec"
)

func (c *cli) projectCommand() *cobra.Command {
	show := &cobra.Command{
		Use:     "show",
		Short:   "Show what is set of the project beside its file",
		Example: "  fairlead project show --project wine",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(cl *client) error {
				var got spec.Settings
				if err := cl.do(cmd.Context(), http.MethodGet, "/settings", nil, &got); err != nil {
					return err
				}
				return c.printSettings(cl, got)
			})
		},
	}
	var to spec.Settings
	set := &cobra.Command{
		Use:   "set",
		Short: "Set how long what is deleted in the project can be restored",
		Example: `  fairlead project set --keep-deleted 90d
  fairlead project set --keep-deleted server   # as long as the server is set to`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to.KeepDeleted == "" {
				return usage("say what to set: --keep-deleted")
			}
			if to.KeepDeleted == asServer {
				to.KeepDeleted = ""
			}
			return c.with(cmd.Context(), func(cl *client) error {
				var got spec.Settings
				if err := cl.do(cmd.Context(), http.MethodPut, "/settings", to, &got); err != nil {
					return err
				}
				return c.printSettings(cl, got)
			})
		},
	}
	set.Flags().StringVar(&to.KeepDeleted, "keep-deleted", "",
		"a length of time such as 30d, forever, or "+asServer)
	return group("project", "See and change what is set of a project", show, set)
}

// asServer is how the command line says that a project has no setting of its own.
const asServer = "server"

func (c *cli) printSettings(cl *client, s spec.Settings) error {
	return c.print(s, func(w io.Writer) {
		fmt.Fprintf(w, "project %s keeps what is deleted: %s\n", cl.project,
			cmp.Or(s.KeepDeleted, "as long as the server is set to"))
	})
}
