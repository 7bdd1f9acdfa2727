package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/ledger"
)

// The bounds of streams. Times are wall time.
const (
	maxStreams   = 256  // of the server
	maxOwn       = 32   // of one caller
	maxBehind    = 1000 // events; who is further behind is told to look anew
	maxTypes     = 100  // of a filter
	gatherFor    = 100 * time.Millisecond
	gatherEach   = 2 * time.Millisecond // more for each open stream: all of them read
	heartbeat    = 15 * time.Second     // proxies cut what is silent for a minute
	streamLasts  = 30 * time.Minute
	reconnectsMS = 1000
)

// streams counts those that are open.
type streams struct {
	mu   sync.Mutex
	all  int
	whos map[string]int
}

// enter takes a place for the caller, or says why there is none.
func (s *streams) enter(who string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.whos == nil {
		s.whos = map[string]int{}
	}
	switch {
	case s.whos[who] >= maxOwn:
		return nil, fairlead.Errorf(fairlead.Throttled,
			"%s has %d streams of events open; close one, or list events with wait", who, maxOwn)
	case s.all >= maxStreams:
		return nil, fairlead.Errorf(fairlead.Throttled,
			"%d streams of events are open; try again later, or list events with wait", maxStreams)
	}
	s.all++
	s.whos[who]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.all--
		if s.whos[who]--; s.whos[who] == 0 {
			delete(s.whos, who)
		}
	}, nil
}

// gather is for how long a stream lets more events come, so that a burst is read at once.
func (s *streams) gather() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return gatherFor + time.Duration(s.all)*gatherEach
}

const streamPath = project + "/events/stream"

// streamRoute is outside the operations because its answer has no end of its own.
func (a *API) streamRoute() auth.Route {
	return auth.Route{Method: http.MethodGet, Path: streamPath, Permission: auth.Read,
		Handle: a.stream, Fail: Fail}
}

// documentStream describes the route in the document.
func (a *API) documentStream() {
	a.document(rawOp{
		op: op{id: "stream-events", method: http.MethodGet, path: streamPath,
			summary: "The project's events as server-sent events, from now or from after Last-Event-ID. " +
				"`position` tells each 15 s how far it is; `reset` that more than 1,000 were left out: " +
				"look anew, or list them", may: auth.Read},
		params: []*huma.Param{
			{Name: "types", In: "query", Schema: textSchema,
				Description: "comma-separated event types; empty for all"},
			{Name: "after", In: "query", Schema: integerSchema,
				Description: "sequence number to continue after; the header Last-Event-ID goes before it"},
		},
		answer: contentOf("text/event-stream", textSchema),
		told:   "events as they are committed, each with its number as id",
	})
}

// eventStream is one client's.
type eventStream struct {
	api    *API
	w      http.ResponseWriter
	r      *http.Request
	filter ledger.Filter // After is how far it is
	out    bytes.Buffer
}

