// Package gate decides whether a candidate may be released. It owns evidence
// (typed facts, stored as they were), policies (the `gates` of a fairlead.yaml,
// each a CEL expression over the facts) and decisions.
//
// Decide is a pure and total function of a policy and facts: every check is
// evaluated, a fact that a check names and that is missing makes the check red,
// and so does everything that is not plainly true. A decision stores what it was
// made from, so that it can be computed again and must come out the same.
//
// The package never releases anything and never asks production: who knows
// something about a version (monitor, for example) pushes it with PutEvidence.
// What evaluates the candidate on the holdout is given to it.
//
// Start reading in fact.go (what a check can read), then policy.go, decide.go
// and run.go.
//
// The table of facts is also a page of the documentation, which go generate writes.
package gate

//go:generate go test -run TestReference_HasTheTableOfFacts -update
