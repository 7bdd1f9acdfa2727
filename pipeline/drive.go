package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// driver drives one run, from whatever its rows say to its end. Only its own
// goroutine (loop) touches its fields after it was loaded; the goroutines that
// perform steps get what they need in a task, and send back what came of it.
type driver struct {
	*Service
	job   *job.Run
	p     fairlead.Project
	run   *Run
	plan  *plan
	again *again     // what a re-run runs in any case
	files tree       // of the commit
	env   *pyenv.Env // nil without `python:`
	lock  string     // digest of the environment's lock, "" without one
	parts map[int]*part
	begun time.Time // when steps could run: the environment was there
	limit int
	// digests of the data that steps read, by name
	digests map[string]string

	results chan result
	active  int
	changed bool // a part has ended since advance looked

	pristine sync.Mutex
	codeDir  string // the code that steps see; "" before the first that runs
}

// part is a try, the shared steps before the tries, or the refit after them.
type part struct {
	Try
	steps  map[string]*Step // begun
	busy   map[string]bool  // being performed
	closed bool             // its run in tracking has ended
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// task is one step of one part, ready to be performed.
type task struct {
	part   *part
	spec   spec.Step
	row    *Step // nil when it has not begun
	params map[string]any
	inputs []input
	queued time.Time // when all that it waits for had ended
}

// input is one resolved input of a task.
type input struct {
	name   string
	digest string
	ref    data.Ref // of data
	step   string   // id of the step whose output it is; "" for data
	output Output
}

type result struct {
	task *task
	row  *Step
	err  error
}

// errNotNeeded ends the steps of tries that can no longer matter.
var errNotNeeded = errors.New("the search has ended before this try")

// handle is the handler of a run's job.
func (s *Service) handle(ctx context.Context, r *job.Run) error {
	err := s.drive(ctx, r)
	if full(err) {
		err = fairlead.Errorf(fairlead.Exhausted,
			"the disk of the data directory is full; the run goes on when there is room").Because(err)
	}
	if passes(err) {
		return job.Lost(err)
	}
	return err
}

func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// passes reports whether an error is neither the file's nor a step's fault: it does not
// end the run, and another driver goes on when that is over.
func passes(err error) bool {
	switch fairlead.CodeOf(err) {
	case fairlead.Internal, fairlead.Unavailable, fairlead.Exhausted:
		return true
	}
	return full(err)
}

// ends reports whether a run whose context has ended with cause, if it has, is over with
// an error: no other driver goes on.
func ends(err, cause error) bool {
	if cause != nil {
		return errors.Is(cause, job.ErrCancelled)
	}
	return !passes(err) && !errors.Is(err, job.ErrFenced)
}

// drive brings a run to its end, or as far as it goes.
func (s *Service) drive(ctx context.Context, r *job.Run) error {
	var pl payload
	if err := r.Job.Decode(&pl); err != nil {
		return err
	}
	d, err := s.load(ctx, r, pl.Run)
	if err != nil {
		return err
	}
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if err = d.begin(run); err == nil {
		err = d.loop(run)
	}
	if err != nil {
		if ends(err, context.Cause(ctx)) {
			stop(err) // and the steps with it
			d.drain()
			d.remove(d.workDir())
			return err
		}
		stop(job.ErrStopping)
		d.drain()
		return err
	}
	d.dismiss(run, math.MinInt)
	d.drain()
	return d.finish(context.WithoutCancel(ctx))
}

// load reads where the run stands.
func (s *Service) load(ctx context.Context, r *job.Run, id string) (*driver, error) {
	d := &driver{Service: s, job: r, p: r.Job.Project, parts: map[int]*part{},
		results: make(chan result), digests: map[string]string{}}
	var rev *spec.Revision
	var tries []Try
	var steps []*Step
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if d.run, err = readRun(tx, d.p, id); err != nil {
			return err
		}
		if rev, err = s.Projects.Revision(tx, d.p, d.run.SpecRev); err != nil {
			return err
		}
		if tries, err = listTries(tx, d.run.k); err != nil {
			return err
		}
		steps, err = listSteps(tx, d.run.k)
		return err
	})
	if err != nil {
		return nil, err
	}
	if d.plan, err = newPlan(rev.Spec, d.run.Fixed); err != nil {
		return nil, err
	}
	if d.run.RerunOf != "" {
		if d.again, err = d.plan.from(d.run.RerunFrom); err != nil {
			return nil, err
		}
	}
	if d.limit = rev.Spec.Pipeline.Concurrency; d.limit == 0 {
		d.limit = defaultConcurrency
	}
	for _, t := range tries {
		d.parts[t.N] = &part{Try: t, steps: map[string]*Step{}, busy: map[string]bool{},
			closed: t.State.Final()}
	}
	for _, step := range steps {
		d.parts[step.Try].steps[step.Name] = step
	}
	return d, nil
}

