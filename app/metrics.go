package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead/ledger"
)

// buildInfo is always 1; its label says which program runs.
func buildInfo(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fairlead_build_info",
		Help: "Always 1; the label says which version runs.", ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
}

// lag collects how far each subscriber of the ledger is behind.
type lag struct {
	ledger *ledger.Ledger
	log    *slog.Logger
}

var lagDesc = prometheus.NewDesc("fairlead_ledger_lag", "Events that a subscriber has not handled yet.",
	[]string{"subscriber"}, nil)

// Describe sends the one description.
func (l lag) Describe(ch chan<- *prometheus.Desc) { ch <- lagDesc }

// lagMax bounds how long a scrape waits for the database, in wall time.
const lagMax = 2 * time.Second

// Collect reads the lag of all subscribers.
func (l lag) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), lagMax)
	defer cancel()
	behind, err := l.ledger.Lag(ctx)
	if err != nil {
		l.log.Warn("the ledger's lag cannot be read", "err", err)
		return
	}
	for name, n := range behind {
		ch <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(n), name)
	}
}
