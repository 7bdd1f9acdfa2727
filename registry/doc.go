// Package registry keeps models and their versions: what each version was made
// from and by, its aliases, its conditions, and who depends on it.
//
// Invariants: versions are numbered from 1 and a number is never given twice under
// a name, also when the model was deleted; a version's source and lineage never
// change; an alias points at one version, each move has a revision and an event;
// the alias `live` moves by releases alone (SetLive); a version that is live or
// held can be neither retired nor deleted.
//
// A condition is a fact that another stage found out about a version (packaged,
// scanned, reference, …); releases wait for conditions. A hold is a dependency
// that its holder writes in its own transaction. A version itself holds the run
// and the logged model that it is made of, in tracking, so that they are not
// purged. Setting the alias `candidate` appends alias.moved, to which the loop
// reacts; the registry itself starts nothing.
//
// What there was at a time stays known (past.go): names of models, moves of aliases and
// of versions' tags, and versions that were deleted. By the wall clock.
//
// Start reading in registry.go, then version.go and alias.go.
package registry
