package app_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
)

// rightsByRole is what each role may do, as docs/operations.md says it: a column for
// each permission, in the order of auth.Permissions.
const rightsByRole = `
                read track predict label eventtime run operate admin
viewer          x    .     .       .     .         .   .       .
data-scientist  x    x     x       x     .         x   .       .
data-engineer   x    .     x       x     x         x   .       .
operator        x    .     x       .     x         x   x       .
business-owner  x    .     x       .     .         .   .       .
compliance      x    .     .       .     .         .   .       .
admin           x    x     x       x     x         x   x       x
`

// mayByRole reads the table.
func mayByRole(t *testing.T) map[auth.Role]map[auth.Permission]bool {
	t.Helper()
	out := map[auth.Role]map[auth.Permission]bool{}
	lines := strings.Split(strings.TrimSpace(rightsByRole), "\n")
	columns := strings.Fields(lines[0])
	if len(columns) != len(auth.Permissions) || len(lines)-1 != len(auth.Roles) {
		t.Fatalf("the table has %d permissions and %d roles, want %d and %d", len(columns), len(lines)-1,
			len(auth.Permissions), len(auth.Roles))
	}
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		row := map[auth.Permission]bool{auth.Public: true, auth.Self: true}
		for i, cell := range cells[1:] {
			row[auth.Permission(columns[i])] = cell == "x"
		}
		out[auth.Role(cells[0])] = row
	}
	return out
}

var pathVariable = regexp.MustCompile(`\{[^}]*\}`)

// pathOf is a path that a route takes, of the project.
func pathOf(r auth.Route, project string) string {
	path := strings.ReplaceAll(strings.TrimSuffix(r.Path, "{$}"), "{project}", project)
	if !strings.HasPrefix(path, "/api/v1") && !r.Server {
		path = "/p/" + project + path
	}
	return pathVariable.ReplaceAllString(path, "x")
}

// ask asks the program, without a body, with credentials.
func ask(a *app.App, method, path string, sign func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:4747"+path, strings.NewReader(""))
	r.RemoteAddr = "127.0.0.1:1"
	if sign != nil {
		sign(r)
	}
	return answered(a, r)
}

// answered lets the server answer a request. A stream, which does not end, is left once
// it has begun.
func answered(a *app.App, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	if strings.HasSuffix(r.URL.Path, "/stream") {
		ctx, leave := context.WithCancel(r.Context())
		defer leave()
		a.Handler().ServeHTTP(&leaver{w, leave}, r.WithContext(ctx))
		return w
	}
	a.Handler().ServeHTTP(w, r)
	return w
}

// leaver is a client that has seen enough with the first bytes.
type leaver struct {
	*httptest.ResponseRecorder
	leave func()
}

func (l *leaver) Write(p []byte) (int, error) {
	defer l.leave()
	return l.ResponseRecorder.Write(p)
}

func token(secret string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+secret) }
}

