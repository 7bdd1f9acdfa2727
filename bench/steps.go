package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// noop is a chain of three steps that do nothing but create the file that the next
// one reads: without it they would not be a chain.
const noop = `project: noop
pipeline:
  steps:
    a: {run: ': > "$FAIRLEAD_OUT_X"', out: [x]}
    b: {run: ': > "$FAIRLEAD_OUT_Y"', in: [x], out: [y]}
    c: {run: ': > "$FAIRLEAD_OUT_Z"', in: [y], out: [z]}
`

// noopDVC is the same for DVC. Each stage depends on the seed, as each step of
// Fairlead does on the code of the commit.
const noopDVC = `stages:
  a: {cmd: ': > x', deps: [seed], outs: [x]}
  b: {cmd: ': > y', deps: [seed, x], outs: [y]}
  c: {cmd: ': > z', deps: [seed, y], outs: [z]}
`

// timing is what one round took, by the clocks of stepFigures.
type timing struct{ pipeline, api, command time.Duration }

// measureSteps measures a chain of three no-op steps, each time on a commit that
// was never run, and again when nothing has changed.
func measureSteps(ctx context.Context, b *bench) error {
	n, err := b.newNoop(ctx)
	if err != nil {
		return err
	}
	defer n.server.stop()
	peer, err := b.newDVC(ctx)
	if err != nil {
		return err
	}
	var first, cached []timing
	var peerFirst, peerCached []time.Duration
	for i := range b.repeat {
		f, c, err := n.round(ctx, i)
		if err != nil {
			return err
		}
		first, cached = append(first, f), append(cached, c)
		if !b.peers || i >= peerRounds {
			continue
		}
		pf, pc, err := peer.round(ctx, i)
		if err != nil {
			return err
		}
		peerFirst, peerCached = append(peerFirst, pf), append(peerCached, pc)
	}
	b.report.steps("first run", first, median(peerFirst), 100, 10)
	b.report.steps("cached rerun", cached, median(peerCached), 40, 25)
	return nil
}

// peerRounds is enough for a median of something that takes seconds.
const peerRounds = 5

// steps adds the figures of one kind of run, all with the same limits. The command is
// what a user types, as `dvc repro` is, and does more than that does.
func (r *report) steps(kind string, t []timing, peer, atMost, ratio float64) {
	line := func(name string, of func(timing) time.Duration) figure {
		times := make([]time.Duration, len(t))
		for i := range t {
			times[i] = of(t[i])
		}
		return figure{Measurement: "steps", Name: kind + ", " + name, Unit: "ms", Ours: median(times)}.
			beside("dvc repro", peer).limit(atMost).times(ratio)
	}
	r.add(
		line("pipeline run by its timestamps", func(t timing) time.Duration { return t.pipeline }),
		line("POST cases to its end by the client's clock",
			func(t timing) time.Duration { return t.api }),
		line("the whole command `fairlead run`", func(t timing) time.Duration { return t.command }),
	)
}

// noopProject is the repository and the server that runs it.
type noopProject struct {
	*caller
	server  *process
	program string
	data    string
	repo    string
}

func (b *bench) newNoop(ctx context.Context) (*noopProject, error) {
	n := &noopProject{program: b.program, data: filepath.Join(b.dir, "steps"),
		repo: filepath.Join(b.dir, "steps-repo")}
	if err := newRepo(ctx, n.repo, "fairlead.yaml", noop); err != nil {
		return nil, err
	}
	var err error
	if n.server, err = b.serve(ctx, n.data); err != nil {
		return nil, err
	}
	n.caller = newCaller(n.server.url)
	token, err := os.ReadFile(filepath.Join(n.data, "token"))
	if err != nil {
		n.server.stop()
		return nil, err
	}
	n.token = strings.TrimSpace(string(token))
	return n, nil
}

// round makes new commits, runs each, and runs it again: one through the API, one
// through the command line.
func (n *noopProject) round(ctx context.Context, i int) (first, cached timing, err error) {
	if err := commitSeed(ctx, n.repo, fmt.Sprint("api ", i)); err != nil {
		return first, cached, err
	}
	if _, err := output(exec.CommandContext(ctx, n.program, "apply", "--data", n.data,
		n.repo)); err != nil {
		return first, cached, err
	}
	for _, t := range []struct {
		to    *timing
		state string
	}{{&first, "succeeded"}, {&cached, "cached"}} {
		if t.to.api, t.to.pipeline, err = n.runCase(ctx, t.state); err != nil {
			return first, cached, err
		}
	}
	if err := commitSeed(ctx, n.repo, fmt.Sprint("command ", i)); err != nil {
		return first, cached, err
	}
	if first.command, err = n.runCommand(ctx, "succeeded"); err != nil {
		return first, cached, err
	}
	cached.command, err = n.runCommand(ctx, "cached")
	return first, cached, err
}

const noopPath = "/api/v1/projects/noop"

