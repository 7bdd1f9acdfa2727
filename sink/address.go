package sink

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// Allowed are the addresses that webhooks may reach though they are not public, and
// without TLS.
type Allowed []netip.Prefix

// ParseAllowed reads a comma-separated list of addresses and networks, such as
// "127.0.0.1, 10.1.0.0/16, ::1".
func ParseAllowed(list string) (Allowed, error) {
	var out Allowed
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(item)
		if addr, e := netip.ParseAddr(item); e == nil {
			addr = plain(addr)
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil || prefix.Addr().Is4In6() {
			return nil, fairlead.Errorf(fairlead.Invalid, "%q is neither an address nor a network; "+
				"write 127.0.0.1 or 10.1.0.0/16, not a name", item)
		}
		out = append(out, prefix)
	}
	return out, nil
}

func (a Allowed) has(addr netip.Addr) bool {
	return slices.ContainsFunc(a, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// special are the networks that are no place on the Internet, beside those that
// netip knows (IANA's special-purpose registries, RFC 6890). Of IPv6 only the global
// unicast addresses 2000::/3 are one; in these, the tunnels to IPv4 are special.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
}

var (
	globalUnicast6 = netip.MustParsePrefix("2000::/3")
	nat64          = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
)

// plain returns the address that a connection to addr really goes to: the IPv4
// address in a mapped (RFC 4291) or translated (RFC 6052) one.
func plain(addr netip.Addr) netip.Addr {
	addr = addr.WithZone("").Unmap()
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	return addr
}

// public reports whether a plain address is a place on the Internet.
func public(addr netip.Addr) bool {
	if !addr.IsGlobalUnicast() || addr.IsPrivate() || addr.Is6() && !globalUnicast6.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// permit says why no request of the scheme may go to addr, or nothing.
func (a Allowed) permit(scheme string, addr netip.Addr) error {
	addr = plain(addr)
	switch {
	case a.has(addr):
		return nil
	case !public(addr):
		return fairlead.Errorf(fairlead.Denied, "%s is not a public address; an administrator can "+
			"allow it with `fairlead serve --webhook-allow`", addr)
	case scheme != "https":
		return fairlead.Errorf(fairlead.Denied, "%s is reached without TLS; use https, or have an "+
			"administrator allow it with `fairlead serve --webhook-allow`", addr)
	}
	return nil
}

// control returns a net.Dialer's Control, which sees each address that is connected
// to, after names are resolved.
func (a Allowed) control(scheme string) func(string, string, syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return a.permit(scheme, at.Addr())
	}
}

// maxURL bounds a webhook's URL, in bytes.
const maxURL = 2048

// parseURL reads a webhook's URL: Invalid with MLflow's words where it has some.
func parseURL(raw string) (*url.URL, error) {
	if strings.TrimSpace(raw) == "" {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"Webhook URL cannot be empty or just whitespace: '%s'", raw)
	}
	if len(raw) > maxURL {
		return nil, fairlead.Errorf(fairlead.Invalid, "Webhook URL is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fairlead.Errorf(fairlead.Invalid, "Invalid webhook URL").Because(err)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fairlead.Errorf(fairlead.Invalid, "Invalid webhook URL scheme: '%s'. "+
			"Allowed schemes are: https, and http for addresses that an administrator has allowed.",
			u.Scheme)
	case u.Hostname() == "":
		return nil, fairlead.Errorf(fairlead.Invalid, "Webhook URL must include a hostname: '%s'", raw)
	case u.User != nil:
		return nil, fairlead.Errorf(fairlead.Invalid, "Webhook URL must not hold a user or password: "+
			"it is shown to all who may list webhooks; let the receiver check the signature")
	}
	return u, nil
}

// resolveMax bounds how long a new URL's name is looked up, in wall time.
const resolveMax = 5 * time.Second

// check refuses a URL whose requests could not be sent as things stand, so that who
// makes the webhook hears of it. What protects is the check of each connection.
func (a Allowed) check(ctx context.Context, raw string) error {
	u, err := parseURL(raw)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, resolveMax)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid,
			"Cannot resolve Webhook URL hostname '%s'", u.Hostname()).Because(err)
	}
	for _, addr := range addrs {
		if err := a.permit(u.Scheme, addr); err != nil {
			return fairlead.Errorf(fairlead.Invalid, "Webhook URL must not resolve to an address that "+
				"webhooks may not reach: %s", fairlead.MessageOf(err))
		}
	}
	return nil
}
