package ops

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// formLimit bounds what a form sends, in bytes.
const formLimit = 4 << 10

// The paths of the forms.
const (
	signInPath  = "/signin"
	signOutPath = "/signout"
	firstPath   = "/first"
	enterPath   = "/enter"
)

// signInRoutes are for browsers; programs send a token or a password with each request.
func (a *API) signInRoutes() []auth.Route {
	return []auth.Route{
		{Method: http.MethodGet, Path: signInPath, Handle: a.showSignIn},
		{Method: http.MethodPost, Path: signInPath, BodyLimit: formLimit, Handle: a.signIn},
		{Method: http.MethodPost, Path: signOutPath, BodyLimit: formLimit, Handle: a.signOut},
		{Method: http.MethodGet, Path: firstPath, Handle: a.showFirst},
		{Method: http.MethodPost, Path: firstPath, BodyLimit: formLimit, Handle: a.addFirst},
		{Method: http.MethodGet, Path: enterPath, Handle: a.enter},
	}
}

// form is what the page of a form shows.
type form struct {
	Title   string
	Path    string
	Button  string
	Name    string // that was typed before
	Key     string // of the first run's link
	Next    string // the page to go on with; empty for the one at /
	Problem string
	Wrong   bool   // the problem is what was typed
	Note    string // why the form is there
	New     bool   // the password is a new one
}

// First is the field that the reader types into first.
func (f form) First() string {
	if f.Name == "" {
		return "name"
	}
	return "password"
}

func newSignIn() form { return form{Title: "Sign in", Path: signInPath, Button: "Sign in"} }

func newFirst(key string) form {
	return form{Title: "Make the first account", Path: firstPath, Button: "Make the account", Key: key,
		New: true}
}

func (a *API) showSignIn(w http.ResponseWriter, r *http.Request) error {
	f := newSignIn()
	f.Next = here(r.FormValue("next"))
	if auth.SessionOf(r) != "" && auth.CallerFrom(r.Context()).Kind == auth.ByNothing {
		f.Note = "Your session has ended. Sign in to go on where you were."
	}
	return showForm(w, http.StatusOK, f)
}

// here returns the address of a page of this server, or empty for what may lead to
// another one: browsers read a backslash as a slash, and two slashes as a host.
func here(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || strings.Contains(next, "\\") ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return ""
	}
	return next
}

// signIn begins a session for who types the right password, and leads to the page that
// they wanted to see.
func (a *API) signIn(w http.ResponseWriter, r *http.Request) error {
	f := newSignIn()
	err := readForm(r)
	f.Name, f.Next = r.PostFormValue("name"), here(r.PostFormValue("next"))
	if err == nil && f.Name == "" { // which is no guess at anybody's password
		err = fairlead.Errorf(fairlead.Invalid, "type your name and your password")
	}
	return a.begin(w, r, f, err)
}

func (a *API) showFirst(w http.ResponseWriter, r *http.Request) error {
	return showForm(w, http.StatusOK, newFirst(r.FormValue("key")))
}

// addFirst makes the first administrator's account, and signs them in.
func (a *API) addFirst(w http.ResponseWriter, r *http.Request) error {
	err := readForm(r)
	f := newFirst(r.PostFormValue("key"))
	f.Name = r.PostFormValue("name")
	if err == nil {
		err = a.Accounts.AddFirst(r.Context(), f.Key, f.Name, r.PostFormValue("password"))
	}
	return a.begin(w, r, f, err)
}

// readForm reads what was sent, whole or not at all.
func readForm(r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return fairlead.Errorf(fairlead.Invalid, "the form did not arrive whole; send it again").Because(err)
	}
	return nil
}

// begin signs in who sent a form, unless something is wrong with it already: then the
// form is shown again, and says what.
func (a *API) begin(w http.ResponseWriter, r *http.Request, f form, err error) error {
	if err == nil {
		secret, expires, signErr := a.Accounts.SignIn(r.Context(), f.Name, r.PostFormValue("password"),
			auth.RemoteAddr(r))
		if err = signErr; err == nil {
			http.SetCookie(w, auth.SessionCookie(r, secret, expires))
			http.Redirect(w, r, cmp.Or(f.Next, "/"), http.StatusSeeOther)
			return nil
		}
	}
	code := fairlead.CodeOf(err)
	if code == fairlead.Internal {
		return err
	}
	f.Problem = sentence(fairlead.MessageOf(err))
	f.Wrong = code == fairlead.Unauthenticated || code == fairlead.Invalid
	return showForm(w, code.HTTPStatus(), f)
}

// enter lets a browser in that has a link of the owner. The link works once: its address
// stays in the browser's history. The browser that it let in may come again by it.
func (a *API) enter(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodHead {
		return nil // somebody looks whether there is something, and must not use the link up
	}
	secret, expires, err := a.Enter(r.Context(), r.FormValue("key"))
	switch in := auth.CallerFrom(r.Context()).Kind == auth.ByOwner; {
	case err == nil:
		http.SetCookie(w, auth.SessionCookie(r, secret, expires))
	case !in || !fairlead.Is(err, fairlead.Denied):
		return err
	}
	http.Redirect(w, r, cmp.Or(here(r.FormValue("next")), "/"), http.StatusSeeOther)
	return nil
}

// signOut ends the browser's session.
func (a *API) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.SignOut(r.Context(), auth.SessionOf(r)); err != nil {
		return err
	}
	http.SetCookie(w, auth.EndedCookie(r))
	next := "/"
	if a.Accounts.Exist() {
		next = signInPath
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}
