package rest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
)

// knownCard is the card of a version of which everything is known.
func knownCard() card {
	now := time.Date(2026, 5, 1, 12, 30, 0, 0, time.UTC)
	version := &registry.Version{Model: "bikes", N: 3, State: "ready", Aliases: []string{"live", "a_b"},
		CreatedMS: now.UnixMilli(), User: "ada", RunID: "r1", Description: "The *third*.",
		ProducedBy: registry.Lineage{PipelineRun: "pr_1", Commit: "abc", EnvLock: "ff", SpecRev: 2,
			Params: map[string]any{"train": map[string]any{"depth": 6}}, Cause: "incident"}}
	worst := 0.45
	return card{
		VersionFacts: &VersionFacts{
			Version: &ModelVersion{Version: version, Conditions: []registry.Condition{
				{Type: "packaged", Status: registry.True},
				{Type: "approved", Status: registry.False, Reason: "nobody | was asked"}}},
			Data: []DataFacts{
				{Ref: data.Ref{Dataset: "history", N: 1}, Rows: 1337, Columns: 14, Digest: "64",
					Source: "file", FromMS: 1, ToMS: 86_400_000},
				{Ref: data.Ref{Dataset: "holdout", N: 2}, Rows: 163, Columns: 14, Digest: "43",
					Source: "holdout"}},
			Files: &registry.Description{Flavors: []string{"lightgbm", "python_function"},
				Python: "3.11.7", MLflow: "3.17.2", Signature: &engine.Signature{
					Inputs: []engine.Field{{Name: "hr", Kind: engine.Double, Required: true},
						{Name: "hum", Kind: engine.Double}},
					Outputs: []engine.Field{{Name: "prediction", Kind: engine.Double}}}},
			Package: &engine.Manifest{Engine: "onnx", Converter: "onnxmltools 1.16.0",
				Parity: &engine.Parity{Rows: 1337, MaxRelative: 5.5e-8}},
			Decision: &gate.Record{Baseline: 2, Created: now, Decision: gate.Decision{
				Result: "failed", Checks: []gate.Check{
					{Name: "good", Check: "candidate.wape <= 0.6", State: gate.Green},
					{Name: "better", Check: "a || b", State: gate.Red, Message: "got 2, needed <= 1"}}}},
		},
		Project: "bikes", Now: now, About: "Rides of an hour.",
		Spec: &spec.Spec{Owner: "city", Risk: spec.Minimal,
			Goal: &spec.Goal{Metric: "wape", AtMost: &worst}, Monitor: &spec.Monitor{}},
		Measured: []measured{{"mae", 22.39581234, 22.5}, {"wape", 0.3, nil}},
		Answers: []answering{
			{Endpoint: "bikes@production", Role: release.RoleLive, Status: &monitor.Status{
				Drift: &monitor.Watched{Newest: &monitor.Window{State: "red"}},
				Performance: &monitor.Watched{Newest: &monitor.Window{Metric: "wape", State: "green",
					Rows: 9, Value: 0.31, Limit: 0.4}},
				Incidents: []*monitor.Incident{{OpenedAt: now, Reason: "hum <drifts>"}}}},
			{Endpoint: "bikes@staging", Role: release.RoleCanary}},
	}
}

func TestCard_WritesAllThatIsKnown(t *testing.T) {
	var out strings.Builder
	if err := cardTemplate.Execute(&out, knownCard()); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "card.md"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(out.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("line %d is not %q in\n%s", i+1, line, out.String())
		}
	}
	if out.String() != string(want) {
		t.Errorf("more than is wanted:\n%s", out.String())
	}
}
