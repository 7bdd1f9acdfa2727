package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/pipeline"
)

// gather finds out what the table of facts documents. A version is evaluated only
// when some check reads one of its metrics, since each read wears the holdout.
func (g *run) gather(ctx context.Context) error {
	g.facts = Facts{
		"now": g.at, "project.name": g.p.Name, "project.risk": string(g.spec.Risk),
		"version.candidate": g.r.Version,
	}
	if g.r.Baseline != 0 {
		g.facts["version.live"] = g.r.Baseline
	}
	if err := g.describePackage(ctx); err != nil {
		return err
	}
	if g.r.Holdout == (data.Ref{}) {
		return nil
	}
	if err := g.describeHoldout(ctx); err != nil {
		return err
	}
	return g.evaluateAll(ctx)
}

// evaluation is what came of evaluating one version.
type evaluation struct {
	root    string
	version int64
	metrics map[string]float64
	err     error
}

// evaluateAll evaluates the versions that checks read, side by side.
func (g *run) evaluateAll(ctx context.Context) error {
	var all []*evaluation
	if g.policy.measures(candidateRoot) {
		all = append(all, &evaluation{root: candidateRoot, version: g.r.Version})
	}
	if g.policy.measures(liveRoot) && g.r.Baseline != 0 {
		all = append(all, &evaluation{root: liveRoot, version: g.r.Baseline})
	}
	var wait sync.WaitGroup
	for _, e := range all {
		wait.Go(func() { e.metrics, e.err = g.metrics(ctx, e.root, e.version) })
	}
	wait.Wait()
	for _, e := range all {
		if err := g.take(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (g *run) describePackage(ctx context.Context) error {
	m, err := g.Registry.Manifest(ctx, g.p, g.r.Model, g.r.Version)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil // it is not packaged
	}
	if err != nil {
		return err
	}
	g.facts["packaging.engine"] = m.Engine
	if m.Parity != nil && m.Parity.Rows > 0 {
		g.facts["packaging.max_relative"] = float64(m.Parity.MaxRelative)
	}
	return nil
}

func (g *run) describeHoldout(ctx context.Context) error {
	v, err := g.Data.Get(ctx, g.p, g.r.Holdout)
	if err != nil {
		return err
	}
	reads, err := g.Data.HoldoutReads(ctx, g.p, g.r.Holdout)
	if err != nil {
		return err
	}
	g.facts["holdout.dataset"], g.facts["holdout.version"] = v.Dataset, v.N
	g.facts["holdout.rows"], g.facts["holdout.reads"] = v.Rows, g.earlier(reads)
	return nil
}

// earlier counts the evaluations by other gates that have read the holdout. One that was
// interrupted and begun again has left several reads, and is still one. What this gate
// read before it was interrupted is its own.
func (g *run) earlier(reads []data.HoldoutRead) int64 {
	seen := map[data.HoldoutRead]bool{}
	for _, r := range reads {
		if r.Purpose == data.ReadByGate && r.Reader != g.id {
			seen[data.HoldoutRead{Model: r.Model, Version: r.Version, Reader: r.Reader}] = true
		}
	}
	return int64(len(seen))
}

// take adds a version's metrics to the facts, or why there are none.
func (g *run) take(ctx context.Context, e *evaluation) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("evaluate version %d: %w", e.version, context.Cause(ctx))
	case fairlead.Is(e.err, fairlead.Precondition):
		g.Log.Warn("version cannot be evaluated", "model", g.r.Model, "version", e.version, "err", e.err)
		g.facts["error."+e.root] = fairlead.MessageOf(e.err)
	case e.err != nil:
		return fmt.Errorf("evaluate version %d: %w", e.version, e.err)
	}
	for name, value := range e.metrics {
		g.facts[e.root+"."+name] = value
	}
	return nil
}

func (g *run) metrics(ctx context.Context, root string, version int64) (map[string]float64, error) {
	model, err := g.modelDir(ctx, root, version)
	if err != nil {
		return nil, err
	}
	return g.Evaluate(ctx, g.p, pipeline.EvaluateRequest{SpecRev: g.r.SpecRev, Commit: g.r.Commit,
		ModelDir: model, Data: g.r.Holdout, Dir: g.dir, Label: root,
		Reading: func(ctx context.Context) error {
			return g.Data.RecordHoldoutRead(ctx, g.p, g.r.Holdout, data.HoldoutRead{
				Model: g.r.Model, Version: version, Purpose: data.ReadByGate, Reader: g.id})
		}})
}

// modelDir puts a version's files in place, unless an earlier run has: a step that
// still lives may be reading them.
func (g *run) modelDir(ctx context.Context, root string, version int64) (string, error) {
	dir := filepath.Join(g.dir, "models", root)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(part), 0o700); err != nil {
		return "", err
	}
	if err := g.Registry.ModelDir(ctx, g.p, g.r.Model, version, part); err != nil {
		return "", err
	}
	return dir, os.Rename(part, dir)
}
