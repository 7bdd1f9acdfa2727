package sink_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/store"
)

const loopback = "127.0.0.1"

func TestDelivery_IsSignedAndLogged(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	h := w.create(r.URL+"/hook", "s3cret")
	w.move("live")
	d := w.attempted(h, 1)
	if d.State != sink.Delivered || d.Event != moved || d.Last.Status != 200 ||
		d.Last.Answer != "thanks" {
		t.Errorf("delivery %+v, last %+v", d, d.Last)
	}
	got, body := r.got[0], r.body[0]
	if got.Header.Get("X-MLflow-Delivery-Id") != d.ID ||
		got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("headers %v of delivery %s", got.Header, d.ID)
	}
	stamp := got.Header.Get("X-MLflow-Timestamp")
	if stamp != strconv.FormatInt(w.clock.Now().Unix(), 10) {
		t.Errorf("timestamp %s at %s", stamp, w.clock.Now())
	}
	mac := hmac.New(sha256.New, []byte("s3cret"))
	io.WriteString(mac, d.ID+"."+stamp+"."+body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if sig := got.Header.Get("X-MLflow-Signature"); sig != want {
		t.Errorf("signature %s, want %s", sig, want)
	}
	log, err := w.Delivery(t.Context(), project, h.ID, d.ID)
	if err != nil || string(log.Body) != body || len(log.Log) != 1 {
		t.Errorf("log %+v, %v; sent %s", log, err, body)
	}
}

// The value is mlflow 3.17.2's own: mlflow.webhooks.delivery._generate_hmac_signature
// ("key", "id", "1700000000", '{"a": 1}').
func TestSignature_IsMLflows(t *testing.T) {
	const want = "v1,BXDWOGlCA2zkEAJo6TCQczfV33IWH+PxoNG8HuHr9jE="
	if got := sink.Signature("key", "id", "1700000000", []byte(`{"a": 1}`)); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}

func TestDelivery_WithoutASecretIsNotSigned(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	h := w.create(r.URL, "")
	w.move("live")
	w.attempted(h, 1)
	if sig := r.got[0].Header.Get("X-MLflow-Signature"); sig != "" || h.Signed {
		t.Errorf("signature %q without a secret", sig)
	}
}

func TestDelivery_IsTriedAgainAtGrowingIntervalsUntilItFails(t *testing.T) {
	w, r := begin(t, loopback), receive(t, status(500))
	h := w.create(r.URL, "")
	w.move("live")
	for i, wait := range sink.Retries {
		d := w.attempted(h, int64(i+1))
		if d.State != sink.Waiting || d.Last.Status != 500 || !strings.Contains(d.Last.Error, "500") {
			t.Fatalf("after attempt %d: %+v, last %+v", i+1, d, d.Last)
		}
		if until := d.Next.Sub(w.clock.Now()); until < wait || until > wait+wait/10 {
			t.Errorf("after attempt %d it waits %s, want %s", i+1, until, wait)
		}
		w.advance(wait + wait/10)
	}
	d := w.attempted(h, int64(len(sink.Retries)+1))
	if d.State != sink.Failed || w.get(h).FailingSince.IsZero() {
		t.Errorf("after all tries: %+v of %+v", d, w.get(h))
	}
	for _, req := range r.got {
		if id := req.Header.Get("X-MLflow-Delivery-Id"); id != d.ID {
			t.Errorf("a try has the id %s, want %s", id, d.ID)
		}
	}
}

func TestDelivery_RecoversAndForgetsItsFailures(t *testing.T) {
	fails := true
	w := begin(t, loopback)
	r := receive(t, func(rw http.ResponseWriter, _ *http.Request) {
		if fails {
			rw.Header().Set("Retry-After", "3600")
			rw.WriteHeader(http.StatusServiceUnavailable)
		}
		fails = false
	})
	h := w.create(r.URL, "")
	w.move("live")
	d := w.attempted(h, 1)
	if until := d.Next.Sub(w.clock.Now()); until < time.Hour || until > 66*time.Minute {
		t.Errorf("Retry-After asks for an hour, and it waits %s", until)
	}
	w.advance(66 * time.Minute)
	if d = w.attempted(h, 2); d.State != sink.Delivered || !w.get(h).FailingSince.IsZero() {
		t.Errorf("after a success: %+v of %+v", d, w.get(h))
	}
}

