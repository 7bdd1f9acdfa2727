package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// measurement is one of the things that can be asked for with -only.
type measurement struct {
	name string
	run  func(ctx context.Context, b *bench) error
	long bool // it takes minutes: asked for by its name, or with -long
}

var measurements = []measurement{
	{name: "tracking/start", run: measureStart},
	{name: "tracking/write", run: measureWrites},
	{name: "tracking/read", run: measureReads},
	{name: "tracking/clients", run: measureClients},
	{name: "tracking/growth", run: measureGrowth, long: true},
	{name: "tracking/table", run: measureTable, long: true},
	{name: "steps", run: measureSteps},
	{name: "lanes", run: measureLanes},
	{name: "audit", run: measureAudit},
	{name: "ui/pages", run: measureUIPages},
	{name: "ui/large", run: measureUILarge, long: true},
}

// bench is what the measurements share.
type bench struct {
	program  string        // bin/fairlead
	dir      string        // scratch, removed at the end
	tools    string        // where peers are installed, and kept
	repeat   int           // starts, and runs of the steps
	duration time.Duration // lanes take half of it, a side of tracking a tenth for each figure
	peers    bool
	watch    time.Duration // for how long a page with live charts is looked at
	versions map[string]string
	report   *report
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 2 && args[0] == echoCommand {
		return echoOn(ctx, args[1])
	}
	b := &bench{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := f.String("only", "tracking,steps,lanes",
		"what to measure, separated by commas: "+strings.Join(names(), ", ")+
			"; tracking is all of tracking/…, ui of ui/…")
	output := f.String("o", "text", "text or json")
	f.StringVar(&b.program, "program", "bin/fairlead", "the program to measure")
	f.StringVar(&b.tools, "tools", ".tools", "where the peers are installed, and kept for the next time")
	f.IntVar(&b.repeat, "repeat", 10, "how often to start the program and to run the steps")
	f.DurationVar(&b.duration, "duration", 30*time.Second,
		"twice the length of the load of lanes, and ten times what each side of tracking gets")
	f.BoolVar(&b.peers, "peers", true, "measure the peers too")
	f.DurationVar(&b.watch, "watch", time.Minute, "for how long ui looks at a page with live charts")
	long := f.Bool("long", false, "measure what takes minutes too: tracking/growth, tracking/table, ui/large")
	if err := f.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(*only, *long)
	if err != nil {
		return err
	}
	if err := b.prepare(*output); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	for _, m := range chosen {
		progress("measuring %s", m.name)
		if mErr := m.run(ctx, b); mErr != nil { // what was measured is printed all the same
			err = errors.Join(err, fmt.Errorf("%s: %w", m.name, mErr))
		}
	}
	return errors.Join(b.report.print(os.Stdout, *output), err)
}

func names() (out []string) {
	for _, m := range measurements {
		out = append(out, m.name)
	}
	return out
}

// choose returns the measurements that are named, or lie below what is named; of the
// latter, those that take minutes only with long.
func choose(only string, long bool) (out []measurement, err error) {
	for name := range strings.SplitSeq(only, ",") {
		before := len(out)
		for _, m := range measurements {
			if below := strings.HasPrefix(m.name, name+"/"); m.name == name || below && (long || !m.long) {
				out = append(out, m)
			}
		}
		if len(out) == before {
			return nil, fmt.Errorf("-only %s: there is no measurement %q", only, name)
		}
	}
	return out, nil
}

func (b *bench) prepare(output string) (err error) {
	if output != "text" && output != "json" {
		return fmt.Errorf("-o is %q; it is text or json", output)
	}
	if b.repeat < 1 || b.duration < time.Second {
		return fmt.Errorf("-repeat must be at least 1 and -duration at least 1s")
	}
	if b.program, err = absolute(b.program); err != nil {
		return fmt.Errorf("%w; build it with `make build`", err)
	}
	if b.tools, err = absolute(b.tools); err != nil {
		return fmt.Errorf("%w; `make setup` makes it", err)
	}
	if b.versions, err = readVersions("versions.mk"); err != nil {
		return err
	}
	b.report = &report{Machine: thisMachine()}
	b.report.warnOfLoad()
	b.dir, err = os.MkdirTemp(b.tools, "bench-run-") // on a disk, which /tmp need not be
	return err
}

// progress says on stderr what is going on, so that stdout has only the figures.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format(time.TimeOnly)+"  "+format+"\n", args...)
}
