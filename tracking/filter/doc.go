// Package filter reads the filter and order_by languages of MLflow's searches:
//
//	metrics.auc > 0.7 AND params.`learning rate` = '0.1' AND tags.team IN ('a', 'b')
//	metrics.auc DESC
//
// It parses and checks against what one kind of list can be searched by (a
// Language), and writes single comparisons as SQL conditions. It knows no tables:
// tracking and registry say which column a key lives in.
//
// Start reading in filter.go, then parse.go.
package filter
