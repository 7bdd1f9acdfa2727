package ops

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

func showForm(w http.ResponseWriter, status int, f form) error {
	return show(w, status, "form", f)
}

// show writes a page, which no cache keeps, and whose address goes to no other site.
func show(w http.ResponseWriter, status int, page string, data any) error {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, page, data); err != nil {
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

// policy lets a page have its own style and icon, and send its form here, and nothing else:
// it works without a script.
var policy = "default-src 'none'; style-src 'sha256-" + digestOf(style) + "'; img-src data:; " +
	"frame-ancestors 'none'; form-action 'self'; base-uri 'none'"

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// style is what the pages look like: as those of the web interface do, whose colours it has.
//
//go:embed page.css
var style string

//go:embed page.html
var pageText string

// pages are the templates of the form and of what went wrong.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(style) }, "sentence": sentence,
}).Parse(pageText))

// sentence begins an error's message as a sentence does.
func sentence(text string) string {
	first, n := utf8.DecodeRuneInString(text)
	return strings.TrimSuffix(string(unicode.ToUpper(first))+text[n:], ".") + "."
}
