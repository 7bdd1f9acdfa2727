package rest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/fairlead-ml/fairlead"
)

// upload is a body that remembers how it ended.
type upload struct {
	io.ReadCloser
	err error // of the last Read
}

// Read reads from the body.
func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.err = err
	return n, err
}

// problemOr returns what was wrong with the body when that is why something failed, and
// else why it did.
func (u *upload) problemOr(err error) error {
	if err != nil && u.err != nil && !errors.Is(u.err, io.EOF) {
		return uploadProblem(u.err)
	}
	return err
}

// uploadProblem says what is wrong with a body that could not be read to its end.
func uploadProblem(err error) *problem {
	var tooLarge *http.MaxBytesError
	var network net.Error
	p := &problem{Status: http.StatusBadRequest, Code: fairlead.Invalid,
		Detail: "the body ended before its end; send the request again"}
	switch {
	case fairlead.Is(err, fairlead.Unavailable):
		return newProblem(err)
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
