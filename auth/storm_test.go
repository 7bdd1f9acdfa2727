package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/store"
)

// What outsiders, crowds and bad timing do to the accounts.

// readers are the reads that a house can do at a time.
const readers = 4

// occupy holds all readers until the test ends, or until it is released.
func (h *house) occupy(t *testing.T) (release func()) {
	t.Helper()
	free, held := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for range readers {
		all.Go(func() {
			h.db.Read(context.Background(), func(*store.Tx) error {
				held <- struct{}{}
				<-free
				return nil
			})
		})
		<-held
	}
	release = sync.OnceFunc(func() { close(free); all.Wait() })
	t.Cleanup(release)
	return release
}

// guesses shuts a name out for everybody who has not signed in already.
func (h *house) guesses(t *testing.T, name string) {
	t.Helper()
	for i := range 5 {
		h.status(t, auth.Read, func(r *http.Request) {
			basic(name, "guess of a password")(r)
			remote(fmt.Sprintf("192.0.2.%d:1", i))(r)
		})
	}
}

func TestKnownCallers_AreNotForgottenForWhatOthersDo(t *testing.T) {
	h := newHouse(t)
	ctx, here := t.Context(), netip.MustParseAddr("192.0.2.99")
	session, _, err := h.SignIn(ctx, "bob", phrase, here)
	if err != nil {
		t.Fatal(err)
	}
	h.status(t, auth.Read, basic("ada", phrase)) // is known now
	for range 3 {                                // as long as it goes on
		h.clock.Advance(9 * time.Minute)
		h.guesses(t, "ada")
		for _, secret := range []string{"", "fl_session_0", session} {
			if err := h.SignOut(ctx, secret); err != nil {
				t.Fatal(err)
			}
		}
		h.token(t, auth.NewToken{User: "bob"})
		if got := h.status(t, auth.Read, basic("ada", phrase)); got != 200 {
			t.Fatalf("who signs each request is shut out: %d", got)
		}
	}
	h.clock.Advance(10 * time.Minute)
	h.guesses(t, "ada")
	if got := h.status(t, auth.Read, basic("ada", phrase)); got != 429 {
		t.Errorf("after 10 minutes of silence: %d", got)
	}
}

func TestSignOut_OfNobodyWritesNothing(t *testing.T) {
	h := newHouse(t)
	h.status(t, auth.Read, basic("ada", phrase))
	changed := h.db.Changed()
	for _, secret := range []string{"", "fl_session_0", "fl_user_0"} {
		if err := h.SignOut(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-changed:
		t.Error("something was committed")
	default:
	}
}

func TestChanges_DoNotWaitForReaders(t *testing.T) {
	h := newHouse(t)
	h.occupy(t)
	done := make(chan error, 1)
	go func() { done <- h.Grant(context.Background(), mine, "bob", auth.Viewer) }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the writer waits for a reader")
	}
}

func TestStep_IsKnownUntilItsAttemptEnds(t *testing.T) {
	h := newHouse(t)
	token := h.step(t, mine, 1)
	if got := h.status(t, auth.Track, bearer(token)); got != 200 {
		t.Fatalf("a running step: %d", got)
	}
	release := h.occupy(t)
	if got := h.status(t, auth.Track, bearer(token)); got != 200 {
		t.Errorf("once it is known, with all readers busy: %d", got)
	}
	release()
	err := h.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		return h.tokens.RevokeBelow(tx, "run/train", 2)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.status(t, auth.Track, bearer(token)); got != 401 {
		t.Errorf("after its attempt: %d", got)
	}
	token = h.step(t, mine, 3)
	h.status(t, auth.Track, bearer(token))
	h.clock.Advance(time.Hour)
	if got := h.status(t, auth.Track, bearer(token)); got != 401 {
		t.Errorf("after its time: %d", got)
	}
}

