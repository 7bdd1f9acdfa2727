package engine

import (
	"context"
	"errors"
)

// Predictor answers batches with one loaded model. It is safe for concurrent
// use. Predict checks the batch against the model's signature first (Invalid
// when it breaks it), and returns one row for each row of in; cancelling ctx
// abandons the call. After Close, Predict is Unavailable.
type Predictor interface {
	Predict(ctx context.Context, in *Frame) (*Frame, error)
	Close() error
}

// Checker is a Predictor that can say that it is broken before anyone calls it.
type Checker interface {
	// Health is nil, or why calls fail now and will go on to.
	Health() error
}

// ErrAbsent is wrapped by the Unavailable error of a load that this machine lacks
// something for: the engine, or the model's environment. It says nothing about the
// model, and trying again does not help until somebody installs what is missing.
var ErrAbsent = errors.New("not on this machine")

type backgroundKey struct{}

// Background marks the calls made with the returned context as ones that nobody
// waits for, such as a shadow's: they leave room for those that somebody does.
func Background(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

// IsBackground reports whether ctx was marked by Background.
func IsBackground(ctx context.Context) bool {
	marked, _ := ctx.Value(backgroundKey{}).(bool)
	return marked
}
