package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics counts requests by the pattern of their route, never by path: the
// number of series is bounded by the route table.
type requestMetrics struct {
	total   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	running prometheus.Gauge
}

// edgeRoute is the label of what no route answered.
const edgeRoute = "none"

func newRequestMetrics(reg prometheus.Registerer) *requestMetrics {
	m := &requestMetrics{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_http_requests_total", Help: "Requests answered, by route and HTTP status.",
		}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "fairlead_http_request_seconds",
			Help:    "Time to answer a request, in seconds of wall time, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5, 30},
		}, []string{"route"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "fairlead_http_requests_running",
			Help: "Requests that are being answered."}),
	}
	reg.MustRegister(m.total, m.seconds, m.running)
	return m
}

// refused counts what the edge answered by itself.
func (m *requestMetrics) refused(status int) {
	m.total.WithLabelValues(edgeRoute, strconv.Itoa(status)).Inc()
}

// watch counts and times the requests of one route.
func (m *requestMetrics) watch(route string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := w.(*answer) // of the edge
		a.matched = true
		began := time.Now()
		m.running.Inc()
		defer func() {
			m.running.Dec()
			m.total.WithLabelValues(route, strconv.Itoa(a.status)).Inc()
			m.seconds.WithLabelValues(route).Observe(time.Since(began).Seconds())
		}()
		h.ServeHTTP(w, r)
	})
}

// answer remembers what was answered. It keeps back what the mux says about a
// request that no route takes: the edge says it better, and a redirect to a path with
// a final slash would lose the project's prefix.
type answer struct {
	http.ResponseWriter
	status  int
	matched bool // a route has the request; the mux's own answers are kept back
	begun   bool
	timed   time.Time // when the deadline of the connection's writes was set
}

// WriteHeader remembers the status.
func (a *answer) WriteHeader(status int) {
	if !a.begun {
		a.status = status
	}
	if !a.matched {
		return
	}
	a.begun = a.begun || status >= http.StatusOK
	a.renew(0)
	a.ResponseWriter.WriteHeader(status)
}

// renew gives the next n bytes of the answer their time. The server has set it when the
// request came; few bytes later it is not worth its price.
func (a *answer) renew(n int) {
	if now := time.Now(); n >= smallWrite || now.Sub(a.timed) > writeTimeout/10 {
		a.timed = now
		http.NewResponseController(a.ResponseWriter).SetWriteDeadline(now.Add(writeTimeout))
	}
}

// Write begins the answer.
func (a *answer) Write(b []byte) (int, error) {
	if !a.matched {
		return len(b), nil
	}
	a.begun = true
	written := 0
	for {
		chunk := b[written:min(written+writeChunk, len(b))]
		a.renew(len(chunk))
		n, err := a.ResponseWriter.Write(chunk)
		if written += n; err != nil || written == len(b) {
			return written, err
		}
	}
}

// ReadFrom keeps the server's way of sending files without copying them. It knows a
// file that is limited once, so that a limit is taken apart and not limited again.
func (a *answer) ReadFrom(from io.Reader) (int64, error) {
	a.begun = true
	whole, ok := from.(*io.LimitedReader)
	if !ok {
		whole = &io.LimitedReader{R: from, N: math.MaxInt64}
	}
	written := int64(0)
	for {
		a.renew(writeChunk)
		chunk := &io.LimitedReader{R: whole.R, N: min(writeChunk, whole.N)}
		n, err := io.Copy(a.ResponseWriter, chunk)
		written += n
		if whole.N -= n; err != nil || chunk.N > 0 || whole.N == 0 {
			return written, err
		}
	}
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// failure writes an error in a route's form.
type failure = func(w http.ResponseWriter, r *http.Request, err error)

// rescue answers 500 for a handler that panics, and logs where. The server goes on;
// an answer that has begun is cut off, so that no client takes it for whole.
func rescue(route string, log *slog.Logger, fail failure, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			reason := recover()
			if reason == nil {
				return
			}
			if err, ok := reason.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(http.ErrAbortHandler)
			}
			log.Error("handler panicked", "route", route, "reason", fmt.Sprint(reason),
				"stack", string(debug.Stack()))
			if a, ok := w.(*answer); ok && a.begun {
				panic(http.ErrAbortHandler)
			}
			fail(w, r, fmt.Errorf("panic: %v", reason))
		}()
		h.ServeHTTP(w, r)
	})
}
