package rest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

const alphaFile = `
project: alpha
owner: tests
data:
  d: {from: data/*.csv, time: at, key: id, label: y}
pipeline:
  steps:
    train: {run: python train.py, in: [d], out: [model]}
release:
  production: {strategy: replace}
`

// world is the whole program with two projects; alpha has one of everything that can
// be made without running it.
type world struct {
	t       testing.TB
	app     *app.App
	token   string
	alpha   fairlead.Project
	job     string
	rollout string
	run     string
	upload  string // of 21 bytes for that run, in parts of 10

	server *httptest.Server // where a test needs a real connection
}

func newWorld(t testing.TB) *world {
	t.Helper()
	a, err := app.New(t.Context(), app.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0",
		Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, app: a}
	t.Cleanup(func() { w.stop() })
	if w.token, err = auth.ReadOwner(a.Dir()); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{alphaFile, "project: beta\n", "project: beta\nowner: b\n"} {
		rev, err := a.Projects.Apply(t.Context(), []byte(file),
			"4b825dc642cb6eb9a060e54bf8d69288fbee4904")
		if err != nil {
			t.Fatal(err)
		}
		if rev.Project.Name == "alpha" {
			w.alpha = rev.Project
		}
	}
	w.versions(5)
	w.release(1)
	w.rollout = w.release(2)
	for i := range 3 {
		w.write(func(tx *store.Tx) (err error) {
			w.job, _, err = a.Jobs.Enqueue(tx, job.Task{Project: w.alpha, Kind: "test",
				Key: string(rune('a' + i))})
			return err
		})
	}
	w.dataset(3)
	run, err := a.Tracking.StartRun(t.Context(), w.alpha, tracking.NewRun{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := a.Tracking.StartUpload(t.Context(), w.alpha, tracking.Place{
		Owner: tracking.RunOwner(run.ID), Path: "f"}, tracking.NewUpload{Bytes: 21, PartBytes: 10})
	if err != nil {
		t.Fatal(err)
	}
	w.run, w.upload = run.ID, u.ID
	if err := a.Projects.Set(t.Context(), w.alpha, spec.Settings{KeepDeleted: "60d"}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) stop() { w.app.Stop(w.t.Context()) }

func (w *world) write(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.app.DB.Write(w.t.Context(), store.Control, fn); err != nil {
		w.t.Fatal(err)
	}
}

// versions registers n packaged versions of alpha's model.
func (w *world) versions(n int64) {
	ctx, reg := w.t.Context(), w.app.Registry
	w.write(func(tx *store.Tx) error {
		_, err := reg.EnsureModel(ctx, tx, w.alpha, "alpha")
		return err
	})
	for i := range n {
		w.write(func(tx *store.Tx) error {
			run, err := w.app.Tracking.CreateRun(ctx, tx, w.alpha, tracking.NewRun{})
			if err != nil {
				return err
			}
			_, err = reg.CreateVersion(ctx, tx, w.alpha,
				registry.NewVersion{Model: "alpha", Source: "s3://bucket/model",
					RunID: run.ID, ProducedBy: registry.Lineage{Commit: "abc"}})
			if err != nil {
				return err
			}
			return reg.SetCondition(ctx, tx, w.alpha, "alpha", i+1,
				registry.Condition{Type: registry.ConditionPackaged, Status: registry.True, Ref: "00"})
		})
	}
}

// release makes a version live in production.
func (w *world) release(n int64) (id string) {
	env := spec.Environment{Name: "production", Strategy: spec.Replace, Log: spec.Durable, Keep: 1}
	w.write(func(tx *store.Tx) (err error) {
		id, err = w.app.Release.Start(w.t.Context(), tx, w.alpha,
			release.Start{Environment: env, Model: "alpha", Version: n})
		return err
	})
	return id
}

func (w *world) dataset(n int) {
	for i := range n {
		_, err := w.app.Data.Create(w.t.Context(), w.alpha, data.Create{Dataset: "d", Table: data.Table{
			Columns: []data.TableColumn{{Name: "y", Type: "double", Floats: []float64{1, 2, float64(i)}}}}})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// answer is what a call got.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call sends a request with the owner's token; path is below /api/v1.
func (w *world) call(method, path, body string, header ...string) answer {
	w.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:4747/api/v1"+path, bytes.NewBufferString(body))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+w.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.app.Handler().ServeHTTP(rec, r)
	b, err := io.ReadAll(rec.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{rec.Code, rec.Header(), b}
}

// page is a list whose items are only counted and named.
type page struct {
	Items []map[string]any `json:"items"`
	Next  string           `json:"next"`
}

func decode[T any](t testing.TB, a answer) (out T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &out); err != nil {
		t.Fatalf("%v in %d %s", err, a.status, a.body)
	}
	return out
}

// problem is RFC 9457's document.
type problem struct {
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"`
	Code   fairlead.Code `json:"code"`
}

// wantProblem fails the test unless the answer is a whole problem document.
func wantProblem(t testing.TB, what string, a answer, status int) problem {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d (%s), want %d", what, a.status, a.body, status)
		return problem{}
	}
	p := decode[problem](t, a)
	if a.header.Get("Content-Type") != "application/problem+json" || p.Status != status ||
		p.Title == "" ||
		p.Detail == "" || p.Code == "" {
		t.Errorf("%s: not a problem document: %v %s", what, a.header, a.body)
	}
	return p
}

const timeout = time.Minute
