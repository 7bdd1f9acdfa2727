package ui_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/ui"
)

// server answers the pages' routes without a guard: all are public.
func server(t *testing.T) *http.ServeMux {
	t.Helper()
	mux := http.NewServeMux()
	for _, r := range ui.Routes() {
		if r.Permission != auth.Public || r.Method != http.MethodGet || r.BodyLimit != 0 {
			t.Errorf("%v", r)
		}
		mux.HandleFunc(r.Pattern(), func(w http.ResponseWriter, req *http.Request) {
			if err := r.Handle(w, req); err != nil {
				r.Fail(w, req, err)
			}
		})
	}
	return mux
}

func get(mux *http.ServeMux, path, encoding string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Accept-Encoding", encoding)
	mux.ServeHTTP(w, r)
	return w
}

// built leaves a test out where the pages were not built: `make build` does.
func built(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("dist/index.html"); err != nil {
		t.Skip("LEFT OUT: the web interface is not built; make build")
	}
}

func TestDocument_IsTheSameAtEveryPageAndAllowsNoForeignScript(t *testing.T) {
	built(t)
	mux := server(t)
	nonces := map[string]bool{}
	for _, path := range []string{"/", "/experiments", "/experiments/1/runs/abc", "/models/bikes/versions/3"} {
		w := get(mux, path, "gzip")
		policy := w.Header().Get("Content-Security-Policy")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `<div id="root">`) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "script-src 'self';") ||
			!strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") ||
			w.Header().Get("Referrer-Policy") != "same-origin" ||
			w.Header().Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s: policy %s", path, policy)
		}
		m := regexp.MustCompile(`'nonce-([\w-]{22})'`).FindStringSubmatch(policy)
		if m == nil || nonces[m[1]] || !strings.Contains(w.Body.String(), `nonce="`+m[1]+`"`) {
			t.Errorf("%s: no nonce of its own: %v", path, m)
			continue
		}
		nonces[m[1]] = true
		if inline := regexp.MustCompile(`<script(?:[^>]*)>\s*[^<\s]|<style| style=| on\w+=`).
			FindString(w.Body.String()); inline != "" {
			t.Errorf("%s: %q is inline", path, inline)
		}
	}
	if w := get(mux, "/nowhere", ""); w.Code != 404 {
		t.Errorf("an address without a page: %d", w.Code)
	}
}

func TestFiles_AreKeptForGoodAndSentCompressed(t *testing.T) {
	built(t)
	mux := server(t)
	doc := get(mux, "/", "gzip").Body.String()
	named := regexp.MustCompile(`(?:src|href)="(/ui/[^"]+)"`).FindAllStringSubmatch(doc, -1)
	if len(named) < 3 {
		t.Fatalf("the document names %v", named)
	}
	for _, m := range named {
		packed, plain := get(mux, m[1], "br, gzip"), get(mux, m[1], "")
		if packed.Code != 200 || packed.Header().Get("Content-Encoding") != "gzip" ||
			!strings.Contains(packed.Header().Get("Cache-Control"), "immutable") ||
			packed.Header().Get("Content-Type") == "" {
			t.Errorf("%s: %d %v", m[1], packed.Code, packed.Header())
			continue
		}
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		unpacked, err := io.ReadAll(z)
		if err != nil || plain.Code != 200 || plain.Body.String() != string(unpacked) {
			t.Errorf("%s: who takes no gzip gets %d, %d bytes of %d (%v)", m[1], plain.Code,
				plain.Body.Len(), len(unpacked), err)
		}
		if !regexp.MustCompile(`-[\w-]{8}\.\w+$`).MatchString(m[1]) {
			t.Errorf("%s does not change its name with its content", m[1])
		}
	}
	for _, path := range []string{"/ui/assets/nothing.js", "/ui/index.html", "/ui/"} {
		if w := get(mux, path, "gzip"); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// The server answers a page's address with the document only if it knows the address.
func TestPages_AreThoseOfTheRouter(t *testing.T) {
	routes, err := os.ReadDir("src/pages")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, room := range routes {
		source, err := os.ReadFile("src/pages/" + room.Name() + "/routes.ts")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`path: "/?([\w-]+)`).FindAllStringSubmatch(string(source), -1) {
			want = append(want, m[1])
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	for _, page := range want {
		if !slices.Contains(ui.Pages, page) {
			t.Errorf("%s is a page, and the server does not know it", page)
		}
	}
}
