package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/transfer/archive"
)

func (c *cli) exportCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "export DIRECTORY",
		Short: "Write a project's tracking and registry in open formats, also while the server runs",
		Long: `Write experiments, runs with their whole histories, logged and registered models and
their files into a new directory of the server's machine: JSON lines, Parquet, and files
as they are. README.md there says what is what. All of it is one moment; what lies in
the trash is in it too. An export that was cut off is begun anew by another into the same
directory.`,
		Example: "  fairlead export ./wine-2026 -p wine\n" +
			"  fairlead export /mnt/export --all",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(cl *client) error {
				in := map[string]any{"to": to}
				if !all {
					in["projects"] = []string{cl.project}
				}
				rep, err := c.archive(cmd.Context(), cl, "//api/v1/exports", in)
				if err != nil {
					return err
				}
				if err := c.print(rep, func(w io.Writer) { writeArchive(w, "exported to", rep) }); err != nil {
					return err
				}
				if len(rep.Left) > 0 {
					return &statusError{fairlead.ExitError, "some files could not be exported; see above"}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "all projects")
	return cmd
}

// importExport is the command that brings in an export; what comes from elsewhere has
// commands below it.
func (c *cli) importExport(others ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import DIRECTORY",
		Short: "Bring in an export, or what another server has kept",
		Long: `Bring in all of an export of this or another server: each project under its own name,
or with -p the only one under that. Everything keeps its ids, times and states, and what
is here already stays as it is. Nothing is changed when a file of records is damaged, or
something else here has a name or id of it; an artifact that is damaged is left out and
named. It can be cut off and repeated.`,
		Example: "  fairlead import ./wine-2026",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(cl *client) error {
				rep, err := c.archive(cmd.Context(), cl, "//api/v1/imports",
					map[string]string{"from": from, "into": c.project})
				if err != nil {
					return err
				}
				return c.print(rep, func(w io.Writer) { writeArchive(w, "imported from", rep) })
			})
		},
	}
	for _, other := range others {
		cmd.Example += "\n" + other.Example
	}
	cmd.AddCommand(others...)
	return cmd
}

// archive asks for an export or an import of one, and shows how far it is.
func (c *cli) archive(ctx context.Context, cl *client, path string, in any) (rep archive.Report,
	err error) {
	done := watch(ctx, c, cl, "//api/v1/exports", func(r archive.Report) string {
		return fmt.Sprintf("%d experiments, %d runs with %d points, %d models, %d files (%s)",
			r.Experiments, r.Runs, r.Points, r.Models, r.Files, size(r.Bytes))
	})
	err = cl.do(ctx, http.MethodPost, path, in, &rep)
	done()
	return rep, err
}

// watch shows each second how far something is, until the returned function is called.
func watch[T any](ctx context.Context, c *cli, cl *client, path string, text func(T) string) (
	done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p := c.newProgress()
		defer p.end()
		for pause(ctx, time.Second) == nil {
			var now T
			if cl.do(ctx, http.MethodGet, path, nil, &now) == nil {
				p.status(text(now))
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func writeArchive(w io.Writer, did string, r archive.Report) {
	fmt.Fprintf(w, "%s %s: %d experiments, %d runs with %d points, %d logged models, %d models with "+
		"%d versions, %d files of %s", did, r.Path, r.Experiments, r.Runs, r.Points, r.LoggedModels,
		r.Models, r.Versions, r.Files, size(r.Bytes))
	if r.Skipped > 0 {
		fmt.Fprintf(w, "; %d things were here already", r.Skipped)
	}
	fmt.Fprintln(w)
	for _, what := range r.Left {
		fmt.Fprintf(w, "left out: %s\n", what)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "left out: %d more\n", r.More)
	}
}
