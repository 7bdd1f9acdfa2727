package rest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/spec"
)

const phrase = "a quiet harbour at dawn"

// people gives the world an administrator, and bob, who is a viewer of alpha.
func people(t *testing.T, w *world) {
	t.Helper()
	for _, n := range []auth.NewAccount{{Name: "ada", Role: auth.Admin}, {Name: "bob"}} {
		n.Password = phrase
		if _, err := w.app.Accounts.Add(t.Context(), n); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.app.Accounts.Grant(t.Context(), w.alpha, "bob", auth.Viewer); err != nil {
		t.Fatal(err)
	}
}

// as sends a request with credentials; path is below /api/v1.
func (w *world) as(sign func(*http.Request), method, path, body string) (int, string) {
	r := httptest.NewRequest(method, "http://127.0.0.1:4747/api/v1"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Content-Type", "application/json")
	if sign != nil {
		sign(r)
	}
	rec := httptest.NewRecorder()
	w.app.Handler().ServeHTTP(rec, r)
	return rec.Code, rec.Body.String()
}

func password(name, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(name, password) }
}

func TestAccess_WhoMayDoWhatToWhom(t *testing.T) {
	w := newWorld(t)
	people(t, w)
	ada, bob := password("ada", phrase), password("bob", phrase)
	_, made := w.as(bob, "POST", "/tokens", `{"name":"laptop"}`)
	var token struct{ ID, Token string }
	if err := json.Unmarshal([]byte(made), &token); err != nil || token.Token == "" {
		t.Fatalf("%s: %v", made, err)
	}
	byToken := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token.Token) }
	for _, tt := range []struct {
		who          string
		sign         func(*http.Request)
		method, path string
		body         string
		status       int
		says         string
	}{
		{"bob", bob, "GET", "/me", "", 200, `"roles":[{"user":"bob","role":"viewer","project":"alpha"}]`},
		{"bob's token", byToken, "GET", "/me", "", 200, `"kind":"token"`},
		{"owner", w.owner, "GET", "/me", "", 200, `"kind":"owner"`},
		{"bob", bob, "GET", "/projects", "", 200, `{"items":[{"name":"alpha"}]}`},
		{"bob", bob, "GET", "/projects/alpha/models", "", 200, "alpha"},
		{"bob", bob, "GET", "/projects/beta/models", "", 403, "role grant"},
		{"bob", bob, "GET", "/users", "", 403, `permission \"admin\"`},
		{"bob", bob, "PUT", "/projects/alpha/roles/admin/users/bob", "", 403, "admin"},
		{"bob", bob, "PUT", "/roles/admin/users/bob", "", 403, "admin"},
		{"bob", bob, "GET", "/tokens", "", 200, "laptop"},
		{"bob", bob, "GET", "/tokens?all=true", "", 403, "administrators"},
		{"ada", ada, "GET", "/tokens", "", 200, `{"items":[]}`},
		{"ada", ada, "GET", "/tokens?all=true", "", 200, "laptop"},
		{"bob", bob, "POST", "/tokens", `{"name":"x","user":"ada"}`, 403, "administrator"},
		{"bob's token", byToken, "POST", "/tokens", `{"name":"x"}`, 403, "cannot make"},
		{"bob's token", byToken, "DELETE", "/tokens/" + token.ID, "", 403, "cannot make or end"},
		{"bob's token", byToken, "PUT", "/me/password", `{"password":"another long phrase"}`, 403, "Basic"},
		{"owner", w.owner, "PUT", "/me/password", `{"password":"another long phrase"}`, 403, "Basic"},
		{"owner", w.owner, "POST", "/tokens", `{"name":"x"}`, 400, "whose"},
		{"ada", ada, "POST", "/tokens", `{"name":"x","user":"bob","lasts":"soon"}`, 400, "24h"},
		{"ada", ada, "POST", "/tokens", `{"name":"x","user":"bob","project":"gamma"}`, 404, "gamma"},
		{"ada", ada, "POST", "/users", `{"name":"eve","role":"emperor"}`, 400, "no role"},
		{"ada", ada, "POST", "/users", `{"name":"eve"}`, 200, `"password":false`},
		{"ada", ada, "PUT", "/projects/beta/roles/operator/users/eve", "", 200, "true"},
		{"ada", ada, "GET", "/projects/beta/roles", "", 200, "operator"},
		{"ada", ada, "GET", "/roles", "", 200, `{"items":[{"user":"ada","role":"admin"}]}`},
		{"ada", ada, "GET", "/users?limit=1", "", 200, `"next"`},
		{"ada", ada, "DELETE", "/projects/beta/roles/operator/users/eve", "", 200, "true"},
		{"ada", ada, "DELETE", "/users/eve", "", 200, "true"},
		{"bob", bob, "PUT", "/me/password", `{"password":"short"}`, 400, "12 to 256"},
		{"bob", bob, "PUT", "/me/password", `{"password":"another long phrase"}`, 200, "true"},
		{"bob, as before", bob, "GET", "/me", "", 401, "wrong"},
		{"ada", ada, "PUT", "/users/bob/password", `{"password":"a third long phrase"}`, 200, "true"},
		{"bob anew", password("bob", "a third long phrase"), "DELETE", "/tokens/" + token.ID, "", 200, "true"},
		{"bob's token, ended", byToken, "GET", "/me", "", 401, "revoked"},
		{"nobody", nil, "GET", "/me", "", 401, "asks who you are"},
	} {
		status, body := w.as(tt.sign, tt.method, tt.path, tt.body)
		if status != tt.status || !strings.Contains(body, tt.says) {
			t.Errorf("%s: %s %s: %d %s, want %d and %q", tt.who, tt.method, tt.path, status, body, tt.status,
				tt.says)
		}
	}
	for _, tt := range []struct {
		who   string
		sign  func(*http.Request)
		shown bool
	}{{"ada", ada, true}, {"bob", password("bob", "a third long phrase"), false}} {
		w.app.Accounts.Grant(t.Context(), spec.Default, "bob", auth.Viewer)
		_, events := w.as(tt.sign, "GET", "/projects/default/events", "")
		if strings.Contains(events, "user.added") != tt.shown || !strings.Contains(events, `"items"`) {
			t.Errorf("%s learns of accounts: %s", tt.who, events)
		}
	}
	_, events := w.as(ada, "GET", "/projects/beta/events?type="+event.AccessChangedType, "")
	for _, part := range []string{`"role.granted"`, `"role.revoked"`, `"actor":"user:ada"`} {
		if !strings.Contains(events, part) {
			t.Errorf("the events of beta lack %s: %s", part, events)
		}
	}
}

