package transfer

import (
	"context"
	"embed"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the table of what has been brought in.
func Schema() store.Schema { return store.Embedded("transfer", files) }

// Service imports, one import at a time.
type Service struct {
	db       *store.DB
	tracking *tracking.Service
	registry *registry.Service
	dataDir  string

	busy sync.Mutex // held by the import that runs
	mu   sync.Mutex
	now  Report          // of the import that runs, or of the last one
	said map[string]bool // what its Left has
}

// New returns the service on db, whose schema must include Schema(). No file of dataDir, the
// data directory, is ever read as one of a source.
func New(db *store.DB, tr *tracking.Service, reg *registry.Service, dataDir string) *Service {
	return &Service{db: db, tracking: tr, registry: reg, dataDir: dataDir}
}

// Report counts what the source has and Fairlead has now too.
type Report struct {
	Project      string   `json:"project"`
	Source       string   `json:"source"`
	Experiments  int      `json:"experiments"`
	Runs         int      `json:"runs"`
	LoggedModels int      `json:"logged_models"`
	Models       int      `json:"models"` // registered
	Versions     int      `json:"versions"`
	Aliases      int      `json:"aliases"`             // that were set or removed now
	Points       int      `json:"points"`              // of metrics, that were read now
	Files        int      `json:"files"`               // that were read now
	Skipped      int      `json:"skipped"`             // runs, models and versions that had come in before
	Left         []string `json:"left"`                // what could not be brought in, and why
	LeftMore     int      `json:"left_more,omitempty"` // how much more there is than Left names
}

// maxLeft bounds how much Report.Left names.
const maxLeft = 1000

// Progress returns the report of the project's import that runs, as far as it is, or of the
// last one of this server.
func (s *Service) Progress(p fairlead.Project) Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.Project != p.Name {
		return Report{Project: p.Name, Left: []string{}}
	}
	r := s.now
	r.Left = slices.Clone(r.Left)
	return r
}

func (s *Service) note(change func(r *Report)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.now)
}

// leave says once what is left out.
func (s *Service) leave(format string, args ...any) {
	s.note(func(r *Report) {
		switch what := fmt.Sprintf(format, args...); {
		case s.said[what]:
		case len(r.Left) == maxLeft:
			r.LeftMore++
		default:
			s.said[what] = true
			r.Left = append(r.Left, what)
		}
	})
}

// Source says what to import.
type Source struct {
	// From is the absolute path of MLflow's file store or of its SQLite file, the URL of its
	// Postgres database (postgresql://), or that of its server (http://, https://). No
	// password is in it.
	From      string
	Artifacts string // absolute path of what its server stores below mlflow-artifacts:/

	// How to sign in; they are neither kept nor said. Databases take the password alone.
	Username, Password, Token string
}

// experiment, run, model and registered are what sources yield.
type (
	experiment struct {
		tracking.Experiment
		DeletedMS int64
	}
	run struct {
		tracking.Run // Metrics is what the source tells of them; points has them all
		DeletedMS    int64
		Mark         string // changes when points are added
		Artifacts    string `json:"-"` // URI
	}
	model struct {
		tracking.LoggedModel        // Metrics is what the source tells of them
		Mark                 string // changes when points are added
		Artifacts            string `json:"-"` // URI
	}
	version    = registry.Version
	registered struct {
		registry.Model
		Versions []version
		LastN    int64 // highest number of a version that the source has, also of a deleted one
	}
)

// source reads a tracking server's store. What it passes to a function may not be kept.
type source interface {
	experiments(ctx context.Context) ([]experiment, error)
	runs(ctx context.Context, exp string, each func(*run) error) error
	// points passes the whole history of a run, and returns how many different points it has.
	points(ctx context.Context, exp string, r *run, each func(tracking.Metric) error) (int, error)
	models(ctx context.Context, exp string, each func(*model) error) error
	// measured is points for what runs measured on a logged model.
	measured(ctx context.Context, exp string, m *model, each func(tracking.Metric) error) (int, error)
	registered(ctx context.Context, each func(*registered) error) error
	// files passes the files below a URI, by their paths, and returns what it cannot pass.
	files(ctx context.Context, o blob.Owner, uri string,
		each func(path string, r io.Reader) error) (left []string, err error)
	close() error
}

// ImportMLflow brings in all of an MLflow store, and returns what it has and what could
// not be brought in. Conflict when another import runs, or something here has the name
// or id of something else there; what came in before that stays, and a repetition goes
// on there.
func (s *Service) ImportMLflow(ctx context.Context, p fairlead.Project, from Source) (Report,
	error) {
	if !s.busy.TryLock() {
		return Report{}, fairlead.Errorf(fairlead.Conflict, "another import runs; wait for its end")
	}
	defer s.busy.Unlock()
	s.note(func(r *Report) {
		*r = Report{Project: p.Name, Source: shown(from.From), Left: []string{}}
		s.said = map[string]bool{}
	})
	src, err := s.open(ctx, from)
	if err != nil {
		return s.Progress(p), err
	}
	defer src.close()
	im := &importing{Service: s, p: p, src: src}
	err = im.all(ctx)
	return s.Progress(p), err
}

// shown is a source without what a URL may carry to sign in.
func shown(from string) string {
	scheme, _, isURL := strings.Cut(from, "://")
	if !isURL {
		return from
	}
	u, err := url.Parse(from)
	if err != nil {
		return scheme + "://"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.User != nil {
		shown.User = url.User(u.User.Username())
	}
	return shown.String()
}

// open opens what a source names, by its scheme.
func (s *Service) open(ctx context.Context, from Source) (source, error) {
	scheme, _, isURL := strings.Cut(from.From, "://")
	if !isURL {
		return s.openLocal(from)
	}
	u, err := url.Parse(from.From)
	if err != nil || u.Host == "" {
		return nil, fairlead.Errorf(fairlead.Invalid, "the source is no URL that can be read; write it "+
			"as http://host:5000 or postgresql://user@host/database")
	}
	if _, ok := u.User.Password(); ok || u.Query().Has("password") {
		return nil, fairlead.Errorf(fairlead.Invalid, "the URL has a password in it, which others can see "+
			"in the list of processes; leave it out, and set PGPASSWORD for Postgres, or "+
			"FAIRLEAD_IMPORT_USERNAME and FAIRLEAD_IMPORT_PASSWORD for a server")
	}
	scheme, _, _ = strings.Cut(scheme, "+") // as in postgresql+psycopg2
	switch scheme {
	case "http", "https":
		return s.openRemote(u, from)
	case "postgresql", "postgres":
		u.Scheme = scheme
		return s.openPostgres(ctx, u, from)
	case "mysql", "mssql", "oracle":
		return nil, fairlead.Errorf(fairlead.Unimplemented, "%s databases cannot be read directly; start "+
			"`mlflow server --backend-store-uri %s://…` and import from its http:// address", scheme, scheme)
	}
	return nil, fairlead.Errorf(fairlead.Invalid, "%s:// is no source; name a directory, a SQLite file, "+
		"postgresql://… or http://…", scheme)
}

func (s *Service) openLocal(from Source) (source, error) {
	if !filepath.IsAbs(from.From) {
		return nil, fairlead.Errorf(fairlead.Invalid, "%q is no absolute path", from.From)
	}
	info, err := os.Stat(from.From)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is nothing to read at %s; name the directory "+
			"that MLflow's client writes (mlruns) or its SQLite file (mlflow.db)", from.From).Because(err)
	}
	if info.IsDir() {
		return s.openFiles(from)
	}
	return s.openSQLite(from)
}
