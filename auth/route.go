package auth

import (
	"fmt"
	"net/http"
	"strings"
)

// Permission is what a route asks of its caller.
type Permission string

// The permissions, from the least.
const (
	Public    Permission = "public"    // health and version: says nothing about anyone's data
	Read      Permission = "read"      // see a project
	Track     Permission = "track"     // log runs and register models
	Predict   Permission = "predict"   // call an endpoint (data plane)
	Label     Permission = "label"     // send ground truth (data plane)
	EventTime Permission = "eventtime" // set the clock of a stream
	Operate   Permission = "operate"   // run code, deploy, export, administer
)

// open is what a local caller may do without a token.
var open = map[Permission]bool{Public: true, Read: true, Track: true, Predict: true, Label: true}

// Route is one way in. Path is a http.ServeMux pattern without the method, below
// the project's prefix. BodyLimit is in bytes; 0 accepts no body, Unlimited is
// for uploads that the handler streams.
type Route struct {
	Method     string
	Path       string
	Permission Permission
	BodyLimit  int64
	Handle     func(w http.ResponseWriter, r *http.Request) error
	Fail       func(w http.ResponseWriter, r *http.Request, err error) // writes an error in the API's form
}

// Unlimited is the BodyLimit of streamed uploads.
const Unlimited = int64(-1)

// String returns the route as the route table prints it.
func (r Route) String() string {
	limit := fmt.Sprint(r.BodyLimit)
	if r.BodyLimit == Unlimited {
		limit = "unlimited"
	}
	return fmt.Sprintf("%-6s %-9s %9s  %s", r.Method, r.Permission, limit, r.Path)
}

// check refuses a route that leaves something unsaid.
func (r Route) check() error {
	switch {
	case r.Method == "" || !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("route %q %q has no method or path", r.Method, r.Path)
	case r.Permission == "":
		return fmt.Errorf("route %s %s states no permission", r.Method, r.Path)
	case r.BodyLimit == 0 && (r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch):
		return fmt.Errorf("route %s %s states no body limit", r.Method, r.Path)
	case r.Handle == nil || r.Fail == nil:
		return fmt.Errorf("route %s %s has no handler", r.Method, r.Path)
	}
	return nil
}
