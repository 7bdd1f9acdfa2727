package rest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
)

// problem is an RFC 9457 problem document.
type problem struct {
	Title  string         `json:"title" doc:"the status in words"`
	Status int            `json:"status"`
	Detail string         `json:"detail" doc:"what is wrong, why, and what to do next"`
	Code   fairlead.Code  `json:"code" doc:"stable; what programs look at"`
	Extra  map[string]any `json:"extra,omitempty" doc:"machine-readable details of this problem"`
}

// Error returns the detail.
func (p *problem) Error() string { return p.Detail }

// Unwrap tells whose fault it is: only what is ours is logged.
func (p *problem) Unwrap() error { return fairlead.Errorf(p.Code, "%s", p.Detail) }

// GetStatus returns the HTTP status.
func (p *problem) GetStatus() int { return p.Status }

// ContentType is RFC 9457's.
func (p *problem) ContentType(string) string { return "application/problem+json" }

func newProblem(err error) *problem {
	var known *problem
	if errors.As(err, &known) {
		return known
	}
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return uploadProblem(err)
	}
	code := fairlead.CodeOf(err)
	p := &problem{Title: http.StatusText(code.HTTPStatus()), Status: code.HTTPStatus(),
		Detail: fairlead.MessageOf(err), Code: code}
	var e *fairlead.Error
	if errors.As(err, &e) {
		p.Extra = e.Detail
	}
	return p
}

// Fail writes an error as a problem document.
func Fail(w http.ResponseWriter, _ *http.Request, err error) {
	p := newProblem(err)
	b, mErr := json.Marshal(p)
	if mErr != nil { // a detail that is not JSON
		p.Extra = nil
		b, _ = json.Marshal(p)
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	w.Write(b)
}

// huma's defaults are the process's, so they are set once.
func init() {
	huma.DefaultArrayNullable = false
	huma.NewError = humaProblem
}

// unreadable is how huma calls an error of reading a body.
const unreadable = "cannot read request body"

// maxDetails is how many mistakes of a request are named, each in maxDetail bytes.
const (
	maxDetails = 20
	maxDetail  = 500
)

// humaProblem is what huma finds wrong with a request before an operation sees it.
// It says 422 for what does not fit the document; here that is 400, as elsewhere.
func humaProblem(status int, msg string, errs ...error) huma.StatusError {
	switch {
	case status == http.StatusRequestTimeout:
		return uploadProblem(os.ErrDeadlineExceeded)
	case status == http.StatusInternalServerError && len(errs) > 0 && msg == unreadable:
		return uploadProblem(errs[0])
	}
	code := fairlead.Invalid
	if status >= http.StatusInternalServerError {
		code = fairlead.Internal
	}
	detail := []string{msg}
	for _, e := range errs[:min(len(errs), maxDetails)] {
		text := e.Error() // it may hold all that was sent
		if d, ok := errors.AsType[*huma.ErrorDetail](e); ok && d.Location == "path.version" {
			text = fmt.Sprintf("the version is %q; it is a number from 1, and the list of the model's "+
				"versions has those there are", fmt.Sprint(d.Value))
		}
		detail = append(detail, strings.ToValidUTF8(text[:min(len(text), maxDetail)], ""))
	}
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	return &problem{Title: http.StatusText(status), Status: status, Detail: strings.Join(detail, "; "),
		Code: code}
}
