// Package filter reads the filter and order_by languages of searches, MLflow's and more:
//
//	metrics.auc > 0.7 AND params.`learning rate` = '0.1' AND tags.team IN ('a', 'b')
//	NOT (status = 'FAILED' OR metrics.loss IS NULL)
//	metrics.auc DESC
//
// It parses a filter to a tree and checks it against what one kind of list can be
// searched by (a Language), and writes trees as SQL conditions. It knows no tables:
// tracking and registry say which column a key lives in. docs/search.md is the
// language's reference.
//
// Start reading in filter.go, then parse.go.
package filter
