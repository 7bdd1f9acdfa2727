package fairlead

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is. Codes are stable: they are mapped
// to HTTP status, MLflow error_code and CLI exit status in one table (code.go).
type Code string

// The codes, from the caller's fault to ours.
const (
	Invalid         Code = "invalid"         // the request can never succeed as it is
	Unauthenticated Code = "unauthenticated" // who is asking is not known
	Denied          Code = "denied"          // known, and not allowed
	NotFound        Code = "not_found"       // no such thing in this project
	Conflict        Code = "conflict"        // exists already, or changed meanwhile
	Precondition    Code = "precondition"    // valid, but not in this state
	Gone            Code = "gone"            // existed, and was retired or deleted
	Exhausted       Code = "exhausted"       // a limit, a budget or a disk is full
	Throttled       Code = "throttled"       // asked too often: wait
	Unavailable     Code = "unavailable"     // try again later
	Unimplemented   Code = "unimplemented"   // not offered
	Internal        Code = "internal"        // a defect of ours
)

// Error is what a caller can act on. Message says what is wrong, why, and what
// to do next; it never carries internals. Detail is machine-readable and optional.
type Error struct {
	Code    Code
	Message string
	Detail  map[string]any
	cause   error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the underlying error, which edges log and never send.
func (e *Error) Unwrap() error { return e.cause }

// Errorf returns an Error with the given code. A %w operand becomes the cause and
// its text part of the message; use Because for a cause that callers must not see.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), cause: errors.Unwrap(err)}
}

// Because returns a copy of e with a cause that logs show and callers do not see.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// With returns a copy of e with one more machine-readable detail.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Detail = make(map[string]any, len(e.Detail)+1)
	for k, v := range e.Detail {
		c.Detail[k] = v
	}
	c.Detail[key] = value
	return &c
}

// CodeOf returns the code of the first Error in err's chain: Internal when
// there is none, and the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// Is reports whether err carries the code.
func Is(err error, code Code) bool { return err != nil && CodeOf(err) == code }

// MessageOf returns what may be shown to a caller: the message of the first
// Error in the chain, or a neutral sentence for any other error.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "internal error; the server's log has the cause"
}
