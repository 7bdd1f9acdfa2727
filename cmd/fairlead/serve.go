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
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/spec"
)

// serverSettings are what the environment, or a flag of serve, says about a server.
type serverSettings struct {
	environments, uv, onnxRuntime, steps, webhookAllow, keepDeleted string
}

// newServerSettings returns those of the environment; package pyenv and onnx read the
// variables of uv and of ONNX Runtime themselves.
func newServerSettings() serverSettings {
	return serverSettings{environments: os.Getenv("FAIRLEAD_ENVIRONMENTS"),
		steps: envOr("FAIRLEAD_STEPS", "0"), webhookAllow: os.Getenv("FAIRLEAD_WEBHOOK_ALLOW"),
		keepDeleted: envOr("FAIRLEAD_KEEP_DELETED", "30d")}
}

// newServer opens the data directory for a server in this process, that of `serve` or of
// a command that finds none.
func (c *cli) newServer(ctx context.Context, s serverSettings, listen string, log *slog.Logger) (
	*app.App, error) {
	steps, err := strconv.Atoi(s.steps)
	if err != nil || steps < 0 {
		return nil, usage("--steps (FAIRLEAD_STEPS) is %q; it is a number of steps, 0 for the default",
			s.steps)
	}
	allowed, err := sink.ParseAllowed(s.webhookAllow)
	if err != nil {
		return nil, usage("--webhook-allow (FAIRLEAD_WEBHOOK_ALLOW): %s", err)
	}
	keep, err := spec.ParseKeep(s.keepDeleted)
	if err != nil {
		return nil, usage("--keep-deleted (FAIRLEAD_KEEP_DELETED) is %q; it is a length of time such as 30d, "+
			"or forever", s.keepDeleted)
	}
	// Also of steps: what they write is the owner's alone. A command itself writes
	// nothing but temporary files.
	syscall.Umask(0o077)
	return app.New(ctx, app.Options{Dir: c.data, Listen: listen, Project: c.project,
		Environments: s.environments, UV: s.uv, ONNXRuntime: s.onnxRuntime, Steps: steps,
		Version: version, WebhookAllow: allowed, KeepDeleted: keep, Log: log})
}

func (c *cli) serveCommand() *cobra.Command {
	var listen, logFormat, logLevel string
	s := newServerSettings()
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
			a, err := c.newServer(cmd.Context(), s, listen, log)
			if err != nil {
				return err
			}
			return c.serve(cmd.Context(), a)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", envOr("FAIRLEAD_LISTEN", "127.0.0.1:4747"),
		"address (FAIRLEAD_LISTEN); other than loopback needs accounts")
	f.StringVar(&s.environments, "environments", s.environments,
		"directory of Python environments (FAIRLEAD_ENVIRONMENTS); default: in the data directory")
	f.StringVar(&s.uv, "uv", "", "path of uv (FAIRLEAD_UV)")
	f.StringVar(&s.onnxRuntime, "onnxruntime", "",
		"path of libonnxruntime.so (FAIRLEAD_ONNXRUNTIME)")
	f.StringVar(&s.steps, "steps", s.steps,
		"steps of pipelines that run at once (FAIRLEAD_STEPS); 0 is one for each core, at least 4")
	f.StringVar(&s.webhookAllow, "webhook-allow", s.webhookAllow,
		"addresses that webhooks may reach though they are not public (FAIRLEAD_WEBHOOK_ALLOW), "+
			"such as 127.0.0.1,10.1.0.0/16")
	f.StringVar(&s.keepDeleted, "keep-deleted", s.keepDeleted,
		"how long deleted experiments, runs and logged models can be restored before they are purged "+
			"(FAIRLEAD_KEEP_DELETED), such as 30d, or forever")
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
func (c *cli) serve(ctx context.Context, a *app.App) error {
	if err := a.Start(ctx); err != nil {
		return err
	}
	ready := map[string]string{"url": a.URL(), "data": a.Dir(), "version": version}
	first := a.FirstAccount()
	if first != "" {
		ready["first_account"] = first
	}
	err := c.print(ready, func(w io.Writer) {
		fmt.Fprintf(w, "Fairlead %s is ready at %s (data in %s)\n\n  export MLFLOW_TRACKING_URI=%s\n\n",
			version, a.URL(), a.Dir(), a.URL())
		if first != "" {
			fmt.Fprintf(w, "Others may use it too once there are accounts; the first, within an hour: %s\n\n",
				first)
		}
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
