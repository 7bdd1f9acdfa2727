package label

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the table of ground truth.
func Schema() store.Schema {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return store.Schema{Component: "label", Files: sub}
}

// Service receives ground truth and joins it.
type Service struct {
	db      *store.DB
	led     *ledger.Ledger
	stream  *stream.Service
	serving *serving.Service
	data    *data.Service
	clock   fairlead.Clock
}

// New wires the service.
func New(db *store.DB, led *ledger.Ledger, st *stream.Service, sv *serving.Service,
	d *data.Service, clock fairlead.Clock) *Service {
	return &Service{db: db, led: led, stream: st, serving: sv, data: d, clock: clock}
}

// Truth is the ground truth of one request.
type Truth struct {
	RequestID  string         `json:"request_id"`
	Value      float64        `json:"value"`
	ObservedAt time.Time      `json:"observed_at,omitzero"` // stream time; zero: now
	Columns    map[string]any `json:"columns,omitempty"`    // what else became known with it
}

// Receipt says what became of a batch.
type Receipt struct {
	Accepted   int `json:"accepted"`   // stored: new ones and corrections
	Corrected  int `json:"corrected"`  // of them, had another value before
	Duplicates int `json:"duplicates"` // were known already, or are older than what is
	Unmatched  int `json:"unmatched"`  // have no request yet; they join when it comes
}

// The bounds of one batch.
const (
	maxBatch   = 100_000
	maxColumns = 200
	maxFuture  = 5 * time.Minute // ahead of wall time
)

// Receive stores a batch of ground truth: all of it, or with an error none. The
// same batch again changes nothing. A label with another value than the stored
// one corrects it when it was observed later.
func (s *Service) Receive(ctx context.Context, p fairlead.Project, endpoint string, batch []Truth, source string) (*Receipt, error) {
	if err := s.check(batch); err != nil {
		return nil, err
	}
	var rec *Receipt
	err := s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		rec = &Receipt{}
		now, err := s.stream.NowOrWall(tx, p, endpoint)
		if err != nil {
			return err
		}
		times, err := s.serving.RequestTimes(tx, p, endpoint, ids(batch))
		if err != nil {
			return err
		}
		ev := event.LabelsReceived{Endpoint: endpoint}
		for i := range batch {
			if err := s.receive(tx, p, endpoint, &batch[i], now, source, times, rec, &ev); err != nil {
				return err
			}
		}
		if rec.Accepted == 0 {
			return nil
		}
		ev.Count = rec.Accepted
		_, err = s.led.Append(ctx, tx, p, "endpoint/"+endpoint, now, ev)
		return err
	})
	return rec, err
}

func (s *Service) check(batch []Truth) error {
	if len(batch) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "the batch has no labels")
	}
	if len(batch) > maxBatch {
		return fairlead.Errorf(fairlead.Invalid, "the batch has %d labels; send at most %d at once", len(batch), maxBatch)
	}
	latest := s.clock.Now().Add(maxFuture)
	for i, t := range batch {
		switch {
		case t.RequestID == "":
			return fairlead.Errorf(fairlead.Invalid, "label %d has no request_id", i)
		case math.IsNaN(t.Value) || math.IsInf(t.Value, 0):
			return fairlead.Errorf(fairlead.Invalid, "label %d (%s) has no finite value", i, t.RequestID)
		case t.ObservedAt.After(latest):
			return fairlead.Errorf(fairlead.Invalid, "label %d (%s) was observed in the future, at %s",
				i, t.RequestID, t.ObservedAt.Format(time.RFC3339))
		case len(t.Columns) > maxColumns:
			return fairlead.Errorf(fairlead.Invalid, "label %d (%s) has %d columns; at most %d", i, t.RequestID, len(t.Columns), maxColumns)
		}
	}
	return nil
}

func (s *Service) receive(tx *store.Tx, p fairlead.Project, endpoint string, t *Truth, now time.Time,
	source string, times map[string]int64, rec *Receipt, ev *event.LabelsReceived) error {
	observed := t.ObservedAt
	if observed.IsZero() {
		observed = now
	}
	old, err := readTruth(tx, p, endpoint, t.RequestID)
	if err != nil {
		return err
	}
	if old != nil && (old.value == t.Value || old.observedMS >= observed.UnixMilli()) {
		rec.Duplicates++
		return nil
	}
	columns, err := json.Marshal(t.Columns)
	if err != nil {
		return fmt.Errorf("label %s: %w", t.RequestID, err)
	}
	row := truthRow{value: t.Value, columns: string(columns), observedMS: observed.UnixMilli(),
		receivedMS: s.clock.Now().UnixMilli(), source: source}
	if err := writeTruth(tx, p, endpoint, t.RequestID, row); err != nil {
		return err
	}
	rec.Accepted++
	if old != nil {
		rec.Corrected++
	}
	ev.WatermarkMS = max(ev.WatermarkMS, row.observedMS)
	at, ok := times[t.RequestID]
	if !ok {
		rec.Unmatched++
		return nil
	}
	ev.Joined++
	if ev.FirstAtMS == 0 || at < ev.FirstAtMS {
		ev.FirstAtMS = at
	}
	ev.LastAtMS = max(ev.LastAtMS, at)
	return nil
}

func ids(batch []Truth) []string {
	out := make([]string, len(batch))
	for i, t := range batch {
		out[i] = t.RequestID
	}
	return out
}