func TestRedeliver_SendsTheSameAgain(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	h := w.create(r.URL, "")
	w.move("live")
	first := w.attempted(h, 1)
	again := func(id string) error {
		return w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
			_, err := w.Redeliver(tx, project, h.ID, id)
			return err
		})
	}
	if err := again(first.ID); err != nil {
		t.Fatal(err)
	}
	second := w.attempted(h, 2)
	if second.ID != first.ID || second.State != sink.Delivered || r.body[0] != r.body[1] {
		t.Errorf("redelivered %+v with %s, first %+v with %s", second, r.body[1], first, r.body[0])
	}
	if err := again("dlv_nothing"); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("an unknown delivery: %v", err)
	}
	off := false
	if _, err := w.Update(t.Context(), project, h.ID, sink.Change{Active: &off}); err != nil {
		t.Fatal(err)
	}
	if err := again(first.ID); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("of a disabled webhook: %v", err)
	}
}

func TestDelivery_FollowsNoRedirect(t *testing.T) {
	w := begin(t, loopback)
	inside := receive(t, ok)
	r := receive(t, func(rw http.ResponseWriter, req *http.Request) {
		http.Redirect(rw, req, inside.URL+"/admin", http.StatusTemporaryRedirect)
	})
	h := w.create(r.URL, "")
	w.move("live")
	d := w.attempted(h, 1)
	if inside.count() != 0 || d.State != sink.Waiting ||
		!strings.Contains(d.Last.Error, "redirects are not followed") {
		t.Errorf("%d requests behind the redirect, %+v", inside.count(), d.Last)
	}
}

// A name that resolved to what was allowed, and now does not, is stopped where the
// connection is made.
func TestDelivery_ChecksTheAddressThatIsDialled(t *testing.T) {
	w := begin(t, "127.0.0.0/8, ::1")
	r := receive(t, ok)
	_, port, _ := strings.Cut(strings.TrimPrefix(r.URL, "http://"), ":")
	h := w.create("http://localhost:"+port+"/", "")
	w.stop()
	w = open(t, w.dir, w.clock, "")
	w.move("live")
	d := w.attempted(h, 1)
	if r.count() != 0 || d.Last.Status != 0 ||
		!strings.Contains(d.Last.Error, "is not a public address") {
		t.Errorf("%d requests arrived, %+v", r.count(), d.Last)
	}
}

func TestDelivery_ChecksCertificates(t *testing.T) {
	w := begin(t, loopback)
	r := httptest.NewUnstartedServer(http.HandlerFunc(ok))
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	r.StartTLS()
	defer r.Close()
	h := w.create(r.URL, "")
	w.move("live")
	if d := w.attempted(h, 1); !strings.Contains(d.Last.Error, "certificate") {
		t.Errorf("a certificate of nobody is taken: %+v", d.Last)
	}
	w.stop()
	roots := x509.NewCertPool()
	roots.AddCert(r.Certificate())
	w = wire(t, w.dir, w.clock, loopback)
	w.Trust(roots)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.advance(2 * sink.Retries[0])
	if d := w.attempted(h, 2); d.State != sink.Delivered {
		t.Errorf("a certificate that is trusted: %+v", d.Last)
	}
}

