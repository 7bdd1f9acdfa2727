// Package event names every change of state and its payload. It is a leaf: a
// stage that reacts to an event imports this package, never the stage that
// emitted it. Names follow CDEvents and CloudEvents usage: subject, then verb in
// the past tense.
//
// A payload's fields may grow; a field's meaning never changes. What would break
// a reader gets a new Format.
package event

// Payload is the body of one event. Its JSON form is what the ledger digests.
type Payload interface {
	// Type is the event's name, such as "alias.moved".
	Type() string
	// Format is the version of the payload's form, from 1.
	Format() int
}

// v1 marks payloads in their first format.
type v1 struct{}

func (v1) Format() int { return 1 }