// An administrator's token ends when it says, and does no more than it says.
func TestAdminToken_CannotOutliveItself(t *testing.T) {
	w := newWorld(t)
	people(t, w)
	ada := password("ada", phrase)
	make := func(body string) func(*http.Request) {
		_, made := w.as(ada, "POST", "/tokens", body)
		var token struct{ Token string }
		if err := json.Unmarshal([]byte(made), &token); err != nil || token.Token == "" {
			t.Fatalf("%s: %v", made, err)
		}
		return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token.Token) }
	}
	whole, narrow := make(`{"name":"deploy"}`), make(`{"name":"people","scope":["admin","read"]}`)
	for _, tt := range []struct {
		name         string
		sign         func(*http.Request)
		method, path string
		body         string
		status       int
	}{
		{"whole", whole, "PUT", "/users/ada/password", `{"password":"another long phrase"}`, 403},
		{"whole", whole, "POST", "/users", `{"name":"eve","password":"another long phrase"}`, 403},
		{"whole", whole, "POST", "/users", `{"name":"eve","role":"viewer"}`, 403},
		{"whole", whole, "POST", "/users", `{"name":"ci"}`, 200},
		{"whole", whole, "PUT", "/roles/admin/users/bob", "", 403},
		{"whole", whole, "PUT", "/projects/alpha/roles/admin/users/bob", "", 403},
		{"whole", whole, "PUT", "/projects/alpha/roles/operator/users/ci", "", 200},
		{"narrow", narrow, "PUT", "/projects/alpha/roles/operator/users/bob", "", 403},
		{"narrow", narrow, "PUT", "/projects/alpha/roles/viewer/users/bob", "", 200},
		{"narrow", narrow, "GET", "/users", "", 200},
		{"narrow", narrow, "DELETE", "/me/sessions/ses_0", "", 403},
		{"ada", ada, "PUT", "/roles/admin/users/bob", "", 200},
	} {
		if status, body := w.as(tt.sign, tt.method, tt.path, tt.body); status != tt.status {
			t.Errorf("%s: %s %s %s: %d %s, want %d", tt.name, tt.method, tt.path, tt.body, status, body,
				tt.status)
		}
	}
}

