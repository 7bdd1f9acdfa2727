package auth_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/store"
)

var (
	mine   = fairlead.Project{K: 1, Name: "mine"}
	theirs = fairlead.Project{K: 2, Name: "theirs"}
	began  = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

// fixture is a data directory with tokens.
type fixture struct {
	db     *store.DB
	clock  *fairlead.FakeClock
	tokens *auth.Tokens
	dir    string
	owner  string
	log    bytes.Buffer
}

func newFixture(t testing.TB) *fixture {
	f := &fixture{dir: t.TempDir(), clock: fairlead.NewFakeClock(began)}
	var err error
	f.db, err = store.Open(t.Context(), store.Options{Path: filepath.Join(f.dir, "f.db"), Clock: f.clock}, auth.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.db.Close() })
	if f.tokens, err = auth.NewTokens(t.Context(), f.db, f.clock, f.dir); err != nil {
		t.Fatal(err)
	}
	if f.owner, err = auth.ReadOwner(f.dir); err != nil {
		t.Fatal(err)
	}
	return f
}

// step issues a token of the project's step for an hour.
func (f *fixture) step(t testing.TB, p fairlead.Project, fence int64) (token string) {
	err := f.db.Write(t.Context(), store.Control, func(tx *store.Tx) (err error) {
		token, err = f.tokens.IssueStep(tx, p, "run/train", fence, f.clock.Now().Add(time.Hour))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// route answers 200 with the actor, and errors as text.
func route(need auth.Permission) auth.Route {
	return auth.Route{Method: "POST", Path: "/x", Permission: need, BodyLimit: 8,
		Handle: func(w http.ResponseWriter, r *http.Request) error {
			if _, err := io.ReadAll(r.Body); err != nil {
				return fairlead.Errorf(fairlead.Invalid, "too large: %w", err)
			}
			io.WriteString(w, fairlead.ActorFrom(r.Context()).String())
			return nil
		},
		Fail: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, fairlead.MessageOf(err), fairlead.CodeOf(err).HTTPStatus())
		}}
}

// call sends a request as the given edits make it, in project mine.
func (f *fixture) call(t testing.TB, r auth.Route, edit func(*http.Request)) *httptest.ResponseRecorder {
	h, err := f.tokens.Guard(r)
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest("POST", "http://127.0.0.1:4747/x", strings.NewReader("body"))
	req.RemoteAddr = "127.0.0.1:5555"
	req = req.WithContext(fairlead.WithProject(t.Context(), mine))
	if edit != nil {
		edit(req)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func remote(addr string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = addr }
}

func TestGuard_TreatsOnlyTheLoopbackAsLocal(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct {
		name string
		edit func(*http.Request)
		want int
	}{
		{"loopback", nil, 200},
		{"loopback 6", remote("[::1]:5555"), 200},
		{"loopback as mapped address", remote("[::ffff:127.0.0.1]:5555"), 200},
		{"another machine", remote("192.168.1.9:5555"), 401},
		{"no address", remote(""), 401},
		{"unix socket", remote("@"), 401},
		{"localhost", host("localhost:4747"), 200},
		{"localhost without port", host("LocalHost"), 200},
		{"host 6", host("[::1]:4747"), 200},
		{"host 6 without port", host("[::1]"), 200},
		{"rebound name", host("evil.example:4747"), 401},
		{"name that begins like it", host("localhost.evil.example"), 401},
		{"unspecified address", host("0.0.0.0:4747"), 401},
		{"no host", host(""), 401},
		{"Forwarded", header("Forwarded", "for=10.0.0.1"), 401},
		{"X-Forwarded-For", header("X-Forwarded-For", "127.0.0.1"), 401},
		{"empty X-Forwarded-For", header("x-forwarded-for", ""), 401},
		{"X-Forwarded-Anything", header("X-Forwarded-Anything", "y"), 401},
		{"X-Real-IP", header("X-Real-IP", "127.0.0.1"), 401},
		{"Via", header("Via", "1.1 proxy"), 401},
		{"own origin", header("Origin", "http://127.0.0.1:4747"), 200},
		{"origin of another port", header("Origin", "http://127.0.0.1:3000"), 403},
		{"origin of another site", header("Origin", "https://evil.example"), 403},
		{"null origin", header("Origin", "null"), 403},
		{"two origins", header("Origin", "http://127.0.0.1:4747", "https://evil.example"), 403},
		{"embedded by another site", header("Sec-Fetch-Site", "cross-site"), 403},
		{"fetched by our page", header("Sec-Fetch-Site", "same-origin"), 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := f.call(t, route(auth.Track), tt.edit)
			if w.Code != tt.want {
				t.Errorf("status %d (%s), want %d", w.Code, w.Body, tt.want)
			}
			if challenged := w.Header().Get("WWW-Authenticate") != ""; challenged != (w.Code == 401) {
				t.Errorf("status %d, challenged %v", w.Code, challenged)
			}
			if tt.want == 401 && f.call(t, route(auth.Public), tt.edit).Code != 200 {
				t.Error("what is public is refused")
			}
			if tt.want == 401 {
				withToken := f.call(t, route(auth.Track), func(r *http.Request) { tt.edit(r); bearer(f.owner)(r) })
				if withToken.Code != 200 {
					t.Errorf("refused with the owner's token: %d", withToken.Code)
				}
			}
		})
	}
}

func TestGuard_LetsALinkOfAnotherSiteBeFollowed(t *testing.T) {
	f := newFixture(t)
	w := f.call(t, route(auth.Read), func(r *http.Request) {
		r.Method = "GET"
		header("Sec-Fetch-Site", "cross-site")(r)
		header("Sec-Fetch-Mode", "navigate")(r)
	})
	if w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

// TestGuard_PermissionTable is the whole table: who may do what.
func TestGuard_PermissionTable(t *testing.T) {
	f := newFixture(t)
	step, foreign := f.step(t, mine, 1), f.step(t, theirs, 1)
	for _, tt := range []struct {
		need                          auth.Permission
		local, forwarded, own, others int // without token twice, then two steps' tokens
	}{
		{auth.Public, 200, 200, 200, 200},
		{auth.Self, 200, 401, 403, 403},
		{auth.Read, 200, 401, 200, 403},
		{auth.Track, 200, 401, 200, 403},
		{auth.Predict, 200, 401, 200, 403},
		{auth.Label, 200, 401, 403, 403},
		{auth.EventTime, 401, 401, 403, 403},
		{auth.Run, 401, 401, 403, 403},
		{auth.Operate, 401, 401, 403, 403},
		{auth.Administer, 401, 401, 403, 403},
	} {
		for _, c := range []struct {
			who  string
			edit func(*http.Request)
			want int
		}{
			{"local", nil, tt.local},
			{"forwarded", header("X-Forwarded-For", "10.0.0.1"), tt.forwarded},
			{"owner", bearer(f.owner), 200},
			{"step", bearer(step), tt.own},
			{"step of another project", bearer(foreign), tt.others},
			{"unknown token", bearer("fl_owner_00"), 401},
			{"unknown step", bearer("fl_step_00"), 401},
		} {
			if w := f.call(t, route(tt.need), c.edit); w.Code != c.want {
				t.Errorf("%s for %s: status %d (%s), want %d", tt.need, c.who, w.Code, w.Body, c.want)
			}
		}
	}
}

func TestGuard_NamesTheActor(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct {
		name string
		edit func(*http.Request)
		want string
	}{
		{"local", nil, "user:local"},
		{"owner", bearer(f.owner), "user:owner"},
		{"scheme in lower case", header("Authorization", "bearer  "+f.owner), "user:owner"},
		{"password", func(r *http.Request) { r.SetBasicAuth("anyone", f.owner) }, "user:owner"},
		{"step", bearer(f.step(t, mine, 1)), "step:run/train"},
		{"user without password", func(r *http.Request) { r.SetBasicAuth("anyone", "") }, "user:local"},
		{"signature of another protocol", header("Authorization", "AWS4-HMAC-SHA256 Credential=x"), "user:local"},
	} {
		if w := f.call(t, route(auth.Read), tt.edit); w.Body.String() != tt.want {
			t.Errorf("%s: actor %q, want %q", tt.name, w.Body, tt.want)
		}
	}
}

func TestGuard_StepTokenDiesWithItsFenceAndTime(t *testing.T) {
	f := newFixture(t)
	first, second := f.step(t, mine, 1), f.step(t, mine, 2)
	status := func(token string) int { return f.call(t, route(auth.Track), bearer(token)).Code }
	if a, b := status(first), status(second); a != 200 || b != 200 {
		t.Fatalf("fresh tokens: %d, %d", a, b)
	}
	err := f.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		return f.tokens.RevokeBelow(tx, "run/train", 2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := status(first), status(second); a != 401 || b != 200 {
		t.Errorf("after a higher fence: %d, %d", a, b)
	}
	f.clock.Advance(time.Hour)
	if b := status(second); b != 401 {
		t.Errorf("at its end: %d", b)
	}
	f.step(t, mine, 3)
	var left int
	err = f.db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("select count(*) from token").Scan(&left)
	})
	if err != nil || left != 1 {
		t.Errorf("%d tokens are kept (%v), want the living one", left, err)
	}
}

func TestGuard_StepReachesNoRouteOfTheServer(t *testing.T) {
	f := newFixture(t)
	r := route(auth.Read)
	r.Server = true
	if w := f.call(t, r, bearer(f.step(t, mine, 1))); w.Code != 403 {
		t.Errorf("status %d", w.Code)
	}
	if w := f.call(t, r, nil); w.Code != 200 {
		t.Errorf("local caller: status %d", w.Code)
	}
}

func TestGuard_OwnerNeedsNoDatabase(t *testing.T) {
	f := newFixture(t)
	f.db.Close()
	if w := f.call(t, route(auth.Operate), bearer(f.owner)); w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestGuard_BoundsTheBody(t *testing.T) {
	f := newFixture(t)
	long := func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("nine bytes")) }
	if w := f.call(t, route(auth.Track), long); w.Code != 400 {
		t.Errorf("status %d", w.Code)
	}
	r := route(auth.Track)
	r.BodyLimit = auth.Unlimited
	if w := f.call(t, r, long); w.Code != 200 {
		t.Errorf("unlimited: status %d", w.Code)
	}
}

