package ops

import (
	"bytes"
	"cmp"
	"html/template"
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
	New     bool // the password is a new one
}

func newSignIn() form { return form{Title: "Sign in", Path: signInPath, Button: "Sign in"} }

func newFirst(key string) form {
	return form{Title: "Make the first account", Path: firstPath, Button: "Make the account", Key: key,
		New: true}
}

func (a *API) showSignIn(w http.ResponseWriter, r *http.Request) error {
	f := newSignIn()
	f.Next = here(r.FormValue("next"))
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
	f.Problem = fairlead.MessageOf(err)
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
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	w.WriteHeader(status)
	w.Write(b.Bytes())
	return nil
}

// policy lets the page of a form have its own style and send the form here, and nothing
// else: it works without a script.
const policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; " +
	"form-action 'self'; base-uri 'none'"

// head begins every page, with its title. It follows the reader's light or dark
// setting, and needs no script.
var head = template.Must(template.New("head").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.}}</title><style>
:root{color-scheme:light dark;--bg:#fff;--ink:#1c2127;--dim:#57606a;--line:#d8dde3;--soft:#f4f6f8;--link:#0b5cad}
@media(prefers-color-scheme:dark){:root{--bg:#14181c;--ink:#e6eaee;--dim:#9aa4ae;--line:#333a42;--soft:#1c2127;--link:#7cb8f2}}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:2.5rem auto;padding:0 1rem;background:var(--bg);color:var(--ink)}
h1{font-size:1.6rem;line-height:1.2;margin:0}h2{font-size:1.05rem;margin:2.25rem 0 .5rem}
p{margin:.35rem 0}a{color:var(--link)}.dim{color:var(--dim)}
a:focus-visible,input:focus-visible,button:focus-visible{outline:2px solid var(--link);outline-offset:2px}
input{font:inherit;width:100%;max-width:24rem;padding:.4rem .5rem}button{font:inherit;padding:.4rem 1rem}
@media(max-width:30rem){body{margin:1.25rem auto}}
</style></head><body>`))

var formPage = template.Must(template.Must(head.Clone()).New("form").Parse(`{{template "head" .Title}}
<header><h1>Fairlead</h1><p class="dim">{{.Title}}</p></header>
<main>
{{with .Problem}}<p role="alert"><strong>{{.}}</strong></p>{{end}}
<form method="post" action="{{.Path}}">
{{with .Key}}<input type="hidden" name="key" value="{{.}}">{{end}}{{with .Next}}<input type="hidden" name="next" value="{{.}}">{{end}}
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

var failPage = template.Must(template.Must(head.Clone()).New("fail").Parse(`{{template "head" "This did not work"}}
<header><h1>Fairlead</h1><p class="dim">This did not work</p></header>
<main><p role="alert"><strong>{{.}}</strong></p>
<p><a href="/">Go to the pages</a></p></main>
</body></html>
`))
