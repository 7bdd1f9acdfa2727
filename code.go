package fairlead

import "net/http"

// codeRow is one line of the table that maps a code to each protocol.
type codeRow struct {
	http   int
	mlflow string
	exit   int
}

// codes is the only place where a code becomes a status. Exit statuses: 0 ok,
// 1 error, 2 usage, 3 gate failed, 4 needs approval, 5 not found, 6 not allowed.
var codes = map[Code]codeRow{
	Invalid:         {http.StatusBadRequest, "INVALID_PARAMETER_VALUE", 1},
	Unauthenticated: {http.StatusUnauthorized, "UNAUTHENTICATED", 6},
	Denied:          {http.StatusForbidden, "PERMISSION_DENIED", 6},
	NotFound:        {http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", 5},
	Conflict:        {http.StatusConflict, "RESOURCE_CONFLICT", 1},
	Precondition:    {http.StatusPreconditionFailed, "INVALID_STATE", 1},
	Gone:            {http.StatusGone, "RESOURCE_DOES_NOT_EXIST", 5},
	Exhausted:       {http.StatusInsufficientStorage, "RESOURCE_EXHAUSTED", 1},
	Throttled:       {http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED", 1},
	Unavailable:     {http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE", 1},
	Unimplemented:   {http.StatusNotImplemented, "NOT_IMPLEMENTED", 1},
	Internal:        {http.StatusInternalServerError, "INTERNAL_ERROR", 1},
}

// Exit statuses that no error code stands for.
const (
	ExitOK            = 0
	ExitError         = 1
	ExitUsage         = 2
	ExitGateFailed    = 3
	ExitNeedsApproval = 4
)

// HTTPStatus returns the HTTP status of the code (RFC 9110).
func (c Code) HTTPStatus() int { return c.row().http }

// MLflowCode returns the error_code that MLflow's clients know.
func (c Code) MLflowCode() string { return c.row().mlflow }

// ExitStatus returns the command line's exit status for the code.
func (c Code) ExitStatus() int { return c.row().exit }

func (c Code) row() codeRow {
	if r, ok := codes[c]; ok {
		return r
	}
	return codes[Internal]
}
