package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/inference"
	"github.com/fairlead-ml/fairlead/api/mlflow"
	"github.com/fairlead-ml/fairlead/api/ops"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Options configure the program. Zero values are defaults.
type Options struct {
	Dir          string // the data directory
	Listen       string // default 127.0.0.1:4747; port 0 takes the last one again, or any
	Project      string // the project of calls without a prefix; default "default"
	Environments string // directory of Python environments; default in Dir
	UV           string // path of uv; default: searched
	ONNXRuntime  string // path of the library; default: searched
	Version      string
	Clock        fairlead.Clock
	Log          *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:4747"
	}
	if o.Project == "" {
		o.Project = spec.Default.Name
	}
	if o.Environments == "" {
		o.Environments = filepath.Join(o.Dir, "environments")
	}
	if o.Clock == nil {
		o.Clock = fairlead.WallClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// App is the whole program, wired.
type App struct {
	opt      Options
	dir      *dataDir
	listener net.Listener
	server   *http.Server
	engines  *engines

	DB       *store.DB
	Ledger   *ledger.Ledger
	Stream   *stream.Service
	Tokens   *auth.Tokens
	Projects *spec.Projects
	Blobs    *blob.Store
	Jobs     *job.Service
	SCM      *scm.Service
	Data     *data.Service
	Tracking *tracking.Service
	Registry *registry.Service
	Pipeline *pipeline.Service
	Gate     *gate.Service
	Release  *release.Service
	Serving  *serving.Service
	Label    *label.Service
	Monitor  *monitor.Service
	Loop     *loop.Service

	started  bool
	stopOnce sync.Once
	stopErr  error
}

// New opens the data directory and the address, and wires everything. What it
// cannot use is an error that says what to do; nothing runs before Start.
func New(ctx context.Context, opt Options) (a *App, err error) {
	opt = opt.withDefaults()
	if err := checkListen(opt.Listen); err != nil {
		return nil, err
	}
	a = &App{opt: opt}
	defer func() {
		if err != nil {
			a.abandon()
		}
	}()
	if a.dir, err = openDataDir(opt.Dir); err != nil {
		return nil, err
	}
	if a.listener, err = a.listen(); err != nil {
		return nil, err
	}
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	if err := a.wire(); err != nil {
		return nil, err
	}
	return a, a.route()
}

// checkListen refuses every address that is not this machine alone.
func checkListen(listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "--listen is %q; write it as 127.0.0.1:4747", listen)
	}
	if !auth.LoopbackHost(host) {
		return fairlead.Errorf(fairlead.Denied,
			"--listen %s would let other machines in, and there are no accounts yet; "+
				"listen on 127.0.0.1 and put a proxy with authentication in front", listen)
	}
	return nil
}

// listen takes the address. Port 0 tries the port of the server before, so that
// what it left running finds its tracking server again.
func (a *App) listen() (net.Listener, error) {
	if host, ok := strings.CutSuffix(a.opt.Listen, ":0"); ok {
		if port := a.dir.lastPort(); port != "" {
			if l, err := net.Listen("tcp", net.JoinHostPort(host, port)); err == nil {
				return l, nil
			}
		}
	}
	l, err := net.Listen("tcp", a.opt.Listen)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Conflict,
			"the address %s cannot be used: is another server running on it? choose another one with --listen", a.opt.Listen).Because(err)
	}
	return l, nil
}

func (a *App) open(ctx context.Context) (err error) {
	path := filepath.Join(a.dir.path, dbFile)
	a.DB, err = store.Open(ctx, store.Options{Path: path, Clock: a.opt.Clock, Log: a.opt.Log},
		ledger.Schema(), spec.Tables(), auth.Schema(), blob.Schema(), job.Schema(), stream.Schema(), scm.Schema(),
		data.Schema(), tracking.Schema(), registry.Schema(), pipeline.Schema(), gate.Schema(), release.Schema(),
		serving.Schema(), label.Schema(), monitor.Schema(), loop.Schema())
	return err
}

// URL is where the server answers.
func (a *App) URL() string { return "http://" + a.listener.Addr().String() }

// Dir is the data directory.
func (a *App) Dir() string { return a.dir.path }

