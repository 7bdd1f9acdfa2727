// Package ui holds the web interface: pages in React, built from src/ by `make build`
// and embedded into the program. It knows no stage and calls none: the pages are a
// client of the native API, with the rights of who reads them.
//
// The document is public, because it says nothing of anybody's data. Its files carry
// names that change with their content, so a browser keeps them for good; they are kept
// compressed, and sent so.
//
// README.md says how the pages are made. Start reading in src/main.tsx.
package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

//go:embed all:dist
var files embed.FS

// Pages are the first parts of the addresses that the pages have, below a project's
// prefix. src/app/router.tsx has the pages themselves.
var Pages = []string{"audit", "cases", "compare", "data", "endpoints", "experiments", "incidents",
	"models", "monitoring", "phases", "pipelines", "rollouts", "runs"}

// Routes lists the document, at each address that a page has, and its files.
func Routes() []auth.Route {
	paths := []string{"/{$}"}
	for _, page := range Pages {
		paths = append(paths, "/"+page, "/"+page+"/{rest...}")
	}
	var routes []auth.Route
	for _, p := range paths {
		routes = append(routes, auth.Route{Path: p, Handle: document})
	}
	routes = append(routes, auth.Route{Path: "/ui/{file...}", Handle: file})
	for i := range routes {
		r := &routes[i]
		r.Method, r.Permission, r.Server, r.Fail = http.MethodGet, auth.Public, true, fail
	}
	return routes
}

// policy lets the page load its own files and call its own server, and nothing else.
// Styles that scripts make carry the document's nonce. What a page embeds, such as
// somebody's HTML, comes from this server in a sandbox of its own.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-%nonce%'; " +
	"img-src 'self' data: blob:; media-src 'self'; connect-src 'self'; frame-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// nonceMark stands in the document where the nonce goes.
const nonceMark = "%nonce%"

func document(w http.ResponseWriter, _ *http.Request) error {
	return write(w, http.StatusOK)
}

// Wanted reports whether somebody in a browser has asked for a page: they type addresses,
// and follow links that are not whole. Programs want their errors in their own form.
func Wanted(r *http.Request) bool {
	return r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/api/") &&
		strings.Contains(r.Header.Get("Accept"), "text/html")
}

// Missing writes the document for an address that no page has, which it says.
func Missing(w http.ResponseWriter) {
	if err := write(w, http.StatusNotFound); err != nil {
		fail(w, nil, err)
	}
}

// write writes the document, with a nonce of its own.
func write(w http.ResponseWriter, status int) error {
	page, err := files.ReadFile("dist/index.html")
	if errors.Is(err, fs.ErrNotExist) {
		return fairlead.Errorf(fairlead.Unavailable,
			"this program was built without its web interface; build it with `make build`")
	}
	if err != nil {
		return err
	}
	var secret [16]byte
	rand.Read(secret[:])
	nonce := base64.RawURLEncoding.EncodeToString(secret[:])
	page = bytes.ReplaceAll(page, []byte(nonceMark), []byte(nonce))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", strings.ReplaceAll(policy, nonceMark, nonce))
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	_, err = w.Write(page)
	return err
}

// forGood tells a browser to keep a file: another content has another name.
const forGood = "public, max-age=31536000, immutable"

func file(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	packed, err := files.ReadFile("dist/" + name + ".gz")
	if err != nil {
		return fairlead.Errorf(fairlead.NotFound, "there is no such file; load the page again")
	}
	h := w.Header()
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("Cache-Control", forGood)
	h.Set("Vary", "Accept-Encoding")
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		unpacked, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, unpacked)
		return err
	}
	h.Set("Content-Encoding", "gzip")
	h.Set("Content-Length", strconv.Itoa(len(packed)))
	_, err = w.Write(packed)
	return err
}

// fail writes an error as a line of text.
func fail(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, fairlead.MessageOf(err), fairlead.CodeOf(err).HTTPStatus())
}
