package archive

import (
	"embed"
	"fmt"
	"slices"
	"sync"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of what is coming in.
func Schema() store.Schema { return store.Embedded("archive", files) }

// Deps is what the service stands on.
type Deps struct {
	DB       *store.DB
	Blobs    *blob.Store
	Projects *spec.Projects
	Tracking *tracking.Service
	Registry *registry.Service
	Clock    fairlead.Clock
	Dir      string // the data directory
	Version  string // of the program
}

// Service exports and imports, one at a time.
type Service struct {
	Deps

	busy sync.Mutex // held by what runs
	mu   sync.Mutex
	now  Report // of what runs, or ran last
}

// New returns the service; the database's schema must include Schema().
func New(d Deps) *Service { return &Service{Deps: d} }

// Counts says how much there is.
type Counts struct {
	Experiments  int64 `json:"experiments"`
	Datasets     int64 `json:"datasets"`
	Runs         int64 `json:"runs"`
	Points       int64 `json:"points"` // of metrics of runs
	LoggedModels int64 `json:"logged_models"`
	ModelPoints  int64 `json:"model_points"` // of metrics of logged models
	Models       int64 `json:"models"`       // registered, also deleted ones
	Versions     int64 `json:"versions"`     // also deleted ones
	Files        int64 `json:"files"`
	Bytes        int64 `json:"bytes"` // of the files
}

// Report is what an export has written, or an import has read.
type Report struct {
	Path     string   `json:"path"`
	Projects []string `json:"projects"`
	Counts
	Skipped int64    `json:"skipped"` // experiments, runs and models that were here already
	Left    []string `json:"left"`    // what could not be taken along, or is left as it is here
	More    int64    `json:"more"`    // how many more things were left than Left has
}

// maxLeft bounds the report.
const maxLeft = 1000

// Progress returns the report of what runs, as far as it is, or of what ran last.
func (s *Service) Progress() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.now
	r.Projects, r.Left = slices.Clone(r.Projects), slices.Clone(r.Left)
	return r
}

func (s *Service) note(change func(r *Report)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.now)
}

func (s *Service) leave(format string, args ...any) {
	s.note(func(r *Report) {
		if len(r.Left) == maxLeft {
			r.More++
			return
		}
		r.Left = append(r.Left, fmt.Sprintf(format, args...))
	})
}

// begin takes the one place for an export or import; Conflict when it is taken.
func (s *Service) begin(path string) (end func(), err error) {
	if !s.busy.TryLock() {
		return nil, fairlead.Errorf(fairlead.Conflict, "another export or import runs; wait for its end")
	}
	s.note(func(r *Report) { *r = Report{Path: path, Projects: []string{}, Left: []string{}} })
	return s.busy.Unlock, nil
}
