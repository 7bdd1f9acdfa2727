package onnx_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/onnx"
	"github.com/fairlead-ml/fairlead/engine/worker"
)

// serveOnce is a server for the data directory dir: it loads the package, says in
// which way, answers each x of TEST_CALLS, and ends as TEST_END says.
func serveOnce(dir string) {
	if err := callOnce(dir); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func callOnce(dir string) error {
	e := onnx.New(onnx.Options{Library: os.Getenv("TEST_LIBRARY"), Dir: dir})
	m, err := engine.ReadManifest(os.Getenv("TEST_PACKAGE"))
	if err != nil {
		return err
	}
	p, err := e.Load(context.Background(), os.Getenv("TEST_PACKAGE"), m)
	if err != nil {
		return err
	}
	if _, ok := p.(*worker.Worker); ok {
		fmt.Println("apart", e.Apart())
	} else {
		fmt.Println("inside", e.Apart())
	}
	for call := range strings.FieldsSeq(os.Getenv("TEST_CALLS")) {
		v, _ := strconv.ParseFloat(call, 64)
		if _, err := p.Predict(context.Background(), x(v)); err != nil {
			fmt.Println(fairlead.CodeOf(err))
		} else {
			fmt.Println("answered")
		}
	}
	if os.Getenv("TEST_END") == "abruptly" {
		os.Exit(0)
	}
	return p.Close()
}

// server runs serveOnce in a process of its own, and returns what it said.
func server(t *testing.T, dir, pkg, end string, calls ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_SERVER="+dir, "TEST_LIBRARY="+open(t).Path(),
		"TEST_PACKAGE="+pkg, "TEST_CALLS="+strings.Join(calls, " "), "TEST_END="+end)
	out, err := cmd.Output()
	said := strings.Fields(string(out))
	if err != nil {
		said = append(said, "died")
	}
	return strings.Join(said, " ")
}

// The model "crash" divides by x, and -1 makes the processor trap.
func TestEngine_KeepsAModelThatCrashesInAChild(t *testing.T) {
	data := t.TempDir()
	pkg, _ := raw(t, "crash")
	other, _ := raw(t, "loop")
	steps := []struct{ pkg, end, calls, want string }{
		{pkg, "", "5", "inside 0 answered"},
		{pkg, "", "5 -1 5", "inside 0 answered died"},
		{other, "", "2", "inside 1 answered"},                        // is no suspect
		{pkg, "", "5", "apart 1 answered"},                           // on suspicion, and cleared
		{pkg, "", "5 -1", "inside 0 answered died"},                  // again
		{pkg, "", "5 -1 5", "apart 1 answered unavailable answered"}, // found out
		{pkg, "abruptly", "5 -1 5", "apart 1 answered unavailable answered"},
		{pkg, "", "5", "apart 1 answered"},            // for good
		{other, "abruptly", "2", "inside 1 answered"}, // dies between two calls
		{other, "", "2", "inside 1 answered"},
	}
	for i, s := range steps {
		if got := server(t, data, s.pkg, s.end, strings.Fields(s.calls)...); got != s.want {
			t.Fatalf("server %d: %s, not %s", i, got, s.want)
		}
	}
}

// A server that is killed in the middle of a call says nothing about the model.
func TestEngine_TakesAModelBackAfterAKill(t *testing.T) {
	data := t.TempDir()
	pkg, _ := raw(t, "loop")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEST_SERVER="+data, "TEST_LIBRARY="+open(t).Path(),
		"TEST_PACKAGE="+pkg, fmt.Sprint("TEST_CALLS=2 ", forever))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "answered"; {
	}
	for calls := uint32(0); calls == 0; time.Sleep(time.Millisecond) { // until the second one runs
		b, err := os.ReadFile(filepath.Join(data, "models.marks"))
		if err != nil {
			t.Fatal(err)
		}
		calls = binary.LittleEndian.Uint32(b[64+32+4:]) // of the first mark
	}
	cmd.Process.Kill()
	cmd.Wait()
	for i, want := range []string{"apart 1 answered", "inside 0 answered"} {
		if got := server(t, data, pkg, "", "2"); got != want {
			t.Errorf("server %d after the kill: %s, not %s", i, got, want)
		}
	}
}

func TestEngine_RefusesWhatDoesNotAnswerAsRecorded(t *testing.T) {
	dir, m := raw(t, "loop")
	data := t.TempDir()
	e := onnx.New(onnx.Options{Library: open(t).Path(), Dir: data})
	m.Parity = &engine.Parity{Rows: 1, Tolerance: 1e-5,
		Worst: &engine.ParityRow{Inputs: map[string]any{"x": 3.0}, Python: 24, ONNX: 24}}
	load := func(ctx context.Context) (engine.Predictor, error) {
		if err := m.Write(dir); err != nil {
			t.Fatal(err)
		}
		return e.Load(ctx, dir, m)
	}
	p, err := load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(filepath.Join(data, "workers")); len(left) != 0 {
		t.Errorf("the trial left %v", left)
	}
	m.Parity.Worst.ONNX = 25
	_, err = load(t.Context())
	if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), "when it was packaged") {
		t.Errorf("another answer: %v", err)
	}
	m.Parity.Worst.ONNX, m.Parity.Worst.Inputs["x"] = 24, forever
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := load(ctx); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("without end: %v", err)
	}
}
