package app_test

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/auth"
)

// script is what a browser must not run.
const script = `<script>alert("stored")</script>`

// hostile are names of files that browsers or servers have been tricked with.
var hostile = []string{
	"page.html", "page.svg", "page.xhtml", "page", `a"b.html`, "a'b.html", "x;filename=evil.exe",
	"x; filename*=utf-8''evil.html",
	"<img src=x onerror=alert(1)>.html", "ü模.html", "gpj\u202elmth.html", "$(id).html", "a b.html",
	"index.html?x=1", "page.html#x", "..html", "&quot;.html", "javascript:alert(1)",
}

// TestRoutes_WhatUsersStoredIsSafeInABrowser walks all routes that read: whichever
// answers with a stored file does so as an attachment that nothing runs, or as what a
// browser shows and does not run, and no other answer has a name or a file in it as HTML.
// None is kept by a cache unless it is asked for anew.
func TestRoutes_WhatUsersStoredIsSafeInABrowser(t *testing.T) {
	a := open(t, t.TempDir())
	start(t, a)
	token, err := auth.ReadOwner(a.Dir())
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, target, body string) string {
		t.Helper()
		w := send(t, a, token, method, target, body)
		if w.Code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, target, w.Code, w.Body)
		}
		return w.Body.String()
	}
	id := func(answer, before string) string {
		t.Helper()
		_, rest, ok := strings.Cut(answer, before+`":"`)
		id, _, _ := strings.Cut(rest, `"`)
		if !ok {
			t.Fatalf("no %s in %s", before, answer)
		}
		return id
	}
	const api = "/api/2.0/mlflow/"
	run := id(call("POST", api+"runs/create", `{"experiment_id":"0"}`), "run_id")
	model := id(call("POST", api+"logged-models", `{"experiment_id":"0","name":"m"}`), "model_id")
	for _, name := range hostile {
		for _, root := range []string{"0/" + run + "/artifacts/d/",
			"0/models/" + model + "/artifacts/d/"} {
			call("PUT", "/api/2.0/mlflow-artifacts/artifacts/"+root+url.PathEscape(name), script)
		}
	}
	call("PATCH", api+"logged-models/"+model,
		fmt.Sprintf(`{"model_id":%q,"status":"LOGGED_MODEL_READY"}`, model))
	call("POST", api+"registered-models/create", `{"name":"m"}`)
	call("POST", api+"model-versions/create",
		fmt.Sprintf(`{"name":"m","source":"models:/%s","model_id":%q}`, model, model))

	answered := map[string]bool{}
	for _, name := range hostile {
		file := "d/" + name
		query := url.Values{"run_uuid": {run}, "run_id": {run}, "run": {run}, "name": {"m"}, "version": {"1"},
			"path": {file}, "artifact_file_path": {file}, "artifact_directory_path": {"d"}}
		for _, r := range a.Routes() {
			if r.Method != http.MethodGet {
				continue
			}
			target := strings.NewReplacer("{path...}", "0/"+run+"/artifacts/d/"+url.PathEscape(name),
				"{project}", "default", "{model_id}", model, "{model}", "m", "{version}", "1", "{run}", run,
				"{name}", "m", "{$}", "").Replace(r.Path)
			w := send(t, a, token, "GET", fill(target, func() string { return "1" })+"?"+query.Encode(), "")
			body := w.Body.String()
			kept := w.Header().Get("Cache-Control")
			if kept != "no-store" && (kept != "private, no-cache" || w.Header().Get("ETag") == "") {
				t.Errorf("%s may be kept: %q", r.Path, kept)
			}
			if strings.Contains(body, "<img") && !strings.HasSuffix(w.Header().Get("Content-Type"), "json") {
				t.Errorf("%s answers with a name as HTML: %s", r.Path, body)
			}
			if !strings.Contains(body, "<script>alert") {
				continue
			}
			answered[r.Path] = true
			kind, params, err := mime.ParseMediaType(w.Header().Get("Content-Disposition"))
			shown := kind == "inline" && slices.Contains([]string{"text/plain; charset=utf-8", "image/svg+xml"},
				w.Header().Get("Content-Type"))
			if err != nil || !shown && kind != "attachment" || params["filename"] != path.Base(name) {
				t.Errorf("%s, %q: Content-Disposition %q, %v", r.Path, name,
					w.Header().Get("Content-Disposition"), err)
			}
			for header, want := range map[string]string{"X-Content-Type-Options": "nosniff",
				"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; sandbox",
				"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "private, no-cache",
				"Set-Cookie": ""} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s, %q: %s is %q", r.Path, name, header, got)
				}
			}
		}
	}
	var want []string
	for _, prefix := range []string{"/ajax-api", "/api"} {
		want = append(want, prefix+"/2.0/mlflow-artifacts/artifacts/{path...}",
			prefix+"/2.0/mlflow/logged-models/{model_id}/artifacts/files")
	}
	want = append(want, "/api/v1/projects/{project}/artifacts/content", "/get-artifact",
		"/model-versions/get-artifact")
	var got []string
	for r := range answered {
		got = append(got, r)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("stored files are answered by %q, want %q", got, want)
	}
	list := send(t, a, token, "GET", api+"artifacts/list?run_id="+run+"&path=d", "")
	if got := list.Header().Get("Content-Type"); got != "application/json" ||
		strings.Count(list.Body.String(), `"path"`) != len(hostile) {
		t.Errorf("a listing is %s: %s", got, list.Body)
	}
}
