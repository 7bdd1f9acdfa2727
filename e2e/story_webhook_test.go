package e2e_test

import (
	"bufio"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/auth"
)

// documented returns the block of docs/webhooks.md with that name.
func documented(t *testing.T, block string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```" + block + "\n(.*?)```").FindStringSubmatch(readTree(t, "docs/webhooks.md"))
	if m == nil {
		t.Fatalf("docs/webhooks.md has no block %q", block)
	}
	return m[1]
}

// documentedReceiver is the receiver of docs/webhooks.md in a process.
type documentedReceiver struct {
	cmd   *exec.Cmd
	lines chan string // what it prints
}

// receiveAt starts the receiver on a port, and waits until it listens.
func receiveAt(t *testing.T, interpreter, address, secret string) *documentedReceiver {
	t.Helper()
	_, port, _ := net.SplitHostPort(address)
	r := &documentedReceiver{cmd: exec.Command(interpreter, "-c", documented(t, "python receiver")),
		lines: make(chan string, 100)}
	r.cmd.Env = append(os.Environ(), "PORT="+port, "WEBHOOK_SECRET="+secret)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.stop)
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			r.lines <- s.Text()
		}
	}()
	for deadline := time.Now().Add(serverMax); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return r
		}
	}
	t.Fatal("the receiver does not listen")
	return nil
}

func (r *documentedReceiver) stop() {
	r.cmd.Process.Kill()
	r.cmd.Wait()
}

// want waits for a line with the text.
func (r *documentedReceiver) want(t *testing.T, text string) {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		select {
		case line := <-r.lines:
			if strings.Contains(line, text) {
				return
			}
		case <-limit:
			t.Fatalf("the receiver has not printed %q", text)
		}
	}
}

// The documented client and receiver work; an event outlives a receiver that is away and
// two kills of the server, and a delivery can be looked at and sent again.
func TestWebhook_DocumentedReceiverGetsWhatAKillInterrupts(t *testing.T) {
	const secret = "a long random text"
	interpreter, data, address := python(t), t.TempDir(), freeAddress(t)
	s := serve(t, data, "--webhook-allow", "127.0.0.1")
	r := receiveAt(t, interpreter, address, secret)
	owner, err := auth.ReadOwner(data)
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "client.py")
	text := "url = 'http://" + address + "'\n" + documented(t, "python client")
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(interpreter, "-W", "ignore", script)
	cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+s.url, "MLFLOW_TRACKING_TOKEN="+owner,
		"MLFLOW_DISABLE_TELEMETRY=true")
	outcomeOf(t, cmd).want(t, 0, `True`)
	r.want(t, "model_version created {'description': 'An example model version'")

	var list struct{ Items []struct{ ID string } }
	s.run("", "webhook", "list", "-o", "json", "-p", "default").want(t, 0, `"signed":true`).decode(t, &list)
	hook := list.Items[0].ID
	const api = "/api/2.0/mlflow/"
	s.call(http.MethodPatch, api+"webhooks/"+hook, `{"status": "ACTIVE",
		"events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}`).want(t, 200)
	r.stop()
	s.call(http.MethodPost, api+"registered-models/create", `{"name": "wine"}`).want(t, 200)
	s.kill()
	s.start()
	s.run("", "webhook", "deliveries", "ci", "-p", "default").want(t, 0, `registered_model.created +waiting`)
	s.kill()
	r = receiveAt(t, interpreter, address, secret)
	s.start()
	r.want(t, "registered_model created {'description': '', 'name': 'wine', 'tags': {}}")

	var deliveries struct{ Items []struct{ ID, State string } }
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		s.run("", "webhook", "deliveries", hook, "-o", "json", "-p", "default").want(t, 0).decode(t, &deliveries)
		if deliveries.Items[0].State == "delivered" {
			break
		}
	}
	if len(deliveries.Items) != 1 || deliveries.Items[0].State != "delivered" {
		t.Fatalf("deliveries %+v", deliveries)
	}
	id := deliveries.Items[0].ID
	r.stop()
	r = receiveAt(t, interpreter, address, secret) // which has forgotten what it has seen
	s.run("", "webhook", "redeliver", "ci", id, "-p", "default").want(t, 0, id+` is sent again`)
	r.want(t, "'name': 'wine'")
	r.stop()

	receiveAt(t, interpreter, address, "another secret")
	s.run("", "webhook", "redeliver", "ci", id, "-p", "default").want(t, 0)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		o := s.run("", "webhook", "deliveries", "ci", id, "-p", "default").want(t, 0, `HTTP 204`)
		if strings.Contains(o.stdout, "answered 401") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("a wrong signature is not refused:\n%s", o.stdout)
		}
	}
	s.run("", "webhook", "deliveries", "nobody", "-p", "default").want(t, 5, `no webhook nobody`)
	s.run("", "webhook", "redeliver", "ci", "dlv_none", "-p", "default").want(t, 5, `no delivery dlv_none`)
}
