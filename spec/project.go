package spec

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Tables returns the tables of projects and of their revisions (Schema is the
// JSON Schema of the file).
func Tables() store.Schema { return store.Embedded("spec", files) }

// Default is the project that calls without a prefix reach.
var Default = fairlead.Project{K: 1, Name: "default"}

// Projects keeps the projects and every revision of their files.
type Projects struct {
	known sync.Map // fairlead.Project by name; a project keeps its key and is never deleted
	files fileCache
	db    *store.DB
	led   *ledger.Ledger
	clock fairlead.Clock
}

// NewProjects returns the service over db.
func NewProjects(db *store.DB, led *ledger.Ledger, clock fairlead.Clock) *Projects {
	return &Projects{db: db, led: led, clock: clock}
}

// Revision is one applied version of a project's file. What was applied stays
// readable: it keeps to the rules of its day, whatever Parse demands by now. The
// spec is shared and must not be changed.
type Revision struct {
	Project   fairlead.Project `json:"-"`
	N         int64            `json:"revision"`
	Digest    string           `json:"digest"` // SHA-256 of the file, hex
	Commit    string           `json:"commit,omitempty"`
	AppliedAt time.Time        `json:"applied_at"`
	Body      []byte           `json:"-"`
	Spec      *Spec            `json:"spec"`
}

var projectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Get returns the project of that name.
func (s *Projects) Get(ctx context.Context, name string) (p fairlead.Project, err error) {
	if known, ok := s.known.Load(name); ok {
		return known.(fairlead.Project), nil
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		p, err = projectByName(tx, name)
		return err
	})
	if err == nil {
		s.known.Store(name, p)
	}
	return p, err
}

// List returns all projects by name.
func (s *Projects) List(ctx context.Context) (out []fairlead.Project, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		out, err = listProjects(tx)
		return err
	})
	return out, err
}

// Ensure returns the project that a file is about, and creates it when there is
// none: what a first commit is imported into.
func (s *Projects) Ensure(ctx context.Context, sp *Spec) (p fairlead.Project, err error) {
	err = s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		p, err = s.ensure(ctx, tx, sp)
		return err
	})
	return p, err
}

// Create adds a project that has no file yet; Conflict when the name is taken.
func (s *Projects) Create(ctx context.Context, name string) (p fairlead.Project, err error) {
	err = s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		_, err := projectByName(tx, name)
		if err == nil {
			return fairlead.Errorf(fairlead.Conflict, "the project %q exists already", name).
				With("exists", true)
		}
		if !fairlead.Is(err, fairlead.NotFound) {
			return err
		}
		p, err = s.ensure(ctx, tx, &Spec{Project: name, Risk: Minimal})
		return err
	})
	return p, err
}

// Apply makes body, read from commit, the project's current file; the project is
// created with its first revision. The same file from the same commit again
// changes nothing and returns the revision that stands.
func (s *Projects) Apply(ctx context.Context, body []byte, commit string) (rev *Revision, err error) {
	parsed, err := Parse(FileName, body)
	if err != nil {
		return nil, err
	}
	if len(parsed.Approvals) > 0 {
		return nil, fairlead.Errorf(fairlead.Unimplemented,
			"%s asks for approvals, and this version cannot ask anybody for them yet: "+
				"remove `approvals`, so that nobody believes that a release waits for them", FileName)
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	err = s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		p, err := s.ensure(ctx, tx, parsed)
		if err != nil {
			return err
		}
		rev, err = s.Current(tx, p)
		if err == nil && rev.Digest == digest && rev.Commit == commit {
			return nil
		}
		if err != nil && !fairlead.Is(err, fairlead.NotFound) {
			return err
		}
		n := int64(1)
		if rev != nil {
			n = rev.N + 1
		}
		now := s.clock.Now()
		rev = &Revision{Project: p, N: n, Digest: digest, Commit: commit, AppliedAt: now, Body: body, Spec: parsed}
		if err := insertRevision(tx, rev); err != nil {
			return err
		}
		_, err = s.led.Append(ctx, tx, p, "project/"+p.Name, time.Time{},
			event.ProjectApplied{Revision: n, Digest: digest, Commit: commit})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("apply %s: %w", parsed.Project, err)
	}
	return rev, nil
}