// Handler answers requests as the listener does, for tests.
func (a *App) Handler() http.Handler { return a.server.Handler }

// wire makes the services from left to right, each with what it stands on.
func (a *App) wire() (err error) {
	dir, clock, log := a.dir.path, a.opt.Clock, a.opt.Log
	a.Ledger = ledger.New(a.DB, clock, log)
	signer, err := ledger.OpenSigner(dir)
	if err != nil {
		return err
	}
	a.Ledger.SignWith(signer)
	a.Stream = stream.New(a.DB, clock, log)
	a.Projects = spec.NewProjects(a.DB, a.Ledger, clock)
	if a.Tokens, err = auth.NewTokens(a.DB, clock, dir); err != nil {
		return err
	}
	if a.Blobs, err = blob.New(a.DB, dir); err != nil {
		return err
	}
	a.Jobs = job.New(a.DB, a.Ledger, clock, log, job.Options{StepsDir: filepath.Join(dir, "steps"), Exclusive: true})
	envs, err := pyenv.New(pyenv.Options{Root: a.opt.Environments, UV: a.opt.UV, Log: log})
	if err != nil {
		return err
	}
	a.engines = newEngines(envs, a.opt.ONNXRuntime, dir, log)
	a.SCM = scm.New(a.DB, a.Blobs, clock)
	if a.Data, err = data.New(a.DB, a.Ledger, a.Blobs, dir, clock); err != nil {
		return err
	}
	a.Tracking = tracking.New(a.DB, a.Ledger, a.Blobs, clock)
	a.Registry = registry.New(a.DB, a.Ledger, a.Blobs, a.Tracking, clock)
	packaging := registry.NewPackaging(a.Registry, a.Blobs, a.Jobs, a.Data, envs, dir)
	a.Pipeline, err = pipeline.New(pipeline.Deps{
		DB: a.DB, Ledger: a.Ledger, Clock: clock, Log: log, Jobs: a.Jobs, Blobs: a.Blobs, Source: a.SCM,
		Projects: a.Projects, Tokens: a.Tokens, Envs: envs, Data: a.Data, Tracking: a.Tracking, Registry: a.Registry,
		URL: a.URL,
	}, dir)
	if err != nil {
		return err
	}
	a.Gate, err = gate.New(gate.Deps{
		DB: a.DB, Ledger: a.Ledger, Jobs: a.Jobs, Stream: a.Stream, Projects: a.Projects, Data: a.Data,
		Registry: a.Registry, Evaluate: a.Pipeline.Evaluate, Clock: clock, Log: log,
	}, dir)
	if err != nil {
		return err
	}
	a.Release = release.New(release.Deps{
		DB: a.DB, Ledger: a.Ledger, Stream: a.Stream, Projects: a.Projects, Registry: a.Registry, Gate: a.Gate,
		Clock: clock, Log: log,
	})
	a.Serving = serving.New(serving.Deps{
		DB: a.DB, Ledger: a.Ledger, Stream: a.Stream, Projects: a.Projects, Blobs: a.Blobs, Registry: a.Registry,
		Release: a.Release, Load: a.engines.load, Clock: clock, Log: log, Dir: dir,
	})
	a.Label = label.New(a.DB, a.Ledger, a.Stream, a.Serving, a.Data, clock)
	a.Monitor = monitor.New(monitor.Deps{
		DB: a.DB, Ledger: a.Ledger, Stream: a.Stream, Jobs: a.Jobs, Projects: a.Projects, Blobs: a.Blobs, Data: a.Data,
		Registry: a.Registry, Gate: a.Gate, Release: a.Release, Serving: a.Serving, Label: a.Label,
		Load: a.engines.load, Clock: clock, Log: log, Dir: dir,
	})
	a.Loop = loop.New(loop.Deps{
		DB: a.DB, Ledger: a.Ledger, Stream: a.Stream, Jobs: a.Jobs, Projects: a.Projects, SCM: a.SCM, Data: a.Data,
		Registry: a.Registry, Packaging: packaging, Pipeline: a.Pipeline, Gate: a.Gate, Release: a.Release,
		Label: a.Label, Monitor: a.Monitor, Clock: clock, Log: log, Dir: dir,
	})
	a.Stream.Settles(func(ctx context.Context, _ fairlead.Project) (bool, error) { return a.Ledger.Idle(ctx) })
	a.Stream.Settles(a.jobsIdle)
	a.Stream.Settles(a.Serving.Idle)
	return nil
}

