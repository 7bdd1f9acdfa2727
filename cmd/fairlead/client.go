package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/ops"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/spec"
)

// client calls one project of one server; goroutines may share it.
type client struct {
	base    string // http://127.0.0.1:4747
	project string
	token   string
	user    string // who signs in with a password instead, and it
	secret  string
	http    *http.Client
	own     bool        // the server lives in this process, and ends with the command
	met     atomic.Bool // the server has answered before, so it comes back when it is gone
	close   func(ctx context.Context) error
}

// tokenVar names the environment variable with the token of a server whose data
// directory is not here.
const tokenVar = "FAIRLEAD_TOKEN"

// connect returns a client of the server that --server names, or that serves the
// data directory; when nobody does, the program serves it itself for as long as the
// command runs.
func (c *cli) connect(ctx context.Context) (*client, error) {
	project, err := c.projectName()
	if err != nil {
		return nil, err
	}
	cl := &client{project: project, base: strings.TrimRight(c.server, "/"), http: newHTTP(),
		token: os.Getenv(tokenVar), close: func(context.Context) error { return nil }}
	if cl.base != "" {
		return cl, cl.checkServer(ctx, c.data)
	}
	return cl, c.findServer(ctx, cl)
}

// checkServer refuses an address that is none, and takes the token of the data
// directory when that is the server's: no other server gets to see it, nor another
// program that the same name leads to later.
func (cl *client) checkServer(ctx context.Context, data string) error {
	u, err := url.Parse(cl.base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return usage("--server is %q; write it as http://127.0.0.1:4747", cl.shown())
	}
	if cl.token != "" || u.User != nil || !auth.LoopbackHost(u.Host) {
		return nil // somebody's, or another machine's; what needs a token will say so
	}
	if token, err := auth.ReadOwner(data); err == nil {
		if proven, err := ops.Challenge(ctx, cl.base, token); err == nil {
			cl.base, cl.token = proven.URL, token
		}
	}
	return nil
}

// findServer takes the server that serves the data directory, or becomes one. A
// server that holds the directory and does not answer yet is waited for.
func (c *cli) findServer(ctx context.Context, cl *client) error {
	for deadline := time.Now().Add(startingMax); ; {
		if s, err := app.FindServer(ctx, c.data); err == nil {
			cl.base, cl.token = s.URL, cmp.Or(cl.token, s.Token)
			return nil
		}
		err := c.serveOurselves(ctx, cl)
		if !fairlead.Is(err, fairlead.Conflict) || time.Now().After(deadline) {
			return err
		}
		if err := pause(ctx, retryFirst); err != nil {
			return err
		}
	}
}

// startingMax bounds how long a server may take to start, in wall time.
const startingMax = 3 * time.Second

func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32,
		IdleConnTimeout: time.Minute}}
}

func (c *cli) serveOurselves(ctx context.Context, cl *client) error {
	log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := c.newServer(ctx, newServerSettings(), "127.0.0.1:0", log)
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	cl.base, cl.own, cl.close = a.URL(), true, a.Stop
	cl.token, err = auth.ReadOwner(c.data)
	return err
}

// with calls fn with a client, and ends a server of our own behind it.
func (c *cli) with(ctx context.Context, fn func(cl *client) error) (err error) {
	cl, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopMax)
		defer cancel()
		err = errors.Join(err, cl.close(stop))
	}()
	return fn(cl)
}

// projectName is --project, or what the fairlead.yaml here says.
func (c *cli) projectName() (string, error) {
	if c.project != "" {
		return c.project, nil
	}
	s, err := specHere()
	if err != nil || s == nil {
		return spec.Default.Name, err
	}
	return s.Project, nil
}

// modelOf is the model that the arguments name, or that of the fairlead.yaml here. Of
// another project nothing is known here but that a model is named after its project
// unless the file says otherwise.
func (c *cli) modelOf(args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	s, err := specHere()
	switch {
	case err != nil:
		return "", err
	case s != nil && (c.project == "" || c.project == s.Project):
		return s.Model, nil
	case c.project != "":
		return c.project, nil
	}
	return "", usage("there is no %s here; name the model", spec.FileName)
}

// specHere parses the fairlead.yaml of the working directory; nil when there is none.
func specHere() (*spec.Spec, error) {
	body, err := os.ReadFile(spec.FileName)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return spec.Parse(spec.FileName, body)
}

// problem is the error body of the native API (RFC 9457), or of another protocol.
type problem struct {
	Detail  string          `json:"detail"`
	Extra   json.RawMessage `json:"extra"`
	Code    fairlead.Code   `json:"code"`
	Message string          `json:"message"` // MLflow's form
	Error   string          `json:"error"`   // the inference protocol's
}

// place is where something is in a text that was sent, from 1; 0: it is nowhere.
type place struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// do calls a path below the project (/api/v1/projects/<project>), or below the
// root when it begins with //, and decodes the answer into out. A reading call waits
// for a server that is being restarted.
func (cl *client) do(ctx context.Context, method, path string, in, out any) error {
	return cl.call(ctx, method, path, in, out, nil)
}

// once is do for a change that must not be made twice: it carries an
// Idempotency-Key, so that it too can be repeated when the server is restarted.
func (cl *client) once(ctx context.Context, method, path string, in, out any) error {
	return cl.call(ctx, method, path, in, out, http.Header{idempotencyKey: {fairlead.NewHexID()}})
}

const idempotencyKey = "Idempotency-Key"

