package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead/transfer"
)

func (c *cli) importCommand() *cobra.Command {
	var artifacts string
	mlflow := &cobra.Command{
		Use:   "mlflow DIRECTORY | FILE",
		Short: "Bring in all of an MLflow file store or SQLite database",
		Long: `Bring in experiments, runs with their whole histories, logged and registered models,
and their files, with the ids, times and states that they have there. It can be cut
off and repeated, and repeated it changes nothing that has come in.`,
		Example: "  fairlead import mlflow ./mlruns\n" +
			"  fairlead import mlflow ./mlflow.db --artifacts ./mlartifacts",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := map[string]string{}
			for name, path := range map[string]string{
				"from": strings.TrimPrefix(args[0], "sqlite:///"), "artifacts": artifacts} {
				if path == "" {
					continue
				}
				abs, err := filepath.Abs(path)
				if err != nil {
					return err
				}
				in[name] = abs
			}
			return c.with(cmd.Context(), func(cl *client) error {
				done := c.watchImport(cmd.Context(), cl)
				var rep transfer.Report
				err := cl.do(cmd.Context(), http.MethodPost, "/imports/mlflow", in, &rep)
				done()
				if err != nil {
					return err
				}
				return c.print(rep, func(w io.Writer) { writeImport(w, rep) })
			})
		},
	}
	mlflow.Flags().StringVar(&artifacts, "artifacts", "",
		"directory that the MLflow server keeps mlflow-artifacts:/ in (its --artifacts-destination)")
	return c.importExport(mlflow)
}

// watchImport shows how far the import is, until the returned function is called.
func (c *cli) watchImport(ctx context.Context, cl *client) (done func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p := c.newProgress()
		defer p.end()
		for pause(ctx, time.Second) == nil {
			var rep transfer.Report
			if cl.do(ctx, http.MethodGet, "/imports/mlflow", nil, &rep) == nil {
				p.status(fmt.Sprintf("%d experiments, %d runs, %d points, %d logged models, %d versions, %d files",
					rep.Experiments, rep.Runs, rep.Points, rep.LoggedModels, rep.Versions, rep.Files))
			}
		}
	}()
	return func() { cancel(); <-ended }
}

func writeImport(w io.Writer, rep transfer.Report) {
	fmt.Fprintf(w, "%d experiments, %d runs, %d logged models, %d models with %d versions; "+
		"%d points and %d files read, %d things were here already\n", rep.Experiments, rep.Runs,
		rep.LoggedModels, rep.Models, rep.Versions, rep.Points, rep.Files, rep.Skipped)
	for _, what := range rep.Left {
		fmt.Fprintf(w, "left out: %s\n", what)
	}
	if rep.LeftMore > 0 {
		fmt.Fprintf(w, "left out: %d things more\n", rep.LeftMore)
	}
}
