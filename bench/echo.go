package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

// echo is a server that answers what is logged at once, and does nothing else: beside
// it one sees what the clients themselves can do.
const echo = "a server that does nothing"

// echoCommand makes the bench be that server, at the port that follows.
const echoCommand = "echo"

// serveEcho starts it in a process of its own, as the others are.
func (b *bench) serveEcho(ctx context.Context, _ string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(ctx, "/health", func(port string) *exec.Cmd {
		return exec.CommandContext(ctx, program, echoCommand, port)
	})
}

// echoOn answers at a port until the context ends.
func echoOn(ctx context.Context, port string) error {
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
	answer("POST experiments/create", `{"experiment_id":"0"}`)
	answer("POST runs/create", `{"run":{"info":`+info+`,"data":{}}}`)
	answer("GET runs/get", `{"run":{"info":`+info+`,"data":{}}}`)
	answer("POST runs/update", `{"run_info":`+info+`}`)
	for _, path := range []string{"log-parameter", "log-metric", "log-batch"} {
		answer("POST runs/"+path, "{}")
	}
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	srv := &http.Server{Addr: "127.0.0.1:" + port, Handler: mux, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return nil
}
