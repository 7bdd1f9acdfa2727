package mlflow

import (
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// wireFile is one entry of a listing.
type wireFile struct {
	Path  string `json:"path"`
	IsDir bool   `json:"is_dir"`
	Bytes *int64 `json:"file_size,omitempty"`
}

// wireFiles gives each entry the name that it has in the listing.
func wireFiles(entries []blob.Entry, name func(path string) string) []wireFile {
	out := make([]wireFile, len(entries))
	for i, e := range entries {
		out[i] = wireFile{Path: name(e.Path), IsDir: e.IsDir}
		if !e.IsDir {
			out[i].Bytes = &entries[i].Bytes
		}
	}
	return out
}

// fileList is a listing in MLflow's form, which leaves empty lists out.
type fileList struct {
	Root  string     `json:"root_uri,omitempty"`
	Files []wireFile `json:"files,omitempty"`
}

func full(path string) string { return path }

// listRunArtifacts lists a directory of a run, with paths below the run's root.
func (a *API) listRunArtifacts(c *call) error {
	id, dir := c.runID(), c.str("path")
	if c.err != nil {
		return c.err
	}
	r, err := a.tracking.Run(c.ctx(), c.p, id)
	if err != nil {
		return err
	}
	return a.replyDir(c, r.ArtifactURI(), tracking.Place{Owner: tracking.RunOwner(id), Path: dir})
}

func (a *API) listLoggedModelArtifacts(c *call) error {
	id, dir := c.r.PathValue("model_id"), c.str("artifact_directory_path")
	if c.err != nil {
		return c.err
	}
	m, err := a.tracking.LoggedModel(c.ctx(), c.p, id)
	if err != nil {
		return err
	}
	return a.replyDir(c, m.ArtifactURI(),
		tracking.Place{Owner: tracking.LoggedModelOwner(id), Path: dir})
}

func (a *API) replyDir(c *call, root string, at tracking.Place) error {
	entries, err := a.tracking.ListArtifacts(c.ctx(), c.p, at)
	if err != nil {
		return err
	}
	return c.reply(fileList{root, wireFiles(entries, full)})
}

// listArtifacts lists a directory of the proxy, with names below that directory.
func (a *API) listArtifacts(c *call) error {
	dir := c.str("path")
	if c.err != nil {
		return c.err
	}
	if dir == "" {
		return c.reply(fileList{})
	}
	at, err := tracking.ParsePath(dir)
	if err != nil {
		return err
	}
	entries, err := a.tracking.ListArtifacts(c.ctx(), c.p, at)
	if err != nil {
		return err
	}
	return c.reply(fileList{Files: wireFiles(entries, path.Base)})
}

// place reads the artifact that the path names; it must be a file's.
func (c *call) place() (tracking.Place, error) {
	at, err := tracking.ParsePath(c.r.PathValue("path"))
	if err == nil && at.Path == "" {
		err = fairlead.Errorf(fairlead.Invalid, "the path %q names no file", c.r.PathValue("path"))
	}
	return at, err
}

func (a *API) getArtifact(c *call) error {
	at, err := c.place()
	if err != nil {
		return err
	}
	return a.sendFile(c, at)
}

// getRunArtifact streams a file of a run.
func (a *API) getRunArtifact(c *call) error {
	id, file := c.runID(), c.need("path")
	if c.err != nil {
		return c.err
	}
	return a.sendFile(c, tracking.Place{Owner: tracking.RunOwner(id), Path: file})
}

// getLoggedModelArtifact streams a file of a logged model.
func (a *API) getLoggedModelArtifact(c *call) error {
	file := c.str("artifact_file_path")
	if file == "" {
		return fairlead.Errorf(fairlead.Invalid,
			`Request must include the "artifact_file_path" query parameter.`)
	}
	return a.sendFile(c, tracking.Place{Owner: tracking.LoggedModelOwner(c.modelID()), Path: file})
}

// getVersionArtifact streams a file of a model version.
func (a *API) getVersionArtifact(c *call) error {
	name, n, file := c.need("name"), c.version(), c.need("path")
	if c.err != nil {
		return c.err
	}
	var v *registry.Version
	err := a.registry.Read(c.ctx(), func(tx *store.Tx) (err error) {
		v, err = a.registry.Version(tx, c.p, name, n)
		return err
	})
	if err != nil {
		return err
	}
	at, ok := tracking.ParseURI(v.Storage)
	if !ok {
		return fairlead.Errorf(fairlead.Invalid,
			"the files of version %d of %s are at %q, which this server does not read", n, name, v.Source)
	}
	if file, err = blob.CleanPath(file); err != nil {
		return err
	}
	at.Path = path.Join(at.Path, file)
	return a.sendFile(c, at)
}

// sendFile streams a file, whole or in ranges. Browsers must neither run nor guess it:
// artifacts are what users uploaded. The edge says so too, for all answers.
func (a *API) sendFile(c *call, at tracking.Place) error {
	f, obj, err := a.tracking.OpenArtifact(c.ctx(), c.p, at)
	if err != nil {
		return err
	}
	defer f.Close()
	h := c.w.Header()
	h.Set("Content-Type", contentType(at.Path))
	h.Set("Content-Disposition", mime.FormatMediaType("attachment",
		map[string]string{"filename": path.Base(at.Path)}))
	h.Set("Cache-Control", "private, no-cache") // a file can be replaced; its ETag tells
	h.Set("ETag", strconv.Quote(obj.Digest))
	h.Set("Repr-Digest", reprDigest(obj.Digest))
	http.ServeContent(c.w, c.r, "", fairlead.FromMS(0), f)
	return nil
}

func contentType(name string) string {
	if t := mime.TypeByExtension(strings.ToLower(path.Ext(name))); t != "" {
		return t
	}
	return "application/octet-stream"
}

// putArtifact streams a file in, and holds it to the digest that the request states.
// MLflow's answer has no body.
func (a *API) putArtifact(c *call) error {
	at, err := c.place()
	if err != nil {
		return err
	}
	if err := whole(c.r.Header); err != nil {
		return err
	}
	stated, err := statedDigest(c.r.Header)
	if err != nil {
		return err
	}
	var stored string
	err = a.tracking.PutArtifact(c.ctx(), c.p, at, stream{c.r.Body},
		func(o blob.Object) (err error) {
			if stated == "" { // it may follow the content
				if stated, err = statedDigest(c.r.Trailer); err != nil {
					return err
				}
			}
			stored = o.Digest
			return tracking.CheckDigest(o, stated)
		})
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", strconv.Quote(stored))
	return nil
}

// maxNote is the most bytes that uploadArtifact takes.
const maxNote = 10 << 20

// uploadArtifact stores a small file of a run: how MLflow's pages do it.
func (a *API) uploadArtifact(c *call) error {
	q := args{query: c.r.URL.Query()}
	id, file := q.str("run_uuid"), q.str("path")
	for _, p := range []struct{ name, value string }{{"run_uuid", id}, {"path", file}} {
		if p.value == "" {
			return fairlead.Errorf(fairlead.Invalid, "Request must specify %s.", p.name)
		}
	}
	if c.r.ContentLength == 0 || c.r.ContentLength > maxNote {
		return checkNote(c.r.ContentLength)
	}
	return a.tracking.PutArtifact(c.ctx(), c.p,
		tracking.Place{Owner: tracking.RunOwner(id), Path: file},
		stream{io.LimitReader(c.r.Body, maxNote+1)},
		func(o blob.Object) error { return checkNote(o.Bytes) })
}

// checkNote holds the size of what uploadArtifact takes.
func checkNote(bytes int64) error {
	switch {
	case bytes > maxNote:
		return fairlead.Errorf(fairlead.Invalid, "Artifact size is too large. Max size is 10MB.")
	case bytes == 0:
		return fairlead.Errorf(fairlead.Invalid, "Request must specify data.")
	}
	return nil
}

func (a *API) deleteArtifact(c *call) error {
	at, err := c.place()
	if err != nil {
		return err
	}
	return c.done(a.tracking.DeleteArtifacts(c.ctx(), c.p, at))
}
