// Package query runs SQL that a user wrote, over Parquet files, in a process of its
// own. It knows nothing of datasets: who calls it says which file a table's name
// stands for, and sees the names before any file is opened.
//
// Each query is two short-lived children of this program. The first one parses and
// returns the names of the tables; it has no files. The second one gets the files as
// open descriptors, makes a view of each, and runs the query. What holds a child:
//
//   - DuckDB in memory, without access to files but these descriptors, without
//     extensions, with its configuration locked, with bounds on memory and threads;
//   - one SELECT and nothing else (also FROM, VALUES, WITH, DESCRIBE, SUMMARIZE);
//   - on Linux, before the Go runtime starts: no file but these can be opened
//     (Landlock), no program started and no socket opened (seccomp), no file written,
//     and bounds on memory and processor time (setrlimit);
//   - an environment without anything of the server's;
//   - a time limit, and bounds on rows and bytes of the answer, which the parent keeps.
//
// Start reading in query.go for the parent and in child.go for the child.
package query
