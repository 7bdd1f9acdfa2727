package data

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data/query"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema returns the tables of datasets, versions and holdout reads.
func Schema() store.Schema { return store.Embedded("data", migrations) }

// The types of columns.
const (
	Double   = "double"   // 64-bit float
	Long     = "long"     // 64-bit integer
	String   = "string"   // UTF-8 text
	Boolean  = "boolean"  // true or false
	Datetime = "datetime" // UTC, microseconds
)

// Where versions come from.
const (
	SourceFile     = "file"     // files of a repository
	SourceRequests = "requests" // what an endpoint was asked
	SourceSplit    = "split"    // what Split left of another version
	SourceHoldout  = "holdout"  // what Split took
	SourceUpload   = "upload"   // sent by a user
)

// HoldoutDataset is the dataset that only Split writes.
const HoldoutDataset = "holdout"

// Ref names a version of a dataset; versions count from 1.
type Ref struct {
	Dataset string `json:"dataset"`
	N       int64  `json:"n"`
}

// String returns "dataset/n".
func (r Ref) String() string { return fmt.Sprintf("%s/%d", r.Dataset, r.N) }

// Named is a pattern of SQL's like, with the escape character \, for lower-case JSON that
// names the version, or one whose name differs in case alone; any version for N = 0.
func (r Ref) Named() string {
	if r.N == 0 {
		return store.Holds(fmt.Sprintf(`{"dataset":%q,"n":`, r.Dataset))
	}
	return store.Holds(fmt.Sprintf(`{"dataset":%q,"n":%d}`, r.Dataset, r.N))
}

// Covers reports whether it names the other version too: the same, or any of the dataset
// for N = 0.
func (r Ref) Covers(other Ref) bool {
	return r.Dataset == other.Dataset && (r.N == 0 || r.N == other.N)
}

// Column is one column of a version.
type Column struct {
	Name  string `json:"name"`
	Type  string `json:"type"` // double | long | string | boolean | datetime
	Nulls int64  `json:"nulls"`
}

// Version is one immutable version of a dataset.
type Version struct {
	Dataset string          `json:"dataset"`
	N       int64           `json:"n"`
	Digest  string          `json:"digest"` // SHA-256 of the Parquet file, hex
	Bytes   int64           `json:"bytes"`
	Rows    int64           `json:"rows"`
	Columns []Column        `json:"columns"`
	Profile []ColumnProfile `json:"profile,omitempty"` // set by Get and Latest, not by List
	Source  string          `json:"source"`            // file | requests | split | holdout | upload
	Time    string          `json:"time,omitempty"`    // the column with a row's time
	Key     string          `json:"key,omitempty"`     // the column that identifies a row
	Label   string          `json:"label,omitempty"`   // the column with the truth
	// Expect is what was asked of the rows when the version was made; all of it holds.
	Expect    []spec.Expectation `json:"expect,omitempty"`
	Parents   []Ref              `json:"parents,omitempty"`
	Commit    string             `json:"commit,omitempty"`
	FromAt    time.Time          `json:"from_at,omitzero"` // the oldest row; of a holdout, the cutoff
	ToAt      time.Time          `json:"to_at,omitzero"`   // the newest row
	CreatedAt time.Time          `json:"created_at"`
}

// Ref returns the version's name.
func (v *Version) Ref() Ref { return Ref{v.Dataset, v.N} }

// Column returns the column of that name, nil when there is none.
func (v *Version) Column(name string) *Column {
	i := slices.IndexFunc(v.Columns, func(c Column) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &v.Columns[i]
}

// Service makes and reads datasets. It is safe for concurrent use.
type Service struct {
	db     *store.DB
	ledger *ledger.Ledger
	blobs  *blob.Store
	clock  fairlead.Clock
	dir    string // for files that are being written
	duck   duck
	runner *query.Runner
	sheets *query.Runner // of files that nobody has looked at
	diffs  chan struct{} // has those that are under way

	diffTime time.Duration // of a comparison
}

// New returns the service; it writes intermediate files in dir/datasets, and
// removes there what a crash left. DuckDB is not opened yet.
func New(db *store.DB, l *ledger.Ledger, blobs *blob.Store, dir string,
	clock fairlead.Clock) (*Service, error) {
	s := &Service{db: db, ledger: l, blobs: blobs, clock: clock,
		runner: query.NewRunner(0), diffTime: diffTime, sheets: query.NewRunner(sheetTime),
		diffs: make(chan struct{}, diffsAtOnce), dir: filepath.Join(dir, "datasets")}
	if err := os.RemoveAll(s.dir); err != nil {
		return nil, fmt.Errorf("clean the dataset directory: %w", err)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the dataset directory: %w", err)
	}
	s.duck.spill = filepath.Join(s.dir, "spill")
	return s, nil
}

// Close closes DuckDB if it was opened.
func (s *Service) Close() error { return s.duck.close() }

// Get returns a version; NotFound when there is none.
func (s *Service) Get(ctx context.Context, p fairlead.Project, ref Ref) (v *Version, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		v, err = readVersion(tx, p, ref)
		return err
	})
	return v, lookup(err, "dataset version "+ref.String())
}

