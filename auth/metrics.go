package auth

import "github.com/prometheus/client_golang/prometheus"

// What came of a password that was tried.
const (
	signInPassed  = "passed"
	signInRefused = "refused" // it, or the name, is wrong
	signInSlowed  = "slowed"  // after too many wrong ones it was not looked at
)

// newSignIns counts passwords that are tried; one that is known for its last success is
// not tried again for a while.
func newSignIns() *prometheus.CounterVec {
	m := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "fairlead_sign_ins_total",
		Help: "Passwords that were tried, by what came of it."}, []string{"outcome"})
	for _, outcome := range []string{signInPassed, signInRefused, signInSlowed} {
		m.WithLabelValues(outcome)
	}
	return m
}

// Collector returns the metrics of sign-ins, to be registered once.
func (a *Accounts) Collector() prometheus.Collector { return a.signIns }
