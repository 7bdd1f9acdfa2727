// Package label keeps ground truth: what turned out to be true of a request. It
// arrives in batches, often much later than the prediction, is joined to it by the
// request's id, and becomes dataset versions that retraining learns from.
//
// A label has three times: the event time of its request, observed_at (stream
// time: from when on it was known, which is what "as of" means in every join), and
// the wall time of its arrival. A label may come before its request; it joins when
// the request is there. A correction is a later label: both are kept, so a join as of
// a time before it gives what was known then. What a join gives follows from the
// requests and labels alone, never from the order in which they came.
//
// Package label owns the table truth. Start reading in label.go, then join.go.
package label
