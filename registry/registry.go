package registry

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the registry's tables.
func Schema() store.Schema { return store.Embedded("registry", files) }

// Service is the registry stage. It is safe for concurrent use.
type Service struct {
	db       *store.DB
	led      *ledger.Ledger
	blobs    *blob.Store
	tracking *tracking.Service
	clock    fairlead.Clock
}

// New returns the stage on db, whose schema must include Schema().
func New(db *store.DB, led *ledger.Ledger, blobs *blob.Store, tr *tracking.Service,
	clock fairlead.Clock) *Service {
	return &Service{db: db, led: led, blobs: blobs, tracking: tr, clock: clock}
}

// Tag is a key with a text.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Write runs fn in the writer's lane for clients, for callers outside of a
// transaction such as the MLflow paths.
func (s *Service) Write(ctx context.Context, fn func(tx *store.Tx) error) error {
	return s.db.Write(ctx, store.Client, fn)
}

// Read runs fn on one snapshot.
func (s *Service) Read(ctx context.Context, fn func(tx *store.Tx) error) error {
	return s.db.Read(ctx, fn)
}

func (s *Service) nowMS() int64 { return fairlead.MS(s.clock.Now()) }

// emit appends an event about a model or version at wall time.
func (s *Service) emit(ctx context.Context, tx *store.Tx, p fairlead.Project, subject string,
	payload event.Payload) (id string, err error) {
	return s.led.Append(ctx, tx, p, subject, time.Time{}, payload)
}

func modelSubject(name string) string { return "model/" + name }

// Subject is the ledger's subject of a version.
func Subject(model string, n int64) string { return fmt.Sprintf("model/%s/%d", model, n) }

// found turns an empty result into NotFound with the given message.
func found(err error, format string, args ...any) error {
	if errors.Is(err, store.ErrNoRows) {
		return fairlead.Errorf(fairlead.NotFound, format, args...)
	}
	return err
}
