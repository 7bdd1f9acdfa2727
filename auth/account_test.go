package auth_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

const phrase = "a quiet harbour at dawn"

// house is a data directory with accounts: ada administers it, bob has none of the
// roles yet.
type house struct {
	*fixture
	*auth.Accounts
	led *ledger.Ledger
}

func newHouse(t testing.TB) *house {
	f := &fixture{dir: t.TempDir(), clock: fairlead.NewFakeClock(began)}
	var err error
	f.db, err = store.Open(t.Context(), store.Options{Path: filepath.Join(f.dir, "f.db"),
		Clock: f.clock, Readers: readers},
		ledger.Schema(), auth.Schema())
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
	led := ledger.New(f.db, f.clock, slog.New(slog.NewTextHandler(io.Discard, nil)))
	h := &house{fixture: f, led: led}
	if h.Accounts, err = auth.NewAccounts(t.Context(), f.db, led, f.clock,
		slog.New(slog.NewTextHandler(&f.log, nil))); err != nil {
		t.Fatal(err)
	}
	f.tokens.Admit(h.Accounts)
	h.add(t, "ada", auth.Admin)
	h.add(t, "bob", "")
	return h
}

func (h *house) add(t testing.TB, name string, role auth.Role) {
	t.Helper()
	if _, err := h.Add(t.Context(), auth.NewAccount{Name: name, Password: phrase,
		Role: role}); err != nil {
		t.Fatal(err)
	}
}

