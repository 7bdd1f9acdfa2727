package job

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead/store"
)

// metrics are what Prometheus sees of the jobs. Kinds are the program's own.
type metrics struct {
	service  *Service
	finished *prometheus.CounterVec // kind, state
}

var openDesc = prometheus.NewDesc("fairlead_jobs", "Jobs that wait or run.",
	[]string{"kind", "state"}, nil)

func newMetrics(s *Service) *metrics {
	return &metrics{s, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairlead_jobs_finished_total", Help: "Jobs that have ended, since the start."},
		[]string{"kind", "state"})}
}

// Collector returns the metrics of jobs, to be registered once.
func (s *Service) Collector() prometheus.Collector { return s.metrics }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.finished.Describe(ch)
	ch <- openDesc
}

// scrapeMax bounds how long a scrape waits for the database, in wall time.
const scrapeMax = 2 * time.Second

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.finished.Collect(ch)
	ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
	defer cancel()
	var open []openJobs
	err := m.service.db.Read(ctx, func(tx *store.Tx) (err error) {
		open, err = countOpen(tx)
		return err
	})
	if err != nil {
		m.service.log.Warn("jobs cannot be counted", "err", err)
		return
	}
	for _, o := range open {
		ch <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, o.jobs, o.kind, o.state)
	}
}
