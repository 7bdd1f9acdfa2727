// Package transfer brings in what another tracking server has kept: experiments, runs
// with their whole histories, logged models, registered models, and all their files,
// with the ids, times and states that they had there.
//
// A source (files.go, sql.go, remote.go) only reads: text, YAML, SQL and JSON. Nothing is
// unpickled, and nothing of the source is changed. What has come in is noted with a digest
// of what it was, so that an import can be cut off and repeated: a second one skips
// what has not changed there, and leaves what was changed here.
//
// Histories and files pass through in pieces, so that memory does not grow with a run.
//
// It writes through the operations of tracking and registry and has no table of its own
// but that note. Start reading in transfer.go, then importing.go.
package transfer