// household has two projects, and an account for each role in project alpha, which
// signs in with the token that is returned.
func household(t *testing.T) (a *app.App, tokens map[auth.Role]string) {
	t.Helper()
	a = open(t, t.TempDir())
	ctx := t.Context()
	var alpha fairlead.Project
	for _, name := range []string{"alpha", "beta"} {
		rev, err := a.Projects.Apply(ctx, []byte("project: "+name+"\n"), "")
		if err != nil {
			t.Fatal(err)
		}
		if name == "alpha" {
			alpha = rev.Project
		}
	}
	if _, err := a.Accounts.Add(ctx, auth.NewAccount{Name: "root", Role: auth.Admin}); err != nil {
		t.Fatal(err)
	}
	tokens = map[auth.Role]string{}
	for _, role := range auth.Roles {
		name := "a-" + string(role)
		if _, err := a.Accounts.Add(ctx, auth.NewAccount{Name: name}); err != nil {
			t.Fatal(err)
		}
		if err := a.Accounts.Grant(ctx, alpha, name, role); err != nil {
			t.Fatal(err)
		}
		var err error
		if _, tokens[role], err = a.Accounts.IssueToken(ctx, auth.NewToken{User: name,
			Name: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	return a, tokens
}

// Each role asks each route for its project, for another, and for the server: what the
// table has no cross for is 403, and nothing else is.
func TestRoles_EachCellOverEachRoute(t *testing.T) {
	a, tokens := household(t)
	table, asked := mayByRole(t), map[string]bool{}
	for _, r := range a.Routes() {
		if r.Method == auth.AnyMethod {
			r.Method = "POST"
		}
		w := ask(a, r.Method, pathOf(r, "alpha"), nil)
		turnedAway := w.Code == 401 && strings.Contains(w.Body.String(), "asks who you are")
		if turnedAway == (r.Permission == auth.Public) {
			t.Errorf("%s %s (%s) without credentials: %d", r.Method, r.Path, r.Permission, w.Code)
		}
		for _, role := range auth.Roles {
			may := table[role][r.Permission]
			if r.Server {
				may = r.Permission == auth.Public || r.Permission == auth.Self
			}
			asked[string(role)+" "+string(r.Permission)] = true
			w := ask(a, r.Method, pathOf(r, "alpha"), token(tokens[role]))
			if refused(w) == may || w.Code == 401 && r.Permission != auth.Public {
				t.Errorf("%s: %s %s (%s): %d %s", role, r.Method, r.Path, r.Permission, w.Code, w.Body)
			}
			if r.Server || r.Permission == auth.Public {
				continue
			}
			if w := ask(a, r.Method, pathOf(r, "beta"), token(tokens[role])); !refused(w) {
				t.Errorf("%s of alpha: %s %s in beta: %d", role, r.Method, r.Path, w.Code)
			}
		}
	}
	for _, role := range auth.Roles {
		for _, p := range auth.Permissions {
			if !asked[string(role)+" "+string(p)] {
				t.Errorf("no route asks %s for %s", role, p)
			}
		}
	}
}

// refused reports whether the guard said no, and not a handler: it names the permission.
func refused(w *httptest.ResponseRecorder) bool {
	return w.Code == 403 && strings.Contains(w.Body.String(), "it needs the permission")
}

// A role for all projects holds in each of them and for the server.
func TestRoles_ForAllProjectsOverEachRoute(t *testing.T) {
	a, tokens := household(t)
	table := mayByRole(t)
	for _, role := range auth.Roles {
		if err := a.Accounts.Grant(t.Context(), fairlead.Project{}, "a-"+string(role), role); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range a.Routes() {
		if r.Method == auth.AnyMethod {
			r.Method = "POST"
		}
		for _, role := range auth.Roles {
			for _, project := range []string{"alpha", "beta"} {
				w := ask(a, r.Method, pathOf(r, project), token(tokens[role]))
				if refused(w) == table[role][r.Permission] {
					t.Errorf("%s of all: %s %s (%s) in %s: %d %s", role, r.Method, r.Path, r.Permission,
						project, w.Code, w.Body)
				}
			}
		}
	}
}

// What a request holds may need more than its route.
func TestRoles_WhatTheBodyNeeds(t *testing.T) {
	a, tokens := household(t)
	table := mayByRole(t)
	alias := func(name string) string { return `{"name":"none","alias":"` + name + `","version":"1"}` }
	for _, tt := range []struct {
		path, body string
		needs      []auth.Permission
	}{
		{"/p/alpha/api/2.0/mlflow/registered-models/alias", alias("candidate"),
			[]auth.Permission{auth.Track, auth.Run}},
		{"/p/alpha/api/2.0/mlflow/registered-models/alias", alias("best"), []auth.Permission{auth.Track}},
	} {
		for _, role := range auth.Roles {
			may := true
			for _, need := range tt.needs {
				may = may && table[role][need]
			}
			r := httptest.NewRequest("POST", "http://127.0.0.1:4747"+tt.path, strings.NewReader(tt.body))
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("Content-Type", "application/json")
			token(tokens[role])(r)
			w := httptest.NewRecorder()
			a.Handler().ServeHTTP(w, r)
			if refused(w) == may {
				t.Errorf("%s: %s %s: %d %s", role, tt.path, tt.body, w.Code, w.Body)
			}
		}
	}
}

func TestRoles_ForAllProjectsReachTheServer(t *testing.T) {
	a, tokens := household(t)
	for path, want := range map[string]int{"/metrics": 403, "/": 200, "/api/v1/projects": 200,
		"/api/v1/me": 200} {
		if w := ask(a, "GET", path, token(tokens[auth.Viewer])); w.Code != want ||
			strings.Contains(w.Body.String(), "beta") {
			t.Errorf("a viewer of alpha: %s: %d %s", path, w.Code, w.Body)
		}
	}
	if err := a.Accounts.Grant(t.Context(), fairlead.Project{}, "a-viewer", auth.Viewer); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/metrics", "/", "/api/v1/projects", "/api/v1/projects/beta"} {
		if w := ask(a, "GET", path, token(tokens[auth.Viewer])); w.Code != 200 {
			t.Errorf("a viewer of all projects: %s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestListen_ElsewhereNeedsAnAccount(t *testing.T) {
	dir := t.TempDir()
	everywhere := app.Options{Dir: dir, Listen: "0.0.0.0:0", Version: "test"}
	if _, err := app.New(t.Context(), everywhere); !fairlead.Is(err, fairlead.Denied) ||
		!strings.Contains(err.Error(), "fairlead user add") {
		t.Fatalf("without accounts: %v", err)
	}
	a := open(t, dir)
	if _, err := a.Accounts.Add(t.Context(), auth.NewAccount{Name: "root",
		Role: auth.Admin}); err != nil {
		t.Fatal(err)
	}
	stop(t, a)
	a, err := app.New(t.Context(), everywhere)
	if err != nil {
		t.Fatal(err)
	}
	start(t, a)
	defer stop(t, a)
	if !strings.HasPrefix(a.URL(), "http://127.0.0.1:") {
		t.Errorf("this machine's own programs are sent to %s", a.URL())
	}
	if s, err := app.FindServer(t.Context(), dir); err != nil || s.URL != a.URL() {
		t.Errorf("found %+v, %v", s, err)
	}
	for path, want := range map[string]int{"/health": 200, "/api/v1/me": 401} {
		res, err := http.Get(a.URL() + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
}

// browser sends forms as one does, and keeps the cookie.
type browser struct {
	t      *testing.T
	app    *app.App
	cookie string
}

func (b *browser) send(method, path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:4747"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Accept", "text/html,*/*")
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://127.0.0.1:4747")
	}
	r.Header.Set("Cookie", b.cookie)
	w := httptest.NewRecorder()
	b.app.Handler().ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if !c.HttpOnly || c.MaxAge >= 0 && c.SameSite != http.SameSiteStrictMode {
			b.t.Errorf("the cookie is %s", c)
		}
		b.cookie = c.Name + "=" + c.Value
	}
	return w
}

// want sends a form, and checks where it leads, or what the page says.
func (b *browser) want(method, path string, form url.Values, status int, says string) string {
	b.t.Helper()
	w := b.send(method, path, form)
	text := w.Header().Get("Location") + w.Body.String()
	if w.Code != status || !strings.Contains(text, says) {
		b.t.Errorf("%s %s: %d %s, want %d and %q", method, path, w.Code, text, status, says)
	}
	return text
}

func TestFirstRun_MakesAnAdministratorAndSignsThemIn(t *testing.T) {
	a := open(t, t.TempDir())
	b := &browser{t: t, app: a}
	link, err := url.Parse(a.FirstAccount())
	if err != nil || "http://"+link.Host != a.URL() {
		t.Fatalf("link %s, %v", link, err)
	}
	key := link.Query().Get("key")
	typed := func(key, password string) url.Values {
		return url.Values{"key": {key}, "name": {"ada"}, "password": {password}}
	}
	const phrase = "a quiet harbour at dawn"
	b.want("GET", "/", nil, 200, "<title>Fairlead")
	b.want("GET", link.RequestURI(), nil, 200, `value="`+key+`"`)
	b.want("GET", "/first?key=%22%3E%3Cscript%3E", nil, 200, `value="&#34;&gt;&lt;script&gt;"`)
	b.want("POST", "/first", typed("fl_first_00", phrase), 403, "not the one")
	b.want("POST", "/first", typed(key, "short"), 400, "12 to 256")
	b.want("POST", "/first", typed(key, phrase), 303, "/")
	b.want("GET", "/api/v1/me", nil, 200, `"kind":"session"`)
	b.want("POST", "/first", typed(key, phrase), 409, "already")
	if again := a.FirstAccount(); again != "" {
		t.Errorf("there is a link again: %s", again)
	}
	other := &browser{t: t, app: a}
	other.want("GET", "/api/v1/me", nil, 401, "asks who you are")
	other.want("GET", "/metrics", nil, 401, "asks who you are")
	other.want("GET", "/signin", nil, 200, "Sign in")
	other.want("GET", "/signin?next=/p/default/runs%3Ffilter%3Dx", nil, 200, `value="/p/default/runs?filter=x"`)
	other.want("POST", "/signin", typed("", "another long phrase"), 401, "password is wrong")
	for range 10 { // forms without a name are no guesses, and slow nobody down
		other.want("POST", "/signin", url.Values{}, 400, "Type your name")
	}
	other.want("POST", "/signin", typed("", phrase), 303, "/")
	other.want("GET", "/metrics", nil, 200, "go_goroutines")
	kept := other.cookie
	other.want("POST", "/signout", nil, 303, "/signin")
	other.want("GET", "/api/v1/me", nil, 401, "asks who you are")
	other.cookie = kept
	other.want("GET", "/api/v1/me", nil, 401, "asks who you are")
	other.want("GET", "/signin?next=/p/default", nil, 200, "Your session has ended")
	b.want("GET", "/api/v1/me", nil, 200, `"name":"ada"`)
}

func TestSignIn_SaysWhatIsWrongAndHowLongToWait(t *testing.T) {
	a := open(t, t.TempDir())
	const phrase = "a quiet harbour at dawn"
	if _, err := a.Accounts.Add(t.Context(), auth.NewAccount{Name: "ada", Password: phrase,
		Role: auth.Admin}); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, app: a}
	typed := func(password string) url.Values {
		return url.Values{"name": {"ada"}, "password": {password}}
	}
	b.want("GET", "/signin", nil, 200, `autocomplete="username" autocapitalize="none" spellcheck="false" autofocus>`)
	wrong := "name=\"password\" type=\"password\" required autocomplete=\"current-password\" " +
		"aria-invalid=\"true\" aria-describedby=\"problem\" autofocus>"
	for range 5 {
		b.want("POST", "/signin", typed("another long phrase"), 401, wrong)
	}
	b.want("POST", "/signin", typed(phrase), 429, "Too many sign-ins have failed; try again in ")
	if page := b.want("GET", "/signin", nil, 200, "Sign in"); strings.Contains(page, "ended") {
		t.Errorf("who had no session is told that it ended: %s", page)
	}
}

func TestSession_IsNotUsedByPagesOfOtherSites(t *testing.T) {
	a := open(t, t.TempDir())
	const phrase = "a quiet harbour at dawn"
	if _, err := a.Accounts.Add(t.Context(), auth.NewAccount{Name: "ada", Password: phrase,
		Role: auth.Admin}); err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, app: a}
	b.want("POST", "/signin", url.Values{"name": {"ada"}, "password": {phrase}}, 303, "/")
	for name, sign := range map[string]func(*http.Request){
		"origin":                    func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"null origin":               func(r *http.Request) { r.Header.Set("Origin", "null") },
		"fetch":                     func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"fetch from another port":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"what is to come":           func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "near-site") },
		"another name of this port": func(r *http.Request) { r.Header.Set("Origin", "http://evil.example:4747") },
	} {
		w := ask(a, "DELETE", "/api/v1/users/ada", func(r *http.Request) {
			r.Header.Set("Cookie", b.cookie)
			sign(r)
		})
		if w.Code != 403 || !strings.Contains(w.Body.String(), "other sites") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

// Whether a project exists is told only to who may see it.
func TestProjects_AreNotToldToWhoMayNotSeeThem(t *testing.T) {
	a, tokens := household(t)
	const phrase = "a quiet harbour at dawn"
	if err := a.Accounts.SetPassword(t.Context(), "a-admin", phrase); err != nil {
		t.Fatal(err)
	}
	narrowed := func(project string) (int, string) {
		r := httptest.NewRequest("POST", "http://127.0.0.1:4747/api/v1/tokens",
			strings.NewReader(`{"name":"x","project":"`+project+`"}`))
		r.Header.Set("Content-Type", "application/json")
		r.SetBasicAuth("a-admin", phrase)
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		return w.Code, strings.ReplaceAll(w.Body.String(), project, "")
	}
	there, says := narrowed("beta")
	missing, saysMissing := narrowed("omega")
	if there != 404 || missing != 404 || says != saysMissing {
		t.Errorf("a token for a project tells: %d %s, and %d %s", there, says, missing, saysMissing)
	}
	for _, r := range a.Routes() {
		if r.Server || r.Method == auth.AnyMethod {
			continue
		}
		for name, sign := range map[string]func(*http.Request){"nobody": nil,
			"who has a role elsewhere": token(tokens[auth.Admin])} {
			there := ask(a, r.Method, pathOf(r, "beta"), sign)
			missing := ask(a, r.Method, pathOf(r, "omega"), sign)
			text := strings.ReplaceAll(missing.Body.String(), "omega", "beta")
			if there.Code != missing.Code || there.Body.String() != text {
				t.Errorf("%s learns from %s %s: %d %s, and %d %s", name, r.Method, r.Path, there.Code,
					there.Body, missing.Code, missing.Body)
			}
		}
	}
}

// The owner's link lets a browser in where there are no accounts, and once.
func TestEnter_MakesABrowserTheOwners(t *testing.T) {
	a := open(t, t.TempDir())
	token, err := auth.ReadOwner(a.Dir())
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, app: a}
	link := "/enter?next=/p/default/runs&key=" + auth.Link(token, time.Now())
	b.want("GET", "/api/v1/users", nil, 401, "needs the token")
	b.want("GET", link, nil, 303, "/p/default/runs")
	b.want("GET", "/api/v1/users", nil, 200, "items")
	b.want("GET", "/api/v1/me", nil, 200, `"kind":"owner"`)
	b.want("GET", link, nil, 303, "/p/default/runs") // a reload
	kept := b.cookie
	b.want("POST", "/signout", nil, 303, "/")
	for _, b.cookie = range []string{b.cookie, kept} {
		b.want("GET", "/api/v1/users", nil, 401, "needs the token")
		b.want("GET", link, nil, 403, "fairlead ui")
	}
	again := auth.Link(token, time.Now())
	b.want("HEAD", "/enter?key="+again, nil, 200, "") // does not use it up
	b.want("GET", "/enter?next=https://evil.example/&key="+again, nil, 303, "/")
	for _, next := range []string{"//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example",
		"/\n/evil.example", "///evil.example", "http:evil.example", "javascript:alert(1)", "evil.example",
		"/.//evil.example", "//evil.example\\@127.0.0.1", "?//evil.example"} {
		query := url.Values{"next": {next}, "key": {auth.Link(token, time.Now())}}
		w := b.send("GET", "/enter?"+query.Encode(), nil)
		// As browsers read it: without tabs and newlines, and a backslash is a slash.
		to := strings.NewReplacer("\t", "", "\n", "", "\\", "/").Replace(w.Header().Get("Location"))
		if w.Code != 303 || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
			t.Errorf("%q leads to %q: %d %s", next, to, w.Code, w.Body)
		}
	}
}
