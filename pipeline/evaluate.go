package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// EvaluateRequest asks for the metrics of a model on data that the pipeline has
// not seen.
type EvaluateRequest struct {
	SpecRev  int64
	Commit   string
	ModelDir string   // the model's files, as the step that makes it left them
	Data     data.Ref // takes the place of the evaluation input
	Dir      string   // absolute, the caller's; a second call with it goes on with the first
	Label    string   // keeps several evaluations in one Dir apart: candidate, live

	// Reading is called each time before a step is given the data; not for an answer
	// that is known, and not for a step that is adopted.
	Reading func(context.Context) error
}

// Evaluate runs the evaluate step of a commit on a model and a dataset version,
// in the project's environment, and returns the newest value of each metric that
// it printed; of very many names those that are kept of any step. It is answered
// from what an earlier call with the same model, data, code and environment found.
// Precondition when the step fails or prints no metric, with the end of its log; any
// other error says that it was not run.
//
// The step outlives this server: a later call with the same Dir and Label adopts
// it. It is ended when ctx is, unless the server stops.
func (s *Service) Evaluate(ctx context.Context, p fairlead.Project, req EvaluateRequest) (
	map[string]float64, error) {
	e, err := s.newEvaluation(ctx, p, req)
	if err != nil {
		return nil, err
	}
	points, err := e.known(ctx)
	if err != nil {
		return nil, err
	}
	if points == nil {
		if points, err = e.run(ctx); err != nil {
			return nil, err
		}
	}
	if len(points) == 0 {
		return nil, fairlead.Errorf(fairlead.Precondition, "step %s printed no metric; print lines "+
			"such as `::metric %s=<value>`", e.step.Name, "wape")
	}
	return last(points), nil
}

// evaluation is one evaluation on its way.
type evaluation struct {
	*Service
	p        fairlead.Project
	req      EvaluateRequest
	spec     *spec.Spec
	step     spec.Step
	env      *pyenv.Env
	model    string // names of the two inputs
	input    string
	dataPath string
	key      string
}

func (s *Service) newEvaluation(ctx context.Context, p fairlead.Project, req EvaluateRequest) (
	*evaluation, error) {
	if !filepath.IsAbs(req.Dir) || req.Label == "" || filepath.Base(req.Label) != req.Label {
		return nil, fairlead.Errorf(fairlead.Internal,
			"an evaluation needs an absolute directory and a label")
	}
	rev, err := s.Projects.RevisionAt(ctx, p, req.SpecRev)
	if err != nil {
		return nil, err
	}
	e := &evaluation{Service: s, p: p, req: req, spec: rev.Spec}
	if err := e.findStep(); err != nil {
		return nil, err
	}
	if e.env, err = s.environment(ctx, p, e.spec, req.Commit, func(string) {}); err != nil {
		// Not the model's fault, so neither Invalid nor Precondition.
		return nil, fairlead.Errorf(fairlead.Unavailable, "the environment of step %s cannot be had: %s",
			e.step.Name, fairlead.MessageOf(err)).Because(err)
	}
	if e.dataPath, err = s.Data.Path(ctx, p, req.Data); err != nil {
		return nil, err
	}
	e.key, err = e.findKey(ctx)
	return e, err
}

// findStep finds the step and the two inputs that it may have here.
func (e *evaluation) findStep() error {
	step, ok := e.spec.EvaluateStep()
	input, ok2 := e.spec.EvaluationInput()
	if !ok || !ok2 {
		return fairlead.Errorf(fairlead.Precondition,
			"no step of %s evaluates a model; name the step that does `evaluate`", spec.FileName)
	}
	e.step, e.input = step, input
	e.model, _ = e.spec.ModelOutput()
	for _, name := range step.In {
		if name != e.model && name != input {
			return fairlead.Errorf(fairlead.Precondition, "step %s reads %q besides the model and %s, "+
				"so it cannot be run on other data; remove it from `in`", step.Name, name, input)
		}
	}
	return nil
}

// findKey is the key of an evaluation: that of the step on these inputs.
func (e *evaluation) findKey(ctx context.Context) (string, error) {
	code, err := e.code(ctx, e.p, e.spec, e.req.Commit)
	if err != nil {
		return "", err
	}
	rows, err := e.Data.Get(ctx, e.p, e.req.Data)
	if err != nil {
		return "", err
	}
	model, err := dirDigest(e.req.ModelDir)
	if err != nil {
		return "", fmt.Errorf("read the model: %w", err)
	}
	parts := keyParts{Format: keyFormat, Step: e.step.Name, Command: e.step.Run, Env: e.step.Env,
		Inputs: map[string]string{e.model: model, e.input: rows.Digest}, Params: e.step.Params,
		Code: code.seenBy(e.step).digest(), Lock: lockDigest(e.env), Platform: platform()}
	return parts.key()
}

