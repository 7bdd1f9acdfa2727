package tracking

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns tracking's tables.
func Schema() store.Schema { return store.Embedded("tracking", files) }

// Service is the tracking stage. It is safe for concurrent use.
type Service struct {
	db    *store.DB
	led   *ledger.Ledger
	blobs *blob.Store
	clock fairlead.Clock
	log   *slog.Logger
	keys  keyCache
	seen  seenKeys
	index *indexer
	lists listings
	thin  thinned
}

// New returns the stage on db, whose schema must include Schema().
func New(db *store.DB, led *ledger.Ledger, blobs *blob.Store, clock fairlead.Clock,
	log *slog.Logger) *Service {
	return &Service{db: db, led: led, blobs: blobs, clock: clock, log: log, index: newIndexer()}
}

// Tag is a key with a text that may change.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Param is a key with a text that never changes.
type Param struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Lifecycle states of experiments, runs and logged models.
const (
	Active  = "active"
	Deleted = "deleted"
	purging = "purging" // a purge has begun: it is no longer found, and goes for good
)

// View says which lifecycle states a search returns.
type View string

// The views; the zero value is ActiveOnly.
const (
	ActiveOnly  View = "ACTIVE_ONLY"
	DeletedOnly View = "DELETED_ONLY"
	All         View = "ALL"
)

// condition returns the view as a condition on a state column.
func (v View) condition(column string) string {
	switch v {
	case DeletedOnly:
		return column + " = 'deleted'"
	case All:
		return column + " in ('active', 'deleted')"
	}
	return column + " = 'active'"
}

func (s *Service) nowMS() int64 { return fairlead.MS(s.clock.Now()) }

// emit appends an event about subject at wall time.
func (s *Service) emit(ctx context.Context, tx *store.Tx, p fairlead.Project, subject string,
	payload event.Payload) error {
	_, err := s.led.Append(ctx, tx, p, subject, time.Time{}, payload)
	return err
}

// found turns an empty result into NotFound with the given message.
func found(err error, format string, args ...any) error {
	if errors.Is(err, store.ErrNoRows) {
		return fairlead.Errorf(fairlead.NotFound, format, args...)
	}
	return err
}

// exists is the Conflict of a name that is taken. Its detail "exists" tells it
// from other conflicts, because MLflow has its own code for it.
func exists(format string, args ...any) error {
	return fairlead.Errorf(fairlead.Conflict, format, args...).With("exists", true)
}
