package engine

import "context"

// Predictor answers batches with one loaded model. It is safe for concurrent
// use. Predict checks the batch against the model's signature first (Invalid
// when it breaks it), and returns one row for each row of in; cancelling ctx
// abandons the call. After Close, Predict is Unavailable.
type Predictor interface {
	Predict(ctx context.Context, in *Frame) (*Frame, error)
	Close() error
}
