// Package backup copies a data directory while it is used, and makes one of a copy.
//
// A place for backups is a directory with one directory for each backup, named after
// its time (UTC), and with the content that they share:
//
//	blobs/                   as in a data directory; each content once for all backups
//	20261121-154500.123/     the database, the keys, the list of its blobs, and
//	                         manifest.json with their digests
//
// The database is copied first and the blobs after it, which stay meanwhile: so all
// that it refers to is there. A backup gets its name when everything in it is synced;
// what a kill has left has another name and is removed by the next one. A restore puts
// the database in its place last.
//
// The package knows files, the database and the ledger; what the tables mean is not
// its matter. Start reading in take.go, then restore.go.
package backup
