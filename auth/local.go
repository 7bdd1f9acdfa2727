package auth

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// notLocal says why a request is not treated as one of this machine's own user;
// empty when it is.
func notLocal(r *http.Request) string {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !addr.Addr().Unmap().IsLoopback() {
		return "the request comes from another machine"
	}
	if !LoopbackHost(r.Host) {
		return "the request names a host that is not this machine's loopback (use 127.0.0.1 or localhost)"
	}
	for name := range r.Header {
		if forwarding(name) {
			return "a proxy passed the request on (" + name + ")"
		}
	}
	return ""
}

// forwarding reports whether a header is one that proxies add: RFC 7239's and its
// forerunners, and RFC 9110's Via.
func forwarding(name string) bool {
	switch name = http.CanonicalHeaderKey(name); name {
	case "Forwarded", "X-Real-Ip", "Via":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}

// LoopbackHost reports whether a host, with or without a port, names this machine:
// another name that resolves to 127.0.0.1 is a rebinding attack.
func LoopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// checkSite refuses what a page of another origin makes a browser send, also of another
// port of this host. The Origin must be this host; a request that states none, such as
// that of an image, must come from a page of this server or from none, unless the user
// follows a link (Fetch Metadata, W3C).
func checkSite(r *http.Request) error {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) {
			return errSite.With("origin", origin)
		}
	}
	h := r.Header
	followed := h.Get("Sec-Fetch-Mode") == "navigate" && r.Method == http.MethodGet
	switch h.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return nil
	}
	if !followed {
		return errSite
	}
	return nil
}

var errSite = fairlead.Errorf(fairlead.Denied,
	"requests that pages of other sites make are not accepted; call from a page of this server")
