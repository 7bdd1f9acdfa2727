package ops

import (
	"context"
	"crypto/hmac"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// The headers with which a client asks at /livez whether it talks to the server of a
// data directory, before it sends the owner's token: the server answers with its
// process id and a proof that it knows the token too.
const (
	challengeHeader = "Fairlead-Challenge"
	proofHeader     = "Fairlead-Proof"
)

// maxChallenge bounds what is proven, in bytes.
const maxChallenge = 128

func (a *API) live(w http.ResponseWriter, r *http.Request) error {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if c := r.Header.Get(challengeHeader); ok && c != "" && len(c) <= maxChallenge {
		pid := os.Getpid()
		w.Header().Set(proofHeader, fmt.Sprintf("%d %s", pid, a.Prove(claim(c, addr, pid))))
	}
	fmt.Fprintln(w, "ok")
	return nil
}

// claim is what a proof is about. The address and port of the server's end of the
// connection are in it, so that nobody passes the challenge on to a server that listens
// elsewhere.
func claim(challenge string, server net.Addr, pid int) string {
	return fmt.Sprintf("livez %s %s %d", challenge, server, pid)
}

// Proven is a server that has proven that it knows the owner's token.
type Proven struct {
	// URL is where it did, with the address (http://127.0.0.1:4747) for a name such as
	// localhost, which may lead to another program the next time.
	URL string
	PID int // its process id
}

// challengeMax bounds how long a server may take to answer, in wall time.
const challengeMax = 2 * time.Second

// Challenge returns the server at base (http://host:port), once it has proven that it
// knows the owner's token; else Unavailable.
func Challenge(ctx context.Context, base, token string) (Proven, error) {
	ctx, cancel := context.WithTimeout(ctx, challengeMax)
	defer cancel()
	u, err := url.Parse(base)
	if err != nil {
		return Proven{}, err
	}
	var server net.Addr
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) { server = c.Conn.RemoteAddr() }})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/livez", nil)
	if err != nil {
		return Proven{}, err
	}
	challenge := fairlead.NewHexID()
	req.Header.Set(challengeHeader, challenge)
	transport := &http.Transport{DisableKeepAlives: true} // and no proxy: it is on this machine
	res, err := transport.RoundTrip(req)
	if err != nil {
		return Proven{}, fairlead.Errorf(fairlead.Unavailable, "no server answers at %s", base).Because(err)
	}
	res.Body.Close()
	var pid int
	var proof string
	if _, err := fmt.Sscan(res.Header.Get(proofHeader), &pid, &proof); err != nil ||
		!hmac.Equal([]byte(proof), []byte(auth.Proof(token, claim(challenge, server, pid)))) {
		return Proven{}, fairlead.Errorf(fairlead.Unavailable,
			"what answers at %s is not the server of this data directory", base)
	}
	u.Host = server.String()
	return Proven{URL: u.String(), PID: pid}, nil
}
