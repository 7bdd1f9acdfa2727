package auth

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Permission is what a route asks of its caller.
type Permission string

// The permissions, from the least.
const (
	Public     Permission = "public"    // health and version: says nothing about anyone's data
	Self       Permission = "self"      // see who one is, and what one may see
	Read       Permission = "read"      // see a project
	Track      Permission = "track"     // log runs and register models
	Predict    Permission = "predict"   // call an endpoint (data plane)
	Label      Permission = "label"     // send ground truth (data plane)
	EventTime  Permission = "eventtime" // set the clock of a stream
	Run        Permission = "run"       // run code: apply files, start pipelines, make candidates
	Operate    Permission = "operate"   // release, roll back, pause the loop
	Administer Permission = "admin"     // accounts, roles, webhooks
	Own        Permission = "owner"     // name paths of the server's machine: for the owner's token
)

// open is what a local caller may do without a token, where there are no accounts.
var open = map[Permission]bool{Public: true, Self: true, Read: true, Track: true, Predict: true,
	Label: true}

// known reports whether it is a permission; a route with another word would be open
// to nobody.
func known(p Permission) bool {
	return p == Public || p == Self || p == Own || slices.Contains(Permissions, p)
}

// Route is one way in. Path is a http.ServeMux pattern without the method, below
// the project's prefix. BodyLimit is in bytes; 0 accepts no body, Unlimited is
// for uploads that the handler streams.
type Route struct {
	Method     string
	Path       string
	Permission Permission
	BodyLimit  int64
	// Server says that the route is about the whole server and works without a
	// project. A step's token, which is bound to one, does not reach it.
	Server bool
	// Streams says that the handler bounds by itself what it holds of a body.
	Streams bool
	Handle  func(w http.ResponseWriter, r *http.Request) error
	// Fail writes an error in the form of the route's API.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// Unlimited is the BodyLimit of streamed uploads.
const Unlimited = int64(-1)

// AnyMethod is the Method of a route that answers all methods alike: it refuses.
const AnyMethod = "*"

// Pattern returns the route as a pattern of http.ServeMux.
func (r Route) Pattern() string {
	if r.Method == AnyMethod {
		return r.Path
	}
	return r.Method + " " + r.Path
}

// String returns the route as the route table prints it.
func (r Route) String() string {
	limit := strconv.FormatInt(r.BodyLimit, 10)
	if r.BodyLimit == Unlimited {
		limit = "unlimited"
	}
	return fmt.Sprintf("%-6s %-9s %9s  %s", r.Method, r.Permission, limit, r.Path)
}

// withBody are the methods whose requests carry something.
var withBody = []string{http.MethodPost, http.MethodPut, http.MethodPatch, AnyMethod}

// check refuses a route that leaves something unsaid.
func (r Route) check() error {
	switch {
	case r.Method == "" || !strings.HasPrefix(r.Path, "/"):
		return fmt.Errorf("route %q %q has no method or path", r.Method, r.Path)
	case !known(r.Permission):
		return fmt.Errorf("route %s %s states no known permission (%q)", r.Method, r.Path, r.Permission)
	case r.BodyLimit < Unlimited:
		return fmt.Errorf("route %s %s has the body limit %d", r.Method, r.Path, r.BodyLimit)
	case r.BodyLimit == 0 && slices.Contains(withBody, r.Method):
		return fmt.Errorf("route %s %s states no body limit", r.Method, r.Path)
	case r.BodyLimit > maxBodies && !r.Streams:
		return fmt.Errorf("route %s %s takes %d bytes and does not stream them", r.Method, r.Path,
			r.BodyLimit)
	case r.Handle == nil || r.Fail == nil:
		return fmt.Errorf("route %s %s has no handler", r.Method, r.Path)
	}
	return nil
}
