package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/mlflow"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/backup"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/data/query"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/govern"
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
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/transfer"
	"github.com/fairlead-ml/fairlead/transfer/archive"
)

// Options configure the program. Zero values are defaults.
type Options struct {
	Dir          string        // the data directory
	Listen       string        // default 127.0.0.1:4747; port 0 takes the last one again, or any
	Project      string        // the project of calls without a prefix; default "default"
	Environments string        // directory of Python environments; default in Dir
	UV           string        // path of uv; default: searched
	ONNXRuntime  string        // path of the library; default: searched
	Steps        int           // of pipelines, that run at once; default one for each core, at least 4
	WebhookAllow sink.Allowed  // addresses that webhooks reach though they are not public
	KeepDeleted  time.Duration // what is in the trash, before a daily purge; default 30 days, negative for ever
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
	if o.KeepDeleted == 0 {
		o.KeepDeleted = 30 * 24 * time.Hour
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
	Accounts *auth.Accounts
	Projects *spec.Projects
	Blobs    *blob.Store
	Backup   *backup.Service
	Jobs     *job.Service
	SCM      *scm.Service
	Sink     *sink.Service
	Data     *data.Service
	Tracking *tracking.Service
	Registry *registry.Service
	Transfer *transfer.Service
	Archive  *archive.Service
	Pipeline *pipeline.Service
	Gate     *gate.Service
	Release  *release.Service
	Serving  *serving.Service
	Label    *label.Service
	Monitor  *monitor.Service
	Loop     *loop.Service
	Govern   *govern.Service

	life *lifecycle
}

// New opens the data directory and the address, and wires everything. What it
// cannot use is an error that says what to do; nothing runs before Start.
func New(ctx context.Context, opt Options) (*App, error) {
	opt = opt.withDefaults()
	local, err := localListen(opt.Listen)
	if err != nil {
		return nil, err
	}
	a := &App{opt: opt, life: newLifecycle()}
	if err := a.build(ctx, local); err != nil {
		a.abandon()
		return nil, err
	}
	return a, nil
}

func (a *App) build(ctx context.Context, local bool) (err error) {
	if a.dir, err = openDataDir(a.opt.Dir); err != nil {
		return err
	}
	if err := a.open(ctx); err != nil {
		return err
	}
	if err := a.wire(ctx); err != nil {
		return err
	}
	if !local {
		if !a.Accounts.Exist() {
			return exposed(a.opt.Listen)
		}
		a.Accounts.KeepOne()
	}
	if a.listener, err = a.listen(); err != nil {
		return err
	}
	return a.route()
}

func (a *App) open(ctx context.Context) (err error) {
	path := filepath.Join(a.dir.path, dbFile)
	a.DB, err = store.Open(ctx, store.Options{Path: path, Clock: a.opt.Clock, Log: a.opt.Log},
		Schemas()...)
	return err
}

// Schemas are the tables of the program, in the order in which they are made.
func Schemas() []store.Schema {
	return []store.Schema{ledger.Schema(), spec.Tables(), auth.Schema(), blob.Schema(), job.Schema(),
		stream.Schema(), scm.Schema(), data.Schema(), tracking.Schema(), registry.Schema(),
		pipeline.Schema(), gate.Schema(), release.Schema(), serving.Schema(), label.Schema(),
		monitor.Schema(), loop.Schema(), rest.Schema(), sink.Schema(),
		transfer.Schema(), archive.Schema()}
}

// URL is where the server answers on this machine.
func (a *App) URL() string {
	addr := a.listener.Addr().(*net.TCPAddr).AddrPort()
	if addr.Addr().IsUnspecified() { // it listens everywhere
		addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), addr.Port())
	}
	return "http://" + addr.String()
}

// FirstAccount is the link with which the first administrator makes their account in a
// browser, once and within an hour; empty when there is an account.
func (a *App) FirstAccount() string {
	if key := a.Accounts.FirstKey(); key != "" {
		return a.URL() + "/first?key=" + key
	}
	return ""
}

// Dir is the data directory.
func (a *App) Dir() string { return a.dir.path }

// Handler answers requests as the listener does, for tests.
func (a *App) Handler() http.Handler { return a.server.Handler }

