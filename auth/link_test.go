package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

func TestEnter_LetsOneBrowserInAsTheOwner(t *testing.T) {
	f := newFixture(t)
	link := auth.Link(f.owner, f.clock.Now())
	secret, expires, err := f.tokens.Enter(link)
	if err != nil || !expires.Equal(began.Add(7*24*time.Hour)) {
		t.Fatalf("expires %v, %v", expires, err)
	}
	actor := func() string {
		return f.call(t, route(auth.Administer), header("Cookie", "fairlead_session="+secret)).Body.String()
	}
	if got := actor(); got != "user:owner" {
		t.Errorf("the browser is %s", got)
	}
	if _, _, err := f.tokens.Enter(link); !fairlead.Is(err, fairlead.Denied) {
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
	session, _, err := f.tokens.Enter(auth.Link(f.owner, f.clock.Now()))
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
		if _, _, err := f.tokens.Enter(link); !fairlead.Is(err, fairlead.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, cookie := range map[string]string{"a link": good, "a forged session": "fl_browser_9999999999999_x_y"} {
		w := f.call(t, route(auth.Administer), header("Cookie", "fairlead_session="+cookie))
		if w.Code != 401 {
			t.Errorf("%s as a session: %d %s", name, w.Code, w.Body)
		}
	}
}
