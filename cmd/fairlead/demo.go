package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
)

// demo is the whole life of the bike-sharing model, played by what a user's systems
// would do: Git, the command line, an mlflow client, and calls of the public API.
type demo struct {
	*cli
	dir    string // holds the repository, the data directory and the traffic
	fresh  bool
	keep   bool
	seed   int64 // other than 0: permutes the months of the year
	months int   // of traffic that are played
	client *client
	server *demoServer
	say    *narrator
	began  time.Time
	at     time.Time // stream time of the newest event that was told
}

func (c *cli) demoCommand() *cobra.Command {
	d := &demo{cli: c}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch the loop close by itself on ten months of real data",
		Long: `Demo copies the example project into a fresh directory, makes it a Git repository,
starts the server, trains and releases a first model on two months of bike-sharing
data, and replays the other ten hour by hour: drift, decay, retraining, canaries, two
bad candidates, rollbacks. It ends with a table, computed from what was served.`,
		Example: `  fairlead demo
  fairlead demo --fresh --keep
  fairlead demo -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.StringVar(&d.dir, "dir", "./.fairlead-demo", "directory of the demo")
	f.BoolVar(&d.fresh, "fresh", false, "start over in --dir")
	f.BoolVar(&d.keep, "keep", false, "leave the server running at the end")
	f.Int64Var(&d.seed, "permute-months", 0, "play the months in another order, by this seed")
	f.IntVar(&d.months, "months", allMonths, "play only the first months of traffic")
	return cmd
}

// demoProject is the example's project, and its model.
const demoProject = "bikes"

func (d *demo) run(ctx context.Context) (err error) {
	if d.months < 1 || d.months > allMonths {
		return usage("--months is %d; there are 1 to %d", d.months, allMonths)
	}
	d.began, d.say = time.Now(), newNarrator(d.err)
	if err := d.prepareDir(); err != nil {
		return err
	}
	if done, err := d.finished(); err != nil || done {
		return err
	}
	if err := d.prepareProject(ctx); err != nil {
		return err
	}
	if d.server, err = startServer(ctx, d); err != nil {
		return err
	}
	defer func() {
		if !d.keep || err != nil {
			err = errors.Join(err, d.server.stop())
		}
	}()
	d.cli.project = demoProject
	d.client = d.server.client(demoProject)
	if err := d.play(ctx); err != nil {
		return err
	}
	return d.report(ctx)
}

// doneFile marks a directory whose demo has ended; it holds the report.
const doneFile = "report.json"

func (d *demo) prepareDir() (err error) {
	if d.dir, err = filepath.Abs(d.dir); err != nil {
		return err
	}
	if d.fresh {
		if err := removeDemo(d.dir); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(d.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(d.dir, markFile)); err != nil {
			return fairlead.Errorf(fairlead.Precondition,
				"%s holds something that is not a demo; choose another directory with --dir", d.dir)
		}
		return nil
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return fairlead.Errorf(fairlead.Precondition, "%s cannot be made; choose another directory with --dir", d.dir).Because(err)
	}
	return os.WriteFile(filepath.Join(d.dir, markFile), []byte("made by fairlead demo; remove with --fresh\n"), 0o644)
}

// markFile tells a demo's directory from any other, which --fresh must not remove.
const markFile = ".fairlead-demo"

func removeDemo(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, markFile)); err != nil {
		return fairlead.Errorf(fairlead.Precondition, "%s is not a demo's directory, so --fresh does not remove it", dir)
	}
	if err := stopOldServer(dir); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// finished reports a directory whose demo has ended, and says what to do.
func (d *demo) finished() (bool, error) {
	b, err := os.ReadFile(filepath.Join(d.dir, doneFile))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r, err := readReport(b)
	if err != nil {
		return false, err
	}
	d.say.line("this demo has ended; its directory is %s", d.dir)
	d.say.line("start over:        fairlead demo --fresh")
	d.say.line("look around in it: fairlead serve --project %s --data %s", demoProject, d.dataDir())
	return true, d.print(r, func(w io.Writer) { r.table(w) })
}

func (d *demo) dataDir() string    { return filepath.Join(d.dir, "data") }
func (d *demo) repository() string { return filepath.Join(d.dir, "repository") }
func (d *demo) traffic() string    { return filepath.Join(d.dir, "traffic.csv") }

// narrator tells on stderr what happens, each line with the seconds that have
// passed.
type narrator struct {
	w     io.Writer
	began time.Time
}

func newNarrator(w io.Writer) *narrator { return &narrator{w, time.Now()} }

func (n *narrator) line(format string, args ...any) {
	fmt.Fprintf(n.w, "%5.1fs  %s\n", time.Since(n.began).Seconds(), fmt.Sprintf(format, args...))
}
