// Package inference answers predictions over HTTP by the Open Inference Protocol
// v2 (REST, with Triton's binary tensor extension), so that tritonclient and every
// other client of the protocol works unchanged.
//
// JSON has no NaN: null in a tensor stands for a missing value; binary tensors
// carry NaN itself. A request's `id` is what ground truth is joined to, and
// `parameters.event_time` (RFC 3339, or Unix milliseconds) its event time, which
// needs its own permission. `parameters.routing_key` says who asks: while a canary
// runs, the same key goes to the same version.
//
// The package translates and does nothing else; package serving answers. Start
// reading in rest.go, then body.go and decode.go.
package inference
