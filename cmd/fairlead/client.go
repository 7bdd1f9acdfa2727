package main

import (
	"bytes"
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
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/spec"
)

// client calls one project of one server.
type client struct {
	base    string // http://127.0.0.1:4747
	project string
	token   string
	http    *http.Client
	close   func(ctx context.Context) error // ends a server of our own
}

// connect returns a client of the server that --server names, or that serves the
// data directory; when nobody does, the program serves it itself for as long as the
// command runs.
func (c *cli) connect(ctx context.Context) (*client, error) {
	project, err := c.projectName()
	if err != nil {
		return nil, err
	}
	cl := &client{project: project, base: strings.TrimRight(c.server, "/"), http: newHTTP(),
		close: func(context.Context) error { return nil }}
	cl.token, _ = auth.ReadOwner(c.data) // a remote server's token is not on this machine
	if env := os.Getenv("FAIRLEAD_TOKEN"); env != "" {
		cl.token = env
	}
	if cl.base != "" {
		return cl, nil
	}
	if s, err := app.ReadServer(c.data); err == nil && alive(ctx, cl.http, s.URL) {
		cl.base = s.URL
		return cl, nil
	}
	return cl, c.serveOurselves(ctx, cl)
}

func newHTTP() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute}}
}

func alive(ctx context.Context, h *http.Client, base string) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/livez", nil)
	if err != nil {
		return false
	}
	res, err := h.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

func (c *cli) serveOurselves(ctx context.Context, cl *client) error {
	log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := app.New(ctx, app.Options{Dir: c.data, Listen: "127.0.0.1:0", Log: log, Version: version, Project: c.project})
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	cl.base, cl.close = a.URL(), a.Stop
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

// modelName is the model that the fairlead.yaml here is about, "" without one.
func modelName() (string, error) {
	s, err := specHere()
	if err != nil || s == nil {
		return "", err
	}
	return s.Model, nil
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

// problem is the error body of the native API (RFC 9457).
type problem struct {
	Detail string        `json:"detail"`
	Code   fairlead.Code `json:"code"`
	Error  string        `json:"error"` // the inference protocol's form
}

// do calls a path below the project (/api/v1/projects/<project>), or below the
// root when it begins with //, and decodes the answer into out. A server that is
// being restarted is waited for.
func (cl *client) do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	return cl.send(ctx, method, path, "application/json", body, out)
}

func (cl *client) url(path string) string {
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		return cl.base + "/" + rest
	}
	return cl.base + "/api/v1/projects/" + url.PathEscape(cl.project) + path
}

func (cl *client) send(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, cl.url(path), bytes.NewReader(body))
	if err != nil {
		return err
	}
	if len(body) > 0 {
		req.Header.Set("Content-Type", contentType)
	}
	if cl.token != "" {
		req.Header.Set("Authorization", "Bearer "+cl.token)
	}
	res, err := cl.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fairlead.Errorf(fairlead.Unavailable, "no server answers at %s; start one with `fairlead serve`", cl.base)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if res.StatusCode >= 400 {
		return failure(res.StatusCode, answer)
	}
	if out == nil || len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: the answer cannot be read: %w", method, path, err)
	}
	return nil
}

func failure(status int, body []byte) error {
	var p problem
	if err := json.Unmarshal(body, &p); err != nil {
		return fairlead.Errorf(fairlead.Internal, "the server answered %d: %.300s", status, body)
	}
	if p.Detail == "" {
		p.Detail = p.Error
	}
	if p.Code == "" {
		p.Code = codeOf(status)
	}
	return fairlead.Errorf(p.Code, "%s", p.Detail)
}

// codeOf is the code that an answer without one stands for.
func codeOf(status int) fairlead.Code {
	for _, c := range []fairlead.Code{fairlead.Invalid, fairlead.Unauthenticated, fairlead.Denied, fairlead.NotFound,
		fairlead.Conflict, fairlead.Gone, fairlead.Precondition, fairlead.Unavailable} {
		if c.HTTPStatus() == status {
			return c
		}
	}
	return fairlead.Internal
}
