package store

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what Prometheus sees of the only writer: how long commits take, how many
// writes each holds, and how many wait for one.
type metrics struct {
	seconds prometheus.Histogram
	writes  prometheus.Histogram
	queued  []prometheus.Collector
}

func newMetrics(w *writer) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "fairlead_store_commit_seconds",
			Help:    "From the first write of a transaction to its end on disk.",
			Buckets: prometheus.ExponentialBuckets(0.25e-3, 2, 14)}),
		writes: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "fairlead_store_commit_writes",
			Help: "Writes that one transaction held.", Buckets: prometheus.ExponentialBuckets(1, 2, 9)}),
	}
	for lane, name := range []string{Control: "control", Bulk: "bulk"} {
		m.queued = append(m.queued, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "fairlead_store_queued_writes", Help: "Writes that wait for a transaction.",
			ConstLabels: prometheus.Labels{"lane": name},
		}, func() float64 { return float64(len(w.queues[lane])) }))
	}
	return m
}

func (m *metrics) committed(writes int, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	m.writes.Observe(float64(writes))
}

// Collectors returns the metrics of the writer, to be registered once.
func (db *DB) Collectors() []prometheus.Collector {
	m := db.writer.metrics
	return append([]prometheus.Collector{m.seconds, m.writes}, m.queued...)
}