func TestGuard_RefusesARouteThatLeavesSomethingUnsaid(t *testing.T) {
	f := newFixture(t)
	for name, spoil := range map[string]func(*auth.Route){
		"method":     func(r *auth.Route) { r.Method = "" },
		"path":       func(r *auth.Route) { r.Path = "x" },
		"permission": func(r *auth.Route) { r.Permission = "" },
		"misspelt":   func(r *auth.Route) { r.Permission = "raed" },
		"limit":      func(r *auth.Route) { r.BodyLimit = 0 },
		"negative":   func(r *auth.Route) { r.BodyLimit = -2 },
		"handler":    func(r *auth.Route) { r.Handle = nil },
		"errors":     func(r *auth.Route) { r.Fail = nil },
	} {
		r := route(auth.Read)
		spoil(&r)
		if _, err := f.tokens.Guard(r); err == nil {
			t.Errorf("a route without %s is accepted", name)
		}
	}
}

func TestRequire_ChecksAFurtherPermission(t *testing.T) {
	f := newFixture(t)
	req := httptest.NewRequest("POST", "http://127.0.0.1:4747/x", nil)
	req.RemoteAddr = "127.0.0.1:1"
	if err := f.tokens.Require(req, auth.EventTime); !fairlead.Is(err, fairlead.Unauthenticated) {
		t.Errorf("without token: %v", err)
	}
	bearer(f.owner)(req)
	if err := f.tokens.Require(req, auth.EventTime); err != nil {
		t.Errorf("with the owner's token: %v", err)
	}
}

