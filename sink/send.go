package sink

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// The headers of a delivery are those of mlflow 3.17.2.
const (
	idHeader        = "X-MLflow-Delivery-Id"
	timestampHeader = "X-MLflow-Timestamp" // when it was sent, in Unix seconds
	signatureHeader = "X-MLflow-Signature"
)

// The bounds of one request, in wall time and bytes.
const (
	sendMax    = 10 * time.Second // from the look-up of the name to the answer's headers
	tailMax    = time.Second      // for what is read of the answer's body
	maxHeaders = 16 << 10
	maxAnswer  = 4 << 10 // of the answer's body are read and kept; the rest stays unread
)

// Answer is what came of one request.
type Answer struct {
	Status     int           // of HTTP; 0 without an answer
	Body       string        // its first 4 KiB
	Error      string        // why it is no success; empty for one
	RetryAfter time.Duration // what the receiver asks for
	Took       time.Duration
}

// OK reports whether the receiver has taken the delivery: it has answered 2xx.
func (a *Answer) OK() bool { return a.Error == "" }

// Attempt is the answer to the n-th sending, at a wall time, as it is kept and shown.
func (a *Answer) Attempt(n int64, at time.Time) *Attempt {
	return &Attempt{N: n, At: at, TookMS: a.Took.Milliseconds(), Status: a.Status, Answer: a.Body,
		Error: a.Error}
}

// sender sends requests where they may go.
type sender struct {
	clients  map[string]*http.Client // by scheme
	patience time.Duration           // sendMax, but in tests
}

func newSender(allowed Allowed) *sender {
	s := &sender{clients: map[string]*http.Client{}, patience: sendMax}
	for _, scheme := range []string{"http", "https"} {
		dialer := &net.Dialer{Control: allowed.control(scheme)}
		s.clients[scheme] = &http.Client{
			// Without a proxy, whose address is all that the dialler would see; and
			// without kept connections, so that each request is checked.
			Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true,
				MaxResponseHeaderBytes: maxHeaders},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return s
}

// signature returns MLflow's signature of a delivery: HMAC-SHA256 (RFC 2104) over
// "id.timestamp.body", in base64 behind its version.
func signature(secret, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, id+"."+timestamp+".")
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// send sends a body once, at the wall time now. An empty secret signs nothing.
func (s *sender) send(ctx context.Context, rawURL, secret, id string, now time.Time,
	body string) *Answer {
	begun := time.Now()
	a := s.try(ctx, rawURL, secret, id, now, body)
	a.Took = time.Since(begun)
	return a
}

func (s *sender) try(ctx context.Context, rawURL, secret, id string, now time.Time,
	body string) *Answer {
	u, err := parseURL(rawURL)
	if err != nil {
		return &Answer{Error: fairlead.MessageOf(err)}
	}
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, rawURL, strings.NewReader(body))
	if err != nil {
		return &Answer{Error: "the request cannot be made"}
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Fairlead")
	req.Header.Set(idHeader, id)
	req.Header.Set(timestampHeader, timestamp)
	if secret != "" {
		req.Header.Set(signatureHeader, signature(secret, id, timestamp, []byte(body)))
	}
	resp, err := s.clients[u.Scheme].Do(req)
	if err != nil {
		return &Answer{Error: s.failure(ctx, err)}
	}
	defer resp.Body.Close()
	defer time.AfterFunc(tailMax, cancel).Stop()
	return judge(resp, now)
}

// failure says why there is no answer, without the URL, which may hold a secret.
func (s *sender) failure(ctx context.Context, err error) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "no answer within " + s.patience.String()
	}
	var refused *fairlead.Error
	if errors.As(err, &refused) {
		return refused.Message
	}
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	return err.Error()
}

// judge reads an answer. What has not come of its body is not waited for.
func judge(resp *http.Response, now time.Time) *Answer {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	a := &Answer{Status: resp.StatusCode, Body: strings.ToValidUTF8(string(b), "\ufffd")}
	switch class := resp.StatusCode / 100; {
	case class == 3:
		a.Error = said(resp) +
			"; redirects are not followed, so the webhook needs the address behind it"
	case class != 2:
		a.Error = said(resp)
		a.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	return a
}

// said names the status in our words: what the receiver writes behind it may be anything.
func said(resp *http.Response) string {
	return strings.TrimSpace(fmt.Sprintf("the receiver answered %d %s", resp.StatusCode,
		http.StatusText(resp.StatusCode)))
}

// retryAfter reads a Retry-After (RFC 9110, 10.2.3): seconds or a date.
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), 1<<30)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
