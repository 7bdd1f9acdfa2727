package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// wire is one kept connection that sends requests which are text already, from the
// goroutine that waits for the answer, so that the processors are left to the servers.
type wire struct {
	ctx  context.Context
	addr string
	conn *promptConn // nil until the first request, and after the server has hung up
	in   *bufio.Reader
}

func newWire(ctx context.Context, url string) *wire {
	return &wire{ctx: ctx, addr: hostOf(url)}
}

func hostOf(url string) string { return strings.TrimPrefix(url, "http://") }

func (w *wire) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

func (w *wire) dial() error {
	conn, err := (&net.Dialer{}).DialContext(w.ctx, "tcp", w.addr)
	if err != nil {
		return err
	}
	w.conn = &promptConn{conn.(*net.TCPConn)}
	w.in = bufio.NewReaderSize(w.conn, 64<<10)
	return nil
}

// refusal is an answer that says that the request failed.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return fmt.Sprintf("status %d: %.300s", r.status, r.text) }

// send sends a request and reads the whole answer: into out unless that is nil, as it
// is into a *[]byte. An answer with a bad status is a *refusal.
func (w *wire) send(request []byte, out any) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	if w.conn == nil {
		if err := w.dial(); err != nil {
			return err
		}
	}
	if _, err := w.conn.Write(request); err != nil {
		return err
	}
	res, err := http.ReadResponse(w.in, nil)
	if err != nil {
		return err
	}
	if res.Close {
		defer w.close()
	}
	if out == nil && res.StatusCode < 300 {
		_, err := io.Copy(io.Discard, res.Body)
		return err
	}
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return &refusal{res.StatusCode, string(answer)}
	}
	if text, ok := out.(*[]byte); ok {
		*text = answer
		return nil
	}
	return json.Unmarshal(answer, out)
}

// getText is the text of a request for MLflow's API at url.
func getText(url, path string) []byte {
	return fmt.Appendf(nil, "GET %s%s HTTP/1.1\r\nHost: %s\r\n\r\n", mlflow, path, hostOf(url))
}

// postText is the same with a body.
func postText(url, path string, body []byte) []byte {
	head := fmt.Appendf(nil, "POST %s%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n", mlflow, path, hostOf(url), len(body))
	return append(head, body...)
}
