package ops

import (
	"bytes"
	"html/template"
	"net/http"
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
)

// signInRoutes are for browsers; programs send a token or a password with each request.
func (a *API) signInRoutes() []auth.Route {
	return []auth.Route{
		{Method: http.MethodGet, Path: signInPath, Handle: a.showSignIn},
		{Method: http.MethodPost, Path: signInPath, BodyLimit: formLimit, Handle: a.signIn},
		{Method: http.MethodPost, Path: signOutPath, BodyLimit: formLimit, Handle: a.signOut},
		{Method: http.MethodGet, Path: firstPath, Handle: a.showFirst},
		{Method: http.MethodPost, Path: firstPath, BodyLimit: formLimit, Handle: a.addFirst},
	}
}

// form is what the page of a form shows.
type form struct {
	Title   string
	Path    string
	Button  string
	Name    string // that was typed before
	Key     string // of the first run's link
	Problem string
	New     bool // the password is a new one
}

func newSignIn() form { return form{Title: "Sign in", Path: signInPath, Button: "Sign in"} }

func newFirst(key string) form {
	return form{Title: "Make the first account", Path: firstPath, Button: "Make the account", Key: key,
		New: true}
}

func (a *API) showSignIn(w http.ResponseWriter, _ *http.Request) error {
	return showForm(w, http.StatusOK, newSignIn())
}

// signIn begins a session for who types the right password, and leads to the page at /.
func (a *API) signIn(w http.ResponseWriter, r *http.Request) error {
	f := newSignIn()
	f.Name = r.PostFormValue("name")
	return a.begin(w, r, f, nil)
}

func (a *API) showFirst(w http.ResponseWriter, r *http.Request) error {
	return showForm(w, http.StatusOK, newFirst(r.FormValue("key")))
}

// addFirst makes the first administrator's account, and signs them in.
func (a *API) addFirst(w http.ResponseWriter, r *http.Request) error {
	f := newFirst(r.PostFormValue("key"))
	f.Name = r.PostFormValue("name")
	err := a.Accounts.AddFirst(r.Context(), f.Key, f.Name, r.PostFormValue("password"))
	return a.begin(w, r, f, err)
}

// begin signs in who sent a form, unless something is wrong with it already: then the
// form is shown again, and says what.
func (a *API) begin(w http.ResponseWriter, r *http.Request, f form, err error) error {
	if err == nil {
		secret, expires, signErr := a.Accounts.SignIn(r.Context(), f.Name, r.PostFormValue("password"),
			auth.RemoteAddr(r))
		if err = signErr; err == nil {
			http.SetCookie(w, auth.SessionCookie(r, secret, expires))
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil
		}
	}
	code := fairlead.CodeOf(err)
	if code == fairlead.Internal {
		return err
	}
	f.Problem = fairlead.MessageOf(err)
	return showForm(w, code.HTTPStatus(), f)
}

// signOut ends the browser's session.
func (a *API) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := a.Accounts.SignOut(r.Context(), auth.SessionOf(r)); err != nil {
		return err
	}
	http.SetCookie(w, auth.EndedCookie())
	http.Redirect(w, r, signInPath, http.StatusSeeOther)
	return nil
}

// failPage leads a browser that has not signed in to the form for it; others get a
// line of text.
func (a *API) failPage(w http.ResponseWriter, r *http.Request, err error) {
	browser := strings.Contains(r.Header.Get("Accept"), "text/html")
	if browser && fairlead.Is(err, fairlead.Unauthenticated) && a.Accounts.Exist() {
		http.Redirect(w, r, signInPath, http.StatusSeeOther)
		return
	}
	fail(w, r, err)
}

func showForm(w http.ResponseWriter, status int, f form) error {
	return show(w, status, formPage, f)
}

// show writes a page, which no cache keeps, and whose address goes to no other site.
func show(w http.ResponseWriter, status int, t *template.Template, data any) error {
	var b bytes.Buffer
	if err := t.Execute(&b, data); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	w.Write(b.Bytes())
	return nil
}

var formPage = template.Must(template.Must(head.Clone()).New("form").Parse(`{{template "head" .Title}}
<header><h1>Fairlead</h1><p class="dim">{{.Title}}</p></header>
<main>
{{with .Problem}}<p role="alert"><strong>{{.}}</strong></p>{{end}}
<form method="post" action="{{.Path}}">
{{with .Key}}<input type="hidden" name="key" value="{{.}}">{{end}}
<p><label for="name">User</label><br>
<input id="name" name="name" value="{{.Name}}" required autocomplete="username" autocapitalize="none" spellcheck="false"></p>
<p><label for="password">Password</label><br>
<input id="password" name="password" type="password" required{{if .New}} minlength="12" autocomplete="new-password"{{else}} autocomplete="current-password"{{end}}></p>
{{if .New}}<p class="dim">At least 12 characters; a sentence is a good one. This account may do everything.</p>{{end}}
<p><button>{{.Button}}</button></p>
</form>
</main>
</body></html>
`))
