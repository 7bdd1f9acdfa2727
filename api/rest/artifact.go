package rest

import (
	"context"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// OfOwner says whose artifacts are meant.
type OfOwner struct {
	Run         string `query:"run" doc:"the run's; this or logged_model"`
	LoggedModel string `query:"logged_model"`
	Path        string `query:"path" maxLength:"4000" doc:"below the owner; empty for its root"`
}

// place returns the place that is asked for.
func (in *OfOwner) place() (tracking.Place, error) {
	owner, err := (&UploadRequest{Run: in.Run, LoggedModel: in.LoggedModel}).owner()
	return tracking.Place{Owner: owner, Path: in.Path}, err
}

// Artifact is a file or a directory of a run or a logged model.
type Artifact struct {
	Path   string `json:"path" doc:"below its owner"`
	Dir    bool   `json:"dir,omitempty"`
	Bytes  int64  `json:"bytes,omitempty"`
	Digest string `json:"digest,omitempty" doc:"SHA-256, hex"`
	Kind   string `json:"kind,omitempty" enum:"image,audio,video,table,html,markdown,json,log,text,binary" doc:"how it can be shown"`
}

// artifactKinds says by the ends of their names how files can be shown, where it is not
// the first part of their media type.
var artifactKinds = map[string][]string{
	"table": {".csv", ".tsv", ".parquet"},
	"html":  {".html", ".htm"}, "markdown": {".md"}, "json": {".json", ".ipynb"},
	"log": {".log", ".out", ".err"},
	"text": {".txt", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".xml", ".jsonl", ".ndjson",
		".py", ".r", ".sql", ".sh", ".go", ".js", ".ts", ".css", ".c", ".h", ".cpp", ".java", ".rs",
		".jl", ".lock", ".diff", ".patch", ".tex", ".dot"},
}

// mediaTypes are those of files that a browser shows by itself.
var mediaTypes = map[string]string{
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif",
	".webp": "image/webp", ".avif": "image/avif", ".bmp": "image/bmp", ".svg": "image/svg+xml",
	".ico": "image/x-icon", ".wav": "audio/wav", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
	".flac": "audio/flac", ".m4a": "audio/mp4", ".mp4": "video/mp4", ".webm": "video/webm",
	".mov": "video/quicktime",
}

// textNames are names of text files that have no end.
var textNames = []string{"MLmodel", "Dockerfile", "Makefile", "README", "LICENSE"}

// kindOf returns how a file of the name can be shown, and its media type where that says it.
func kindOf(name string) (kind, media string) {
	base := path.Base(name)
	end := strings.ToLower(path.Ext(base))
	if media := mediaTypes[end]; media != "" {
		kind, _, _ := strings.Cut(media, "/")
		return kind, media
	}
	for kind, ends := range artifactKinds {
		if slices.Contains(ends, end) {
			return kind, ""
		}
	}
	if slices.Contains(textNames, base) {
		return "text", ""
	}
	return "binary", ""
}

// TableInput asks for a page of a table.
type TableInput struct {
	InProject
	OfOwner
	Page  string `query:"page" doc:"the next of the page before"`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

// TablePage is a page of a table.
type TablePage struct {
	*data.Sheet
	Next string `json:"next,omitempty"`
}

func (a *API) artifactOperations() {
	register(a, op{id: "list-artifacts", method: "GET", path: "/artifacts",
		summary: "List a directory of a run's or a logged model's artifacts", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			OfOwner
			Paging
		}) (out fairlead.Page[Artifact], err error) {
			at, err := in.place()
			if err != nil {
				return out, err
			}
			if _, err := read(ctx, a, func(tx *store.Tx) (string, error) {
				return a.Tracking.ArtifactRoot(tx, p, at.Owner)
			}); err != nil {
				return out, err
			}
			entries, err := a.Tracking.ListArtifacts(ctx, p, at)
			if err != nil {
				return out, err
			}
			all := make([]Artifact, len(entries))
			for i, e := range entries {
				all[i] = newArtifact(e)
			}
			return cut(all, in.Paging, list(p, "artifacts", at), func(f Artifact) string { return f.Path })
		})
	register(a, op{id: "read-artifact-table", method: "GET", path: "/artifacts/table",
		summary: "A page of a CSV or Parquet file", may: auth.Read}, a.table)
	a.documentContent()
}

func newArtifact(e blob.Entry) Artifact {
	if e.IsDir {
		return Artifact{Path: e.Path, Dir: true}
	}
	kind, _ := kindOf(e.Path)
	return Artifact{Path: e.Path, Bytes: e.Bytes, Digest: e.Digest, Kind: kind}
}

func (a *API) table(ctx context.Context, p fairlead.Project, in *TableInput) (*TablePage, error) {
	at, err := in.place()
	if err != nil {
		return nil, err
	}
	format := data.SheetFormat(at.Path)
	if format == "" {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"%q is no table that can be read here: those end in .csv, .tsv or .parquet", at.Path)
	}
	f, obj, err := a.Tracking.OpenArtifact(ctx, p, at)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	filter := list(p, "table", at, obj.Digest) // a file can be replaced
	var from data.SheetPlace
	if err := fairlead.DecodeCursor(in.Page, filter, &from); err != nil {
		return nil, err
	}
	ctx, cancel := a.interruptible(ctx)
	defer cancel()
	sheet, err := a.Data.ReadSheet(ctx, f, format, from, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &TablePage{Sheet: sheet}
	if sheet.More {
		out.Next = fairlead.EncodeCursor(filter, sheet.Next)
	}
	return out, nil
}

const contentPath = project + "/artifacts/content"

// contentRoute is outside the operations because it streams, also in ranges.
func (a *API) contentRoute() auth.Route {
	return auth.Route{Method: http.MethodGet, Path: contentPath, Permission: auth.Read,
		Handle: a.getContent, Fail: Fail}
}

// pagePolicy lets an artifact be a page with scripts, in a frame of ours alone: without an
// origin, so that it reaches neither cookies nor the API, and without a network.
const pagePolicy = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' blob: data:; " +
	"style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data: blob:; " +
	"worker-src blob:; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; " +
	"sandbox allow-scripts"

// getContent sends a file. Artifacts are what anybody uploaded: a browser gets them as what
// cannot run, unless it asks for a page, and then as one that reaches nothing.
func (a *API) getContent(w http.ResponseWriter, r *http.Request) error {
	p, q := fairlead.ProjectFrom(r.Context()), r.URL.Query()
	if p.K == 0 {
		return errNoProject(p.Name)
	}
	at, err := (&OfOwner{Run: q.Get("run"), LoggedModel: q.Get("logged_model"),
		Path: q.Get("path")}).place()
	if err != nil {
		return err
	}
	f, obj, err := a.Tracking.OpenArtifact(r.Context(), p, at)
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	kind, media := kindOf(at.Path)
	disposition := "inline"
	switch as := q.Get("as"); {
	case as == "page" && kind == "html" && embedded(r):
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", pagePolicy)
	case as != "" && as != "file" && (as != "page" || kind != "html"):
		return fairlead.Errorf(fairlead.Invalid, "as is %q; it is file, or page for HTML", as)
	case as == "file" || kind == "binary":
		h.Set("Content-Type", "application/octet-stream")
		disposition = "attachment"
	case media != "":
		h.Set("Content-Type", media)
	default:
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	h.Set("Content-Disposition", mime.FormatMediaType(disposition,
		map[string]string{"filename": path.Base(at.Path)}))
	h.Set("Cache-Control", "private, no-cache") // a file can be replaced; its ETag tells
	h.Set("ETag", strconv.Quote(obj.Digest))
	http.ServeContent(w, r, "", fairlead.FromMS(0), f)
	return nil
}

// embedded reports whether a frame asks, where the browser says it (Fetch Metadata, W3C). A
// page of its own would have this server's address above it, and could pass for it.
func embedded(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "iframe", "frame":
		return true
	}
	return false
}

// documentContent describes the route in the document.
func (a *API) documentContent() {
	a.document(rawOp{
		op: op{id: "read-artifact", method: http.MethodGet, path: contentPath,
			summary: "The content of an artifact, whole or in ranges", may: auth.Read},
		params: []*huma.Param{{Name: "run", In: "query", Schema: textSchema},
			{Name: "logged_model", In: "query", Schema: textSchema},
			{Name: "path", In: "query", Required: true, Schema: textSchema},
			{Name: "as", In: "query", Schema: textSchema,
				Description: "file: to keep it; page: HTML with scripts, in a sandbox"}},
		answer: contentOf("application/octet-stream", binarySchema),
	})
}
