package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
)

// demo is the whole life of the bike-sharing model, played by what a user's systems
// would do: Git, the command line, an mlflow client, and calls of the public API.
type demo struct {
	*cli
	dir   string // holds the repository, the data directory and the traffic
	fresh bool
	keep  bool
	lock  *os.File // held while the demo runs
	demoTerms
	client *client
	server *demoServer
	say    *narrator
	at     time.Time // stream time of the newest event that was told

	replayed atomic.Pointer[string] // how far the replay is
}

func (c *cli) demoCommand() *cobra.Command {
	d := &demo{cli: c}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch the loop close by itself on ten months of real data",
		Long: `Demo copies the example project into a fresh directory, makes it a Git repository,
starts the server, trains and releases a first model on two months of bike-sharing
data, and replays the other ten hour by hour: drift, decay, retraining, canaries, two
bad candidates, rollbacks. It ends with a table, computed from what was served. A demo
that was interrupted goes on when it is started again.`,
		Example: `  fairlead demo
  fairlead demo --fresh --keep
  fairlead demo -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := d.run(cmd.Context(), cmd.Flags().Changed)
			if err != nil && cmd.Context().Err() != nil {
				return &statusError{fairlead.ExitError, "interrupted; this goes on from there: " + d.commandLine()}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&d.dir, "dir", "./.fairlead-demo", "directory of the demo")
	f.BoolVar(&d.fresh, "fresh", false, "start over in --dir")
	f.BoolVar(&d.keep, "keep", false, "leave the server running at the end")
	f.Int64Var(&d.Seed, seedFlag, 0, "play the months in another order, by this seed")
	f.IntVar(&d.Months, monthsFlag, allMonths, "play only the first months of traffic")
	return cmd
}

// demoProject is the example's project, and its model.
const demoProject = "bikes"

func (d *demo) run(ctx context.Context, given func(flag string) bool) (err error) {
	if d.Months < 1 || d.Months > allMonths {
		return usage("--%s is %d; there are 1 to %d", monthsFlag, d.Months, allMonths)
	}
	d.say = newNarrator(d.cli)
	defer d.say.end()
	if err := d.prepareDir(given); err != nil {
		return err
	}
	defer d.lock.Close()
	if done, err := d.finished(ctx); err != nil || done {
		return err
	}
	defer d.keepTime()()
	if err := d.prepareProject(ctx); err != nil {
		return err
	}
	if err := d.serve(ctx); err != nil {
		return err
	}
	defer func() {
		if !d.keep || err != nil {
			err = errors.Join(err, d.server.stop())
		}
	}()
	if err := d.play(ctx); err != nil {
		return err
	}
	return d.report(ctx)
}

// serve starts the server, and makes a client of it.
func (d *demo) serve(ctx context.Context) (err error) {
	if d.server, err = startServer(ctx, d); err != nil {
		return err
	}
	d.cli.project = demoProject
	d.client = d.server.client(demoProject)
	return nil
}

// doneFile marks a directory whose demo has ended; it holds the report.
const doneFile = "report.json"

// finished reports a directory whose demo has ended, and says what to do.
func (d *demo) finished(ctx context.Context) (bool, error) {
	b, err := os.ReadFile(filepath.Join(d.dir, doneFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := readReport(b)
	if err != nil {
		return false, nil // not a report: the demo goes on, and writes it anew
	}
	d.say.line("this demo has ended; its directory is %s", d.dir)
	d.say.line("start over:        %s --fresh", d.commandLine())
	switch old, err := app.FindServer(ctx, d.dataDir()); {
	case err == nil:
		d.say.line("its server runs at %s (stop it: kill %d)", old.URL, old.PID)
	case d.keep:
		if err := d.serve(ctx); err != nil {
			return false, err
		}
		d.sayKept()
	default:
		d.say.line("look around in it: %s", d.serveCommandLine())
	}
	return true, d.print(r, func(w io.Writer) { r.table(w) })
}

func (d *demo) sayKept() {
	d.say.line("the server goes on at %s (stop it: kill %d)", d.server.url, d.server.pid)
}

// commandLine is what starts this demo again.
func (d *demo) commandLine() string {
	return shellQuote(append([]string{os.Args[0], "demo", "--dir", d.dir}, d.flags()...)...)
}

// serveCommandLine is what starts the server of this demo.
func (d *demo) serveCommandLine() string {
	args := []string{os.Args[0], "serve", "--project", demoProject, "--data", d.dataDir()}
	if dir, err := environmentsDir(); err == nil {
		args = append(args, "--environments", dir)
	}
	return shellQuote(args...)
}

var plainWord = regexp.MustCompile(`^[\w@%+=:,./-]+$`)

// shellQuote writes words so that a shell reads them as they are.
func shellQuote(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if quoted[i] = w; !plainWord.MatchString(w) {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// environmentsDir holds the Python environments, which all demos share.
func environmentsDir() (string, error) {
	if dir := os.Getenv("FAIRLEAD_ENVIRONMENTS"); dir != "" {
		return filepath.Abs(dir)
	}
	cache, err := os.UserCacheDir()
	return filepath.Join(cache, "fairlead", "environments"), err
}

func (d *demo) dataDir() string    { return filepath.Join(d.dir, "data") }
func (d *demo) repository() string { return filepath.Join(d.dir, "repository") }
func (d *demo) traffic() string    { return filepath.Join(d.dir, "traffic.csv") }
