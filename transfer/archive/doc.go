// Package archive writes everything of tracking and registry into a directory of open
// formats, and reads it back the same: JSON lines, Parquet for the histories of metrics,
// and files as they are. README.md in the directory (readme.md here) says what is what;
// who has never heard of Fairlead can read it.
//
// An export is one moment of the database, also while the server is used. It is whole
// when it has a manifest.json, which is written last; one that was cut off has a file
// `.exporting`, and the next export into the directory begins anew.
//
// An import believes nothing: every file is compared with its digest before it is used,
// paths stay below the directory, and each record keeps to the rules of what it is about.
// It changes nothing that is here. What it adds lies in the trash until it is whole, so
// that an import can be cut off and repeated.
//
// The records are those of tracking and registry, which know their tables; here is what
// files they make, and in which order they come back. Start reading in export.go, then
// import.go.
package archive