func TestDelivery_DoesNotWaitForReceiversThatHang(t *testing.T) {
	w := wire(t, t.TempDir(), fairlead.NewFakeClock(time.Unix(1700000000, 0)), loopback)
	w.SetPatience(2 * time.Second) // two of them are to answer meanwhile
	hung := receive(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	r := receive(t, ok)
	slow := receive(t, func(rw http.ResponseWriter, req *http.Request) { // answers, and never ends
		io.WriteString(rw, "begun")
		rw.(http.Flusher).Flush()
		<-req.Context().Done()
	})
	hanging, endless, quick := w.create(hung.URL, ""), w.create(slow.URL, ""), w.create(r.URL, "")
	if err := w.led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.move("live")
	if d := w.attempted(quick, 1); d.State != sink.Delivered {
		t.Errorf("beside one that hangs: %+v", d)
	}
	if d := w.attempted(hanging, 1); d.Last.Error != "no answer within 2s" {
		t.Errorf("of one that hangs: %+v", d.Last)
	}
	if d := w.attempted(endless, 1); d.State != sink.Delivered || d.Last.Answer != "begun" ||
		d.Last.TookMS > 60_000 {
		t.Errorf("of one that answers and does not end: %+v, %+v", d, d.Last)
	}
}

// However many receivers hang, and whatever has waited for them, others are told at once.
func TestDelivery_LeavesRoomBesideReceiversThatHang(t *testing.T) {
	w := wire(t, t.TempDir(), fairlead.NewFakeClock(time.Unix(1700000000, 0)), loopback)
	release, arrived := make(chan struct{}), make(chan struct{}, 1000)
	hung := receive(t, func(_ http.ResponseWriter, req *http.Request) {
		if req.Header.Get("X-MLflow-Timestamp") != "1700000000" { // after the first hour
			arrived <- struct{}{}
		}
		select {
		case <-release:
		case <-req.Context().Done():
		}
	})
	w.SetPatience(100 * time.Millisecond)
	var failing []*sink.Webhook
	for range 20 {
		failing = append(failing, w.create(hung.URL, ""))
	}
	if err := w.led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, alias := range []string{"a", "b", "c"} {
		w.move(alias)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, h := range failing {
		w.until("a failure of each", func() bool { return !w.get(h).FailingSince.IsZero() })
	}
	w.stop()

	w = wire(t, w.dir, w.clock, loopback) // they are known to fail, and take their time
	defer close(release)
	r := receive(t, ok)
	quick := w.create(r.URL, "")
	if err := w.led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		<-arrived
	}
	w.move("live")
	if d := w.attempted(quick, 1); d.State != sink.Delivered {
		t.Errorf("beside many that hang: %+v", d)
	}
	if n := len(arrived); n != 0 {
		t.Errorf("%d receivers that fail were asked at once, want 8", 8+n)
	}
}

// Webhooks take turns: one that gets much does not keep others waiting.
func TestDelivery_TakesTurns(t *testing.T) {
	w := wire(t, t.TempDir(), fairlead.NewFakeClock(time.Unix(1700000000, 0)), loopback)
	var order []string
	r := receive(t, func(_ http.ResponseWriter, req *http.Request) {
		order = append(order, req.URL.Path)
		w.clock.Advance(time.Second)
	})
	busy := w.create(r.URL+"/busy", "")
	if err := w.led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		w.move("a")
	}
	w.settle()
	late := w.create(r.URL+"/late", "")
	w.clock.Advance(time.Second)
	w.move("b")
	w.settle()
	w.AtOnce(1)
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.until("all", func() bool {
		return w.deliveries(late)[0].State == sink.Delivered && r.count() == 7
	})
	if len(order) < 2 || order[1] != "/late" {
		t.Errorf("served in the order %v of %s and %s", order, busy.ID, late.ID)
	}
}

// What no webhook wants is not even looked up.
func TestDelivery_IsMadeForThoseWhoWantIt(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	name := "models"
	h, err := w.Create(t.Context(), project,
		sink.Change{Name: &name, URL: &r.URL, Events: []string{other}})
	if err != nil {
		t.Fatal(err)
	}
	before := told.Load()
	w.move("live")
	w.settle()
	if n := told.Load() - before; n != 0 || len(w.deliveries(h)) != 0 {
		t.Errorf("the source was asked %d times, and there are %v", n, w.deliveries(h))
	}
}

func TestDelivery_SaysNothingThatTheReceiverWroteItself(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			http.ReadRequest(bufio.NewReader(c))
			io.WriteString(c, "HTTP/1.1 500 \x1b[2J gone\r\nContent-Length: 0\r\n\r\n")
			c.Close()
		}
	}()
	w := begin(t, loopback)
	h := w.create("http://"+l.Addr().String(), "")
	w.move("live")
	d := w.attempted(h, 1)
	if want := "the receiver answered 500 Internal Server Error"; d.Last.Error != want {
		t.Errorf("error %q, want %q", d.Last.Error, want)
	}
}

func TestTest_SendsAnExample(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	h := w.create(r.URL, "")
	if a, err := w.Test(t.Context(), project, h.ID, ""); err != nil || !a.OK() ||
		r.body[0] != `"an example"` {
		t.Errorf("%+v, %v; sent %v", a, err, r.body)
	}
	_, err := w.Test(t.Context(), project, h.ID, "nothing.happened")
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("an event that there is not: %v", err)
	}
}