// begin prepares what all steps need: the list of the commit's files and the
// environment; and says that the run has begun.
func (d *driver) begin(ctx context.Context) error {
	if d.run.State == Queued {
		d.run.State, d.run.Started = Running, d.Clock.Now()
		if err := d.open(ctx, Shared); err != nil {
			return err
		}
	}
	var err error
	if d.files, err = d.code(ctx, d.p, d.plan.spec, d.run.Commit); err != nil {
		return err
	}
	for _, part := range d.parts {
		if part.ctx == nil {
			part.ctx, part.cancel = context.WithCancelCause(ctx)
		}
	}
	if d.env, err = d.environment(ctx, d.p, d.plan.spec, d.run.Commit, d.job.Progress); err != nil {
		return err
	}
	d.lock, d.begun = lockDigest(d.env), d.Clock.Now()
	return nil
}

// environment returns the Python environment that the file asks for at a commit,
// and builds it first if need be; nil when the file has no `python:`.
func (s *Service) environment(ctx context.Context, p fairlead.Project, sp *spec.Spec,
	commit string, progress func(string)) (*pyenv.Env, error) {
	python := sp.Pipeline.Python
	if python == nil {
		return nil, nil
	}
	text, err := s.Source.File(ctx, p, commit, python.Requirements)
	switch fairlead.CodeOf(err) {
	case "":
	case fairlead.NotFound, fairlead.Exhausted: // it is missing or too long
		return nil, fairlead.Errorf(fairlead.Invalid, "pipeline.python.requirements: %s",
			fairlead.MessageOf(err)).Because(err)
	default:
		return nil, fmt.Errorf("pipeline.python.requirements: %w", err)
	}
	return s.Envs.Ensure(ctx, pyenv.Requirements{Text: string(text), Python: python.Version},
		func(line string) { progress("building the Python environment: " + line) })
}

func lockDigest(env *pyenv.Env) string {
	if env == nil {
		return ""
	}
	return digest([]byte(env.Version + "\n" + env.Lock))
}

// loop performs steps until the outcome of the run is known.
func (d *driver) loop(ctx context.Context) error {
	for {
		done, err := d.advance(ctx)
		if done || err != nil {
			return err
		}
		if d.active == 0 {
			return fairlead.Errorf(fairlead.Internal,
				"pipeline run %s has nothing left to do and no outcome", d.run.ID)
		}
		select {
		case r := <-d.results:
			err = d.received(ctx, r)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-d.deadline():
		}
		if err != nil {
			return err
		}
	}
}

// drain waits for the goroutines that perform steps.
func (d *driver) drain() {
	for ; d.active > 0; d.active-- {
		<-d.results
	}
}

// advance starts all that can start now, and reports whether the run's outcome is
// known.
func (d *driver) advance(ctx context.Context) (done bool, err error) {
	for d.changed = true; d.changed && !done && err == nil; {
		d.changed = false
		done, err = d.look(ctx)
	}
	return done, err
}

func (d *driver) look(ctx context.Context) (done bool, err error) {
	if d.parts[Shared].State == Failed {
		return true, nil
	}
	v := d.verdict()
	d.dismiss(ctx, v.needed)
	if v.decided {
		d.run.Winner = v.winner
		// Only memory says that the shared steps have ended, so a driver that begins
		// after the decision looks again; and those that no try waits for may not run yet.
		if err := d.schedule(ctx, Shared); err != nil {
			return false, err
		}
		if v.winner == 0 || len(d.plan.refit()) == 0 {
			return d.settled(), nil
		}
		if err := d.schedule(ctx, Refit); err != nil {
			return false, err
		}
		refit, ok := d.parts[Refit]
		return d.settled() && ok && refit.State.Final(), nil
	}
	if err := d.cut(ctx, v.needed); err != nil {
		return false, err
	}
	for n := Shared; n <= v.needed && d.active < d.limit; n++ {
		if err := d.schedule(ctx, n); err != nil {
			return false, err
		}
	}
	return false, nil
}

// settled reports whether the shared steps, on which perhaps no try waits, have
// ended too.
func (d *driver) settled() bool { return d.parts[Shared].State.Final() }

