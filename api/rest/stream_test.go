package rest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// message is one server-sent event.
type message struct{ id, event, data string }

// follower is a client of a stream.
type follower struct {
	t        *testing.T
	messages chan message // closed when the server ends the stream
	leave    func()
}

// follow opens a stream over a real connection; query begins with ? or is empty.
func (w *world) follow(t *testing.T, sign func(*http.Request), query string) *follower {
	t.Helper()
	resp, leave := w.open(t, sign, query)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" ||
		resp.Header.Get("X-Accel-Buffering") != "no" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	f := &follower{t: t, messages: make(chan message, 100), leave: leave}
	go func() {
		defer close(f.messages)
		var m message
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			switch field, value, _ := strings.Cut(lines.Text(), ": "); field {
			case "id":
				m.id = value
			case "event":
				m.event = value
			case "data":
				m.data = value
			case "":
				f.messages <- m
				m = message{}
			}
		}
	}()
	return f
}

func (w *world) open(t *testing.T, sign func(*http.Request), query string) (*http.Response, func()) {
	t.Helper()
	if w.server == nil {
		w.server = httptest.NewServer(w.app.Handler())
		t.Cleanup(w.server.Close)
	}
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET",
		w.server.URL+"/api/v1/projects/alpha/events/stream"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	if sign != nil {
		sign(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(); resp.Body.Close() })
	return resp, leave
}

// next returns the next message; ok is false when the stream has ended.
func (f *follower) next() (m message, ok bool) {
	f.t.Helper()
	select {
	case m, ok = <-f.messages:
	case <-time.After(timeout):
		f.t.Fatal("nothing comes")
	}
	return m, ok
}

func (f *follower) wantEvent(kind, text string) {
	f.t.Helper()
	m, _ := f.next()
	var e struct {
		Seq        json.Number
		Type, Text string
	}
	if err := json.Unmarshal([]byte(m.data), &e); err != nil || m.event != "" || e.Seq.String() != m.id ||
		e.Type != kind || e.Text != text {
		f.t.Errorf("%+v, want %s %q (%v)", m, kind, text, err)
	}
}

// append appends an event to a project.
func (w *world) append(p fairlead.Project, e event.Payload) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		_, err := w.app.Ledger.Append(w.t.Context(), tx, p, "model/m", time.Time{}, e)
		return err
	})
}

