// Package ledger is the spine: every change of state appends one event in the
// transaction that makes the change. Events are numbered in commit order, without
// gaps, and each is a leaf of a Merkle tree (RFC 6962), so that the past can be
// proven and not rewritten.
//
// A leaf holds a salted digest of the event's body and not the body, so that a body
// can be erased one day while the log stays provable; nothing erases one yet, and one
// that is missing is an error. The leaf's format (leaf.go) can never change.
//
// Stages react to events through subscriptions: the subscriber's cursor moves in
// the transaction of its effect, so each event has its effect exactly once.
//
// Start reading in ledger.go (append), subscribe.go (react), proof.go (verify).
package ledger
