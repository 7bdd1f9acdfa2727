package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// many is how many connections no request may fail on.
const many = 256

// measureClients lets many connections log at once, and trainings with MLflow's own
// client.
func measureClients(ctx context.Context, b *bench) error {
	c, err := b.newContestOf(ctx, "tracking/clients", ours)
	if err != nil {
		return err
	}
	defer c.stop()
	// A request that is not answered well ends the benchmark.
	if err := c.measure(ctx, cell{name: "log-metric, c=256, all answered", clients: many, rows: 1,
		client: logPoints(1, 1)}); err != nil {
		return err
	}
	if !b.peers {
		return nil
	}
	return c.measureTrainings(ctx)
}

// trainings is the program of the trainings.
//
//go:embed clients.py
var trainings string

// rounds is how often the trainings meet each server.
const rounds = 2

// measureTrainings compares how long trainings take with how long they take against a
// server that does nothing: what remains is the client itself.
func (c *contest) measureTrainings(ctx context.Context) error {
	bin, err := c.install(ctx, "mlflow", "mlflow", c.versions["MLFLOW_VERSION"])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, trainingsMax)
	defer cancel()
	idle, stop, err := serveNothing()
	if err != nil {
		return err
	}
	defer stop()
	progress("measuring %s: trainings with MLflow's client", c.what)
	// "#" says that nothing can be read back there. The first pair is to warm up.
	urls := slices.Repeat([]string{idle + "#", c.ours().url}, rounds+1)
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "python"), append([]string{"-c", trainings},
		urls...)...)
	cmd.Env = append(peerEnv(bin), "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT=true")
	out, err := output(cmd)
	if err != nil {
		return err
	}
	var took []float64
	if err := json.Unmarshal(out, &took); err != nil || len(took) != len(urls) {
		return fmt.Errorf("the trainings printed %s: %w", out, err)
	}
	var client, whole []float64
	for i := 2; i < len(took); i += 2 {
		client, whole = append(client, took[i]), append(whole, took[i+1])
	}
	c.report.add(figure{Measurement: c.what, Name: "16 trainings with mlflow's client", Unit: "s",
		Ours: slices.Min(whole)}.times(trainingShare).beside("a server that does nothing",
		slices.Min(client)))
	return nil
}

// trainingsMax bounds all rounds together.
const trainingsMax = 5 * time.Minute

// trainingShare is the part of the client's own speed that trainings should have: the
// rest is what the server takes from the processors that it shares with them.
const trainingShare = .8

// serveNothing is a server that answers what trainings send, and keeps none of it.
func serveNothing() (url string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	mux := http.NewServeMux()
	answer := func(route, text string) {
		method, path, _ := strings.Cut(route, " ")
		mux.HandleFunc(method+" "+mlflow+path, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, text)
		})
	}
	const info = `{"run_id":"0123456789abcdef0123456789abcdef", "experiment_id":"0", "start_time":1,
		"run_uuid":"0123456789abcdef0123456789abcdef", "status":"RUNNING", "artifact_uri":"none",
		"lifecycle_stage":"active"}`
	answer("POST runs/create", `{"run":{"info":`+info+`,"data":{}}}`)
	answer("GET runs/get", `{"run":{"info":`+info+`,"data":{}}}`)
	answer("POST runs/update", `{"run_info":`+info+`}`)
	for _, path := range []string{"log-parameter", "log-metric", "log-batch"} {
		answer("POST runs/"+path, "{}")
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go srv.Serve(l)
	return "http://" + l.Addr().String(), func() { srv.Close() }, nil
}