func (w *world) head() int64 {
	head, err := w.app.Ledger.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

func TestStream_TellsWhatHappensFromNowOn(t *testing.T) {
	w := newWorld(t)
	f := w.follow(t, w.owner, "")
	if m, _ := f.next(); m.event != "position" || m.data != fmt.Sprint(w.head()) || m.id != m.data {
		t.Fatalf("it begins with %+v", m)
	}
	w.append(fairlead.Project{K: w.alpha.K + 1, Name: "other"}, event.LoopPaused{Model: "hidden"})
	w.append(w.alpha, event.LoopPaused{Model: "m", Paused: true})
	f.wantEvent(event.LoopPausedType, "The loop of m was paused")
}

func TestStream_GoesOnAfterTheLastEventID(t *testing.T) {
	w := newWorld(t)
	after := w.head()
	for range 3 {
		w.append(w.alpha, event.LoopPaused{Model: "m"})
	}
	last := func(r *http.Request) { w.owner(r); r.Header.Set("Last-Event-ID", fmt.Sprint(after+1)) }
	for name, f := range map[string]*follower{
		"header": w.follow(t, last, "?after=0"),
		"query":  w.follow(t, w.owner, fmt.Sprintf("?after=%d", after+1)),
	} {
		if m, _ := f.next(); m.event != "position" || m.id != fmt.Sprint(after+1) {
			t.Errorf("%s: it begins with %+v", name, m)
		}
		for n := after + 2; n <= after+3; n++ {
			if m, _ := f.next(); m.id != fmt.Sprint(n) {
				t.Errorf("%s: %+v, want %d", name, m, n)
			}
		}
	}
}

func TestStream_FiltersByType(t *testing.T) {
	w := newWorld(t)
	f := w.follow(t, w.owner, "?types=case.opened,loop.paused")
	f.next()
	w.append(w.alpha, event.AliasMoved{Model: "m", Alias: "live", To: 1})
	w.append(w.alpha, event.LoopPaused{Model: "m"})
	f.wantEvent(event.LoopPausedType, "The loop of m goes on")
}

// Who is far behind is told so, and does not make the server read all of the past.
func TestStream_TellsWhoIsFarBehindToLookAnew(t *testing.T) {
	w := newWorld(t)
	after := w.head()
	w.write(func(tx *store.Tx) error {
		for range 1001 {
			if _, err := w.app.Ledger.Append(t.Context(), tx, w.alpha, "model/m", time.Time{},
				event.LoopPaused{Model: "m"}); err != nil {
				return err
			}
		}
		return nil
	})
	head := w.head()
	for name, query := range map[string]string{"behind": fmt.Sprintf("?after=%d", after),
		"ahead": "?after=999999"} {
		f := w.follow(t, w.owner, query)
		m, _ := f.next()
		for m.event == "position" {
			m, _ = f.next()
		}
		if m.event != "reset" || m.id != fmt.Sprint(head) || !strings.Contains(m.data, fmt.Sprint(head)) {
			t.Errorf("%s: %+v, want a reset to %d", name, m, head)
		}
		f.leave()
	}
	f := w.follow(t, w.owner, fmt.Sprintf("?after=%d", head-1))
	f.next()
	f.wantEvent(event.LoopPausedType, "The loop of m goes on")
}

// A search of the ledger looks at a part of it; events of all parts count.
func TestStream_CountsWhatIsBehindOverAllParts(t *testing.T) {
	w := newWorld(t)
	after := w.head()
	for range 2 {
		for range 21 {
			w.write(func(tx *store.Tx) error {
				for i := range 1000 {
					var e event.Payload = event.AliasMoved{Model: "m"}
					if i < 25 {
						e = event.LoopPaused{Model: "m"}
					}
					if _, err := w.app.Ledger.Append(t.Context(), tx, w.alpha, "model/m", time.Time{}, e); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	f := w.follow(t, w.owner, fmt.Sprintf("?types=loop.paused&after=%d", after))
	for n := 0; ; n++ {
		m, _ := f.next()
		if m.event == "reset" {
			return
		}
		if n > 1000 {
			t.Fatalf("%+v after a thousand others", m)
		}
	}
}

func TestStream_HidesWhatTheListHides(t *testing.T) {
	w := newWorld(t)
	people(t, w)
	bob := w.follow(t, password("bob", phrase), "")
	ada := w.follow(t, password("ada", phrase), "")
	bob.next()
	ada.next()
	w.append(w.alpha, event.AccessChanged{Change: "user.added", User: "eve", Everywhere: true})
	w.append(w.alpha, event.LoopPaused{Model: "m"})
	bob.wantEvent(event.LoopPausedType, "The loop of m goes on")
	ada.wantEvent(event.AccessChangedType, "The account eve was made")
}

func TestStream_EndsWhenTheCallerMayNoLongerRead(t *testing.T) {
	w := newWorld(t)
	people(t, w)
	bob := w.follow(t, password("bob", phrase), "")
	bob.next()
	if err := w.app.Accounts.Revoke(t.Context(), w.alpha, "bob", auth.Viewer); err != nil {
		t.Fatal(err)
	}
	if m, ok := bob.next(); ok {
		t.Errorf("bob is still told: %+v", m)
	}
}

func TestStream_EndsWhenTheOwnersBrowserSignsOut(t *testing.T) {
	w := newWorld(t)
	secret, _, err := w.app.Tokens.Enter(t.Context(), auth.Link(w.token, time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	browser := func(r *http.Request) {
		c := auth.SessionCookie(r, secret, time.Time{})
		r.Header.Set("Cookie", c.Name+"="+c.Value)
	}
	people(t, w) // so that nobody is trusted for where they are
	f := w.follow(t, func(r *http.Request) { r.Host = r.URL.Host; browser(r) }, "")
	f.next()
	if err := w.app.Tokens.SignOut(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	w.append(w.alpha, event.LoopPaused{Model: "m"})
	if m, ok := f.next(); ok {
		t.Errorf("it is still told: %+v", m)
	}
}

func TestStream_EndsWhenTheServerStops(t *testing.T) {
	w := newWorld(t)
	f := w.follow(t, w.owner, "")
	f.next()
	w.stop()
	if m, ok := f.next(); ok {
		t.Errorf("%+v", m)
	}
}

func TestStream_RefusesAndBoundsItsCallers(t *testing.T) {
	w := newWorld(t)
	wantProblem(t, "no number", w.call("GET", "/projects/alpha/events/stream?after=x", ""), 400)
	wantProblem(t, "no project", w.call("GET", "/projects/nobody/events/stream", ""), 404)
	for _, path := range []string{"/events", "/events/stream"} {
		wantProblem(t, path+" of many types",
			w.call("GET", "/projects/alpha"+path+"?types="+strings.Repeat("a,", 30_000), ""), 400)
	}
	for range 40 { // who only looks takes no place
		if a := w.call("HEAD", "/projects/alpha/events/stream", ""); a.status != 200 || len(a.body) != 0 {
			t.Fatalf("HEAD: %d %s", a.status, a.body)
		}
	}
	people(t, w)
	bob := password("bob", phrase)
	if status, body := w.as(bob, "GET", "/projects/beta/events/stream", ""); status != 403 {
		t.Errorf("bob in beta: %d %s", status, body)
	}
	var open []*follower
	for range 32 {
		open = append(open, w.follow(t, bob, ""))
	}
	if resp, _ := w.open(t, bob, ""); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("bob's 33rd stream: %s", resp.Status)
	}
	w.follow(t, password("ada", phrase), "")
	open[0].leave()
	for range open[0].messages { // until the server has ended it too
	}
	deadline := time.Now().Add(timeout)
	for resp, _ := w.open(t, bob, ""); resp.StatusCode != http.StatusOK; resp, _ = w.open(t, bob, "") {
		if time.Now().After(deadline) {
			t.Fatal("a place that was left stays taken")
		}
	}
}

// A proof is for who sees the event in the project's list.
func TestProof_IsOfTheProjectsOwnEvents(t *testing.T) {
	w := newWorld(t)
	people(t, w)
	w.append(w.alpha, event.LoopPaused{Model: "m"})
	shown := w.head()
	w.append(w.alpha, event.AccessChanged{Change: "user.added", User: "eve", Everywhere: true})
	hidden := w.head()
	w.append(spec.Default, event.LoopPaused{Model: "m"})
	elsewhere := w.head()
	bob := password("bob", phrase)
	for _, tt := range []struct {
		seq    int64
		status int
	}{{shown, 200}, {hidden, 404}, {elsewhere, 404}, {elsewhere + 1, 404}, {0, 400}} {
		status, body := w.as(bob, "GET", fmt.Sprintf("/projects/alpha/events/%d/proof", tt.seq), "")
		if status != tt.status || status == 200 && !strings.Contains(body, `"body"`) {
			t.Errorf("event %d: %d %s, want %d", tt.seq, status, body, tt.status)
		}
	}
	a := w.call("GET", fmt.Sprintf("/audit/proofs/%d", hidden), "")
	if a.status != 200 || strings.Contains(string(a.body), `"body"`) {
		t.Errorf("of any project: %d %s", a.status, a.body)
	}
}

func TestEvents_AreFilteredByActorSubjectAndTime(t *testing.T) {
	w := newWorld(t)
	for query, want := range map[string]bool{
		"actor=user:nobody":                      false,
		"subject=model/alpha*":                   true,
		"subject=model/alph":                     false,
		"until=2011-01-01T00:00:00Z":             false,
		"from=2011-01-01T00:00:00Z":              true,
		"clock=stream&from=2011-01-01T00:00:00Z": true,
	} {
		got := decode[page](t, w.call("GET", "/projects/alpha/events?"+query, ""))
		if len(got.Items) > 0 != want {
			t.Errorf("%s: %d events", query, len(got.Items))
		}
		for _, e := range got.Items {
			if text, _ := e["text"].(string); text == "" {
				t.Errorf("%v has no text", e)
			}
		}
	}
	for _, query := range []string{"from=monday", "clock=sun"} {
		wantProblem(t, query, w.call("GET", "/projects/alpha/events?"+query, ""), 400)
	}
}
