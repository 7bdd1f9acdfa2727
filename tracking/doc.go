// Package tracking keeps what an experiment leaves behind: experiments, runs,
// metrics, params, tags, dataset inputs, logged models and artifacts, with the
// meaning that MLflow gives them, and searches them.
//
// Invariants: a param never changes its value; a metric's history only grows, and
// sending a point again changes nothing; the latest value of a metric is the one
// with the highest (step, timestamp, value); NaN is stored as 0 with a flag, and
// infinities as ±math.MaxFloat64. Public ids are text, internal keys integers;
// the tables of points are reached through their run and carry no project.
//
// What is deleted goes to the trash with its date, and a purge removes it for good,
// by and by: `purging` is the state of what is no longer found and not yet gone.
// Whoever depends on a run or a logged model holds it (hold.go), and a purge leaves
// it.
//
// It never unpickles, reads or judges an artifact, and appends no events for
// points, params and tags.
//
// Start reading in tracking.go, then run.go and metric.go; the speed of the
// writes is in metric_sql.go; search is in search.go over the language of package
// filter; the index that it goes along, and how that follows the writes, in index.go.
package tracking