func TestSessions_AreListedAndEnded(t *testing.T) {
	w := newWorld(t)
	people(t, w)
	for range 2 {
		if _, _, err := w.app.Accounts.SignIn(t.Context(), "bob", phrase,
			netip.MustParseAddr("192.0.2.7")); err != nil {
			t.Fatal(err)
		}
	}
	bob := password("bob", phrase)
	var page struct{ Items []rest.Session }
	_, body := w.as(bob, "GET", "/me/sessions", "")
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Items) != 2 ||
		page.Items[0].From != "192.0.2.7" || strings.Contains(body, "fl_session") {
		t.Fatalf("%s: %v", body, err)
	}
	path := "/me/sessions/" + page.Items[0].ID
	for _, tt := range []struct {
		sign   func(*http.Request)
		status int
	}{{password("ada", phrase), 404}, {bob, 200}, {bob, 404}} {
		if status, body := w.as(tt.sign, "DELETE", path, ""); status != tt.status {
			t.Errorf("%d %s, want %d", status, body, tt.status)
		}
	}
}

func TestMe_WithoutAccounts(t *testing.T) {
	w := newWorld(t)
	if status, body := w.as(nil, "GET", "/me", ""); status != 200 || !strings.Contains(body, `"kind":"local"`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body := w.as(nil, "POST", "/tokens", `{"name":"x"}`); status != 403 {
		t.Errorf("a token of nobody: %d %s", status, body)
	}
}

// owner signs as the owner of the data directory.
func (w *world) owner(r *http.Request) { r.Header.Set("Authorization", "Bearer "+w.token) }

// To shrink the database holds all projects up.
func TestCollect_ShrinksForAdministratorsOfAllProjects(t *testing.T) {
	w := newWorld(t)
	people(t, w)
	if err := w.app.Accounts.Grant(t.Context(), w.alpha, "bob", auth.Admin); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		who, body string
		status    int
	}{{"bob", `{}`, 200}, {"bob", `{"shrink":true}`, 403}, {"ada", `{"shrink":true}`, 200}} {
		status, body := w.as(password(tt.who, phrase), "POST", "/projects/alpha/gc", tt.body)
		if status != tt.status {
			t.Errorf("%s collects %s: %d %s", tt.who, tt.body, status, body)
		}
	}
}

// Who may log into a project hands out addresses that take parts without credentials, and
// nothing else.
func TestAccess_PartsGoToSignedAddressesAlone(t *testing.T) {
	w := newWorld(t)
	people(t, w)
	if err := w.app.Accounts.Grant(t.Context(), w.alpha, "bob", auth.DataScientist); err != nil {
		t.Fatal(err)
	}
	call := func(sign func(*http.Request), method, target, body string) (int, string) {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Content-Type", "application/json")
		if sign != nil {
			sign(r)
		}
		rec := httptest.NewRecorder()
		w.app.Handler().ServeHTTP(rec, r)
		return rec.Code, rec.Body.String()
	}
	bob := password("bob", phrase)
	const base = "http://127.0.0.1:4747/p/alpha/api/2.0/mlflow-artifacts/mpu/"
	create := base + "create/0/" + w.run + "/artifacts"
	for _, who := range []func(*http.Request){nil, bob} {
		status, _ := call(who, "POST", strings.Replace(create, "/p/alpha", "/p/beta", 1),
			`{"path":"f","num_parts":1}`)
		if status != 401 && status != 403 {
			t.Errorf("an upload to a project of others: %d", status)
		}
	}
	status, answer := call(bob, "POST", create, `{"path":"f","num_parts":1}`)
	var made struct {
		ID    string `json:"upload_id"`
		Parts []struct {
			URL string `json:"url"`
		} `json:"credentials"`
	}
	if err := json.Unmarshal([]byte(answer), &made); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	const native = "http://127.0.0.1:4747/api/v1/projects/alpha/uploads/"
	bare, _, _ := strings.Cut(made.Parts[0].URL, "?")
	for _, tt := range []struct {
		what, method, url string
		status            int
	}{
		{"the address without its signature", "PUT", bare, 403},
		{"the native path", "PUT", native + made.ID + "/parts/1", 401},
		{"what has come", "GET", native + made.ID, 401},
		{"the end", "POST", base + "complete/0/" + w.run + "/artifacts", 401},
		{"the signed address", "PUT", made.Parts[0].URL, 200},
	} {
		if status, answer := call(nil, tt.method, tt.url, "part"); status != tt.status {
			t.Errorf("%s: %d %s", tt.what, status, answer)
		}
	}
	status, answer = w.as(bob, "POST", "/projects/alpha/uploads/"+made.ID+"/complete", `{}`)
	if status != 200 {
		t.Errorf("%d %s", status, answer)
	}
}
