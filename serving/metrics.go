package serving

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
)

// metrics are what Prometheus sees of the requests. Labels come from assignments and
// from the table of error codes alone, never from a request, so that their number
// is bounded; a version's series end when it is unloaded.
type metrics struct {
	requests *prometheus.CounterVec   // project, endpoint, version
	errors   *prometheus.CounterVec   // project, endpoint, code
	seconds  *prometheus.HistogramVec // project, endpoint
	routes   func() *routes           // whose endpoints are up, or are not
	skipped  *prometheus.CounterVec   // project, endpoint
	buffered prometheus.GaugeFunc
	dropped  prometheus.CounterFunc
}

// latencyBuckets are in seconds: an ONNX model answers in tens of microseconds, a
// Python worker in milliseconds.
var latencyBuckets = []float64{
	50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 1, 5, 30}

func newMetrics(s *Service) *metrics {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "fairlead", Subsystem: "serving", Name: name, Help: help}
	}
	at := []string{"project", "endpoint"}
	return &metrics{
		requests: prometheus.NewCounterVec(opts("requests_total", "Requests answered, by the version that answered."),
			append(at, "version")),
		errors: prometheus.NewCounterVec(opts("errors_total", "Requests refused or failed, by error code."),
			append(at, "code")),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "fairlead", Subsystem: "serving",
			Name: "request_seconds", Help: "From the decoded request to its answer.", Buckets: latencyBuckets}, at),
		routes: s.routes.Load,
		skipped: prometheus.NewCounterVec(opts("scores_skipped_total",
			"Scores that a version was not asked for, because it could not keep up."), at),
		buffered: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "fairlead", Subsystem: "serving",
			Name: "log_pending_rows",
			Help: "Rows of answered requests that are not stored yet with all scores."},
			func() float64 { return float64(s.log.pending()) }),
		dropped: prometheus.NewCounterFunc(opts("log_lost_rows_total", "Rows that could not be stored before the end."),
			func() float64 { return float64(s.log.lost.Load()) }),
	}
}

// Collector returns the metrics of all endpoints, to be registered once.
func (s *Service) Collector() prometheus.Collector { return s.metrics }

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.errors, m.seconds, m.skipped, m.buffered, m.dropped}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
	ch <- upDesc
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
	for key, e := range m.routes().endpoints {
		if key.name == e.name {
			ch <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, e.up(),
				e.project.Name, e.name)
		}
	}
}

var upDesc = prometheus.NewDesc("fairlead_serving_endpoint_up",
	"1 when the endpoint has a live version that is loaded and can answer.",
	[]string{"project", "endpoint"}, nil)

// up asks the live version now: a worker may have died by itself.
func (e *endpoint) up() float64 {
	if e.live == nil || e.live.health() != nil {
		return 0
	}
	return 1
}

func (m *metrics) failed(e *endpoint, err error) {
	m.errors.WithLabelValues(e.project.Name, e.name, string(fairlead.CodeOf(err))).Inc()
}

// forget ends the series of the versions that e has and next, which may be nil, has
// not.
func (m *metrics) forget(e, next *endpoint) {
	for n := range e.all {
		if next == nil || next.all[n] == nil {
			m.requests.DeleteLabelValues(e.project.Name, e.name, strconv.FormatInt(n, 10))
		}
	}
}
