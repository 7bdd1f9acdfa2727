package mlflow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/fairlead-ml/fairlead"
)

// call is one request with the project that it works in. A handler reads all
// parameters first and then looks at err, which keeps the first refusal.
type call struct {
	*args
	w http.ResponseWriter
	r *http.Request
	p fairlead.Project
}

func (c *call) ctx() context.Context { return c.r.Context() }

// body reads the whole body, whose size the route bounds.
func (c *call) body() ([]byte, error) {
	b, err := readAll(c.r.Body, c.r.ContentLength)
	var tooLong *http.MaxBytesError
	if fairlead.Is(err, fairlead.Unavailable) {
		return nil, err // there is no room
	}
	if errors.As(err, &tooLong) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the request is longer than %d bytes; split it up", tooLong.Limit)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the request's body did not arrive whole").Because(err)
	}
	return b, nil
}

// readAll reads a body that announces so many bytes, or -1, in pieces: room is made for
// what comes, whatever is announced.
func readAll(r io.Reader, announced int64) ([]byte, error) {
	var pieces [][]byte
	size := int64(point)
	for left := announced; ; size = 4 * point {
		if left >= 0 {
			size = min(size, left+1) // one more than comes, so that its end is seen
		}
		piece := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
		n, err := piece.ReadFrom(io.LimitReader(r, size))
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece.Bytes())
		if n < size {
			break
		}
		left -= n
	}
	if len(pieces) == 1 {
		return pieces[0], nil
	}
	return bytes.Join(pieces, nil), nil
}

// reply writes a JSON answer.
func (c *call) reply(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.replyJSON(b)
}

func (c *call) replyJSON(b []byte) error {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	c.w.Write(b) // a client that left cannot be told
	return nil
}

// done answers a change that has nothing to say.
func (c *call) done(err error) error {
	if err != nil {
		return err
	}
	return c.replyJSON([]byte("{}"))
}

// wireError is an error in MLflow's form. It has a class and an SQLSTATE (ISO
// 9075), which some codes have and others have not.
type wireError struct {
	Code     string `json:"error_code"`
	Message  string `json:"message"`
	SQLState string `json:"sqlstate,omitempty"`
	Class    string `json:"error_class,omitempty"`
}

func newWireError(code, message string) wireError {
	e := wireError{Code: code, Message: message, SQLState: "KAM00", Class: code}
	switch code {
	case "INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS", "PERMISSION_DENIED":
	case "RESOURCE_DOES_NOT_EXIST":
		e.Class = "RESOURCE_NOT_FOUND"
	case "INTERNAL_ERROR", "INVALID_STATE", "TEMPORARILY_UNAVAILABLE":
		e.SQLState, e.Class = "XXM00", "CLIENT_INTERNAL_ERROR"
	default:
		e.SQLState, e.Class = "", ""
	}
	return e
}

// fail writes an error in MLflow's form; the edge logs what clients must not see.
func fail(w http.ResponseWriter, _ *http.Request, err error) {
	code := fairlead.CodeOf(err)
	status, name := code.HTTPStatus(), code.MLflowCode()
	var e *fairlead.Error
	if errors.As(err, &e) && code == fairlead.Conflict && e.Detail["exists"] == true {
		status, name = http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS"
	}
	b, _ := json.Marshal(newWireError(name, fairlead.MessageOf(err)))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}
