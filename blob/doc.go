// Package blob keeps bytes by their content: a file is stored once under its
// SHA-256, and read through what refers to it, (project, owner, path), never by
// its bare digest, so that knowing a digest opens nothing.
//
// A stored file is whole and synced to disk before its row exists, is mode 0444
// and never changes. A path is a key of a map and never touches the file system,
// except in Materialize, which writes below one directory and cannot leave it.
// Garbage collection looks at references alone; what depends on a blob keeps a
// reference. The package emits no events and knows nothing of what it stores.
//
// One process owns the directory at a time; the program's lock on its data
// directory sees to that.
//
// A file that comes in parts is written at its place from the beginning (partial.go), and
// becomes a stored one when each part is found to be what was received.
//
// Start reading in store.go (writing), then ref.go (reading), then collect.go.
package blob