// schedule starts the steps of a part whose inputs are there, within the limit.
func (d *driver) schedule(ctx context.Context, n int) error {
	if err := d.completed(ctx, n); err != nil {
		return err
	}
	if part, ok := d.parts[n]; ok && part.State.Final() {
		return nil
	}
	for _, step := range d.plan.steps(n) {
		if d.active >= d.limit {
			return nil
		}
		if !d.ready(step, n) {
			continue
		}
		if err := d.perform(ctx, step, n); err != nil {
			return err
		}
	}
	return nil
}

// ready reports whether the step is not begun here, and all that it reads exists.
func (d *driver) ready(step spec.Step, n int) bool {
	if part, ok := d.parts[n]; ok {
		row := part.steps[step.Name]
		if part.busy[step.Name] || row != nil && row.State.Final() {
			return false
		}
	}
	return !slices.ContainsFunc(step.In, func(name string) bool {
		maker, home, ok := d.plan.home(name, n, d.run.Winner)
		return ok && !d.made(maker, home)
	})
}

func (d *driver) made(step string, n int) bool {
	part, ok := d.parts[n]
	if !ok {
		return false
	}
	row := part.steps[step]
	return row != nil && (row.State == Succeeded || row.State == Cached)
}

// perform runs one step in a goroutine of its own.
func (d *driver) perform(ctx context.Context, step spec.Step, n int) error {
	if err := d.open(ctx, n); err != nil {
		return err
	}
	part := d.parts[n]
	t := &task{part: part, spec: step, params: d.params(n)[step.Name], queued: d.queued(n)}
	if begun := part.steps[step.Name]; begun != nil {
		row := *begun // the goroutine's own, until it sends it back
		t.row = &row
	}
	if err := d.resolve(ctx, t); err != nil {
		return err
	}
	part.busy[step.Name] = true
	d.active++
	go func() {
		row, err := d.runStep(part.ctx, t)
		if err != nil && part.ctx.Err() != nil { // whatever failed, this is why
			err = errors.Join(context.Cause(part.ctx), err)
		}
		d.results <- result{t, row, err}
	}()
	return nil
}

// queued is when the steps of a part could begin that wait for no other step: when the
// driver was ready, and for the refit, when the winner is known.
func (d *driver) queued(n int) time.Time {
	if n == Refit {
		return d.Clock.Now()
	}
	return d.begun
}

// params returns the params of all steps in a part.
func (d *driver) params(n int) Params {
	switch n {
	case Refit:
		n = d.run.Winner
	case Shared:
		n = 1 // the tries agree on them
	}
	return d.plan.tries[n-1]
}

// resolve finds the content that each input of a task has.
func (d *driver) resolve(ctx context.Context, t *task) error {
	for _, name := range t.spec.In {
		in := input{name: name}
		maker, home, made := d.plan.home(name, t.part.N, d.run.Winner)
		if made {
			row := d.parts[home].steps[maker]
			out, _ := row.output(name)
			in.step, in.digest, in.output = row.ID, out.digest(), out
			if row.Finished.After(t.queued) {
				t.queued = row.Finished
			}
		} else {
			in.ref = d.run.Inputs[name]
			var err error
			if in.digest, err = d.dataDigest(ctx, name, in.ref); err != nil {
				return fmt.Errorf("input %s: %w", name, err)
			}
		}
		t.inputs = append(t.inputs, in)
	}
	return nil
}

// dataDigest returns the content digest of an entry of `data`.
func (d *driver) dataDigest(ctx context.Context, name string, ref data.Ref) (string, error) {
	if digest, ok := d.digests[name]; ok {
		return digest, nil
	}
	v, err := d.Data.Get(ctx, d.p, ref)
	if err != nil {
		return "", err
	}
	d.digests[name] = v.Digest
	return v.Digest, nil
}

// received takes what came of a step.
func (d *driver) received(ctx context.Context, r result) error {
	d.active--
	part := r.task.part
	delete(part.busy, r.task.spec.Name)
	switch {
	case errors.Is(r.err, errNotNeeded):
		return nil
	case r.err != nil:
		return r.err
	}
	part.steps[r.task.spec.Name] = r.row
	return d.completed(ctx, part.N)
}

// progress says what the run is doing now.
func (d *driver) progress(t *task, doing string) {
	where := ""
	switch {
	case t.part.N == Refit:
		where = "refit: "
	case t.part.N != Shared && len(d.plan.tries) > 1:
		where = fmt.Sprintf("try %d of %d: ", t.part.N, len(d.plan.tries))
	}
	d.job.Progress(where + doing + " " + t.spec.Name)
}
