package label

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"slices"
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

// Truth is the ground truth of one request. A class is its number, a boolean 0 or 1.
type Truth struct {
	RequestID  string    `json:"request_id"`
	Value      float64   `json:"value"`
	ObservedAt time.Time `json:"observed_at,omitzero"` // stream time; zero: now
	Columns    Columns   `json:"columns,omitempty"`    // what else became known with it
}

// Columns are values by name. Numbers are read as they are written: a whole number keeps
// all its digits on the way into a dataset.
type Columns map[string]any

// UnmarshalJSON reads an object, or null.
func (c *Columns) UnmarshalJSON(b []byte) (err error) {
	*c, err = object(string(b))
	return err
}

// Receipt says what became of a batch.
type Receipt struct {
	Accepted   int `json:"accepted"`   // stored: new ones and corrections
	Corrected  int `json:"corrected"`  // of them, say something else than what was known then
	Duplicates int `json:"duplicates"` // were known already
	Unmatched  int `json:"unmatched"`  // of the accepted, have no request yet; they join when it comes
}

// The bounds of one batch.
const (
	maxBatch   = 100_000
	partRows   = 5_000 // of one transaction: other writes wait for one at most
	maxColumns = 200
)

// Receive stores a batch of ground truth. A bad label refuses the whole batch; what
// else fails leaves whole parts of partRows labels stored, and the same batch again
// changes nothing about them. A label that says something else than one before it
// corrects that from its own observed_at on; of two that were observed at the same time
// the greater value counts, whichever came first. A label without observed_at is known
// from the stream's time on; one that comes before the stream has begun, from its
// beginning on, whether that will be now or, in a replay, long ago, and after what is
// known of the request already.
func (s *Service) Receive(ctx context.Context, p fairlead.Project, endpoint string, batch []Truth, source string) (*Receipt, error) {
	if err := s.check(batch); err != nil {
		return nil, err
	}
	rows, err := s.rowsOf(batch, source)
	if err != nil {
		return nil, err
	}
	var sum Receipt
	for part := range slices.Chunk(rows, partRows) {
		rec, err := s.store(ctx, p, endpoint, part)
		if err != nil {
			return nil, err
		}
		sum.Accepted, sum.Corrected = sum.Accepted+rec.Accepted, sum.Corrected+rec.Corrected
		sum.Duplicates, sum.Unmatched = sum.Duplicates+rec.Duplicates, sum.Unmatched+rec.Unmatched
	}
	return &sum, nil
}

