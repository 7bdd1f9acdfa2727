package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead/transfer"
)

func (c *cli) importCommand() *cobra.Command {
	var artifacts string
	mlflow := &cobra.Command{
		Use:   "mlflow DIRECTORY | FILE | URL",
		Short: "Bring in all of an MLflow file store, database or server",
		Long: `Bring in experiments, runs with their whole histories, logged and registered models,
and their files, with the ids, times and states that they have there. It can be cut
off and repeated: what has come in is left as it is, and what is new there is taken.

The server reads the source: a directory or SQLite file of its machine, a Postgres
database, or an MLflow server. It signs in there with FAIRLEAD_IMPORT_USERNAME and
FAIRLEAD_IMPORT_PASSWORD, or FAIRLEAD_IMPORT_TOKEN; where MLFLOW_TRACKING_URI is that
server, also with what MLflow's client would; in a database with PGPASSWORD. These
are not kept.`,
		Example: "  fairlead import mlflow ./mlruns\n" +
			"  fairlead import mlflow ./mlflow.db --artifacts ./mlartifacts\n" +
			"  fairlead import mlflow postgresql://mlflow@db/mlflow --artifacts /srv/mlartifacts\n" +
			"  fairlead import mlflow http://mlflow.example:5000",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := importSource(args[0], artifacts)
			if err != nil {
				return err
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
		"directory that the MLflow server keeps mlflow-artifacts:/ in (its --artifacts-destination), or that "+
			"the files are in now")
	return c.importExport(mlflow)
}

// importSource is what the server is asked to import: paths become absolute, and a URL gets
// what signs in there, which is in the environment, where no list of processes shows it.
func importSource(from, artifacts string) (in map[string]string, err error) {
	in = map[string]string{}
	from = strings.TrimPrefix(from, "sqlite:///")
	switch scheme, _, isURL := strings.Cut(from, "://"); {
	case !isURL:
		if in["from"], err = filepath.Abs(from); err != nil {
			return nil, err
		}
	case strings.HasPrefix(scheme, "postgres"):
		in["from"], in["password"] = from, os.Getenv("PGPASSWORD")
	default:
		in["from"] = from
		prefix := importPrefix(from)
		in["username"] = os.Getenv(prefix + "USERNAME")
		in["password"] = os.Getenv(prefix + "PASSWORD")
		in["token"] = os.Getenv(prefix + "TOKEN")
	}
	if artifacts != "" {
		in["artifacts"], err = filepath.Abs(artifacts)
	}
	return in, err
}

// importPrefix begins the names of the variables that sign in at a server. Those of MLflow's
// client count where it is this server that they are for: otherwise they may hold what
// signs in here.
func importPrefix(from string) string {
	const ours = "FAIRLEAD_IMPORT_"
	for _, name := range []string{"USERNAME", "PASSWORD", "TOKEN"} {
		if os.Getenv(ours+name) != "" {
			return ours
		}
	}
	theirs := os.Getenv("MLFLOW_TRACKING_URI")
	if theirs != "" && strings.TrimRight(theirs, "/") == strings.TrimRight(from, "/") {
		return "MLFLOW_TRACKING_"
	}
	return ours
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
