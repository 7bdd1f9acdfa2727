package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

func TestEnter_LetsOneBrowserInAsTheOwner(t *testing.T) {
	f := newFixture(t)
	link := auth.Link(f.owner, f.clock.Now())
	secret, expires, err := f.tokens.Enter(t.Context(), link)
	if err != nil || !expires.Equal(began.Add(7*24*time.Hour)) {
		t.Fatalf("expires %v, %v", expires, err)
	}
	actor := func() string {
		return f.call(t, route(auth.Administer), header("Cookie", "fairlead_session_4747="+secret)).Body.String()
	}
	if got := actor(); got != "user:owner" {
		t.Errorf("the browser is %s", got)
	}
	if _, _, err := f.tokens.Enter(t.Context(), link); !fairlead.Is(err, fairlead.Denied) {
		t.Errorf("the link works twice: %v", err)
	}
	f.clock.Advance(7 * 24 * time.Hour)
	if got := actor(); !strings.Contains(got, "needs the token") {
		t.Errorf("a week later the browser is %s", got)
	}
}

func TestEnter_RefusesWhatIsNoLinkOfThisServer(t *testing.T) {
	f, other := newFixture(t), newFixture(t)
	good := auth.Link(f.owner, f.clock.Now())
	session, _, err := f.tokens.Enter(t.Context(), auth.Link(f.owner, f.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]string{
		"nothing":        "",
		"a word":         "fl_link_",
		"the token":      f.owner,
		"another server": auth.Link(other.owner, f.clock.Now()),
		"ended":          auth.Link(f.owner, f.clock.Now().Add(-2*time.Minute)),
		"a longer time":  strings.Replace(good, "fl_link_1", "fl_link_2", 1),
		"cut":            good[:len(good)-1],
		"a session":      session,
	} {
		if _, _, err := f.tokens.Enter(t.Context(), link); !fairlead.Is(err, fairlead.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, cookie := range map[string]string{"a link": good, "a forged session": "fl_browser_9999999999999_x_y"} {
		w := f.call(t, route(auth.Administer), header("Cookie", "fairlead_session_4747="+cookie))
		if w.Code != 401 {
			t.Errorf("%s as a session: %d %s", name, w.Code, w.Body)
		}
	}
}

// What was ended stays so when the server starts again.
func TestSignOut_EndsTheOwnersBrowserForGood(t *testing.T) {
	f := newFixture(t)
	link := auth.Link(f.owner, f.clock.Now())
	secret, _, err := f.tokens.Enter(t.Context(), link)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := f.tokens.Enter(t.Context(), auth.Link(f.owner, f.clock.Now()))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.tokens.SignOut(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for cookie, want := range map[string]int{secret: 401, other: 200} {
			w := f.call(t, route(auth.Administer), header("Cookie", "fairlead_session_4747="+cookie))
			if w.Code != want {
				t.Errorf("%d %s, want %d", w.Code, w.Body, want)
			}
		}
		if _, _, err := f.tokens.Enter(t.Context(), link); !fairlead.Is(err, fairlead.Denied) {
			t.Errorf("the link works twice: %v", err)
		}
		if f.tokens, err = auth.NewTokens(t.Context(), f.db, f.clock, f.dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.tokens.SignOut(t.Context(), "fl_browser_1_x_y"); err != nil {
		t.Errorf("what is no session: %v", err)
	}
}

// Many at once come by one link: one gets in.
func TestEnter_LetsOneOfManyIn(t *testing.T) {
	f := newFixture(t)
	link := auth.Link(f.owner, f.clock.Now())
	var in atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, _, err := f.tokens.Enter(t.Context(), link); err == nil {
				in.Add(1)
			}
		})
	}
	if all.Wait(); in.Load() != 1 {
		t.Errorf("%d got in", in.Load())
	}
}

// Browsers keep cookies of a host whatever the port, and take those of a name that begins
// with __Host- over TLS alone.
func TestSessionCookie_IsOfOneServer(t *testing.T) {
	for name, tt := range map[string]struct{ host, proto, want string }{
		"a port":       {"127.0.0.1:4747", "", "fairlead_session_4747"},
		"IPv6":         {"[::1]:80", "", "fairlead_session_80"},
		"no port":      {"example.com", "", "fairlead_session"},
		"no number":    {"example.com:a;b", "", "fairlead_session"},
		"behind TLS":   {"example.com", "https", "__Host-fairlead_session"},
		"TLS, a port":  {"example.com:8443", "https", "__Host-fairlead_session_8443"},
		"behind plain": {"example.com", "http", "fairlead_session"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = tt.host
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		for _, c := range []*http.Cookie{auth.SessionCookie(r, "x", began), auth.EndedCookie(r)} {
			if c.Name != tt.want || c.Secure != (tt.proto == "https") || !c.HttpOnly || c.Path != "/" ||
				c.Domain != "" || c.SameSite != http.SameSiteStrictMode {
				t.Errorf("%s: %s", name, c)
			}
		}
		r.Header.Set("Cookie", "fairlead_session_1=other; "+tt.want+"=mine")
		if got := auth.SessionOf(r); got != "mine" {
			t.Errorf("%s: the session is %q", name, got)
		}
	}
}
