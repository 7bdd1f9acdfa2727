package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/child"
	"github.com/fairlead-ml/fairlead/engine/worker"
)

// TestMain is also the worker's process, and the server that
// TestWorker_DiesWithItsServer kills.
func TestMain(m *testing.M) {
	if how := os.Getenv("TEST_WORKER"); how != "" {
		worker.Serve(func() (engine.Predictor, engine.Signature, error) { return load(how) })
		os.Exit(0)
	}
	if fifo := os.Getenv("TEST_SERVER"); fifo != "" {
		w, err := worker.Start(context.Background(), options(os.Getenv("TEST_DIR"), "ready"))
		if err == nil {
			_, err = w.Predict(context.Background(), ask("busy "+fifo))
		}
		fmt.Fprintln(os.Stderr, "the server ended by itself:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var signature = engine.Signature{
	Inputs: []engine.Field{
		{Name: "what", Kind: engine.String, Required: true}, {Name: "x", Kind: engine.Double},
		{Name: "i", Kind: engine.Long}, {Name: "b", Kind: engine.Boolean}},
	Outputs: []engine.Field{{Name: "riders", Kind: engine.Double}},
}

// load fails as it is told.
func load(how string) (engine.Predictor, engine.Signature, error) {
	switch how {
	case "refuse":
		return nil, signature, errors.New("the model lacks a head")
	case "full":
		return nil, signature, fairlead.Errorf(fairlead.Unavailable, "no memory is left")
	case "exit":
		os.Exit(1)
	case "killed":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "crash":
		syscall.Kill(os.Getpid(), syscall.SIGSEGV)
	case "once": // loads, but never again
		if _, err := os.Stat("once"); err == nil {
			return nil, signature, errors.New("the weights are gone")
		}
		os.WriteFile("once", nil, 0o644)
	}
	return model{}, signature, nil
}

// model does what its column "what" says, on the first row.
type model struct{}

func (model) Close() error { return nil }

func (model) Predict(_ context.Context, in *engine.Frame) (*engine.Frame, error) {
	what, rest, _ := strings.Cut(in.Columns[0].Strings[0], " ")
	switch what {
	case "refuse":
		return nil, fairlead.Errorf(fairlead.Invalid, "no such flight")
	case "fail":
		return nil, errors.New("no such flight")
	case "exit":
		os.Exit(7)
	case "killed":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "crash":
		*(*int)(nil) = 1
	case "hang":
		select {}
	case "wait": // until the other end of the FIFO closes
		os.ReadFile(rest)
	case "busy": // deaf to the socket, with the FIFO open
		f, _ := os.OpenFile(rest, os.O_WRONLY, 0)
		f.Write([]byte("x"))
		select {}
	case "print":
		fmt.Println(strings.Repeat("x", 100_000))
	case "pid":
		return engine.NewFrame(engine.Ints64("riders", int64(os.Getpid()))), nil
	case "echo":
		return in, nil
	}
	out := make([]float64, in.Rows)
	for i, v := range in.Columns[1].Floats {
		out[i] = v + 1
	}
	return engine.NewFrame(engine.Floats64("riders", out...)), nil
}

func options(dir, how string) worker.Options {
	return worker.Options{Path: "/proc/self/exe", Signature: signature, Dir: dir,
		Env:     append(os.Environ(), "TEST_WORKER="+how, "TEST_SERVER=", "GOTRACEBACK=crash"),
		Backoff: time.Millisecond}
}

func start(t *testing.T, change func(*worker.Options)) *worker.Worker {
	t.Helper()
	opts := options(t.TempDir(), "ready")
	if change != nil {
		change(&opts)
	}
	w, err := worker.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func ask(what string, x ...float64) *engine.Frame {
	if len(x) == 0 {
		x = []float64{1}
	}
	words := make([]string, len(x))
	for i := range words {
		words[i] = what
	}
	return engine.NewFrame(engine.Strings("what", words...), engine.Floats64("x", x...))
}

func pid(t *testing.T, w *worker.Worker) int {
	t.Helper()
	out, err := w.Predict(t.Context(), ask("pid"))
	if err != nil {
		t.Fatal(err)
	}
	return int(out.Columns[0].Ints[0])
}

func TestServe_KeepsTypesAndMissingValues(t *testing.T) {
	t.Parallel()
	big := int64(1)<<62 + 1
	in := engine.NewFrame(
		engine.Strings("what", "echo", "é<"), engine.Floats64("x", 0.1, math.NaN()),
		engine.Ints64("i", big, -big),
		engine.Column{Name: "b", Kind: engine.Boolean, Floats: []float64{1, 0}})
	out, err := start(t, nil).Predict(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]any{
		"what": {"echo", "é<"}, "x": {0.1, nil}, "i": {big, -big}, "b": {true, false}}
	for name, v := range want {
		if c := out.Column(name); c.Value(0) != v[0] || c.Value(1) != v[1] {
			t.Errorf("%s: %v, %v", name, c.Value(0), c.Value(1))
		}
	}
}

func TestPredict_SaysWhoseFaultAFailureIs(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	before := pid(t, w)
	for what, code := range map[string]fairlead.Code{
		"refuse": fairlead.Invalid, "fail": fairlead.Internal} {
		_, err := w.Predict(t.Context(), ask(what))
		if !fairlead.Is(err, code) || !strings.Contains(err.Error(), "no such flight") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if pid(t, w) != before {
		t.Error("a failure restarted the worker")
	}
}

func TestPredict_RestartsAWorkerThatDied(t *testing.T) {
	t.Parallel()
	var crashed []bool
	w := start(t, func(o *worker.Options) {
		o.Ended = func(s *os.ProcessState) { crashed = append(crashed, child.Crashed(s)) }
	})
	for _, what := range []string{"killed", "exit", "crash"} {
		if _, err := w.Predict(t.Context(), ask("x")); err != nil {
			t.Fatal(err)
		}
		_, err := w.Predict(t.Context(), ask(what))
		if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "died") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if out, err := w.Predict(t.Context(), ask("x")); err != nil || out.Columns[0].Floats[0] != 2 {
		t.Errorf("after three deaths: %v", err)
	}
	w.Close()
	if fmt.Sprint(crashed) != "[false false true]" {
		t.Errorf("crashed: %v", crashed)
	}
}

func TestHealth_SaysWhyRestartsDoNotHelp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	opts := options(dir, "once")
	opts.Backoff = time.Minute
	w, err := worker.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Predict(t.Context(), ask("x")); err != nil || w.Health() != nil {
		t.Fatal(err, w.Health())
	}
	for _, want := range []string{"died", "weights are gone", "weights are gone"} {
		_, err := w.Predict(t.Context(), ask("killed"))
		if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("wanted %q, got %v", want, err)
		}
	}
	if err := w.Health(); err == nil || !strings.Contains(err.Error(), "weights are gone") {
		t.Errorf("health: %v", err)
	}
}

func TestHealth_SaysWhyUntilACallIsAnswered(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	for range 3 {
		for { // it is refused between two lives
			_, err := w.Predict(t.Context(), ask("crash"))
			if !fairlead.Is(err, fairlead.Unavailable) {
				t.Fatal(err)
			}
			if strings.Contains(err.Error(), "died") {
				break
			}
		}
	}
	fifo, answered := makeFIFO(t), make(chan error, 1)
	go func() {
		_, err := w.Predict(t.Context(), ask("wait "+fifo))
		for err != nil && strings.Contains(err.Error(), "again and again") {
			_, err = w.Predict(t.Context(), ask("wait "+fifo))
		}
		answered <- err
	}()
	end, err := os.OpenFile(fifo, os.O_WRONLY, 0) // the model is loaded, and inside a call
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Health(); err == nil || !strings.Contains(err.Error(), "again and again") {
		t.Errorf("before an answer: %v", err)
	}
	end.Close()
	if err := <-answered; err != nil || w.Health() != nil {
		t.Errorf("the answer: %v, health %v", err, w.Health())
	}
}

func TestPredict_KeepsTheWorkerOfACallThatWasGivenUp(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	before := pid(t, w)
	ctx, cancel := context.WithCancel(t.Context())
	given, release := blocked(t, ctx, w)
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	release()
	if pid(t, w) != before {
		t.Error("the worker was restarted")
	}
}

// blocked begins a call that lasts until release, and returns when the model is
// inside it.
func blocked(t *testing.T, ctx context.Context, w *worker.Worker) (<-chan error, func()) {
	t.Helper()
	fifo := makeFIFO(t)
	given := make(chan error, 1)
	go func() {
		_, err := w.Predict(ctx, ask("wait "+fifo))
		given <- err
	}()
	end, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return given, func() { end.Close() }
}

func makeFIFO(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPredict_RefusesMoreCallsThanMayWait(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *worker.Options) { o.Queue = 2 })
	first, release := blocked(t, t.Context(), w)
	behind := engine.Background(t.Context())
	if _, err := w.Predict(behind, ask("x")); !fairlead.Is(err, fairlead.Exhausted) {
		t.Errorf("in the background: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wait sync.WaitGroup
	for range 4 { // one of them waits; the others are refused, and end that
		wait.Go(func() {
			_, err := w.Predict(ctx, ask("x"))
			if !fairlead.Is(err, fairlead.Exhausted) && !errors.Is(err, context.Canceled) {
				t.Errorf("one too many: %v", err)
			}
			cancel()
		})
	}
	wait.Wait()
	release()
	if err := <-first; err != nil {
		t.Error(err)
	}
	if _, err := w.Predict(behind, ask("x")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestPredict_RecyclesAWorkerThatIsTooSlow(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *worker.Options) { o.Timeout = 2 * time.Second })
	before := pid(t, w)
	_, err := w.Predict(t.Context(), ask("hang"))
	if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "took longer") {
		t.Fatalf("got %v", err)
	}
	if syscall.Kill(before, 0) == nil {
		t.Error("the hanging process lives on")
	}
}

func TestPredict_TakesCallersOneAfterAnother(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			out, err := w.Predict(t.Context(), ask("x", float64(i)))
			if err != nil || out.Columns[0].Floats[0] != float64(i+1) {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	wg.Wait()
}

func TestClose_EndsTheProcessAndThoseWhoWait(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	before := pid(t, w)
	first, release := blocked(t, t.Context(), w)
	defer release()
	second := make(chan error, 1)
	go func() {
		_, err := w.Predict(t.Context(), ask("x"))
		second <- err
	}()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if syscall.Kill(before, 0) == nil {
		t.Error("the process lives on")
	}
	for _, err := range []error{<-first, <-second} {
		if !fairlead.Is(err, fairlead.Unavailable) {
			t.Errorf("during Close: %v", err)
		}
	}
	if _, err := w.Predict(t.Context(), ask("x")); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}

func TestWorker_CapsItsLog(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	dir := t.TempDir()
	w := start(t, func(o *worker.Options) { o.LogBytes, o.Dir = limit, dir })
	for range 5 {
		if _, err := w.Predict(t.Context(), ask("print")); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	total := int64(0)
	for _, name := range []string{"worker.log", "worker.log.1"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > limit {
		t.Errorf("logs of %d bytes", total)
	}
}

func TestStart_TellsTheModelsFaultFromTheMachines(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		code fairlead.Code
		want string
	}{
		"refuse": {fairlead.Invalid, "lacks a head"},
		"exit":   {fairlead.Invalid, "exit status 1"},
		"crash":  {fairlead.Invalid, "signal"},
		"killed": {fairlead.Unavailable, "signal: killed"},
		"full":   {fairlead.Unavailable, "no memory is left"},
	}
	for how, c := range cases {
		_, err := worker.Start(t.Context(), options(t.TempDir(), how))
		if !fairlead.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", how, err)
		}
	}
	opts := options(t.TempDir(), "ready")
	opts.Path = "/nonexistent"
	if _, err := worker.Start(t.Context(), opts); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("no program: %v", err)
	}
}

func TestWorker_DiesWithItsServer(t *testing.T) {
	t.Parallel()
	fifo := makeFIFO(t)
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), "TEST_SERVER="+fifo, "TEST_DIR="+t.TempDir())
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	alive, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if _, err := io.ReadFull(alive, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	server.Process.Kill()
	server.Wait()
	// The worker held the only other end: the read ends when it is gone.
	if _, err := io.ReadAll(alive); err != nil {
		t.Error(err)
	}
}
