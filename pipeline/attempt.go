package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/store"
)

const (
	// maxFence is above all fences.
	maxFence = math.MaxInt64
	// tokenLife bounds the token of a step without a time-out.
	tokenLife = 30 * 24 * time.Hour
	// stepGrace is what a step has to clean up when it is ended.
	stepGrace = 5 * time.Second
)

// tokenSubject is who a step's token stands for.
func tokenSubject(r *Run, s *Step) string {
	return r.ID + "/" + strconv.Itoa(s.Try) + "/" + s.Name
}

// runStep brings a step to its end: from the cache, by adopting what an earlier
// driver started, or by running it, with as many retries as it may have. A row in
// the state failed is a result; an error is that of the infrastructure, or the
// context's cause.
func (d *driver) runStep(ctx context.Context, t *task) (*Step, error) {
	place := &place{of: d.places}
	defer place.give()
	if t.row != nil {
		place.seize() // what an earlier driver began may be running
		d.progress(t, "running")
	} else {
		row, err := d.newStep(t)
		if err != nil {
			return nil, err
		}
		t.row = row
		if hit, err := d.fromCache(ctx, t); hit || err != nil {
			return row, err
		}
	}
	for {
		t.row.jobStep = jobStep(t)
		a, exit, err := d.job.Step(ctx, t.row.jobStep,
			func(ctx context.Context, a job.Attempt) (shim.Spec, error) {
				d.progress(t, "waiting for a free place to run")
				if err := place.take(ctx); err != nil {
					return shim.Spec{}, err
				}
				if t.row.Fails == 0 {
					t.row.Started = d.Clock.Now()
				}
				d.progress(t, "running")
				return d.prepare(ctx, t, a)
			})
		if err != nil {
			return nil, err
		}
		if err := d.settle(ctx, t, a, exit); err != nil {
			return nil, err
		}
		if t.row.State.Final() {
			return t.row, nil
		}
	}
}

// jobStep names an attempt series in the job: a failed attempt is adopted under
// its own name, so a retry needs another one.
func jobStep(t *task) string {
	part := "try" + strconv.Itoa(t.part.N)
	switch t.part.N {
	case Shared:
		part = "shared"
	case Refit:
		part = "refit"
	}
	return fmt.Sprintf("%s.%s.%d", part, t.spec.Name, t.row.Fails+1)
}

// newStep returns the row of a step that begins, with its key.
func (d *driver) newStep(t *task) (*Step, error) {
	parts := keyParts{
		Format: keyFormat, Step: t.spec.Name, Command: t.spec.Run, Env: t.spec.Env,
		Outputs: t.spec.Out, Inputs: map[string]string{}, Params: t.params,
		Code: d.files.seenBy(t.spec).digest(), Lock: d.lock, Platform: platform(),
	}
	for _, in := range t.inputs {
		parts.Inputs[in.name] = in.digest
	}
	key, err := parts.key()
	if err != nil {
		return nil, fmt.Errorf("key of step %s: %w", t.spec.Name, err)
	}
	now := d.Clock.Now()
	return &Step{ID: fairlead.NewID("st", now), Try: t.part.N, Name: t.spec.Name, State: Running,
		Key: key, Queued: t.queued, Started: now, runK: d.run.k, parts: parts}, nil
}

