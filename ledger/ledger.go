package ledger

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the ledger's tables.
func Schema() store.Schema { return store.Embedded("ledger", files) }

// Record is a stored event.
type Record struct {
	Seq      int64           `json:"seq"` // from 1, without gaps, in commit order
	ID       string          `json:"id"`
	TimeMS   int64           `json:"time_ms"` // wall time
	AtMS     int64           `json:"at_ms"`   // stream time; wall time where no stream is concerned
	ProjectK int64           `json:"-"`
	Project  string          `json:"project"`
	Type     string          `json:"type"`
	Version  int             `json:"version"`
	Subject  string          `json:"subject"`
	Actor    string          `json:"actor"`
	Digest   []byte          `json:"-"`
	Body     json.RawMessage `json:"body,omitempty"`
	salt     []byte
	k        int64
}

// At is the record's stream time.
func (r *Record) At() time.Time { return fairlead.FromMS(r.AtMS) }

// ProjectRef returns the project that the event belongs to.
func (r *Record) ProjectRef() fairlead.Project {
	return fairlead.Project{K: r.ProjectK, Name: r.Project}
}

// Decode puts the event's body into payload.
func (r *Record) Decode(payload any) error {
	if err := json.Unmarshal(r.Body, payload); err != nil {
		return fmt.Errorf("event %s %s: %w", r.ID, r.Type, err)
	}
	return nil
}

// Ledger appends, reads and delivers events.
type Ledger struct {
	db     *store.DB
	clock  fairlead.Clock
	log    *slog.Logger
	signer *Signer // nil: no checkpoints

	appended atomic.Pointer[chan struct{}] // closed when events were committed
	caughtUp func()                        // told when a subscriber has seen all there is

	mu   sync.Mutex
	subs []*subscriber
	quit context.CancelFunc
	wait sync.WaitGroup
}

// New returns the ledger of db, whose schema must include Schema().
func New(db *store.DB, clock fairlead.Clock, log *slog.Logger) *Ledger {
	l := &Ledger{db: db, clock: clock, log: log}
	ch := make(chan struct{})
	l.appended.Store(&ch)
	return l
}

// OnCaughtUp registers who is told when a subscriber has seen all events, which
// happens without a commit where the last ones were not for it. Called before Start.
func (l *Ledger) OnCaughtUp(fn func()) { l.caughtUp = fn }

// SignWith makes the ledger sign checkpoints; it is called before Start.
func (l *Ledger) SignWith(s *Signer) { l.signer = s }

// Append stores one event in tx; at is the stream time it belongs to, the zero
// time meaning now. It becomes visible, with its number, when tx commits.
func (l *Ledger) Append(ctx context.Context, tx *store.Tx, p fairlead.Project, subject string,
	at time.Time, payload event.Payload) (id string, err error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return "", fmt.Errorf("append %s: %w", payload.Type(), err)
	}
	now := l.clock.Now()
	if at.IsZero() {
		at = now
	}
	r := &Record{
		ID: fairlead.NewID("ev", now), TimeMS: now.UnixMilli(), AtMS: at.UnixMilli(),
		ProjectK: p.K, Project: p.Name, Type: payload.Type(), Version: payload.Format(),
		Subject: subject, Actor: fairlead.ActorFrom(ctx).String(), Body: body, salt: newSalt(),
	}
	r.Digest = bodyDigest(r.salt, body)
	if err := insertEvent(tx, r); err != nil {
		return "", fmt.Errorf("append %s: %w", r.Type, err)
	}
	tx.AtEnd("ledger", l.number)
	return r.ID, nil
}

// number gives the batch's events their sequence numbers and Merkle leaves. It
// runs last in the only writer, so that numbers follow commit order and a reader
// that has seen n has seen all before it.
func (l *Ledger) number(tx *store.Tx) error {
	tx.AfterCommit("ledger", l.announce)
	pending, err := unnumbered(tx)
	if err != nil {
		return fmt.Errorf("number events: %w", err)
	}
	next, err := head(tx)
	if err != nil {
		return fmt.Errorf("number events: %w", err)
	}
	for _, r := range pending {
		next++
		r.Seq = next
		hashes, err := tlog.StoredHashesForRecordHash(next-1, tlog.RecordHash(leafData(r)), hashReader{tx})
		if err != nil {
			return fmt.Errorf("hash event %s: %w", r.ID, err)
		}
		if err := storeLeaf(tx, r, hashes); err != nil {
			return fmt.Errorf("number event %s: %w", r.ID, err)
		}
	}
	return nil
}

// Clock says which of an event's two times is meant.
type Clock string

// The clocks. The zero value is Wall.
const (
	Wall   Clock = ""
	Stream Clock = "stream"
)

// Filter selects records. Zero values select everything.
type Filter struct {
	ProjectK int64
	Types    []string
	Subject  string // one that ends in * is the beginning of those that are meant
	Actor    string
	From     time.Time // of Clock; wall times that a clock set back by more than a day are left out
	Until    time.Time // of Clock, exclusive
	Clock    Clock
	After    int64 // sequence number
	Limit    int   // default 100, at most 1000
	Newest   bool  // newest first; After then means before

	look       int   // events to look at before an answer; 0: all
	first, end int64 // numbers between which those of the asked time are; 0: no bound
}

// List returns the records that match, in order of their numbers.
func (l *Ledger) List(ctx context.Context, f Filter) (out []*Record, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		out, _, err = list(tx, f)
		return err
	})
	return out, err
}

// A search looks at so many events, and then at so many more, until it has what it wants
// or took so long.
const (
	lookAt  = 20_000
	lookFor = 100 * time.Millisecond
)

// Search is List for somebody who waits: it looks for a tenth of a second, at 20,000 events
// at least, and says where to go on: what After is to be for the rest, 0 when there is none.
func (l *Ledger) Search(ctx context.Context, f Filter) (out []*Record, next int64, err error) {
	f.look, f.Limit = lookAt, f.limit()
	for began := l.clock.Now(); ; f.After = next {
		var some []*Record
		err = l.db.Read(ctx, func(tx *store.Tx) error {
			some, next, err = list(tx, f)
			return err
		})
		out = append(out, some...)
		f.Limit -= len(some)
		if err != nil || next == 0 || f.Limit == 0 || l.clock.Now().Sub(began) >= lookFor {
			return out, next, err
		}
	}
}

// Event returns the event with that number, or NotFound.
func (l *Ledger) Event(tx *store.Tx, seq int64) (*Record, error) {
	found, _, err := list(tx, Filter{After: seq - 1, Limit: 1})
	if err == nil && (len(found) == 0 || found[0].Seq != seq) {
		err = fairlead.Errorf(fairlead.NotFound, "there is no event %d", seq)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Head returns the number of the newest event, 0 for none.
func (l *Ledger) Head(ctx context.Context) (seq int64, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		seq, err = head(tx)
		return err
	})
	return seq, err
}

// Appended returns a channel that is closed once an event is committed. Take it before
// looking at what there is.
func (l *Ledger) Appended() <-chan struct{} { return *l.appended.Load() }

// announce wakes the subscribers. They wait for events and not for commits: under
// metrics there are thousands of those a second without a single event.
func (l *Ledger) announce() {
	next := make(chan struct{})
	close(*l.appended.Swap(&next))
}