// ensure returns the project of a file, which the first Apply creates.
func (s *Projects) ensure(ctx context.Context, tx *store.Tx, sp *Spec) (fairlead.Project, error) {
	if !projectName.MatchString(sp.Project) {
		return fairlead.Project{}, fairlead.Errorf(fairlead.Invalid,
			"project %q: a name has lower-case letters, digits and inner hyphens, at most 63", sp.Project)
	}
	p, err := projectByName(tx, sp.Project)
	if !fairlead.Is(err, fairlead.NotFound) {
		return p, err
	}
	if p, err = insertProject(tx, sp, s.clock.Now()); err != nil {
		return p, err
	}
	_, err = s.led.Append(ctx, tx, p, "project/"+p.Name, time.Time{},
		event.ProjectCreated{Owner: sp.Owner, Risk: string(sp.Risk)})
	return p, err
}

// Current returns the project's newest revision; NotFound before the first.
func (s *Projects) Current(tx *store.Tx, p fairlead.Project) (*Revision, error) {
	return s.scan(p, tx.QueryRow(revisionColumns+" where project_k = ? order by rev desc limit 1", p.K))
}

// CurrentRevision is Current in a transaction of its own.
func (s *Projects) CurrentRevision(ctx context.Context, p fairlead.Project) (rev *Revision, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rev, err = s.Current(tx, p)
		return err
	})
	return rev, err
}

// Revision returns one revision of the project's file.
func (s *Projects) Revision(tx *store.Tx, p fairlead.Project, n int64) (*Revision, error) {
	return s.scan(p, tx.QueryRow(revisionColumns+" where project_k = ? and rev = ?", p.K, n))
}

// RevisionAt is Revision in a transaction of its own.
func (s *Projects) RevisionAt(ctx context.Context, p fairlead.Project, n int64) (rev *Revision, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		rev, err = s.Revision(tx, p, n)
		return err
	})
	return rev, err
}

const revisionColumns = "select rev, digest, commit_sha, body, applied_ms from spec"

func (s *Projects) scan(p fairlead.Project, row store.Row) (*Revision, error) {
	rev := &Revision{Project: p}
	var body string
	var ms int64
	err := row.Scan(&rev.N, &rev.Digest, &rev.Commit, &body, &ms)
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound,
			"project %s has no %s yet; apply one with `fairlead apply`", p.Name, FileName)
	}
	if err != nil {
		return nil, err
	}
	rev.Body, rev.AppliedAt = []byte(body), fairlead.FromMS(ms)
	rev.Spec, err = s.files.read(rev.Digest, rev.Body)
	return rev, err
}

// maxFiles bounds the files that are kept in memory.
const maxFiles = 256

// fileCache keeps the specs of stored files by their digest: transactions read
// them, where parsing takes long.
type fileCache struct {
	mu    sync.Mutex
	specs map[string]*Spec
}

func (c *fileCache) read(digest string, body []byte) (*Spec, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if sp, ok := c.specs[digest]; ok {
		return sp, nil
	}
	sp, err := parse(FileName, body, true)
	if err != nil {
		return nil, err
	}
	if len(c.specs) >= maxFiles || c.specs == nil {
		c.specs = map[string]*Spec{}
	}
	c.specs[digest] = sp
	return sp, nil
}

func insertRevision(tx *store.Tx, rev *Revision) error {
	_, err := tx.Exec(`insert into spec (project_k, rev, digest, commit_sha, body, applied_ms)
		values (?, ?, ?, ?, ?, ?)`, rev.Project.K, rev.N, rev.Digest, rev.Commit, string(rev.Body),
		rev.AppliedAt.UnixMilli())
	return err
}

func projectByName(tx *store.Tx, name string) (fairlead.Project, error) {
	p := fairlead.Project{Name: name}
	err := tx.QueryRow("select k from project where name = ?", name).Scan(&p.K)
	if errors.Is(err, store.ErrNoRows) {
		return p, fairlead.Errorf(fairlead.NotFound,
			"there is no project %q; `fairlead apply` in its repository creates it", name)
	}
	return p, err
}

func listProjects(tx *store.Tx) ([]fairlead.Project, error) {
	rows, err := tx.Query("select k, name from project order by name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []fairlead.Project
	for rows.Next() {
		var p fairlead.Project
		if err := rows.Scan(&p.K, &p.Name); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

func insertProject(tx *store.Tx, sp *Spec, now time.Time) (fairlead.Project, error) {
	p := fairlead.Project{Name: sp.Project}
	err := tx.QueryRow("insert into project (name, owner, risk, created_ms) values (?, ?, ?, ?) returning k",
		sp.Project, sp.Owner, string(sp.Risk), now.UnixMilli()).Scan(&p.K)
	return p, err
}