// fromCache answers a step with the outputs and metrics of an earlier one that
// has the same key, unless it is to be run in any case.
func (d *driver) fromCache(ctx context.Context, t *task) (hit bool, err error) {
	var old *Step
	err = d.DB.Read(ctx, func(tx *store.Tx) error {
		old, err = d.before(tx, t)
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	outputs, err := d.Blobs.Files(ctx, d.p, owner(old.ID), "")
	if err != nil || !complete(old, outputs) {
		return false, err
	}
	row := t.row
	row.State, row.Outputs, row.Points, row.Exit = Cached, old.Outputs, old.Points, old.Exit
	row.Dropped = old.Dropped
	row.From, row.Finished = old.ID, row.Started
	if old.From != "" {
		row.From = old.From
	}
	return true, d.commit(ctx, t, outputs)
}

// complete reports whether all that a step left is still stored.
func complete(s *Step, files []blob.Entry) bool {
	n := 0
	for _, o := range s.Outputs {
		n += o.Files
	}
	return n == len(files)
}

// commit stores a step's good end: its outputs, its metrics in tracking, and its
// place in the cache.
func (d *driver) commit(ctx context.Context, t *task, outputs []blob.Entry) error {
	return d.job.Write(ctx, store.Control, func(tx *store.Tx) error {
		if err := saveStep(tx, t.row); err != nil {
			return err
		}
		if err := d.Tokens.RevokeBelow(tx, tokenSubject(d.run, t.row), maxFence); err != nil {
			return err
		}
		if err := d.Blobs.LinkAll(tx, d.p, owner(t.row.ID), "", outputs); err != nil {
			return err
		}
		if t.row.State == Succeeded {
			if err := saveCache(tx, d.p, t.row.Key, t.row.ID); err != nil {
				return err
			}
		}
		return d.record(tx, t)
	})
}

// prepare makes the private directories of an attempt and its token.
func (d *driver) prepare(ctx context.Context, t *task, a job.Attempt) (shim.Spec, error) {
	dirs := d.scratch(a)
	if err := d.furnish(ctx, t, dirs); err != nil {
		d.remove(dirs.root) // the next attempt has its own, and the disk may be full
		return shim.Spec{}, err
	}
	var token string
	err := d.job.Write(ctx, store.Control, func(tx *store.Tx) (err error) {
		if err := saveStep(tx, t.row); err != nil {
			return err
		}
		who := tokenSubject(d.run, t.row)
		if err := d.Tokens.RevokeBelow(tx, who, a.Fence); err != nil {
			return err
		}
		life := tokenLife
		if t.spec.Timeout.Duration > 0 {
			life = t.spec.Timeout.Duration + time.Minute
		}
		token, err = d.Tokens.IssueStep(tx, d.p, who, a.Fence, d.Clock.Now().Add(life))
		return err
	})
	if err != nil {
		return shim.Spec{}, err
	}
	env := stepEnv{dirs: dirs, step: t.spec, inputs: t.paths(dirs), params: t.params, env: d.env}
	if d.URL != nil && d.URL() != "" {
		env.tracking = &trackingEnv{url: d.URL(), project: d.p.Name, token: token,
			run: t.part.Run, experiment: d.run.Model}
	}
	return shim.Spec{
		Command: []string{"/bin/sh", "-c", t.spec.Run}, WorkDir: dirs.cwd, Env: env.list(),
		Timeout: t.spec.Timeout.Duration, Grace: stepGrace,
	}, nil
}

// scratch is where one attempt works. It is removed when the attempt is over.
type scratch struct{ root, cwd, in, out, tmp string }

func (d *driver) scratch(a job.Attempt) scratch {
	return newScratch(filepath.Join(d.workDir(), a.Step+"."+strconv.FormatInt(a.Fence, 10)))
}

func newScratch(root string) scratch {
	return scratch{root: root, cwd: filepath.Join(root, "cwd"), in: filepath.Join(root, "in"),
		out: filepath.Join(root, "out"), tmp: filepath.Join(root, "tmp")}
}

func (s scratch) make() error {
	if err := removeAll(s.root); err != nil {
		return err
	}
	for _, dir := range []string{s.cwd, s.in, s.out, s.tmp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// outPath is where a step writes an output.
func (s scratch) outPath(name string) string { return filepath.Join(s.out, name) }

// workDir is where the run keeps its working files.
func (d *driver) workDir() string { return filepath.Join(d.dir, d.run.ID) }

// furnish fills an attempt's directories: a private copy of the code, and of the
// inputs, so that no step can change what another one reads.
func (d *driver) furnish(ctx context.Context, t *task, dirs scratch) error {
	if err := dirs.make(); err != nil {
		return err
	}
	code, err := d.checkout(ctx)
	if err != nil {
		return err
	}
	err = copyTree(ctx, code, dirs.cwd, func(file string) bool { return sees(t.spec, file) })
	if err != nil {
		return fmt.Errorf("copy the code: %w", err)
	}
	paths := t.paths(dirs)
	for _, in := range t.inputs {
		if err := d.place(ctx, in, paths[in.name]); err != nil {
			return fmt.Errorf("input %s: %w", in.name, err)
		}
	}
	return nil
}

// paths are where an attempt finds its inputs.
func (t *task) paths(dirs scratch) map[string]string {
	paths := make(map[string]string, len(t.inputs))
	for _, in := range t.inputs {
		name := in.name
		if in.step == "" {
			name += ".parquet"
		}
		paths[in.name] = filepath.Join(dirs.in, name)
	}
	return paths
}

// place copies an input to where the step finds it.
func (d *driver) place(ctx context.Context, in input, to string) error {
	if in.step == "" {
		from, err := d.Data.Path(ctx, d.p, in.ref)
		if err != nil {
			return err
		}
		return copyFile(from, to, 0o444)
	}
	if in.output.Dir {
		return d.Blobs.MaterializeAs(ctx, d.p, owner(in.step), in.name, to, in.output.mode)
	}
	from, _, err := d.Blobs.Path(ctx, d.p, owner(in.step), in.name)
	if err != nil {
		return err
	}
	return copyFile(from, to, in.output.mode(in.name))
}

// settle stores how an attempt ended. The row is then final, or the step may be
// tried again.
func (d *driver) settle(ctx context.Context, t *task, a job.Attempt, exit shim.Exit) error {
	dirs := d.scratch(a)
	if exit.State == shim.Killed {
		return d.killed(ctx, a)
	}
	row := t.row
	row.Exit, row.Finished = &exit, d.Clock.Now()
	points, dropped, err := readPoints(a.Dir)
	if err != nil {
		return err
	}
	row.Points, row.Dropped = points, dropped+exit.MarksDropped
	if !exit.OK() {
		return d.failed(ctx, t, a, failure(t.spec.Name, a.Dir, exit))
	}
	if why := badName(d.plan.spec, t.spec.Name, points); why != "" {
		return d.failed(ctx, t, a, why)
	}
	outputs, entries, err := d.collect(ctx, t.spec, dirs)
	if fairlead.Is(err, fairlead.Invalid) {
		return d.failed(ctx, t, a, fairlead.MessageOf(err))
	}
	if err != nil {
		return err
	}
	row.State, row.Outputs, row.Error = Succeeded, outputs, ""
	if err := d.commit(ctx, t, entries); err != nil {
		return err
	}
	d.remove(dirs.root)
	return nil
}

// killed lets a later driver run a step again that somebody else has ended, such as
// a machine that shuts down: when the run itself ends a step, it takes no exit.
func (d *driver) killed(ctx context.Context, a job.Attempt) error {
	if err := d.job.Forget(ctx, a.Step); err != nil {
		return err
	}
	d.remove(d.scratch(a).root)
	return fairlead.Errorf(fairlead.Unavailable,
		"somebody ended the step %s, as a machine that shuts down does; it is run again", a.Step)
}

// failed counts an attempt that failed by itself.
func (d *driver) failed(ctx context.Context, t *task, a job.Attempt, why string) error {
	row := t.row
	row.Fails++
	row.Error = why
	if row.Fails > t.spec.Retries {
		row.State = Failed
	}
	err := d.job.Write(ctx, store.Control, func(tx *store.Tx) error {
		if err := d.Tokens.RevokeBelow(tx, tokenSubject(d.run, row), maxFence); err != nil {
			return err
		}
		return saveStep(tx, row)
	})
	if err != nil {
		return err
	}
	d.remove(d.scratch(a).root)
	return nil
}

// Limits of the part of a log that a failure shows.
const (
	tailBytes = 4 << 10
	tailLines = 15
)

// failure says in words how a step ended that did not end well, with the last
// lines of what it printed.
func failure(step, dir string, exit shim.Exit) string {
	text := fmt.Sprintf("step %s %s", step, ending(exit))
	part, err := shim.Tail(dir, tailBytes)
	if err != nil || len(part.Data) == 0 {
		return text
	}
	log := strings.ToValidUTF8(string(part.Data), "\uFFFD")
	lines := strings.Split(strings.TrimRight(log, "\n"), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	return text + "; the end of its log:\n  " + strings.Join(lines, "\n  ")
}

// shellSignal is what a shell adds to a signal's number for its exit status.
const shellSignal = 128

func ending(e shim.Exit) string {
	switch e.State {
	case shim.Exited:
		if e.Code > shellSignal { // how a shell reports the end of what it started
			return fmt.Sprintf("failed with exit status %d (signal %s)", e.Code,
				syscall.Signal(e.Code-shellSignal))
		}
		return fmt.Sprintf("failed with exit status %d", e.Code)
	case shim.Signaled:
		return "was ended by the signal " + e.Signal
	case shim.TimedOut:
		ran := time.Duration(e.FinishedMS-e.StartedMS) * time.Millisecond
		return fmt.Sprintf("took longer than its timeout and was ended after %s",
			ran.Round(100*time.Millisecond))
	case shim.StartError:
		return "could not be started: " + e.Error
	}
	return "was killed"
}

// sortedKeys is for texts that must not depend on the order of a map.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
