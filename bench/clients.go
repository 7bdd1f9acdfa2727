package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// many is how many connections no request may fail on.
const many = 256

// measureClients lets many connections log at once, and trainings with MLflow's own
// client.
func measureClients(ctx context.Context, b *bench) error {
	c, err := b.newContestOf(ctx, "tracking/clients", ours, echo)
	if err != nil {
		return err
	}
	defer c.stop()
	// A request that is not answered well ends the benchmark.
	if err := c.measure(ctx, cell{name: "log-metric, c=256, all answered", clients: many, rows: 1,
		client: logPoints(1, 1), wanted: map[string]float64{echo: 0}}); err != nil {
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

// rounds is how often the trainings meet each server, by turns; the median counts.
const rounds = 5

// measureTrainings compares how long trainings take with how long they take against a
// server that does nothing: what remains is the client itself.
func (c *contest) measureTrainings(ctx context.Context) error {
	bin, err := c.install(ctx, "mlflow", "mlflow", c.versions["MLFLOW_VERSION"])
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, trainingsMax)
	defer cancel()
	progress("measuring %s: trainings with MLflow's client", c.what)
	// "#" says that nothing can be read back there. The first pair is to warm up.
	urls := slices.Repeat([]string{c.contenders[1].url + "#", c.ours().url}, rounds+1)
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
	slices.Sort(client)
	slices.Sort(whole)
	c.report.add(figure{Measurement: c.what, Name: "16 trainings with mlflow's client", Unit: "s",
		Ours: whole[rounds/2]}.times(trainingShare).beside(echo, client[rounds/2]))
	return nil
}

// trainingsMax bounds all rounds together.
const trainingsMax = 5 * time.Minute

// trainingShare is the part of the client's own speed that trainings should have: the
// rest is what the server takes from the processors that it shares with them.
const trainingShare = .8