// wire makes the services from left to right, each with what it stands on.
func (a *App) wire(ctx context.Context) (err error) {
	dir, clock, log := a.dir.path, a.opt.Clock, a.opt.Log
	a.Ledger = ledger.New(a.DB, clock, log)
	signer, err := ledger.OpenSigner(dir)
	if err != nil {
		return err
	}
	a.Ledger.SignWith(signer)
	a.Stream = stream.New(a.DB, clock, log)
	a.Ledger.OnCaughtUp(a.Stream.Nudge)
	a.Projects = spec.NewProjects(a.DB, a.Ledger, clock)
	if a.Tokens, err = auth.NewTokens(ctx, a.DB, clock, dir); err != nil {
		return err
	}
	if a.Accounts, err = auth.NewAccounts(ctx, a.DB, a.Ledger, clock, log); err != nil {
		return err
	}
	a.Tokens.Admit(a.Accounts)
	if a.Blobs, err = blob.New(a.DB, dir, blob.WithClock(clock)); err != nil {
		return err
	}
	a.Backup = backup.New(a.DB, a.Blobs, clock, dir, a.opt.Version)
	a.Jobs = job.New(a.DB, a.Ledger, clock, log,
		job.Options{StepsDir: filepath.Join(dir, "steps"), Exclusive: true})
	a.Jobs.Handle(collectJob, a.collect, job.Limits{Concurrency: 1})
	envs, err := pyenv.New(pyenv.Options{Root: a.opt.Environments, UV: a.opt.UV, Log: log})
	if err != nil {
		return err
	}
	a.engines = newEngines(envs, a.opt.ONNXRuntime, dir, log)
	a.SCM = scm.New(a.DB, a.Blobs, clock)
	if a.Data, err = data.New(a.DB, a.Ledger, a.Blobs, dir, clock); err != nil {
		return err
	}
	if missing := query.Missing(); len(missing) > 0 {
		log.Warn("this system has not all that holds users' queries; DuckDB's own lock does",
			"missing", strings.Join(missing, ", "))
	}
	a.Tracking = tracking.New(a.DB, a.Ledger, a.Blobs, clock, log)
	a.Registry = registry.New(a.DB, a.Ledger, a.Blobs, a.Tracking, clock)
	a.Transfer = transfer.New(a.DB, a.Tracking, a.Registry, dir)
	a.Archive = archive.New(archive.Deps{
		DB: a.DB, Blobs: a.Blobs, Projects: a.Projects, Tracking: a.Tracking, Registry: a.Registry,
		Clock: clock, Dir: dir, Version: a.opt.Version,
	})
	a.Sink, err = sink.New(sink.Deps{
		DB: a.DB, Ledger: a.Ledger, Clock: clock, Log: log, Source: mlflow.WebhookSource(a.Registry), Dir: dir,
		Allowed: a.opt.WebhookAllow,
	})
	if err != nil {
		return err
	}
	packaging := registry.NewPackaging(a.Registry, a.Blobs, a.Jobs, a.Data, envs, dir)
	a.Pipeline, err = pipeline.New(pipeline.Deps{
		DB: a.DB, Ledger: a.Ledger, Clock: clock, Log: log, Jobs: a.Jobs, Blobs: a.Blobs, Source: a.SCM,
		Projects: a.Projects, Tokens: a.Tokens, Envs: envs, Data: a.Data, Tracking: a.Tracking,
		Registry: a.Registry, Steps: a.opt.Steps, URL: a.URL,
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
		Registry: a.Registry, Gate: a.Gate, Release: a.Release, Label: a.Label, Monitor: a.Monitor,
		Train: a.Pipeline.Start, Package: packaging.Request, Clock: clock, Log: log, Dir: dir,
	})
	a.Govern = govern.New(govern.Deps{
		DB: a.DB, Ledger: a.Ledger, Stream: a.Stream, Projects: a.Projects, Data: a.Data, Tracking: a.Tracking,
		Registry: a.Registry, Pipeline: a.Pipeline, Gate: a.Gate, Release: a.Release, Serving: a.Serving,
		Monitor: a.Monitor, Loop: a.Loop,
	})
	a.Stream.Settles(a.ledgerIdle)
	a.Stream.Settles(a.jobsIdle)
	a.Stream.Settles(a.Serving.Idle)
	return nil
}

func (a *App) ledgerIdle(ctx context.Context, _ fairlead.Project) (bool, error) {
	return a.Ledger.Idle(ctx)
}

func (a *App) jobsIdle(ctx context.Context, p fairlead.Project) (idle bool, err error) {
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		idle, err = a.Jobs.Idle(tx, p.K)
		return err
	})
	return idle, err
}
