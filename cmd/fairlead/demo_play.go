package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/examples"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/scm"
)

const demoEndpoint = demoProject + "@production"

// colleague is somebody who registers a model through the mlflow client.
type colleague struct {
	script string // in the example's folder colleague/
	at     time.Time
}

// colleagues come in while no case of the loop is under way, so that each is
// judged by itself.
var colleagues = []colleague{
	{"noisy", time.Date(dataYear, time.June, 1, 0, 0, 0, 0, time.UTC)},
	{"leaky", time.Date(dataYear, time.August, 9, 0, 0, 0, 0, time.UTC)},
}

// play does what a user's systems would: apply and run, shadow, traffic, colleagues.
func (d *demo) play(ctx context.Context) error {
	stop := d.follow(ctx)
	defer stop()
	src, err := scm.Look(ctx, d.repository(), false)
	if err != nil {
		return err
	}
	if _, err := d.client.apply(ctx, d.repository(), src); err != nil {
		return err
	}
	if err := d.first(ctx); err != nil {
		return err
	}
	path := "/endpoints/" + url.PathEscape(demoEndpoint) + "/shadows/1"
	if err := d.client.do(ctx, http.MethodPut, path, nil, nil); err != nil {
		return err
	}
	r := &replay{
		endpoint: demoProject, time: "at", id: "id", label: "bikers", with: []string{"casual",
			"registered"},
		delay: 24 * time.Hour, every: 24 * time.Hour, tick: time.Hour, client: d.client,
	}
	r.often = d.say.terminal
	r.progress = func(done, total int, at time.Time) {
		told := fmt.Sprintf("%-14s  %d of %d hours replayed", at.Format("2 January"), done, total)
		if at.Day() == 1 {
			d.say.line("%s", told)
		}
		d.replayed.Store(&told)
	}
	r.before = func(ctx context.Context, at time.Time) error {
		for _, c := range colleagues {
			if !c.at.Equal(at) {
				continue
			}
			if err := d.meet(ctx, c, r.rows); err != nil {
				return fmt.Errorf("colleague %s: %w", c.script, err)
			}
			if err := r.advance(ctx, at); err != nil {
				return err
			}
		}
		return nil
	}
	if err := r.read(ctx, d.traffic()); err != nil {
		return err
	}
	return r.run(ctx)
}

// first trains and releases the first model, and runs the unchanged project once
// more, which the cache answers. A demo that goes on finds its cases.
func (d *demo) first(ctx context.Context) error {
	c, err := d.userCase(ctx, 0)
	if err != nil {
		return err
	}
	if c.Outcome != loop.Promoted {
		return fairlead.Errorf(fairlead.Precondition, "the first model was not released: %s", c.Reason)
	}
	began := time.Now()
	if c, err = d.userCase(ctx, 1); err != nil {
		return err
	}
	if c.Outcome != loop.Unchanged {
		return fairlead.Errorf(fairlead.Precondition, "running the unchanged project again is %s: %s",
			c.Outcome, c.Reason)
	}
	d.say.line("run again, unchanged: answered from the cache in %.2f s", time.Since(began).Seconds())
	return nil
}