func TestDelivery_BoundsTheAnswer(t *testing.T) {
	w := begin(t, loopback)
	r := receive(t, func(rw http.ResponseWriter, _ *http.Request) {
		chunk := bytes.Repeat([]byte("x\xff"), 32<<10)
		for range 1 << 14 { // 1 GiB, if somebody reads it
			if _, err := rw.Write(chunk); err != nil {
				return
			}
		}
		t.Error("somebody has read a whole GiB")
	})
	headers := receive(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("X-Long", strings.Repeat("y", 1<<20))
	})
	huge, long := w.create(r.URL, ""), w.create(headers.URL, "")
	w.move("live")
	if d := w.attempted(huge, 1); d.State != sink.Delivered || len(d.Last.Answer) > 16<<10 ||
		!strings.HasPrefix(d.Last.Answer, "x\ufffdx") {
		t.Errorf("%d bytes of an endless answer are kept", len(d.Last.Answer))
	}
	if d := w.attempted(long, 1); d.State != sink.Waiting || d.Last.Error == "" {
		t.Errorf("headers of 1 MiB: %+v", d.Last)
	}
}

// Between the event and its delivery the server may end at any point.
func TestDelivery_SurvivesARestart(t *testing.T) {
	t.Run("before the subscriber has seen the event", func(t *testing.T) {
		r := receive(t, ok)
		w := wire(t, t.TempDir(), fairlead.NewFakeClock(time.Unix(1700000000, 0)), loopback)
		h := w.create(r.URL, "")
		w.move("live")
		w.stop()
		w = open(t, w.dir, w.clock, loopback)
		if d := w.attempted(h, 1); d.State != sink.Delivered || r.count() != 1 {
			t.Errorf("%d requests, %+v", r.count(), d)
		}
	})
	t.Run("before it is sent", func(t *testing.T) {
		r := receive(t, ok)
		w := wire(t, t.TempDir(), fairlead.NewFakeClock(time.Unix(1700000000, 0)), loopback)
		h := w.create(r.URL, "")
		if err := w.led.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.move("live")
		w.until("the delivery", func() bool { return len(w.deliveries(h)) == 1 })
		w.stop()
		w = open(t, w.dir, w.clock, loopback)
		if d := w.attempted(h, 1); d.State != sink.Delivered || len(w.deliveries(h)) != 1 || r.count() != 1 {
			t.Errorf("%d requests, %+v", r.count(), d)
		}
	})
	t.Run("before the answer is stored", func(t *testing.T) {
		arrived, again := make(chan struct{}), false
		r := receive(t, func(_ http.ResponseWriter, req *http.Request) {
			if !again {
				again = true
				close(arrived)
				<-req.Context().Done()
			}
		})
		w := begin(t, loopback)
		h := w.create(r.URL, "")
		w.move("live")
		<-arrived
		w.stop()
		w = open(t, w.dir, w.clock, loopback)
		d := w.attempted(h, 1)
		if d.State != sink.Delivered || len(w.deliveries(h)) != 1 || r.count() != 2 {
			t.Fatalf("%d requests, %+v", r.count(), d)
		}
		for _, req := range r.got {
			if id := req.Header.Get("X-MLflow-Delivery-Id"); id != d.ID {
				t.Errorf("sent under the id %s, want %s", id, d.ID)
			}
		}
	})
}

func TestWebhook_IsDisabledAfterFailingForLong(t *testing.T) {
	w, r := begin(t, loopback), receive(t, status(500))
	h := w.create(r.URL, "")
	w.move("first")
	w.attempted(h, 1)
	for i := range sink.Retries {
		w.advance(2 * sink.Retries[i])
		w.attempted(h, int64(i+2))
	}
	w.clock.Advance(sink.DisableAfter)
	w.move("second") // what is new has its own tries, however long ago the last failure is
	w.until("a second delivery", func() bool { return len(w.deliveries(h)) == 2 })
	for i := range sink.Retries {
		if d := w.attempted(h, int64(i+1)); !w.get(h).Active || d.State != sink.Waiting {
			t.Fatalf("disabled after attempt %d of %+v", i+1, d)
		}
		if i == len(sink.Retries)-1 {
			w.move("third")
			w.until("a third delivery", func() bool { return len(w.deliveries(h)) == 3 })
			w.attempted(h, 1)
		}
		w.advance(2 * sink.Retries[i])
	}
	w.until("the end", func() bool { return !w.get(h).Active })
	got := w.get(h)
	if !strings.Contains(got.Reason, "nothing could be delivered since 2025-06-01 12:00 UTC") ||
		!strings.Contains(got.Reason, "500") {
		t.Errorf("disabled because %q", got.Reason)
	}
	events, err := w.led.List(t.Context(), ledger.Filter{Types: []string{event.WebhookDisabledType}})
	if err != nil || len(events) != 1 || events[0].Project != project.Name ||
		!strings.Contains(string(events[0].Body), "500") {
		t.Errorf("events %+v, %v", events, err)
	}

	sent := r.count()
	w.move("fourth")
	w.settle()
	if n := len(w.deliveries(h)); n != 3 || r.count() != sent {
		t.Errorf("a disabled webhook has %d deliveries and got %d requests more", n, r.count()-sent)
	}

	on := true
	if got, err = w.Update(t.Context(), project, h.ID, sink.Change{Active: &on}); err != nil ||
		got.Reason != "" || !got.FailingSince.IsZero() {
		t.Errorf("made active: %+v, %v", got, err)
	}
	w.advance(time.Hour)
	w.until("what has waited", func() bool { return r.count() > sent })
}