// FuzzGuard holds that no header makes a caller from another machine local, and
// that nothing but the owner's token opens what the owner alone may do.
func FuzzGuard(f *testing.F) {
	fx := newFixture(f)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte("u:p"))
	for _, seed := range [][5]string{
		{"127.0.0.1:1", "localhost", "", "", ""},
		{"10.0.0.1:1", "localhost:4747", basic, "http://localhost:4747", "Forwarded"},
		{"[::1%lo]:1", "[::1", "Bearer ", "null", "X-Forwarded-"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4])
	}
	f.Fuzz(func(t *testing.T, addr, hostname, authorization, origin, name string) {
		edit := func(r *http.Request) {
			r.RemoteAddr, r.Host = addr, hostname
			header("Authorization", authorization)(r)
			header("Origin", origin)(r)
			header(name, "x")(r)
		}
		if strings.Contains(authorization, fx.owner) {
			t.Skip()
		}
		if w := fx.call(t, route(auth.Operate), edit); w.Code < 400 || w.Code >= 500 {
			t.Errorf("operate: status %d", w.Code)
		}
		edit2 := func(r *http.Request) { edit(r); remote("192.0.2.1:1")(r) }
		if w := fx.call(t, route(auth.Read), edit2); w.Code < 400 || w.Code >= 500 {
			t.Errorf("read from elsewhere: status %d", w.Code)
		}
	})
}
