package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// busy is how many clients write at once.
const busy = 16

// measureWrites logs points, one by one and in batches, and makes runs and versions.
// Each write is acknowledged before the client sends its next.
func measureWrites(ctx context.Context, b *bench) error {
	c, err := b.newContest(ctx, "tracking/write")
	if err != nil {
		return err
	}
	defer c.stop()
	if c.limit, err = b.newLimit(ctx); err != nil {
		return err
	}
	return c.measure(ctx, writeCells()...)
}

func writeCells() []cell {
	cells := []cell{
		{name: "log-metric, c=1", clients: 1, rows: 1, client: logPoints(1, 1),
			wanted: map[string]float64{peerMLflow: 20, peerFastTrackML: 2}},
		{name: "log-metric, c=16", clients: busy, rows: 1, keys: 1, client: logPoints(1, 1), p99: 10,
			wanted: map[string]float64{peerMLflow: 75, peerFastTrackML: 6, sqliteLimit: .35}},
	}
	for _, keys := range []int{10, 100} {
		cells = append(cells,
			batchCell(100, keys, 1, map[string]float64{peerMLflow: 10, peerFastTrackML: 2}),
			batchCell(100, keys, busy,
				map[string]float64{peerMLflow: 20, peerFastTrackML: 4, sqliteLimit: .45}),
			batchCell(1000, keys, 1, map[string]float64{peerMLflow: 10, peerFastTrackML: 3}),
			batchCell(1000, keys, busy,
				map[string]float64{peerMLflow: 12, peerFastTrackML: 5, sqliteLimit: .45}))
	}
	return append(cells,
		cell{name: "runs/create, c=16", clients: busy, rows: 1, client: createRuns,
			wanted: map[string]float64{peerMLflow: 30, peerFastTrackML: 1.5}},
		cell{name: "model-versions/create, c=16", clients: busy, rows: 1, client: createVersions,
			wanted: map[string]float64{peerMLflow: 30}})
}

func batchCell(rows, keys, clients int, wanted map[string]float64) cell {
	return cell{name: fmt.Sprintf("log-batch of %d, %d keys, c=%d", rows, keys, clients),
		clients: clients, rows: rows, keys: keys, client: logPoints(rows, keys), wanted: wanted}
}

// logPoints is a client that logs points to a run of its own; of one row, by log-metric.
func logPoints(rows, keys int) func(context.Context, *contender, int) (call, error) {
	return func(ctx context.Context, s *contender, _ int) (call, error) {
		run, err := s.newRun(ctx, s.experiment)
		if err != nil {
			return nil, err
		}
		text := newPoint(run).request(s.url, "runs/log-metric")
		if rows > 1 {
			text = newBatch(run, rows, keys).request(s.url, "runs/log-batch")
		}
		return func(w *wire) error { return w.send(text.next(), nil) }, nil
	}
}

// createRuns makes runs as MLflow's client does.
func createRuns(_ context.Context, s *contender, _ int) (call, error) {
	type tag struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	body, err := json.Marshal(map[string]any{"experiment_id": s.experiment, "user_id": "bench",
		"run_name": "bench", "start_time": time.Now().UnixMilli(), "tags": []tag{
			{"mlflow.user", "bench"}, {"mlflow.source.name", "train.py"},
			{"mlflow.source.type", "LOCAL"}, {"mlflow.runName", "bench"}}})
	text := postText(s.url, "runs/create", body)
	return func(w *wire) error { return w.send(text, nil) }, err
}

// createVersions makes versions of a model of the client's own.
func createVersions(ctx context.Context, s *contender, i int) (call, error) {
	run, err := s.newRunAt(ctx, s.experiment)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprint("bench-", i)
	if err := s.post(ctx, "registered-models/create", map[string]string{"name": name},
		nil); err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]string{"name": name, "run_id": run.ID,
		"source": run.ArtifactURI + "/model"})
	text := postText(s.url, "model-versions/create", body)
	return func(w *wire) error { return w.send(text, nil) }, err
}
