package sink

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead/store"
)

// metrics are what Prometheus sees of the deliveries. No label tells of a webhook, since
// users make them.
type metrics struct {
	service *Service
	sent    *prometheus.CounterVec // by outcome
}

// What came of an attempt.
const (
	cameThrough = "delivered"
	comesAgain  = "to be sent again"
	givenUp     = "failed"
)

var waitingDesc = prometheus.NewDesc("fairlead_webhook_deliveries_waiting",
	"Deliveries that are to be sent, or sent again.", nil, nil)

var disabledDesc = prometheus.NewDesc("fairlead_webhooks_disabled",
	"Webhooks that were disabled because nothing came through.", nil, nil)

func newMetrics(s *Service) *metrics {
	m := &metrics{service: s, sent: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "fairlead_webhook_attempts_total", Help: "Requests to receivers, by what came of them."},
		[]string{"outcome"})}
	for _, outcome := range []string{cameThrough, comesAgain, givenUp} {
		m.sent.WithLabelValues(outcome)
	}
	return m
}

// count counts an attempt after which the delivery is in a state.
func (m *metrics) count(state State) {
	outcome := comesAgain
	switch state {
	case Delivered:
		outcome = cameThrough
	case Failed:
		outcome = givenUp
	}
	m.sent.WithLabelValues(outcome).Inc()
}

// Collector returns the metrics of webhooks, to be registered once.
func (s *Service) Collector() prometheus.Collector { return s.metrics }

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	m.sent.Describe(ch)
	ch <- waitingDesc
	ch <- disabledDesc
}

// scrapeMax bounds how long a scrape waits for the database, in wall time.
const scrapeMax = 2 * time.Second

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	m.sent.Collect(ch)
	ctx, cancel := context.WithTimeout(context.Background(), scrapeMax)
	defer cancel()
	var waiting, disabled float64
	err := m.service.DB.Read(ctx, func(tx *store.Tx) (err error) {
		waiting, disabled, err = countWaiting(tx)
		return err
	})
	if err != nil {
		m.service.Log.Warn("the deliveries that wait cannot be counted", "err", err)
		return
	}
	ch <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, waiting)
	ch <- prometheus.MustNewConstMetric(disabledDesc, prometheus.GaugeValue, disabled)
}
