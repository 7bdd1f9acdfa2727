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

// modelsApart says how many ONNX models a crash has put into processes of their own.
func modelsApart(e *engines) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fairlead_onnx_models_apart",
		Help: "ONNX models that have crashed, or were being called when the server died, and run in processes of their own.",
	}, func() float64 { return float64(e.onnx.Apart()) })
}

// progress collects how far each subscriber of the ledger is.
type progress struct {
	ledger *ledger.Ledger
	log    *slog.Logger
}

var (
	lagDesc = prometheus.NewDesc("fairlead_ledger_lag", "Events that a subscriber has not handled yet.",
		[]string{"subscriber"}, nil)
	failingDesc = prometheus.NewDesc("fairlead_ledger_failing_seconds",
		"For how long a subscriber has failed at the same event, 0 if it does not; wall time.",
		[]string{"subscriber"}, nil)
	skippedDesc = prometheus.NewDesc("fairlead_ledger_skipped_total",
		"Events that a subscriber could not handle and has skipped.", []string{"subscriber"}, nil)
)

// Describe sends the descriptions.
func (p progress) Describe(ch chan<- *prometheus.Desc) {
	ch <- lagDesc
	ch <- failingDesc
	ch <- skippedDesc
}

// progressMax bounds how long a scrape waits for the database, in wall time.
const progressMax = 2 * time.Second

// Collect reads the progress of all subscribers.
func (p progress) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), progressMax)
	defer cancel()
	all, err := p.ledger.Progress(ctx)
	if err != nil {
		p.log.Warn("the progress of the ledger's subscribers cannot be read", "err", err)
		return
	}
	for _, s := range all {
		send := func(d *prometheus.Desc, typ prometheus.ValueType, v float64) {
			ch <- prometheus.MustNewConstMetric(d, typ, v, s.Subscriber)
		}
		send(lagDesc, prometheus.GaugeValue, float64(s.Lag))
		send(failingDesc, prometheus.GaugeValue, s.Failing.Seconds())
		send(skippedDesc, prometheus.CounterValue, float64(s.Skipped))
	}
}