func (cl *client) call(ctx context.Context, method, path string, in, out any,
	header http.Header) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	repeatable := method == http.MethodGet || header.Get(idempotencyKey) != ""
	deadline := time.Now().Add(restartMax)
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		err := cl.roundTrip(ctx, method, path, header, body, out)
		if !repeatable || !cl.met.Load() || !fairlead.Is(err, fairlead.Unavailable) ||
			time.Now().After(deadline) {
			return err
		}
		if pause(ctx, wait) != nil {
			return err
		}
	}
}

// A server that is gone is asked again for restartMax, at growing intervals; wall
// time.
const (
	restartMax = 15 * time.Second
	retryFirst = 50 * time.Millisecond
	retryLast  = time.Second
)

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// every returns all items of a list, page by page.
func every[T any](ctx context.Context, cl *client, path string, q url.Values) (all []T, err error) {
	for {
		var page fairlead.Page[T]
		if err := cl.do(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		q.Set("page", page.Next)
	}
}

func (cl *client) url(path string) string {
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		return cl.base + "/" + rest
	}
	return cl.base + "/api/v1/projects/" + url.PathEscape(cl.project) + path
}

// mayDetach refuses to leave work to a server that ends with this command.
func (cl *client) mayDetach(detach bool) error {
	if detach && cl.own {
		return usage("no server runs that would go on with it; start one with `fairlead serve`, or leave out --detach")
	}
	return nil
}

// send calls a path with a body of any type, once.
func (cl *client) send(ctx context.Context, method, path, contentType string, body []byte,
	out any) error {
	return cl.roundTrip(ctx, method, path, http.Header{"Content-Type": {contentType}}, body, out)
}

func (cl *client) roundTrip(ctx context.Context, method, path string, header http.Header,
	body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, cl.url(path), bytes.NewReader(body))
	if err != nil {
		return err
	}
	if len(body) > 0 || header.Get(idempotencyKey) != "" {
		req.Header = header.Clone()
	}
	return cl.exchange(req, out)
}

// exchange sends a request with who asks it, and decodes the answer.
func (cl *client) exchange(req *http.Request, out any) error {
	ctx := req.Context()
	cl.sign(req)
	res, err := cl.http.Do(req)
	if err != nil {
		return cl.gone(ctx, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return cl.gone(ctx, err)
	}
	cl.met.Store(true)
	if res.StatusCode >= http.StatusBadRequest {
		return refusal(res.StatusCode, answer)
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fairlead.Errorf(fairlead.Internal, "%s does not answer as a Fairlead server does (%s %s)",
			cl.shown(), req.Method, req.URL.Path).Because(err)
	}
	return nil
}

// copy sends a JSON body and writes the answer, of any kind and length, as it comes.
func (cl *client) copy(ctx context.Context, path string, body any, to io.Writer) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cl.url(path), bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	cl.sign(req)
	res, err := cl.http.Do(req)
	if err != nil {
		return cl.gone(ctx, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		answer, err := io.ReadAll(res.Body)
		if err != nil {
			return cl.gone(ctx, err)
		}
		return refusal(res.StatusCode, answer)
	}
	if _, err := io.Copy(to, res.Body); err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "the answer broke off before its end: it is "+
			"longer than the server gives at once, or took too long: %w", err)
	}
	return nil
}

// sign adds who asks.
func (cl *client) sign(req *http.Request) {
	switch {
	case cl.user != "":
		req.SetBasicAuth(cl.user, cl.secret)
	case cl.token != "":
		req.Header.Set("Authorization", "Bearer "+cl.token)
	}
}

// gone says what to do when no answer came.
func (cl *client) gone(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return &statusError{fairlead.ExitError, "interrupted"}
	case errors.Is(err, syscall.ECONNREFUSED) && !cl.met.Load():
		return fairlead.Errorf(fairlead.Unavailable,
			"no server answers at %s; start one with `fairlead serve`", cl.shown())
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fairlead.Errorf(fairlead.Unavailable,
			"the server at %s has gone; what it was doing goes on when it runs again: `fairlead serve`",
			cl.shown())
	}
	return fairlead.Errorf(fairlead.Unavailable, "%s cannot be reached: %w", cl.shown(), err)
}

// shown is the server's address without a password.
func (cl *client) shown() string {
	u, err := url.Parse(cl.base)
	if err != nil {
		return "the server"
	}
	return u.Redacted()
}

func refusal(status int, body []byte) error {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil || p.Detail+p.Message+p.Error == "" {
		return fairlead.Errorf(codeOf(status), "the server answered %d: %.300s", status, body)
	}
	p.Detail = cmp.Or(p.Detail, p.Message, p.Error)
	if p.Code == "" {
		p.Code = codeOf(status)
	}
	var at place
	if json.Unmarshal(p.Extra, &at) == nil && at.Line > 0 {
		p.Detail = fmt.Sprintf("line %d, column %d: %s", at.Line, at.Column, p.Detail)
	}
	return fairlead.Errorf(p.Code, "%s", p.Detail)
}

// codeOf is the code that an answer without one stands for.
func codeOf(status int) fairlead.Code {
	for _, c := range []fairlead.Code{fairlead.Invalid, fairlead.Unauthenticated, fairlead.Denied,
		fairlead.NotFound, fairlead.Conflict, fairlead.Gone, fairlead.Precondition, fairlead.Exhausted,
		fairlead.Throttled, fairlead.Unavailable} {
		if c.HTTPStatus() == status {
			return c
		}
	}
	return fairlead.Internal
}