// userCase returns the user's i-th case once it is closed, and opens it first when
// there is none.
func (d *demo) userCase(ctx context.Context, i int) (*loop.Case, error) {
	all, err := d.cases(ctx)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(c *loop.Case) bool { return c.Cause != loop.ByUser })
	slices.Reverse(all) // the oldest first
	if len(all) <= i {
		var opened loop.Case
		if err := d.client.do(ctx, http.MethodPost, "/cases", nil, &opened); err != nil {
			return nil, err
		}
		all = append(all, &opened)
	}
	c := all[i]
	for c.State != loop.Closed {
		if err := d.client.do(ctx, http.MethodGet, "/cases/"+c.ID+"?wait=10s", nil, c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// cases lists all cases, the newest first.
func (d *demo) cases(ctx context.Context) ([]*loop.Case, error) {
	var page fairlead.Page[*loop.Case]
	err := d.client.do(ctx, http.MethodGet, "/cases?limit=500", nil, &page)
	return page.Items, err
}

// meet runs a colleague's script on the rows that are known by then, unless it has
// run in a demo that was interrupted.
func (d *demo) meet(ctx context.Context, c colleague, rows []sample) error {
	n, err := d.versionOf(ctx, c)
	if err != nil {
		return err
	}
	if n == 0 {
		d.say.line("%-14s  a colleague registers a model through mlflow (%s)", c.at.Format("2 January"),
			c.script)
		return d.runColleague(ctx, c, rows)
	}
	cases, err := d.cases(ctx)
	if err != nil || slices.ContainsFunc(cases, func(k *loop.Case) bool { return k.Version == n }) {
		return err
	}
	alias := map[string]any{"name": demoProject, "alias": loop.CandidateAlias,
		"version": fmt.Sprint(n)}
	return d.client.do(ctx, http.MethodPost, "//p/"+demoProject+"/api/2.0/mlflow/registered-models/alias", alias, nil)
}

// versionOf returns the version that the colleague has registered, 0 for none.
func (d *demo) versionOf(ctx context.Context, c colleague) (int64, error) {
	var page fairlead.Page[*registry.Version]
	err := d.client.do(ctx, http.MethodGet, "/models/"+demoProject+"/versions", nil, &page)
	for _, v := range page.Items {
		if slices.Contains(v.Tags, registry.Tag{Key: "colleague", Value: c.script}) {
			return v.N, err
		}
	}
	return 0, err
}

// runColleague runs the script from a directory of its own, in an environment with
// the packages that the project uses.
func (d *demo) runColleague(ctx context.Context, c colleague, rows []sample) error {
	dir := filepath.Join(d.dir, "colleague")
	folder, err := fs.Sub(examples.FS, demoProject+"/colleague")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.CopyFS(dir, folder); err != nil {
		return err
	}
	table := filepath.Join(dir, "known.csv")
	if err := d.writeKnown(table, c.at); err != nil {
		return err
	}
	python, err := d.python(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python, c.script+".py", table)
	cmd.Dir = dir
	cmd.Env = append(colleagueEnv(os.Environ()), "MLFLOW_TRACKING_URI="+d.server.url+"/p/"+demoProject,
		"MLFLOW_TRACKING_TOKEN="+d.client.token)
	// It ends with a demo that is killed: the next one must not meet a script that
	// has still to register what it is about to register again.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the signal comes when the thread ends, not the process
	defer runtime.UnlockOSThread()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s.py: %w\n%s", c.script, err, out)
	}
	return nil
}

// colleagueEnv is the environment without what would send the colleague's mlflow client
// elsewhere than to the demo's server, or give Python other packages.
func colleagueEnv(environ []string) []string {
	kept := slices.DeleteFunc(slices.Clone(environ), func(v string) bool {
		name, _, _ := strings.Cut(strings.ToUpper(v), "=")
		return strings.HasPrefix(name, "MLFLOW_") || strings.HasPrefix(name, "PYTHON") ||
			strings.HasSuffix(name, "_PROXY")
	})
	return append(kept, "PYTHONDONTWRITEBYTECODE=1")
}

// writeKnown writes the rows whose counts are known at the given stream time: the
// history, and the traffic up to a day before.
func (d *demo) writeKnown(path string, at time.Time) error {
	history, err := os.ReadFile(filepath.Join(d.repository(), "data", "history.csv"))
	if err != nil {
		return err
	}
	traffic, err := os.ReadFile(d.traffic())
	if err != nil {
		return err
	}
	known := at.Add(-24 * time.Hour).Format("2006-01-02T15")
	var b strings.Builder
	b.Write(history)
	for i, line := range strings.SplitAfter(string(traffic), "\n") {
		if i > 0 && line != "" && line[:len(known)] < known {
			b.WriteString(line)
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// python returns the interpreter of an environment with the project's packages.
func (d *demo) python(ctx context.Context) (string, error) {
	text, err := os.ReadFile(filepath.Join(d.repository(), "requirements.txt"))
	if err != nil {
		return "", err
	}
	root, err := environmentsDir()
	if err != nil {
		return "", err
	}
	m, err := pyenv.New(pyenv.Options{Root: root})
	if err != nil {
		return "", err
	}
	env, err := m.Ensure(ctx, pyenv.Requirements{Text: string(text)}, nil)
	if err != nil {
		return "", err
	}
	return env.Python, nil
}

// follow tells of the project's events as they come, and on a terminal what runs,
// until it is stopped; then it tells the last ones.
func (d *demo) follow(ctx context.Context) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		after := d.lastEvent(ctx)
		for {
			after = d.tellNew(ctx, after)
			if d.say.terminal {
				d.say.now(d.doing(ctx))
			}
			select {
			case <-quit:
				rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainMax)
				defer cancel()
				d.tellNew(rest, after)
				return
			case <-time.After(300 * time.Millisecond):
			}
		}
	}()
	return func() { close(quit); <-done }
}

// drainMax bounds the telling of the last events, in wall time.
const drainMax = 2 * time.Second

// tellNew tells the events behind the given one, and returns the last.
func (d *demo) tellNew(ctx context.Context, after int64) int64 {
	for {
		var page fairlead.Page[*ledger.Record]
		err := d.client.do(ctx, http.MethodGet, fmt.Sprintf("/events?limit=1000&after=%d", after), nil,
			&page)
		if err != nil || len(page.Items) == 0 {
			return after
		}
		for _, r := range page.Items {
			after = r.Seq
			d.tell(r)
		}
	}
}

// doing says what the server works at, and how far the replay is.
func (d *demo) doing(ctx context.Context) string {
	var parts []string
	if told := d.replayed.Load(); told != nil {
		parts = append(parts, *told)
	}
	var page fairlead.Page[*rest.Job]
	if d.client.do(ctx, http.MethodGet, "/jobs?state=running&limit=5", nil, &page) == nil {
		for _, j := range page.Items {
			parts = append(parts, strings.TrimSpace(j.Kind+" "+says(j)))
		}
	}
	return strings.Join(parts, ", ")
}

// lastEvent is where a demo that goes on begins to tell.
func (d *demo) lastEvent(ctx context.Context) int64 {
	var last int64
	for {
		var page fairlead.Page[*ledger.Record]
		err := d.client.do(ctx, http.MethodGet, fmt.Sprintf("/events?limit=1000&after=%d", last), nil,
			&page)
		if err != nil || len(page.Items) == 0 {
			return last
		}
		last = page.Items[len(page.Items)-1].Seq
	}
}

// tell puts an event into words, with the newest stream time: what happens at wall
// time happens while the stream stands still.
func (d *demo) tell(r *ledger.Record) {
	if at := time.UnixMilli(r.AtMS).UTC(); at.Year() == dataYear {
		d.at = at
	}
	at := "before traffic"
	if !d.at.IsZero() {
		at = d.at.Format("2 January")
	}
	say := func(format string, args ...any) {
		d.say.line("%-14s  %s", at,
			fmt.Sprintf(format, args...))
	}
	switch r.Type {
	case event.DatasetVersionCreatedType:
		tell(r, func(e event.DatasetVersionCreated) {
			if e.Source != "split" {
				say("dataset %s version %d: %d rows from %s", e.Dataset, e.N, e.Rows, e.Source)
			}
		})
	case event.PipelineRunFinishedType:
		tell(r, func(e event.PipelineRunFinished) { say("pipeline %s: %s", e.State, e.Reason) })
	case event.ModelVersionConditionType:
		tell(r, func(e event.ModelVersionCondition) {
			if e.Condition == registry.ConditionPackaged {
				say("version %d is packaged: %s", e.Version, e.Reason)
			}
		})
	case event.GateDecidedType:
		tell(r, func(e event.GateDecided) {
			if len(e.Failed) > 0 {
				say("the gate stops version %d: %s", e.Version, strings.Join(e.Failed, ", "))
			} else {
				say("the gate: version %d %s", e.Version, e.Result)
			}
		})
	case event.RolloutStartedType, event.RolloutSteppedType, event.RolloutFinishedType:
		tell(r, func(e event.Rollout) {
			switch {
			case r.Type == event.RolloutFinishedType:
				say("version %d is %s: %s", e.To, inWords(e.Outcome), e.Reason)
			case e.Outcome == "":
				say("version %d goes to %g%% (%s)", e.To, e.Percent, e.Strategy)
			}
		})
	case event.IncidentOpenedType:
		tell(r, func(e event.Incident) {
			say("incident of %s: %.3g, limit %.3g; %s", e.Kind, e.Value, e.Limit, e.Reason)
		})
	case event.IncidentResolvedType:
		tell(r, func(e event.Incident) { say("the incident of %s is over: %s", e.Kind, e.Reason) })
	case event.CaseOpenedType, event.CaseClosedType:
		tell(r, func(e event.Case) {
			if e.Outcome != "" {
				say("case closed, %s: %s", inWords(e.Outcome), e.Reason)
			} else {
				say("case opened by %s", e.Cause)
			}
		})
	case event.ModelVersionRetiredType:
		tell(r, func(e event.ModelVersionRetired) {
			say("version %d is retired: %s", e.Version,
				e.Reason)
		})
	}
}

// tell decodes the event's body for fn; a body that cannot be read is not told.
func tell[T any](r *ledger.Record, fn func(T)) {
	var body T
	if r.Decode(&body) == nil {
		fn(body)
	}
}