func TestSession_WhenTheDatabaseDoesNotAnswer(t *testing.T) {
	h := newHouse(t)
	session, _, err := h.SignIn(t.Context(), "ada", phrase, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	h.occupy(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	w := h.call(t, route(auth.Read), func(r *http.Request) {
		header("Cookie", "fairlead_session_4747="+session)(r)
		*r = *r.WithContext(fairlead.WithProject(ctx, mine))
	})
	if w.Code != 503 {
		t.Errorf("it looks like %d: %s", w.Code, w.Body)
	}
}

func TestRemove_LeavesOneAccountWhereOthersReachTheServer(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	h.KeepOne()
	if err := h.Remove(ctx, "bob"); err != nil {
		t.Fatal(err)
	}
	if err := h.Remove(ctx, "ada"); !fairlead.Is(err, fairlead.Precondition) || !h.Exist() {
		t.Errorf("the last account: %v", err)
	}
	if got := h.status(t, auth.Administer, basic("ada", phrase)); got != 200 {
		t.Errorf("it signs in: %d", got)
	}
}

func TestFirst_LinkWorksOnce(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	empty := func(names ...string) {
		for _, name := range names {
			if err := h.Remove(ctx, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	empty("ada", "bob")
	key := h.FirstKey()
	if err := h.AddFirst(ctx, key, "eve", phrase); err != nil {
		t.Fatal(err)
	}
	empty("eve")
	if err := h.AddFirst(ctx, key, "mallory", phrase); !fairlead.Is(err, fairlead.Denied) {
		t.Errorf("it makes another administrator: %v", err)
	}
}

func TestCredentials_AreBoundedForEachAccount(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	first, _, err := h.SignIn(ctx, "ada", phrase, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	h.status(t, auth.Read, header("Cookie", "fairlead_session_4747="+first)) // is known now
	var last string
	for range 50 {
		h.clock.Advance(time.Second)
		if last, _, err = h.SignIn(ctx, "ada", phrase, netip.MustParseAddr("192.0.2.7")); err != nil {
			t.Fatal(err)
		}
	}
	for session, want := range map[string]int{first: 401, last: 200} {
		if got := h.status(t, auth.Read, header("Cookie", "fairlead_session_4747="+session)); got != want {
			t.Errorf("a session: %d, want %d", got, want)
		}
	}
	all, err := h.ListSessions(ctx, "ada")
	if err != nil || len(all) != 50 || all[0].Name != "192.0.2.7" {
		t.Fatalf("%d sessions: %v", len(all), err)
	}
	if err := h.EndSession(ctx, "bob", all[0].ID); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another's session: %v", err)
	}
	if err := h.EndSession(ctx, "ada", all[0].ID); err != nil {
		t.Fatal(err)
	}
	if got := h.status(t, auth.Read, header("Cookie", "fairlead_session_4747="+last)); got != 401 {
		t.Errorf("a session that was ended: %d", got)
	}
	for range 100 {
		h.token(t, auth.NewToken{User: "ada"})
	}
	_, _, err = h.IssueToken(ctx, auth.NewToken{User: "ada", Name: "one more"})
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "token revoke") {
		t.Errorf("one token more: %v", err)
	}
}

// Whichever comes first, no session that the old password has begun outlives it.
func TestSetPassword_EndsASignInThatIsUnderWay(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	old := phrase
	for i := range 5 {
		next := fmt.Sprintf("a long phrase, number %d", i)
		var session string
		var all sync.WaitGroup
		all.Go(func() { session, _, _ = h.SignIn(ctx, "ada", old, netip.Addr{}) })
		all.Go(func() {
			if err := h.SetPassword(ctx, "ada", next); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
		if session != "" {
			got := h.status(t, auth.Read, header("Cookie", "fairlead_session_4747="+session))
			if got != 401 {
				t.Errorf("round %d: %d", i, got)
			}
		}
		old = next
	}
}

func TestSignIn_ThatFailsIsLogged(t *testing.T) {
	h := newHouse(t)
	for _, name := range []string{"ada", "My Pass Word"} {
		h.status(t, auth.Read, func(r *http.Request) {
			basic(name, "guess of a password")(r)
			remote("192.0.2.5:1")(r)
		})
	}
	log := h.log.String()
	for _, part := range []string{"sign-in failed", "user=ada", "address=192.0.2.5", `user=""`} {
		if !strings.Contains(log, part) {
			t.Errorf("the log lacks %s: %s", part, log)
		}
	}
	if strings.Contains(log, "guess") || strings.Contains(log, "Pass Word") {
		t.Errorf("the log tells what was typed: %s", log)
	}
}
