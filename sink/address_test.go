package sink_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/sink"
)

func TestPermit_OnlyPublicAddressesByTLSUnlessAllowed(t *testing.T) {
	allowed, err := sink.ParseAllowed(" 127.0.0.2, 10.1.0.0/16,fd00::7, ::ffff:192.168.7.7")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		scheme, addr string
		want         bool
	}{
		{"https", "1.1.1.1", true}, {"https", "2606:4700::1111", true}, {"http", "1.1.1.1", false},
		{"https", "::ffff:1.1.1.1", true}, {"https", "64:ff9b::1.1.1.1", true},

		{"https", "127.0.0.1", false}, {"https", "127.8.9.1", false}, {"https", "::1", false},
		{"https", "0.0.0.0", false}, {"https", "0.1.2.3", false}, {"https", "::", false},
		{"https", "10.0.0.1", false}, {"https", "172.16.0.1", false}, {"https", "192.168.0.1", false},
		{"https", "fd00::1", false}, {"https", "fc00::1", false}, {"https", "fec0::1", false},
		{"https", "169.254.169.254", false}, {"https", "fe80::1", false}, {"https", "fe80::1%eth0", false},
		{"https", "fd00:ec2::254", false}, {"https", "100.100.100.200", false},
		{"https", "100.64.0.1", false}, {"https", "192.0.0.192", false}, {"https", "192.0.2.1", false},
		{"https", "198.18.0.1", false}, {"https", "198.51.100.1", false}, {"https", "203.0.113.1", false},
		{"https", "192.88.99.1", false}, {"https", "224.0.0.1", false}, {"https", "ff02::1", false},
		{"https", "240.0.0.1", false}, {"https", "255.255.255.255", false},
		{"https", "::ffff:127.0.0.1", false}, {"https", "::ffff:169.254.169.254", false},
		{"https", "::127.0.0.1", false}, {"https", "64:ff9b::127.0.0.1", false},
		{"https", "64:ff9b::a9fe:a9fe", false}, {"https", "64:ff9b:1::1.1.1.1", false},
		{"https", "2002:7f00:1::", false}, {"https", "2001:0:1::1", false}, {"https", "2001:db8::1", false},
		{"https", "3fff::1", false}, {"https", "100::1", false}, {"https", "5f00::1", false},

		{"http", "127.0.0.2", true}, {"https", "127.0.0.2", true}, {"http", "::ffff:127.0.0.2", true},
		{"http", "64:ff9b::127.0.0.2", true}, {"http", "10.1.255.255", true}, {"http", "10.2.0.1", false},
		{"http", "fd00::7", true}, {"https", "fd00::8", false}, {"http", "192.168.7.7", true},
	} {
		err := allowed.Permit(tt.scheme, netip.MustParseAddr(tt.addr))
		if (err == nil) != tt.want {
			t.Errorf("%s to %s: %v, want permitted: %v", tt.scheme, tt.addr, err, tt.want)
		}
	}
}

func TestParseAllowed_RefusesWhatIsNoAddress(t *testing.T) {
	for _, list := range []string{"localhost", "10.0.0.0/33", "10.0.0", "*", "::ffff:10.0.0.0/100",
		"127.0.0.1:8080"} {
		if got, err := sink.ParseAllowed(list); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q: %v, %v", list, got, err)
		}
	}
	if got, err := sink.ParseAllowed(" , "); err != nil || len(got) != 0 {
		t.Errorf("nothing is allowed by nothing: %v, %v", got, err)
	}
}

func TestCreate_RefusesWhereRequestsMayNotGo(t *testing.T) {
	w := begin(t, "127.0.0.2")
	for url, want := range map[string]string{
		"":                              "cannot be empty",
		"  ":                            "cannot be empty",
		"ftp://1.1.1.1/":                "scheme: 'ftp'",
		"file:///etc/passwd":            "scheme: 'file'",
		"gopher://127.0.0.2/":           "scheme",
		"https:///path":                 "hostname",
		"https://user:pw@1.1.1.1/":      "user or password",
		"http://1.1.1.1/":               "without TLS",
		"https://127.0.0.1/":            "not a public address",
		"https://localhost/":            "not a public address",
		"https://[::1]:8080/":           "not a public address",
		"https://[::ffff:10.0.0.1]/":    "10.0.0.1 is not a public address",
		"https://[64:ff9b::7f00:1]/":    "127.0.0.1 is not a public address",
		"https://169.254.169.254/meta":  "not a public address",
		"https://0.0.0.0/":              "not a public address",
		"https://name.invalid/":         "Cannot resolve",
		"https://1.1.1.1/\x00":          "Invalid webhook URL",
		"https://1.1.1.1/%zz":           "Invalid webhook URL",
		"https://1.1.1.1/" + long(3000): "longer than",
	} {
		name := "hook"
		_, err := w.Create(t.Context(), project,
			sink.Change{Name: &name, URL: &url, Events: []string{moved}})
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", url, err, want)
		}
	}
	w.create("http://127.0.0.2/", "")
	w.create("https://1.1.1.1/hook?a=b", "")
}

func long(n int) string { return strings.Repeat("a", n) }