// token issues a token, as the edit of an ordinary one says.
func (h *house) token(t testing.TB, n auth.NewToken) (id, secret string) {
	t.Helper()
	if n.Name == "" {
		n.Name = "test"
	}
	c, secret, err := h.IssueToken(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	return c.ID, secret
}

func basic(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

func (h *house) status(t testing.TB, need auth.Permission, edit func(*http.Request)) int {
	return h.call(t, route(need), edit).Code
}

func TestAccounts_EndTheRulesOfOneMachine(t *testing.T) {
	h := newHouse(t)
	if got := h.status(t, auth.Read, nil); got != 401 {
		t.Errorf("local without credentials: %d", got)
	}
	for who, edit := range map[string]func(*http.Request){"nobody": nil, "owner": bearer(h.owner)} {
		if got := h.status(t, auth.Public, edit); got != 200 {
			t.Errorf("what is public, for %s: %d", who, got)
		}
	}
	if got := h.status(t, auth.Administer, bearer(h.owner)); got != 200 {
		t.Errorf("owner: %d", got)
	}
	if got := h.status(t, auth.Track, bearer(h.step(t, mine, 1))); got != 200 {
		t.Errorf("step: %d", got)
	}
	for _, name := range []string{"ada", "bob"} {
		if err := h.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.status(t, auth.Read, nil); got != 200 {
		t.Errorf("local, when there are no accounts any more: %d", got)
	}
	if got := h.status(t, auth.Read, remote("192.0.2.1:1")); got != 401 {
		t.Errorf("another machine then: %d", got)
	}
}

func TestCaller_IsKnownByEachOfTheWaysToSignIn(t *testing.T) {
	h := newHouse(t)
	_, token := h.token(t, auth.NewToken{User: "ada"})
	session, _, err := h.SignIn(t.Context(), "ada", phrase, auth.RemoteAddr(&http.Request{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		edit func(*http.Request)
		want int
	}{
		{"password", basic("ada", phrase), 200},
		{"password again", basic("ada", phrase), 200},
		{"wrong password", basic("ada", phrase+"."), 401},
		{"password of nobody", basic("eve", phrase), 401},
		{"name in capitals", basic("ADA", phrase), 401},
		{"password as Bearer", bearer(phrase), 401},
		{"token", bearer(token), 200},
		{"token as the password of its user", basic("ada", token), 200},
		{"token as the password of any user", basic("whoever", token), 200},
		{"token as the password of no user", basic("", token), 200},
		{"token, cut", bearer(token[:len(token)-1]), 401},
		{"session", header("Cookie", "fairlead_session_4747="+session), 200},
		{"session as a token", bearer(session), 401},
		{"token as a session", header("Cookie", "fairlead_session_4747="+token), 401},
		{"session and a page of another site", func(r *http.Request) {
			header("Cookie", "fairlead_session_4747="+session)(r)
			header("Origin", "https://evil.example")(r)
		}, 403},
	} {
		w := h.call(t, route(auth.Read), tt.edit)
		if w.Code != tt.want || tt.want == 200 && w.Body.String() != "user:ada" {
			t.Errorf("%s: %d %s, want %d", tt.name, w.Code, w.Body, tt.want)
		}
	}
	if err := h.SignOut(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	if got := h.status(t, auth.Read, header("Cookie", "fairlead_session_4747="+session)); got != 401 {
		t.Errorf("after signing out: %d", got)
	}
}

func TestToken_EndsAtItsTimeOrWhenRevokedOrWithItsUser(t *testing.T) {
	h := newHouse(t)
	h.add(t, "eve", auth.Viewer)
	_, short := h.token(t, auth.NewToken{User: "ada", Lasts: time.Hour})
	id, revoked := h.token(t, auth.NewToken{User: "ada"})
	_, orphan := h.token(t, auth.NewToken{User: "eve"})
	for _, token := range []string{short, revoked, orphan} {
		if got := h.status(t, auth.Read, bearer(token)); got != 200 {
			t.Fatalf("a fresh token: %d", got)
		}
	}
	if err := h.RevokeToken(t.Context(), "bob", id); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another's token is revoked: %v", err)
	}
	if err := h.RevokeToken(t.Context(), "ada", id); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove(t.Context(), "eve"); err != nil {
		t.Fatal(err)
	}
	if a, b := h.status(t, auth.Read, bearer(revoked)), h.status(t, auth.Read,
		bearer(orphan)); a != 401 || b != 401 {
		t.Errorf("revoked: %d, of a removed user: %d", a, b)
	}
	h.clock.Advance(time.Hour - time.Millisecond)
	if got := h.status(t, auth.Read, bearer(short)); got != 200 {
		t.Errorf("just before its end: %d", got)
	}
	h.clock.Advance(time.Millisecond)
	if got := h.status(t, auth.Read, bearer(short)); got != 401 {
		t.Errorf("at its end: %d", got)
	}
}

func TestToken_IsNarrowedToItsScopeAndProject(t *testing.T) {
	h := newHouse(t)
	_, scoped := h.token(t, auth.NewToken{User: "ada", Scope: []string{"predict", "label"}})
	_, here := h.token(t, auth.NewToken{User: "ada", Project: mine})
	_, there := h.token(t, auth.NewToken{User: "ada", Project: theirs})
	_, empty := h.token(t, auth.NewToken{User: "bob", Scope: []string{"read"}})
	for _, tt := range []struct {
		name  string
		token string
		need  auth.Permission
		want  int
	}{
		{"in scope", scoped, auth.Predict, 200},
		{"in scope", scoped, auth.Label, 200},
		{"out of scope", scoped, auth.Read, 403},
		{"out of scope", scoped, auth.Administer, 403},
		{"who it is", scoped, auth.Self, 200},
		{"its project", here, auth.Administer, 200},
		{"another project", there, auth.Read, 403},
		{"more than its user", empty, auth.Read, 403},
	} {
		if got := h.status(t, tt.need, bearer(tt.token)); got != tt.want {
			t.Errorf("%s (%s): %d, want %d", tt.name, tt.need, got, tt.want)
		}
	}
	server := route(auth.Read)
	server.Server = true
	if w := h.call(t, server, bearer(here)); w.Code != 403 {
		t.Errorf("a token of a project, for the whole server: %d", w.Code)
	}
	for name, n := range map[string]auth.NewToken{
		"unknown permission": {Scope: []string{"read", "root"}},
		"no permission":      {Scope: []string{""}},
		"public":             {Scope: []string{"public"}},
		"too long":           {Lasts: 367 * 24 * time.Hour},
		"negative":           {Lasts: -time.Hour},
		"line break":         {Name: "a\nb"},
	} {
		n.User = "ada"
		if n.Name == "" {
			n.Name = "test"
		}
		if _, _, err := h.IssueToken(t.Context(), n); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGrant_HoldsInItsProjectAndForTheNextRequest(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	_, token := h.token(t, auth.NewToken{User: "bob"})
	server := route(auth.Read)
	server.Server = true
	want := func(when string, here, everywhere int) {
		t.Helper()
		got, all := h.status(t, auth.Read, bearer(token)), h.call(t, server, bearer(token)).Code
		if got != here || all != everywhere {
			t.Errorf("%s: %d in the project and %d for the server, want %d and %d", when, got, all, here,
				everywhere)
		}
		if got := h.status(t, auth.Read, basic("bob", phrase)); got != here {
			t.Errorf("%s, with the password: %d, want %d", when, got, here)
		}
	}
	want("without a role", 403, 403)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(h.Grant(ctx, theirs, "bob", auth.Viewer))
	want("in another project", 403, 403)
	do(h.Grant(ctx, mine, "bob", auth.Viewer))
	want("in the project", 200, 403)
	do(h.Revoke(ctx, mine, "bob", auth.Viewer))
	want("revoked", 403, 403)
	do(h.Grant(ctx, fairlead.Project{}, "bob", auth.Viewer))
	want("in all projects", 200, 200)
	if err := h.Revoke(ctx, mine, "bob", auth.Viewer); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("a role that is not there is revoked: %v", err)
	}
	if err := h.Grant(ctx, mine, "bob", "root"); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("an unknown role is granted: %v", err)
	}
	if err := h.Grant(ctx, mine, "eve", auth.Viewer); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("nobody got a role: %v", err)
	}
}

func TestSetPassword_EndsTheOldOneAndItsSessions(t *testing.T) {
	h := newHouse(t)
	session, _, err := h.SignIn(t.Context(), "ada", phrase, auth.RemoteAddr(&http.Request{}))
	if err != nil {
		t.Fatal(err)
	}
	_, token := h.token(t, auth.NewToken{User: "ada"})
	h.status(t, auth.Read, basic("ada", phrase)) // is known now
	if err := h.SetPassword(t.Context(), "ada", "another long phrase"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		edit func(*http.Request)
		want int
	}{
		"old": {basic("ada", phrase), 401}, "new": {basic("ada", "another long phrase"), 200},
		"session": {header("Cookie", "fairlead_session_4747="+session), 401}, "token": {bearer(token), 200},
	} {
		if got := h.status(t, auth.Read, c.edit); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestAdd_RefusesNamesAndPasswordsThatDoHarm(t *testing.T) {
	h := newHouse(t)
	for _, tt := range []struct {
		name, password string
		want           fairlead.Code
	}{
		{"ada", phrase, fairlead.Conflict},
		{"owner", phrase, fairlead.Invalid},
		{"local", phrase, fairlead.Invalid},
		{"", phrase, fairlead.Invalid},
		{"a:b", phrase, fairlead.Invalid},
		{"Eve", phrase, fairlead.Invalid},
		{"eve\n", phrase, fairlead.Invalid},
		{strings.Repeat("e", 65), phrase, fairlead.Invalid},
		{"eve", "short", fairlead.Invalid},
		{"eve", strings.Repeat("long ", 60), fairlead.Invalid},
		{"eve", "fl_user_000000000000", fairlead.Invalid},
		{"eveline", "Eveline-Eveline", fairlead.Invalid},
		{"eve", "aaaaaaaaaaaaaaaa", fairlead.Invalid},
		{"eve", "password1234", fairlead.Invalid}, // MLflow's default
		{"eve", "P@ssw0rd2026!", fairlead.Invalid},
		{"eve", "PasswordPassword", fairlead.Invalid},
		{"eve", "Welcome-2026!", fairlead.Invalid},
		{"eve", "qwertyuiop[]12", fairlead.Invalid},
		{"eve", "admin.admin.99", fairlead.Invalid},
		{"eve", "314159265358979", fairlead.Invalid},
		{"eve", "abcabcabcabcabc", fairlead.Invalid},
		{"eve", "correct horse battery staple", fairlead.Invalid},
	} {
		_, err := h.Add(t.Context(), auth.NewAccount{Name: tt.name, Password: tt.password})
		if !fairlead.Is(err, tt.want) {
			t.Errorf("%q with %q: %v, want %s", tt.name, tt.password, err, tt.want)
		}
	}
	for i, password := range []string{"my password is a quiet harbour", "7!q93-04k2$1", "ÜberdenDächern",
		"12345 quiet harbours", "test data of the moon"} {
		_, err := h.Add(t.Context(), auth.NewAccount{Name: fmt.Sprintf("good%d", i), Password: password})
		if err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	if _, err := h.Add(t.Context(), auth.NewAccount{Name: "ci"}); err != nil {
		t.Errorf("an account with tokens alone: %v", err)
	}
	if got := h.status(t, auth.Public, basic("ci", "anything at all")); got != 401 {
		t.Errorf("it signs in with a password: %d", got)
	}
}

func TestAdd_MakesTheFirstAccountAnAdministrator(t *testing.T) {
	h := newHouse(t)
	for _, name := range []string{"ada", "bob"} {
		if err := h.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	_, err := h.Add(t.Context(), auth.NewAccount{Name: "eve", Password: phrase, Role: auth.Viewer})
	if !fairlead.Is(err, fairlead.Precondition) || h.Exist() {
		t.Errorf("a first account that is a viewer: %v", err)
	}
}

func TestFirst_MakesOneAdministratorByTheLink(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	if h.FirstKey() != "" {
		t.Error("there is a link while there are accounts")
	}
	for _, name := range []string{"ada", "bob"} {
		if err := h.Remove(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	old := h.FirstKey()
	key := h.FirstKey()
	for name, wrong := range map[string]string{"empty": "", "guessed": "fl_first_00",
		"the one before": old} {
		if err := h.AddFirst(ctx, wrong, "eve", phrase); !fairlead.Is(err, fairlead.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := h.AddFirst(ctx, key, "eve", "short"); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("short password: %v", err)
	}
	if err := h.AddFirst(ctx, key, "eve", ""); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("no password: %v", err)
	}
	h.clock.Advance(time.Hour)
	if err := h.AddFirst(ctx, key, "eve", phrase); !fairlead.Is(err, fairlead.Denied) {
		t.Errorf("after an hour: %v", err)
	}
	key = h.FirstKey()
	if err := h.AddFirst(ctx, key, "eve", phrase); err != nil {
		t.Fatal(err)
	}
	if got := h.status(t, auth.Administer, basic("eve", phrase)); got != 200 {
		t.Errorf("the first administrator: %d", got)
	}
	if err := h.AddFirst(ctx, key, "mallory", phrase); !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("a second time: %v", err)
	}
}

func TestGuesses_AreSlowedForTheAccountAndTheAddress(t *testing.T) {
	h := newHouse(t)
	from := func(user, password, addr string) int {
		return h.status(t, auth.Read, func(r *http.Request) {
			basic(user, password)(r)
			remote(addr)(r)
		})
	}
	h.status(t, auth.Read, func(r *http.Request) {
		basic("ada",
			phrase)(r)
		remote("192.0.2.200:1")(r)
	})
	for i := range 5 { // from many addresses
		if got := from("bob", "guess of a password", fmt.Sprintf("192.0.2.%d:1", i)); got != 401 {
			t.Fatalf("guess %d: %d", i, got)
		}
	}
	w := h.call(t, route(auth.Read), basic("bob", phrase))
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" {
		t.Errorf("after 5 guesses, the right one: %d, wait %q s", w.Code, w.Header().Get("Retry-After"))
	}
	h.clock.Advance(time.Second)
	if got := from("bob", "guess of a password", "192.0.2.9:1"); got != 401 {
		t.Errorf("a second later: %d", got)
	}
	h.clock.Advance(time.Second)
	if got := from("bob", phrase, "192.0.2.9:1"); got != 429 {
		t.Errorf("the wait does not double: %d", got)
	}
	h.clock.Advance(time.Second)
	if got := from("bob", phrase, "192.0.2.9:1"); got != 403 { // who it is; bob has no role
		t.Errorf("the right one, after the wait: %d", got)
	}
	for i := range 20 { // at many names
		if got := from(fmt.Sprintf("user%d", i), "guess of a password", "198.51.100.7:1"); got != 401 {
			t.Fatalf("guess %d: %d", i, got)
		}
	}
	if got := from("eve", phrase, "198.51.100.7:9"); got != 429 {
		t.Errorf("the address after 20 guesses: %d", got)
	}
	if got := from("ada", phrase, "198.51.100.7:9"); got != 200 {
		t.Errorf("who has signed in a moment ago is shut out: %d", got)
	}
	_, token := h.token(t, auth.NewToken{User: "ada"})
	if got := h.status(t, auth.Read,
		func(r *http.Request) { bearer(token)(r); remote("198.51.100.7:9")(r) }); got != 200 {
		t.Errorf("a token from there: %d", got)
	}
	for i := range 20 { // of one network of a customer
		from(fmt.Sprintf("user%d", i), "guess of a password", fmt.Sprintf("[2001:db8::%x]:1", i))
	}
	if got := from("eve", phrase, "[2001:db8::ffff]:1"); got != 429 {
		t.Errorf("the network after 20 guesses: %d", got)
	}
	if got := from("eve", phrase, "[2001:db8:0:1::1]:1"); got != 401 {
		t.Errorf("another network: %d", got)
	}
}

func TestSecrets_AreNotInTheDatabaseNorInTheLedger(t *testing.T) {
	h := newHouse(t)
	_, token := h.token(t, auth.NewToken{User: "ada"})
	session, _, err := h.SignIn(t.Context(), "ada", phrase, auth.RemoteAddr(&http.Request{}))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(h.dir, "f.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{token, session, phrase} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s holds a secret", filepath.Base(file))
			}
		}
	}
}

func TestChanges_AreInTheLedger(t *testing.T) {
	h := newHouse(t)
	ctx := fairlead.WithActor(t.Context(), fairlead.Actor{Kind: "user", Name: "ada"})
	id, _ := h.token(t, auth.NewToken{User: "bob"})
	for _, err := range []error{
		h.Grant(ctx, mine, "bob", auth.Viewer), h.Grant(ctx, mine, "bob", auth.Viewer),
		h.SetPassword(ctx, "bob", "another long phrase"), h.RevokeToken(ctx, "", id),
		h.Revoke(ctx, mine, "bob", auth.Viewer), h.Remove(ctx, "bob"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	all, err := h.led.List(ctx, ledger.Filter{Types: []string{event.AccessChangedType},
		Subject: "user/bob"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range all {
		var e event.AccessChanged
		if err := r.Decode(&e); err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.TrimSpace(e.Change+" "+e.Role)+" in "+r.Project)
	}
	want := []string{"user.added in default", "token.created in default",
		"role.granted viewer in mine",
		"password.changed in default", "token.revoked in default", "role.revoked viewer in mine",
		"user.removed in default"}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	if last := all[len(all)-1]; last.Actor != "user:ada" {
		t.Errorf("actor %s", last.Actor)
	}
}