// runCase runs the project's current commit and waits for the end of its case.
func (n *noopProject) runCase(ctx context.Context, state string) (
	api, pipeline time.Duration, err error) {
	var k struct {
		ID, State, Reason string
		Run               string `json:"pipeline_run"`
	}
	start := time.Now()
	if err := n.call(ctx, http.MethodPost, noopPath+"/cases", []byte{}, &k); err != nil {
		return 0, 0, err
	}
	if err := n.call(ctx, http.MethodGet, noopPath+"/cases/"+k.ID+"?wait=1m", nil, &k); err != nil {
		return 0, 0, err
	}
	api = time.Since(start)
	if k.State != "closed" {
		return 0, 0, fmt.Errorf("case %s is %s after a minute: %s", k.ID, k.State, k.Reason)
	}
	pipeline, err = n.checkRun(ctx, k.Run, state)
	return api, pipeline, err
}

// checkRun makes sure that all three steps were really run, or answered from the
// cache, and returns how long the run took by its own timestamps.
func (n *noopProject) checkRun(ctx context.Context, id, state string) (time.Duration, error) {
	var run struct {
		State, Reason string
		Created       time.Time `json:"created_at"`
		Finished      time.Time `json:"finished_at"`
	}
	var steps struct {
		Items []struct{ Name, State string }
	}
	if err := n.call(ctx, http.MethodGet, noopPath+"/pipeline-runs/"+id, nil, &run); err != nil {
		return 0, err
	}
	if err := n.call(ctx, http.MethodGet, noopPath+"/pipeline-runs/"+id+"/steps", nil,
		&steps); err != nil {
		return 0, err
	}
	if run.State != "succeeded" || len(steps.Items) != 3 {
		return 0, fmt.Errorf("pipeline run %s is %s with %d steps: %s", id, run.State, len(steps.Items),
			run.Reason)
	}
	for _, s := range steps.Items {
		if s.State != state {
			return 0, fmt.Errorf("step %s of %s is %s, and not %s", s.Name, id, s.State, state)
		}
	}
	return run.Finished.Sub(run.Created), nil
}

// runCommand runs `fairlead run`.
func (n *noopProject) runCommand(ctx context.Context, state string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, n.program, "run", "--data", n.data, "-o", "json", n.repo)
	start := time.Now()
	out, err := output(cmd)
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	var k struct {
		Run string `json:"pipeline_run"`
	}
	if err := json.Unmarshal(out, &k); err != nil {
		return 0, fmt.Errorf("fairlead run: %w", err)
	}
	_, err = n.checkRun(ctx, k.Run, state)
	return took, err
}

// dvc is a repository of the peer's.
type dvc struct {
	bin, repo string
}

func (b *bench) newDVC(ctx context.Context) (*dvc, error) {
	if !b.peers {
		return nil, nil
	}
	bin, err := b.install(ctx, "dvc", "dvc", b.versions["DVC_VERSION"])
	if err != nil {
		return nil, err
	}
	d := &dvc{bin: bin, repo: filepath.Join(b.dir, "steps-dvc")}
	if err := newRepo(ctx, d.repo, "dvc.yaml", noopDVC); err != nil {
		return nil, err
	}
	for _, args := range [][]string{{"init", "--quiet"},
		{"config", "core.analytics", "false"}, {"config", "core.check_update", "false"}} {
		if _, err := output(d.command(ctx, args...)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *dvc) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(d.bin, "dvc"), args...)
	cmd.Dir, cmd.Env = d.repo, peerEnv(d.bin)
	return cmd
}

// round runs a new commit, and runs it again.
func (d *dvc) round(ctx context.Context, i int) (first, cached time.Duration, err error) {
	if err := commitSeed(ctx, d.repo, fmt.Sprint("dvc ", i)); err != nil {
		return 0, 0, err
	}
	if first, err = d.repro(ctx, "Running stage 'c'"); err != nil {
		return 0, 0, err
	}
	cached, err = d.repro(ctx, "Stage 'c' didn't change, skipping")
	return first, cached, err
}

func (d *dvc) repro(ctx context.Context, want string) (time.Duration, error) {
	start := time.Now()
	out, err := output(d.command(ctx, "repro"))
	took := time.Since(start)
	if err == nil && !strings.Contains(string(out), want) {
		err = fmt.Errorf("dvc repro did not say %q:\n%s", want, out)
	}
	return took, err
}

// newRepo makes a Git repository with one file.
func newRepo(ctx context.Context, dir, file, text string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		return err
	}
	_, err := output(exec.CommandContext(ctx, "git", "-C", dir, "init", "--quiet"))
	return err
}

// commitSeed commits all, with a seed that makes the commit another one.
func commitSeed(ctx context.Context, dir, seed string) error {
	if err := os.WriteFile(filepath.Join(dir, "seed"), []byte(seed+"\n"), 0o600); err != nil {
		return err
	}
	if _, err := output(exec.CommandContext(ctx, "git", "-C", dir, "add", "--all")); err != nil {
		return err
	}
	_, err := output(exec.CommandContext(ctx, "git", "-C", dir, "-c", "user.name=bench", "-c",
		"user.email=bench@localhost", "commit", "--quiet", "--message", seed))
	return err
}
