package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/inference"
	"github.com/fairlead-ml/fairlead/api/mlflow"
	"github.com/fairlead-ml/fairlead/api/ops"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/ui"
)

// readHeaderTimeout and idleTimeout bound what a silent client holds, in wall time.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// writeTimeout is how long writeChunk bytes of an answer may take to be taken, in wall
// time; more than smallWrite bytes may have to wait for the client.
const (
	writeTimeout = 30 * time.Second
	writeChunk   = 1 << 20
	smallWrite   = 2 << 10
)

// maxHeader bounds a request's line and headers, in bytes.
const maxHeader = 64 << 10

// route builds the one table of routes that the server answers.
func (a *App) route() error {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(a.opt.Version), modelsApart(a.engines), progress{a.Ledger, a.opt.Log}, a.Serving.Collector(),
		a.Jobs.Collector(), a.Sink.Collector(), a.Accounts.Collector())
	reg.MustRegister(a.DB.Collectors()...)
	e, err := newEdge(a.Tokens, a.Projects, a.opt.Project, a.opt.Log, reg, a.routes(reg))
	if err != nil {
		return err
	}
	a.server = &http.Server{
		Handler: e, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		WriteTimeout: writeTimeout, ConnState: newCrowd(connsHere(a.opt.Log)).note,
		BaseContext: func(net.Listener) context.Context { return a.life.requests },
		ErrorLog:    slog.NewLogLogger(a.opt.Log.Handler(), slog.LevelWarn),
	}
	return nil
}

func (a *App) routes(reg *prometheus.Registry) []auth.Route {
	native := rest.New(rest.Services{
		DB: a.DB, Clock: a.opt.Clock, Log: a.opt.Log, Stopping: a.life.stopping, Ledger: a.Ledger, Stream: a.Stream,
		Jobs: a.Jobs, Projects: a.Projects, SCM: a.SCM, Data: a.Data, Tracking: a.Tracking,
		Registry: a.Registry, Pipeline: a.Pipeline,
		Gate: a.Gate, Release: a.Release, Serving: a.Serving, Label: a.Label, Monitor: a.Monitor, Loop: a.Loop, Govern: a.Govern,
		Sink: a.Sink, Backup: a.Backup, Transfer: a.Transfer, Archive: a.Archive, Accounts: a.Accounts, Tokens: a.Tokens,
		KeepDeleted: a.opt.KeepDeleted,
	}, a.opt.Version)
	routes := ops.New(ops.Deps{
		Metrics: reg, Ready: a.ready, Prove: a.Tokens.Prove, Enter: a.Tokens.Enter,
		SignOut: a.Tokens.SignOut, Accounts: a.Accounts}).Routes()
	routes = append(routes, ui.Routes()...)
	routes = append(routes, native.Routes()...)
	routes = append(routes, inference.New(a.Serving, a.Tokens, a.opt.Version).Routes()...)
	return append(routes, mlflow.New(a.Tracking, a.Registry, a.Tokens, a.Sink,
		a.Projects).Routes()...)
}

// Routes lists every route of the server.
func (a *App) Routes() []auth.Route { return a.routes(prometheus.NewRegistry()) }

// ready says why the server should get no traffic: it stops, its disk has no room
// or takes no writes, or its database does not answer. It writes nothing itself.
func (a *App) ready(ctx context.Context) error {
	select {
	case <-a.life.stopping:
		return fairlead.Errorf(fairlead.Unavailable, "the server is stopping")
	default:
	}
	if err := a.dir.writable(); err != nil {
		return err
	}
	return a.DB.Read(ctx, func(tx *store.Tx) error {
		var one int
		return tx.QueryRow("select 1").Scan(&one)
	})
}