// Latest returns the newest version of a dataset; NotFound when there is none.
func (s *Service) Latest(ctx context.Context, p fairlead.Project,
	dataset string) (v *Version, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		n, err := newest(tx, p, dataset)
		if err != nil {
			return err
		}
		v, err = readVersion(tx, p, Ref{dataset, n})
		return err
	})
	return v, lookup(err, "dataset "+dataset)
}

// Dataset is a dataset as its newest version shows it.
type Dataset struct {
	Version
	Versions int64 `json:"versions"` // how many there are
}

// List returns at most limit datasets by name, from the one behind after on, of those
// whose name contains search, in any case. Profiles are left out.
func (s *Service) List(ctx context.Context, p fairlead.Project, search, after string,
	limit int) (out []*Dataset, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		out, err = listDatasets(tx, p, search, after, limit)
		return err
	})
	return out, lookup(err, "datasets")
}

// Find returns the newest versions of the datasets whose name holds the text, blind to
// ASCII case, by name; at most limit.
func (s *Service) Find(ctx context.Context, p fairlead.Project, text string, limit int) (
	out []Ref, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		out, err = found(tx, p, text, limit)
		return err
	})
	return out, err
}

// Versions returns at most limit versions of a dataset below a number, the newest first,
// without their profiles; NotFound when there is no such dataset.
func (s *Service) Versions(ctx context.Context, p fairlead.Project, dataset string, before int64,
	limit int) (out []*Version, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		if _, err := newest(tx, p, dataset); err != nil {
			return err
		}
		out, err = listVersions(tx, p, dataset, before, limit)
		return err
	})
	return out, lookup(err, "dataset "+dataset)
}

// Children returns at most limit versions that were made of one, the newest first,
// without their profiles.
func (s *Service) Children(ctx context.Context, p fairlead.Project, ref Ref,
	limit int) (out []*Version, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		out, err = listChildren(tx, p, ref, limit)
		return err
	})
	out = slices.DeleteFunc(out, func(v *Version) bool { return !slices.Contains(v.Parents, ref) })
	return out, lookup(err, "versions made of "+ref.String())
}

func lookup(err error, what string) error {
	if errors.Is(err, store.ErrNoRows) {
		return fairlead.Errorf(fairlead.NotFound, "there is no %s in this project", what)
	}
	if err != nil {
		return fmt.Errorf("look up %s: %w", what, err)
	}
	return nil
}

// content is the name of the Parquet file among a version's files.
const content = "data.parquet"

func owner(ref Ref) blob.Owner { return blob.Owner{Kind: "dataset", ID: ref.String()} }

// Path returns the absolute name of the version's Parquet file, which must only
// be read.
func (s *Service) Path(ctx context.Context, p fairlead.Project, ref Ref) (string, error) {
	path, _, err := s.blobs.Path(ctx, p, owner(ref), content)
	if fairlead.Is(err, fairlead.NotFound) {
		return "", fairlead.Errorf(fairlead.NotFound,
			"there is no dataset version %s in this project", ref)
	}
	return path, err
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

func checkName(name string) error {
	if !nameForm.MatchString(name) {
		return fairlead.Errorf(fairlead.Invalid,
			"%q is no name of a dataset; use letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

// checkOwnName is checkName for datasets that callers write.
func checkOwnName(name string) error {
	if name == HoldoutDataset {
		return fairlead.Errorf(fairlead.Invalid,
			"%q is the name of what is held back from the pipeline; choose another", name)
	}
	return checkName(name)
}