func TestWebhook_IsDisabledWhenTheReceiverIsGone(t *testing.T) {
	w, r := begin(t, loopback), receive(t, status(http.StatusGone))
	h := w.create(r.URL, "")
	w.move("live")
	w.until("the end", func() bool { return !w.get(h).Active })
	if got := w.get(h); !strings.Contains(got.Reason, "410 Gone") {
		t.Errorf("disabled because %q", got.Reason)
	}
}

func TestSecret_IsShownNowhere(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	w, r := begin(t, loopback), receive(t, status(410))
	h := w.create(r.URL, secret)
	w.move("live")
	w.until("the end", func() bool { return !w.get(h).Active })
	d := w.attempted(h, 1)
	log, err := w.Delivery(t.Context(), project, h.ID, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	events, err := w.led.List(t.Context(), ledger.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal([]any{h, w.get(h), d, log, events})
	if err != nil {
		t.Fatal(err)
	}
	w.stop()
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	texts := map[string]string{"answers": string(shown), "log": w.log.String()}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(b)
	}
	for where, text := range texts {
		if strings.Contains(text, secret) {
			t.Errorf("the secret is in %s", where)
		}
	}
	info, err := os.Stat(filepath.Join(w.dir, "webhook.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
}

func TestSecret_WithAnotherKeyNothingIsSent(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	h := w.create(r.URL, "secret")
	w.stop()
	if err := os.Remove(filepath.Join(w.dir, "webhook.key")); err != nil {
		t.Fatal(err)
	}
	w = open(t, w.dir, w.clock, loopback)
	w.move("live")
	d := w.attempted(h, 1)
	if r.count() != 0 || !strings.Contains(d.Last.Error, "webhook.key") {
		t.Errorf("%d requests, %+v", r.count(), d.Last)
	}
	secret := "new"
	if _, err := w.Update(t.Context(), project, h.ID, sink.Change{Secret: &secret}); err != nil {
		t.Fatal(err)
	}
	w.advance(sink.Retries[0] * 2)
	if d = w.attempted(h, 2); d.State != sink.Delivered {
		t.Errorf("with a new secret: %+v", d.Last)
	}
	w.stop()
	if err := os.WriteFile(filepath.Join(w.dir, "webhook.key"), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sink.New(sink.Deps{Dir: w.dir})
	if !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("a damaged key: %v", err)
	}
}

func TestWebhooks_AreTheirProjectsOwn(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	h := w.create(r.URL, "")
	w.move("live")
	d := w.attempted(h, 1)
	other := fairlead.Project{K: 2, Name: "other"}
	for name, err := range map[string]error{
		"get":    second(w.Get(t.Context(), other, h.ID)),
		"update": second(w.Update(t.Context(), other, h.ID, sink.Change{})),
		"delete": w.Delete(t.Context(), other, h.ID),
		"list":   second(w.Deliveries(t.Context(), other, h.ID, "", "", 0)),
		"log":    second(w.Delivery(t.Context(), other, h.ID, d.ID)),
		"test":   second(w.Test(t.Context(), other, h.ID, "")),
	} {
		if !fairlead.Is(err, fairlead.NotFound) {
			t.Errorf("%s of another project's webhook: %v", name, err)
		}
	}
	if page, err := w.List(t.Context(), other, "", 0); err != nil || len(page.Items) != 0 {
		t.Errorf("another project lists %v, %v", page, err)
	}
	if err := w.Delete(t.Context(), project, h.ID); err != nil {
		t.Fatal(err)
	}
	w.move("later")
	w.settle()
	if _, err := w.Get(t.Context(), project, h.ID); !fairlead.Is(err, fairlead.NotFound) || r.count() != 1 {
		t.Errorf("a deleted webhook: %v, %d requests", err, r.count())
	}
}

func second[T any](_ T, err error) error { return err }

func TestLists_ArePagedAndFiltered(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	first, newest := w.create(r.URL, ""), w.create(r.URL, "")
	page, err := w.List(t.Context(), project, "", 1)
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != newest.ID {
		t.Fatalf("first page %+v, %v", page, err)
	}
	if page, err = w.List(t.Context(), project, page.Next, 1); err != nil ||
		page.Items[0].ID != first.ID || page.Next != "" {
		t.Errorf("second page %+v, %v", page, err)
	}
	for _, alias := range []string{"a", "b", "c"} {
		w.move(alias)
	}
	w.until("deliveries", func() bool {
		done, err := w.Deliveries(t.Context(), project, first.ID, sink.Delivered, "", 0)
		return err == nil && len(done.Items) == 3
	})
	two, err := w.Deliveries(t.Context(), project, first.ID, sink.Delivered, "", 2)
	if err != nil || len(two.Items) != 2 {
		t.Fatal(two, err)
	}
	rest, err := w.Deliveries(t.Context(), project, first.ID, sink.Delivered, two.Next, 2)
	if err != nil || len(rest.Items) != 1 || rest.Items[0].ID == two.Items[1].ID {
		t.Errorf("the rest %+v, %v", rest, err)
	}
	_, err = w.Deliveries(t.Context(), project, first.ID, sink.Failed, two.Next, 2)
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a page of another list: %v", err)
	}
}

func TestDeliveries_AreRemovedWhenTheyAreOld(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	h := w.create(r.URL, "")
	w.move("live")
	w.attempted(h, 1)
	w.advance(sink.Keep + time.Minute)
	w.until("the sweep", func() bool { return len(w.deliveries(h)) == 0 })
}

func TestCreate_BoundsWhatIsKept(t *testing.T) {
	w := begin(t, loopback)
	url := "https://127.0.0.1/"
	for _, c := range []sink.Change{
		{Name: text(""), URL: &url, Events: []string{moved}},
		{Name: text("-a"), URL: &url, Events: []string{moved}},
		{Name: text(long(64)), URL: &url, Events: []string{moved}},
		{Name: text("a b"), URL: &url, Events: []string{moved}},
		{Name: text("a\n"), URL: &url, Events: []string{moved}},
		{Name: text("a"), URL: &url},
		{Name: text("a"), URL: &url, Events: []string{"nothing.happened"}},
		{Name: text("a"), URL: &url, Events: []string{moved}, Secret: text(long(2000))},
		{Name: text("a"), URL: &url, Events: []string{moved}, Description: text(long(6000))},
	} {
		if _, err := w.Create(t.Context(), project, c); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for range 100 {
		w.create(url, "")
	}
	_, err := w.Create(t.Context(), project,
		sink.Change{Name: text("a"), URL: &url, Events: []string{moved}})
	if !fairlead.Is(err, fairlead.Exhausted) {
		t.Errorf("one webhook too many: %v", err)
	}
}

func text(s string) *string { return &s }

func TestMetrics_TellOfDeliveries(t *testing.T) {
	w, r := begin(t, loopback), receive(t, ok)
	w.create(r.URL, "")
	gone := w.create(receive(t, status(410)).URL, "")
	w.create(receive(t, status(500)).URL, "")
	w.move("live")
	w.until("an attempt at each", func() bool {
		got := measured(t, w.Collector())
		return got["fairlead_webhook_attempts_total delivered"] == 1 &&
			got["fairlead_webhook_attempts_total to be sent again"] == 2
	})
	if w.get(gone).Active {
		t.Fatal("the receiver that is gone is still told")
	}
	got := measured(t, w.Collector())
	if got["fairlead_webhook_deliveries_waiting"] != 1 || got["fairlead_webhooks_disabled"] != 1 ||
		got["fairlead_webhook_attempts_total failed"] != 0 {
		t.Errorf("metrics %v", got)
	}
}

// measured returns the values of a collector's metrics by name and labels.
func measured(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			key := f.GetName()
			for _, l := range m.Label {
				key += " " + l.GetValue()
			}
			out[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return out
}
