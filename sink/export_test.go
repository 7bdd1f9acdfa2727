package sink

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/netip"
	"time"
)

// Wake lets the dispatcher look again, as after a fake clock was moved.
func (s *Service) Wake() { s.poke() }

// SetPatience sets how long a request may take; called before Start.
func (s *Service) SetPatience(d time.Duration) { s.sender.patience = d }

// AtOnce sets how many webhooks are sent to at once; called before Start.
func (s *Service) AtOnce(n int) { s.atOnce = n }

// Trust lets receivers show certificates of these authorities; called before Start.
func (s *Service) Trust(roots *x509.CertPool) {
	t := s.sender.clients["https"].Transport.(*http.Transport)
	t.TLSClientConfig = &tls.Config{RootCAs: roots}
}

// Permit says why no request of the scheme may go to addr.
func (a Allowed) Permit(scheme string, addr netip.Addr) error { return a.permit(scheme, addr) }

// Signature is the signature of a delivery.
var Signature = signature

// Times that tests wait for on a fake clock.
const (
	DisableAfter = disableAfter
	Keep         = keep
)

// Retries are the waits after failures.
var Retries = retries