// store stores a part of a batch, with one event when it changes something.
func (s *Service) store(ctx context.Context, p fairlead.Project, endpoint string, rows []truthRow) (rec Receipt, err error) {
	err = s.db.Write(ctx, store.Bulk, func(tx *store.Tx) (err error) {
		b := &receiving{tx: tx, project: p, endpoint: endpoint}
		if b.now, err = s.stream.Now(tx, p, endpoint); err != nil {
			return err
		}
		if err := b.receive(rows); err != nil {
			return err
		}
		if b.receipt.Accepted > 0 {
			ev, err := b.event(s.serving)
			if err != nil {
				return err
			}
			if _, err := s.led.Append(ctx, tx, p, "endpoint/"+endpoint, b.now, ev); err != nil {
				return err
			}
		}
		rec = b.receipt
		return nil
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
	latest := s.clock.Now().Add(stream.MaxFuture)
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

// rowsOf writes the labels as they are stored; observedMS 0 stands for now.
func (s *Service) rowsOf(batch []Truth, source string) ([]truthRow, error) {
	rows, received := make([]truthRow, len(batch)), s.clock.Now().UnixMilli()
	for i, t := range batch {
		columns := "null"
		if len(t.Columns) > 0 {
			b, err := json.Marshal(t.Columns)
			if err != nil {
				return nil, fairlead.Errorf(fairlead.Invalid, "label %d (%s) has columns that are no JSON: %w", i, t.RequestID, err)
			}
			columns = string(b)
		}
		rows[i] = truthRow{requestID: t.RequestID, value: t.Value, columns: columns,
			observedMS: fairlead.MS(t.ObservedAt), receivedMS: received, source: source}
	}
	return rows, nil
}

// receiving is one batch on its way into the table.
type receiving struct {
	tx       *store.Tx
	project  fairlead.Project
	endpoint string
	now      time.Time             // stream time; zero: it has not begun
	known    map[string][]truthRow // by request, in the order of observation
	fresh    []truthRow
	index    map[observation]int // in fresh
	accepted []truthRow
	receipt  Receipt
}

// observation is what tells rows apart.
type observation struct {
	requestID  string
	observedMS int64
}

func (t truthRow) observation() observation { return observation{t.requestID, t.observedMS} }

func (b *receiving) receive(rows []truthRow) error {
	ids := make([]string, len(rows))
	for i, t := range rows {
		ids[i] = t.requestID
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	b.known, b.index = make(map[string][]truthRow, len(rows)), make(map[observation]int, len(rows))
	err := eachTruth(b.tx, b.project, b.endpoint, ids, math.MaxInt64, func(t truthRow) {
		b.known[t.requestID] = append(b.known[t.requestID], t)
	})
	if err != nil {
		return fmt.Errorf("labels of %s: %w", b.endpoint, err)
	}
	for _, t := range rows {
		if err := b.take(t); err != nil {
			return err
		}
	}
	return insertTruths(b.tx, b.project, b.endpoint, b.fresh)
}

// take decides what becomes of one label.
func (b *receiving) take(t truthRow) error {
	known := b.known[t.requestID]
	implicit := t.observedMS == 0
	if implicit {
		t.observedMS = fairlead.MS(b.now)
		if b.now.IsZero() && len(known) > 0 {
			t.observedMS = known[len(known)-1].observedMS + 1
		}
	}
	i, same := slices.BinarySearchFunc(known, t.observedMS, func(k truthRow, ms int64) int {
		return int(min(max(k.observedMS-ms, -1), 1))
	})
	before := i - 1
	if same {
		before = i
	}
	said := before >= 0 && known[before].says(t)
	switch {
	case said && (same || implicit), same && !t.over(known[i]):
		b.receipt.Duplicates++
		return nil
	case same:
		known[i].value, known[i].columns = t.value, t.columns
		if err := b.replace(t); err != nil {
			return err
		}
	default:
		b.known[t.requestID] = slices.Insert(known, i, t)
		b.index[t.observation()] = len(b.fresh)
		b.fresh = append(b.fresh, t)
	}
	if before >= 0 && !said {
		b.receipt.Corrected++
	}
	b.receipt.Accepted++
	b.accepted = append(b.accepted, t)
	return nil
}

// replace changes a row that is stored, or is about to be.
func (b *receiving) replace(t truthRow) error {
	if i, ok := b.index[t.observation()]; ok {
		b.fresh[i] = t
		return nil
	}
	return updateTruth(b.tx, b.project, b.endpoint, t)
}

// event says what was accepted, and which requests it is about.
func (b *receiving) event(sv *serving.Service) (event.LabelsReceived, error) {
	ev := event.LabelsReceived{Endpoint: b.endpoint, Count: b.receipt.Accepted}
	ids := make([]string, len(b.accepted))
	for i, t := range b.accepted {
		ids[i] = t.requestID
		ev.WatermarkMS = max(ev.WatermarkMS, t.observedMS)
	}
	times, err := sv.RequestTimes(b.tx, b.project, b.endpoint, ids)
	if err != nil {
		return ev, err
	}
	for _, id := range ids {
		at, ok := times[id]
		if !ok {
			b.receipt.Unmatched++
			continue
		}
		ev.Joined++
		if ev.FirstAtMS == 0 || at < ev.FirstAtMS {
			ev.FirstAtMS = at
		}
		ev.LastAtMS = max(ev.LastAtMS, at)
	}
	return ev, nil
}
