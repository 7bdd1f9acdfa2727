package mlflow

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// A large file comes in parts: the client asks for as many addresses as it has parts,
// puts each part to its address, and then completes the upload. The client sends no
// credentials to these addresses, so each is signed: it takes its part, of that upload
// and project, for a while. What is put to it shows nowhere before the upload is
// completed, with credentials. How an upload goes on that has broken off, the native API
// tells.

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

// addressTime is how long a part can be put to its address: S3's longest.
const addressTime = 7 * 24 * time.Hour

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
	u, err := a.tracking.StartUpload(c.ctx(), c.p, at, tracking.NewUpload{Parts: int(n)})
	if err != nil {
		return err
	}
	until := fairlead.FromMS(u.TouchedMS).Add(addressTime)
	base := fmt.Sprintf("%s/p/%s/api%s%s/", origin(c.r), c.p.Name, uploadPart, u.ID)
	parts := make([]wirePart, n)
	for i := range parts {
		parts[i] = wirePart{N: i + 1, Headers: map[string]string{}, URL: fmt.Sprintf(
			"%s%d?until=%d&signature=%s", base, i+1, until.Unix(), u.Sign(c.p, i+1, until))}
	}
	return c.reply(map[string]any{"upload_id": u.ID, "credentials": parts})
}

// uploadPart is below /api where parts are put.
const uploadPart = "/2.0/mlflow-artifacts/mpu/part/"

// origin is the address at which the client reached this server, also through proxies:
// the first of them, which ends TLS, says scheme, host and the path before ours. It is
// told to nobody but that client.
func origin(r *http.Request) string {
	first := func(header string) string {
		v, _, _ := strings.Cut(r.Header.Get("X-Forwarded-"+header), ",")
		return strings.TrimSpace(v)
	}
	host, scheme := cmp.Or(first("Host"), r.Host), "http"
	if r.TLS != nil || strings.EqualFold(first("Proto"), "https") {
		scheme = "https"
	}
	u := url.URL{Scheme: scheme, Host: host, Path: strings.Trim(first("Prefix"), "/")}
	return strings.TrimSuffix(u.String(), "/")
}

// putPart receives one part. The ETag of the answer is its SHA-256.
func (a *API) putPart(c *call) error {
	if err := whole(c.r.Header); err != nil {
		return err
	}
	id := c.r.PathValue("upload_id")
	n, err := strconv.Atoi(c.r.PathValue("part"))
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "%q is no number of a part", c.r.PathValue("part"))
	}
	q := c.r.URL.Query()
	until, err := strconv.ParseInt(q.Get("until"), 10, 64)
	if err != nil {
		return fairlead.Errorf(fairlead.Denied,
			"the address of a part is signed, and this one is not whole")
	}
	err = a.tracking.AdmitPart(c.ctx(), c.p, id, n, time.Unix(until, 0), q.Get("signature"))
	if err != nil {
		return err
	}
	part, err := a.tracking.PutPart(c.ctx(), c.p, id, n, c.r.ContentLength, stream{c.r.Body})
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", strconv.Quote(part.Digest))
	return nil
}

func (a *API) completeUpload(c *call) error {
	id := c.need("upload_id")
	parts := []tracking.Part{}
	c.each("parts", func(p *args) {
		parts = append(parts, tracking.Part{N: int(p.needInt("part_number")),
			Digest: strings.Trim(p.need("etag"), `"`)})
	})
	at, err := c.uploadPlace()
	if err != nil {
		return err
	}
	return c.done(a.tracking.CompleteUpload(c.ctx(), c.p, id, &at, parts, ""))
}

func (a *API) abortUpload(c *call) error {
	id := c.need("upload_id")
	at, err := c.uploadPlace()
	if err != nil {
		return err
	}
	return c.done(a.tracking.AbortUpload(c.ctx(), c.p, id, &at))
}
