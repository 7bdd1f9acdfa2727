package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead/app"
)

func (c *cli) serveCommand() *cobra.Command {
	opt := app.Options{Version: version}
	var logFormat, logLevel, steps string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start the server",
		Example: `  fairlead serve
  fairlead serve --listen 127.0.0.1:4747 --data ./data`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(logFormat, logLevel)
			if err != nil {
				return err
			}
			if opt.Steps, err = strconv.Atoi(steps); err != nil || opt.Steps < 0 {
				return usage("--steps is %q; it is a number of steps, 0 for the default", steps)
			}
			opt.Dir, opt.Log = c.data, log
			if c.project != "" {
				opt.Project = c.project
			}
			return c.serve(cmd.Context(), opt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opt.Listen, "listen", envOr("FAIRLEAD_LISTEN", "127.0.0.1:4747"),
		"address (FAIRLEAD_LISTEN); other than loopback is refused until there are accounts")
	f.StringVar(&opt.Environments, "environments", os.Getenv("FAIRLEAD_ENVIRONMENTS"),
		"directory of Python environments (FAIRLEAD_ENVIRONMENTS); default: in the data directory")
	f.StringVar(&opt.UV, "uv", "", "path of uv (FAIRLEAD_UV)")
	f.StringVar(&opt.ONNXRuntime, "onnxruntime", "",
		"path of libonnxruntime.so (FAIRLEAD_ONNXRUNTIME)")
	f.StringVar(&steps, "steps", envOr("FAIRLEAD_STEPS", "0"),
		"steps of pipelines that run at once (FAIRLEAD_STEPS); 0 is one for each core, at least 4")
	f.StringVar(&logFormat, "log-format", "text", "text or json")
	f.StringVar(&logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

func newLogger(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, usage("--log-level is %q; it is debug, info, warn or error", level)
	}
	opts := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opts)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opts)), nil
	}
	return nil, usage("--log-format is %q; it is text or json", format)
}

// stopMax bounds a graceful stop, in wall time.
const stopMax = 20 * time.Second

// serve runs the server until the context ends.
func (c *cli) serve(ctx context.Context, opt app.Options) error {
	syscall.Umask(0o077) // also of steps: what they write is the owner's alone
	a, err := app.New(ctx, opt)
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	ready := map[string]string{"url": a.URL(), "data": a.Dir(), "version": version}
	err = c.print(ready, func(w io.Writer) {
		fmt.Fprintf(w, "Fairlead %s is ready at %s (data in %s)\n\n  export MLFLOW_TRACKING_URI=%s\n\n",
			version, a.URL(), a.Dir(), a.URL())
	})
	if err != nil {
		c.err.Write([]byte("nobody reads what the server says; it runs on\n"))
	}
	select {
	case <-ctx.Done():
		err = nil
	case err = <-a.Failed():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopMax)
	defer cancel()
	return errors.Join(err, a.Stop(stop))
}