func (a *App) jobsIdle(ctx context.Context, p fairlead.Project) (idle bool, err error) {
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		idle, err = a.Jobs.Idle(tx, p.K)
		return err
	})
	return idle, err
}

// readHeaderTimeout and idleTimeout bound what a silent client holds, in wall time.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// route builds the one table of routes that the server answers.
func (a *App) route() error {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	e, err := newEdge(a.Tokens, a.Projects, a.opt.Project, a.routes(reg))
	if err != nil {
		return err
	}
	a.server = &http.Server{Handler: e, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(a.opt.Log.Handler(), slog.LevelWarn)}
	return nil
}

func (a *App) routes(reg *prometheus.Registry) []auth.Route {
	native := rest.New(rest.Services{
		DB: a.DB, Ledger: a.Ledger, Stream: a.Stream, Jobs: a.Jobs, Projects: a.Projects, SCM: a.SCM,
		Registry: a.Registry, Pipeline: a.Pipeline, Gate: a.Gate, Release: a.Release, Serving: a.Serving,
		Label: a.Label, Monitor: a.Monitor, Loop: a.Loop,
	}, a.opt.Version)
	routes := ops.New(reg, a.ready, a.overview).Routes()
	routes = append(routes, native.Routes()...)
	routes = append(routes, inference.New(a.Serving, a.Tokens, a.opt.Version).Routes()...)
	return append(routes, mlflow.New(a.Tracking, a.Registry, a.opt.Log).Routes()...)
}

// Routes lists every route of the server.
func (a *App) Routes() []auth.Route { return a.routes(prometheus.NewRegistry()) }

func (a *App) ready(ctx context.Context) error {
	return a.DB.Read(ctx, func(tx *store.Tx) error {
		var one int
		return tx.QueryRow("select 1").Scan(&one)
	})
}

func (a *App) overview(ctx context.Context) (ops.Overview, error) {
	projects, err := a.Projects.List(ctx)
	o := ops.Overview{Version: a.opt.Version, URL: a.URL()}
	for _, p := range projects {
		o.Projects = append(o.Projects, ops.Project{Name: p.Name, Endpoints: a.Serving.Endpoints(p)})
	}
	return o, err
}

// Start begins to work and to answer. It returns once the server is reachable.
func (a *App) Start(ctx context.Context) error {
	a.started = true
	if err := a.Ledger.Start(ctx); err != nil {
		return err
	}
	if err := a.Pipeline.Sweep(ctx); err != nil {
		return err
	}
	if err := a.Jobs.Start(ctx); err != nil {
		return err
	}
	if err := a.Serving.Start(ctx); err != nil {
		return err
	}
	if err := a.Stream.Start(ctx); err != nil {
		return err
	}
	go func() {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.opt.Log.Error("server ended", "err", err)
		}
	}()
	return a.dir.announce(a.URL())
}

// Stop ends gracefully: no new requests, the running ones finish, then the
// services from right to left. Steps that run outlive it and are found again. It
// is safe before Start and to call twice.
func (a *App) Stop(ctx context.Context) error {
	a.stopOnce.Do(func() { a.stopErr = a.stop(ctx) })
	return a.stopErr
}

func (a *App) stop(ctx context.Context) error {
	var errs []error
	if a.started {
		if err := a.server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("requests that run: %w", err))
			a.server.Close()
		}
		a.Stream.Stop()
		errs = append(errs, a.Jobs.Stop(ctx))
		a.Ledger.Stop()
		a.Serving.Stop()
	} else {
		a.listener.Close()
	}
	errs = append(errs, a.Data.Close(), a.DB.Close(), a.dir.close())
	return errors.Join(errs...)
}

// abandon closes what New has opened before it failed.
func (a *App) abandon() {
	if a.listener != nil {
		a.listener.Close()
	}
	if a.DB != nil {
		a.DB.Close()
	}
	if a.dir != nil {
		a.dir.lock.Close()
	}
}
