// Package serving makes assignments true and answers requests: it loads the
// packages of the versions that an endpoint should have, routes each request to
// one of them, lets the others score it too, and keeps the request log.
//
// The desired state is package release's; serving reports back with
// release.Observe once a generation is loaded. A request reads one immutable
// table behind an atomic pointer: no lock and no database on the way to an
// answer, unless the endpoint's log is durable, when the request is on disk
// before it is answered.
//
// Serving owns the tables request and prediction. It never decides what is
// served, and never joins labels. Start reading in serving.go (what is loaded),
// infer.go (a request's way), log.go (what is kept of it).
package serving
