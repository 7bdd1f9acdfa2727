package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// caller is one client with one kept connection.
type caller struct {
	base  string
	token string
	http  *http.Client
}

func newCaller(base string) *caller {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &promptConn{c.(*net.TCPConn)}, nil
	}
	return &caller{base: base, http: &http.Client{Transport: &http.Transport{DialContext: dial,
		MaxConnsPerHost: 1}}}
}

// promptConn acknowledges at once. A server that sends its header and its body by
// two writes waits for the acknowledgement of the first one, which a client delays
// by 40 ms otherwise; MLflow is such a server. The kernel forgets the option, so it
// is set again and again, for both sides of a comparison alike.
type promptConn struct{ *net.TCPConn }

// Read acknowledges what came and reads on.
func (c *promptConn) Read(b []byte) (int, error) {
	acknowledge(c.TCPConn)
	return c.TCPConn.Read(b)
}

// Write sends b and makes the acknowledgement of the answer prompt.
func (c *promptConn) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	acknowledge(c.TCPConn)
	return n, err
}

// call sends one request and decodes the answer into out, unless that is nil.
func (c *caller) call(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: status %d: %.300s", method, path, res.StatusCode, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// mlflow is the path of MLflow's API, which both sides answer.
const mlflow = "/api/2.0/mlflow/"

func (c *caller) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, mlflow+path, body, out)
}

// newExperiment makes an experiment with a name of its own.
func (c *caller) newExperiment(ctx context.Context) (string, error) {
	var out struct {
		ID string `json:"experiment_id"`
	}
	name := fmt.Sprintf("bench-%d", time.Now().UnixNano())
	err := c.post(ctx, "experiments/create", map[string]string{"name": name}, &out)
	return out.ID, err
}

// runInfo is what is said of a run when it is made.
type runInfo struct {
	ID          string `json:"run_id"`
	ArtifactURI string `json:"artifact_uri"`
}

// newRun starts a run.
func (c *caller) newRun(ctx context.Context, experiment string) (string, error) {
	run, err := c.newRunAt(ctx, experiment)
	return run.ID, err
}

func (c *caller) newRunAt(ctx context.Context, experiment string) (runInfo, error) {
	var out struct {
		Run struct {
			Info runInfo `json:"info"`
		} `json:"run"`
	}
	in := map[string]any{"experiment_id": experiment, "start_time": time.Now().UnixMilli()}
	err := c.post(ctx, "runs/create", in, &out)
	return out.Run.Info, err
}

// samples are the times that calls took.
type samples struct {
	times []time.Duration
	took  time.Duration // all of them together, with what lies between
}

func (s *samples) add(o samples) {
	s.times = append(s.times, o.times...)
	s.took += o.took
}

// rate is in calls a second.
func (s *samples) rate() float64 { return float64(len(s.times)) / s.took.Seconds() }

// crowd runs clients at once until stop is called, which waits for them and
// returns the first error.
func crowd(n int, fn func(client int, stopping *atomic.Bool) error) (stop func() error) {
	var stopping atomic.Bool
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for client := range n {
		wg.Go(func() {
			if err := fn(client, &stopping); err != nil {
				errs <- err
			}
		})
	}
	return func() error {
		stopping.Store(true)
		wg.Wait()
		select {
		case err := <-errs:
			return err
		default:
			return nil
		}
	}
}
