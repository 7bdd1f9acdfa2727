package mlflow

import (
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
	b, err := io.ReadAll(c.r.Body)
	var tooLong *http.MaxBytesError
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

// fail writes an error in MLflow's form.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := fairlead.CodeOf(err)
	status, name := code.HTTPStatus(), code.MLflowCode()
	var e *fairlead.Error
	if errors.As(err, &e) && code == fairlead.Conflict && e.Detail["exists"] == true {
		status, name = http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS"
	}
	if status >= http.StatusInternalServerError {
		a.log.Error("mlflow call failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	b, _ := json.Marshal(map[string]string{"error_code": name, "message": fairlead.MessageOf(err)})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}
