package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// lifecycle is where the program stands between New and the end of Stop.
type lifecycle struct {
	started  bool
	stopping chan struct{}      // closed when Stop begins: long requests answer what they have
	requests context.Context    // of all requests
	cut      context.CancelFunc // ends those that do not finish in time
	serving  sync.WaitGroup
	failed   chan error // why it no longer answers, though nobody has stopped it
	once     sync.Once
	err      error
}

func newLifecycle() *lifecycle {
	l := &lifecycle{stopping: make(chan struct{}), failed: make(chan error, 1)}
	l.requests, l.cut = context.WithCancel(context.Background())
	return l
}

// localListen reports whether an address is this machine's alone.
func localListen(listen string) (bool, error) {
	host, port, err := net.SplitHostPort(listen)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return false, fairlead.Errorf(fairlead.Invalid, "--listen is %q; write it as 127.0.0.1:4747",
			listen)
	}
	return auth.LoopbackHost(host), nil
}

// exposed refuses an address that lets other machines in before anybody can sign in.
func exposed(listen string) error {
	return fairlead.Errorf(fairlead.Denied,
		"--listen %s would let other machines in, and there are no accounts yet; make the first one with "+
			"`fairlead user add NAME --role admin`, or listen on 127.0.0.1", listen)
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
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fairlead.Errorf(fairlead.Conflict,
			"the address %s is in use by another program; stop it, or choose another address with --listen",
			a.opt.Listen).Because(err)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Precondition,
			"the address %s cannot be used: %w; choose another one with --listen", a.opt.Listen, err)
	}
	return l, nil
}

// Start begins to work and to answer. It returns once the server is reachable. When
// it fails everything is stopped, and the data directory is free.
func (a *App) Start(ctx context.Context) (err error) {
	a.life.started = true
	defer func() {
		if err != nil {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), failMax)
			defer cancel()
			err = errors.Join(err, a.Stop(stop))
		}
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, start := range []func(context.Context) error{
		a.Ledger.Start, a.Tracking.Start, a.Pipeline.Sweep, a.scheduleCollection, a.Jobs.Start, a.Serving.Start, a.Stream.Start,
		a.Sink.Start,
	} {
		if err := start(ctx); err != nil {
			return err
		}
	}
	a.life.serving.Go(func() {
		if err := a.server.Serve(a.listener); !errors.Is(err, http.ErrServerClosed) {
			a.life.failed <- fairlead.Errorf(fairlead.Unavailable,
				"the server at %s can no longer answer: %w; start it again", a.URL(), err)
		}
	})
	a.announce(ctx)
	return nil
}

// Failed yields an error when the server ends answering by itself. It still holds the
// data directory then: Stop frees it.
func (a *App) Failed() <-chan error { return a.life.failed }

// failMax bounds the clearing up after a Start that failed, in wall time.
const failMax = 10 * time.Second

// Stop ends gracefully: no new requests, the running ones finish in half of the
// time that ctx leaves, then the services from right to left. Steps that run outlive
// it and are found again. It is safe before Start and to call twice.
func (a *App) Stop(ctx context.Context) error {
	a.life.once.Do(func() { a.life.err = a.stop(ctx) })
	return a.life.err
}

func (a *App) stop(ctx context.Context) error {
	var errs []error // nil ones are left out when joined
	close(a.life.stopping)
	if a.life.started {
		errs = append(errs, a.drain(ctx))
		a.Stream.Stop()
		a.Sink.Stop()
		errs = append(errs, a.Jobs.Stop(ctx))
		a.Tracking.Stop()
		a.Ledger.Stop()
		errs = append(errs, a.Serving.Stop(ctx))
	}
	a.life.cut()
	a.listener.Close() // closed already when it has served
	return errors.Join(append(errs, a.Data.Close(), a.Blobs.Close(), a.DB.Close(), a.dir.close())...)
}

// drain lets the running requests finish, and cuts off those that do not.
func (a *App) drain(ctx context.Context) error {
	patience, cancel := context.WithCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		patience, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
	}
	defer cancel()
	err := a.server.Shutdown(patience)
	a.life.cut()
	if err != nil {
		err = errors.Join(fmt.Errorf("requests that run: %w", err), a.server.Close())
	}
	a.listener.Close() // where Serve was not reached
	a.life.serving.Wait()
	return err
}

// abandon closes what New has opened before it failed.
func (a *App) abandon() {
	a.life.cut()
	if a.listener != nil {
		a.listener.Close()
	}
	if a.Blobs != nil {
		a.Blobs.Close()
	}
	if a.DB != nil {
		a.DB.Close()
	}
	if a.dir != nil {
		a.dir.lock.Close()
	}
}