// stream sends events until the client leaves, the server stops, the caller may no longer
// read, or its time is over; the client then comes back and goes on. It reads from the
// ledger at the client's own pace, and keeps nothing for one that is slow.
func (a *API) stream(w http.ResponseWriter, r *http.Request) error {
	p := fairlead.ProjectFrom(r.Context())
	if p.K == 0 {
		return errNoProject(p.Name)
	}
	types, err := typesOf(r.URL.Query().Get("types"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would keep events back
	if r.Method == http.MethodHead {
		return nil
	}
	leave, err := a.open.enter(auth.CallerFrom(r.Context()).Actor.String())
	if err != nil {
		return err
	}
	defer leave()
	s := &eventStream{api: a, w: w, r: r,
		filter: ledger.Filter{ProjectK: p.K, Types: types, Limit: maxBehind}}
	if err := s.begin(); err != nil {
		return err
	}
	s.run()
	return nil
}

// typesOf reads comma-separated event types; empty for all.
func typesOf(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	types := strings.Split(text, ",")
	if len(types) > maxTypes {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"types has %d event types; at most %d are taken, and none means all", len(types), maxTypes)
	}
	return types, nil
}

// begin finds the number after which to begin.
func (s *eventStream) begin() error {
	head, err := s.api.Ledger.Head(s.r.Context())
	if err != nil {
		return err
	}
	s.filter.After = head
	fmt.Fprintf(&s.out, "retry: %d\n", reconnectsMS)
	asked := s.r.Header.Get("Last-Event-ID")
	if asked == "" {
		asked = s.r.URL.Query().Get("after")
	}
	if asked == "" {
		s.position()
		return nil
	}
	after, err := strconv.ParseInt(asked, 10, 64)
	switch {
	case err != nil || after < 0:
		return fairlead.Errorf(fairlead.Invalid, "%q is no number of an event to continue after", asked)
	case after > head: // of a ledger that a backup has replaced
		s.reset(after, head)
	default:
		s.filter.After = after
		s.position()
	}
	return nil
}

// run sends until there is a reason to end.
func (s *eventStream) run() {
	beat, end := time.NewTicker(heartbeat), time.NewTimer(streamLasts)
	defer beat.Stop()
	defer end.Stop()
	for {
		appended := s.api.Ledger.Appended()
		if s.gather() != nil || s.flush() != nil {
			return
		}
		select {
		case <-appended:
			if !s.pause() {
				return
			}
		case <-beat.C:
			s.position()
		case <-end.C:
			return
		case <-s.api.Stopping:
			return
		case <-s.r.Context().Done():
			return
		}
	}
}

// pause lets more events come; false when the stream is to end meanwhile.
func (s *eventStream) pause() bool {
	gather := time.NewTimer(s.api.open.gather())
	defer gather.Stop()
	select {
	case <-gather.C:
		return true
	case <-s.api.Stopping:
	case <-s.r.Context().Done():
	}
	return false
}

// gather writes the events that are new into the buffer, for whoever may see them now.
func (s *eventStream) gather() error {
	caller, err := s.api.Tokens.Again(s.r, auth.Read)
	if err != nil {
		return err
	}
	for behind := 0; ; {
		ctx := s.r.Context()
		head, err := s.api.Ledger.Head(ctx)
		if err != nil {
			return err
		}
		records, next, err := s.api.Ledger.Search(ctx, s.filter)
		if err != nil {
			return err
		}
		if behind += len(records); behind >= maxBehind { // a search looks at a part of the ledger
			s.reset(s.filter.After, head)
			return nil
		}
		s.filter.After = max(s.filter.After, next)
		if next == 0 { // what is numbered up to head was there to be found
			s.filter.After = max(s.filter.After, head)
		}
		for _, r := range records {
			s.filter.After = max(s.filter.After, r.Seq)
		}
		if err := s.write(told(visibleTo(caller, records))); err != nil || next == 0 {
			return err
		}
	}
}

func (s *eventStream) write(events []Event) error {
	for _, e := range events {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		fmt.Fprintf(&s.out, "id: %d\ndata: %s\n\n", e.Seq, b)
	}
	return nil
}

// position tells how far the stream is, also when nothing happens.
func (s *eventStream) position() {
	fmt.Fprintf(&s.out, "event: position\nid: %d\ndata: %[1]d\n\n", s.filter.After)
}

// reset tells that events were left out.
func (s *eventStream) reset(after, head int64) {
	s.filter.After = head
	fmt.Fprintf(&s.out, "event: reset\nid: %d\ndata: {\"after\":%d,\"seq\":%[1]d}\n\n", head, after)
}

// flush sends what was written. The edge bounds how long a client may take for it.
func (s *eventStream) flush() error {
	if s.out.Len() == 0 {
		return nil
	}
	if _, err := s.out.WriteTo(s.w); err != nil {
		return err
	}
	return http.NewResponseController(s.w).Flush()
}