// known returns what an earlier evaluation printed, nil when there was none.
func (e *evaluation) known(ctx context.Context) (points []Point, err error) {
	if !e.step.Cached() {
		return nil, nil
	}
	err = e.DB.Read(ctx, func(tx *store.Tx) error {
		points, err = readEvaluation(tx, e.p, e.key)
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return points, err
}

// maxLost is how many attempts at an evaluation may be killed, or lose their shim.
const maxLost = 5

// run runs the step, and again when it was lost or killed.
func (e *evaluation) run(ctx context.Context) ([]Point, error) {
	for n := 1; n <= maxLost; n++ {
		root := filepath.Join(e.req.Dir, e.req.Label, strconv.Itoa(n))
		dir := filepath.Join(root, "shim")
		h, err := e.startOrAttach(ctx, dir, newScratch(root))
		if err != nil {
			return nil, err
		}
		exit, err := await(ctx, h)
		if err != nil {
			return nil, err
		}
		if exit.State != shim.Lost && exit.State != shim.Killed { // by an earlier call that was ended
			return e.finished(ctx, dir, exit)
		}
	}
	return nil, fairlead.Errorf(fairlead.Unavailable,
		"step %s was killed %d times before it could end", e.step.Name, maxLost)
}

func (e *evaluation) startOrAttach(ctx context.Context, dir string, dirs scratch) (*shim.Handle,
	error) {
	h, err := shim.Attach(dir)
	if !fairlead.Is(err, fairlead.NotFound) {
		return h, err
	}
	if err := dirs.make(); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(dirs.cwd); err != nil {
		return nil, err
	}
	err = e.writeCode(ctx, e.p, e.req.Commit, dirs.cwd, func(file string) bool {
		return !withheld(e.spec, file) && sees(e.step, file)
	})
	if err != nil {
		return nil, err
	}
	if err := e.req.Reading(ctx); err != nil {
		return nil, err
	}
	rows := filepath.Join(dirs.in, e.input+".parquet")
	if err := copyFile(e.dataPath, rows, 0o444); err != nil {
		return nil, err
	}
	env := stepEnv{dirs: dirs, step: e.step, params: e.step.Params, env: e.env,
		inputs: map[string]string{e.model: e.req.ModelDir, e.input: rows}}
	return shim.Start(ctx, shim.Spec{
		Dir: dir, Command: []string{"/bin/sh", "-c", e.step.Run}, WorkDir: dirs.cwd,
		Env: env.list(), Timeout: e.step.Timeout.Duration, Grace: stepGrace,
	})
}

// await waits for the end of an attempt, and cleans up after a lost one. The
// command goes on when the server stops or another one has taken the job over.
func await(ctx context.Context, h *shim.Handle) (shim.Exit, error) {
	defer h.Close()
	exit, err := h.Wait(ctx)
	if err != nil {
		cause := context.Cause(ctx)
		if ctx.Err() == nil || errors.Is(cause, job.ErrStopping) || errors.Is(cause, job.ErrFenced) {
			return exit, errors.Join(cause, err)
		}
		return exit, errors.Join(cause, h.Kill(context.WithoutCancel(ctx)))
	}
	if exit.State == shim.Lost || exit.Left {
		err = h.Kill(ctx)
	}
	return exit, err
}

// finished reads what an ended step printed, and keeps it.
func (e *evaluation) finished(ctx context.Context, dir string, exit shim.Exit) ([]Point, error) {
	if !exit.OK() {
		return nil, fairlead.Errorf(fairlead.Precondition, "%s", failure(e.step.Name, dir, exit))
	}
	points, dropped, err := readPoints(dir)
	if err != nil || len(points) == 0 {
		return nil, err
	}
	if dropped += exit.MarksDropped; dropped > 0 {
		e.Deps.Log.Warn("an evaluation printed more metrics than are kept", "project", e.p.Name,
			"step", e.step.Name, "label", e.req.Label, "dropped", dropped)
	}
	err = e.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		return saveEvaluation(tx, e.p, e.key, points, e.Clock.Now())
	})
	return points, err
}
