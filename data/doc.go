// Package data keeps datasets and their immutable versions. A version is one
// canonical Parquet file, addressed by its content, with its columns, a profile of
// each, and its lineage; the same content never becomes a second version of a
// dataset.
//
// Canonical means: columns in the order of the source, five types (double, long,
// string, boolean, datetime), times as UTC microseconds, a missing number as null
// and never NaN, rows in the order of the source, bytes that depend on nothing but
// these and the version of DuckDB.
//
// CSV is typed by our own rules on every row (csv.go), because a guess from a
// sample turns into a wrong type or a lost row later. DuckDB then reads, casts and
// writes. It is opened at the first use, in memory, without extensions from the
// network and with its configuration locked, and it reads only files that the
// caller names and trusts. A user's SQL runs in another process: see package query.
//
// The holdout is a dataset like any other, except that it is made by Split alone
// and that each read of it is recorded, also those of people who look at its rows, with the
// reason that they must give. Its profile is open.
//
// Start reading in dataset.go, then ingest.go, holdout.go and table.go.
package data
