// Package serving makes assignments true and answers requests: it loads the
// packages of the versions that an endpoint should have, routes each request to
// one of them, lets the others score it too, and keeps the request log.
//
// The desired state is package release's; serving reports back with
// release.Observe once a generation is loaded. A request reads one immutable
// table behind an atomic pointer: no lock and no database on the way to an
// answer, unless the endpoint's log is durable, when the request and all its
// scores are on disk before it is answered. A table and its models live for as
// long as a request uses them, so a change of generation disturbs none.
//
// An endpoint serves a new generation as soon as the live version is loaded; the
// others join when they are. A version that does not load never takes an endpoint with
// it: a rollout is rolled back, a live version gives way to a standby that loads, or to
// a rollout's version, and only without one is the endpoint Unavailable, with the
// reason. That is decided at once where the package is at fault, after Deps.GiveUpAfter
// where the failure may pass, and never where this machine lacks the engine, the
// environment or room.
//
// The other versions score each request too, within Deps.ScoreWithin. A score is kept
// for each version that was asked: an error where it was asked and failed, and none
// where it was not, since it is not loaded, cannot keep up, or the server stopped. One
// that hangs is left out, and its failures go on: that is how a canary is caught.
//
// A buffered log has a request at most 200 ms and one write after its answer, at most
// 10,000 rows or 40 MB in all, and the scores of other versions when they are there. A
// request that finds no room is refused: after a second, or at once on a full disk. It tells
// stream time of a request once it is stored. A stream that follows wall time moves on
// without requests, so there `lateness` should be a second or more, or a window may
// miss its last ones.
//
// What the log keeps of a request with several rows are as many rows, with the ids
// "{id}/0", "{id}/1" …. Of each score it keeps the first numeric output.
//
// Serving owns the tables request and prediction. It never decides what is
// served, and never joins labels. Start reading in serving.go (the service), infer.go (a
// request's way), guard.go (what hanging versions may cost), log.go (what is kept of
// it), reconcile.go and pool.go (what is loaded), package.go (from where).
package serving
