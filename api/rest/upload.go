package rest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
)

// A body must come within uploadLeast, and a second more for each slowestUpload bytes
// that the route takes at most (wall time). What the request causes may last longer.
const (
	uploadLeast   = 5 * time.Second
	slowestUpload = 256 << 10
)

// uploadTime is how long a body of at most limit bytes may take.
func uploadTime(limit int64) time.Duration {
	return uploadLeast + time.Duration(limit/slowestUpload)*time.Second
}

// upload is a request's body. Once it is read, the connection has no deadline any
// more, so that none ends what the request waits for.
type upload struct {
	io.ReadCloser
	w   http.ResponseWriter
	err error // of the last Read
}

// Read reads from the body.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if u.err = err; err != nil {
		huma.SetReadDeadline(u.w, time.Time{}) // a recorder in a test has none
	}
	return n, err
}

// uploadProblem says what is wrong with a body that could not be read to its end.
func uploadProblem(err error) *problem {
	var tooLarge *http.MaxBytesError
	var network net.Error
	p := &problem{Status: http.StatusBadRequest, Code: fairlead.Invalid,
		Detail: "the body ended before its end; send the request again"}
	switch {
	case errors.As(err, &tooLarge):
		p.Status = http.StatusRequestEntityTooLarge
		p.Detail = fmt.Sprintf("the body is larger than %d bytes, the most that is taken here",
			tooLarge.Limit)
	case errors.As(err, &network) && network.Timeout():
		p.Status, p.Code = http.StatusRequestTimeout, fairlead.Unavailable
		p.Detail = "the body did not come in time; send the request again"
	}
	p.Title = http.StatusText(p.Status)
	return p
}
