package mlflow

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// A large file comes in parts: the client asks for as many addresses as it has parts,
// puts each part to its address, and then completes the upload. An address holds the
// upload's id, which is a secret, because the client sends no credentials there; what is
// put to it shows nowhere before the upload is completed, with credentials.

// uploadPlace is where the parts will be joined: the directory in the address, and
// the name of the client's file, which it sends with its own path.
func (c *call) uploadPlace() (tracking.Place, error) {
	file := c.need("path")
	if c.err != nil {
		return tracking.Place{}, c.err
	}
	name := file[strings.LastIndexAny(file, `/\`)+1:]
	return tracking.ParsePath(c.r.PathValue("path") + "/" + name)
}

// wirePart says where to put one part.
type wirePart struct {
	URL     string            `json:"url"`
	N       int               `json:"part_number"`
	Headers map[string]string `json:"headers"`
}

func (a *API) createUpload(c *call) error {
	n := c.needInt("num_parts")
	if n < 1 || n > tracking.MaxParts {
		c.fail(fairlead.Errorf(fairlead.Invalid, "Invalid value %d for parameter 'num_parts' "+
			"supplied. It must be between 1 and %d; choose larger parts "+
			"(MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE)", n, tracking.MaxParts))
	}
	at, err := c.uploadPlace()
	if err != nil {
		return err
	}
	id, err := a.tracking.StartUpload(c.ctx(), c.p, at)
	if err != nil {
		return err
	}
	parts := make([]wirePart, n)
	for i := range parts {
		parts[i] = wirePart{N: i + 1, Headers: map[string]string{},
			URL: fmt.Sprintf("%s/p/%s/api%s%s/%d", origin(c.r), c.p.Name, uploadPart, id, i+1)}
	}
	c.w.Header().Set("Cache-Control", "no-store")
	return c.reply(map[string]any{"upload_id": id, "credentials": parts})
}

// uploadPart is below /api where parts are put.
const uploadPart = "/2.0/mlflow-artifacts/mpu/part/"

// origin is the address at which the client reached this server, also through a proxy
// that ends TLS. It is told to nobody but that client.
func origin(r *http.Request) string {
	host, scheme := r.Host, "http"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https"
	}
	if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" {
		host = forwarded
	}
	return scheme + "://" + host
}

// putPart receives one part. The ETag of the answer is its SHA-256.
func (a *API) putPart(c *call) error {
	n, err := strconv.Atoi(c.r.PathValue("part"))
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "%q is no number of a part", c.r.PathValue("part"))
	}
	digest, err := a.tracking.PutPart(c.ctx(), c.p, c.r.PathValue("upload_id"), n, c.r.Body)
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", strconv.Quote(digest))
	return nil
}

func (a *API) completeUpload(c *call) error {
	id := c.need("upload_id")
	var parts []tracking.Part
	c.each("parts", func(p *args) {
		parts = append(parts, tracking.Part{N: int(p.needInt("part_number")),
			Digest: strings.Trim(p.need("etag"), `"`)})
	})
	at, err := c.uploadPlace()
	if err != nil {
		return err
	}
	return c.done(a.tracking.CompleteUpload(c.ctx(), c.p, id, at, parts))
}

func (a *API) abortUpload(c *call) error {
	id := c.need("upload_id")
	at, err := c.uploadPlace()
	if err != nil {
		return err
	}
	return c.done(a.tracking.AbortUpload(c.ctx(), c.p, id, at))
}
