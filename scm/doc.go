// Package scm keeps source snapshots: the files of a Git commit, checked to be
// that commit's and no others.
//
// The client side (Look, Pack) asks the user's own git for a commit and its raw
// files. The server side (Import) recomputes Git's tree and commit ids from what
// it received, so nobody can claim a commit for files that are not its own. A
// working tree with changes keeps the id of the commit it started from, marked
// dirty and with the tree that was really imported: `<sha>+dirty.<tree7>`.
//
// SHA-1 serves here as Git's identifier, and nothing more; the stored bytes are
// addressed by SHA-256. Files are kept as Git stores them: filters, line-ending
// conversion and export attributes are not applied. Symbolic links and submodules
// are refused. The package runs no code of a repository and clones nothing.
//
// Start reading in commit.go, then import.go and pack.go.
package scm
