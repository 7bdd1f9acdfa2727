package onnx

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// The environment of a probe's child process.
const (
	probeDir     = "FAIRLEAD_PROBE"
	probeLibrary = "FAIRLEAD_PROBE_LIBRARY"

	exitRefused = 3 // the model is at fault; standard output says why
)

// ownExecutable is this program, also when its file was replaced by a newer one.
const ownExecutable = "/proc/self/exe"

// Probe loads the package in dir with the library, warms it, and repeats the row
// that its parity check found worst, all in a child process: the executable exe
// (empty: this one), whose main must call ProbeMain first. A model that crashes,
// or does not answer as recorded, is Invalid; one that hangs until ctx ends is
// Unavailable.
func Probe(ctx context.Context, exe, library, dir string) error {
	if exe == "" {
		exe = ownExecutable
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), probeDir+"="+dir, probeLibrary+"="+library)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	err := cmd.Run()
	said := strings.TrimSpace(stdout.String())
	switch {
	case err == nil:
		return nil
	case ctx.Err() == context.DeadlineExceeded:
		return fairlead.Errorf(fairlead.Unavailable,
			"the ONNX model did not answer in time when it was tried")
	case ctx.Err() != nil:
		return ctx.Err()
	case cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == exitRefused:
		return fairlead.Errorf(fairlead.Invalid,
			"the ONNX model was refused when it was tried: %s", said)
	case cmd.ProcessState != nil:
		return fairlead.Errorf(fairlead.Invalid,
			"the ONNX model ended its process when it was tried (%s)", err)
	}
	return fmt.Errorf("probe: %w", err)
}

// ProbeMain is the child's side of Probe. It does nothing in any other process;
// main, and TestMain of a package that probes, call it before anything else.
func ProbeMain() {
	dir := os.Getenv(probeDir)
	if dir == "" {
		return
	}
	if err := probe(dir, os.Getenv(probeLibrary)); err != nil {
		fmt.Println(err)
		os.Exit(exitRefused)
	}
	os.Exit(0)
}

func probe(dir, library string) error {
	m, err := engine.ReadManifest(dir)
	if err != nil {
		return err
	}
	r, err := Open(library)
	if err != nil {
		return err
	}
	model, err := r.Load(dir, m)
	if err != nil {
		return err
	}
	defer model.Close()
	if m.Parity == nil || m.Parity.Worst == nil {
		return nil
	}
	return repeat(model, m)
}

// repeat predicts the recorded row and compares the answer with the recorded one.
func repeat(model engine.Predictor, m *engine.Manifest) error {
	frame, err := recordedFrame(m)
	if err != nil {
		return err
	}
	out, err := model.Predict(context.Background(), frame)
	if err != nil {
		return err
	}
	want := float64(m.Parity.Worst.ONNX)
	for i := range out.Columns {
		c := &out.Columns[i]
		if !c.Kind.Numeric() || math.IsNaN(want) {
			return nil // labels, or a missing answer: there is no number to compare
		}
		if math.Abs(c.Floats[0]-want) <= m.Parity.Tolerance*math.Max(1, math.Abs(want)) {
			return nil
		}
	}
	return fmt.Errorf("it answers %v to the recorded row %d, and answered %v when it was packaged",
		out.Columns[0].Value(0), m.Parity.Worst.Index, want)
}

// recordedFrame is the worst row of the parity check as a batch of one.
func recordedFrame(m *engine.Manifest) (*engine.Frame, error) {
	f := &engine.Frame{Rows: 1}
	for _, field := range m.Signature.Inputs {
		v, ok := m.Parity.Worst.Inputs[field.Name]
		c := engine.Column{Name: field.Name, Kind: field.Kind}
		switch v := v.(type) {
		case nil:
			if !ok && field.Required {
				return nil, fmt.Errorf("the recorded row lacks %q", field.Name)
			}
			continue
		case bool:
			c.Floats = []float64{0}
			if v {
				c.Floats[0] = 1
			}
		case float64:
			c.Floats = []float64{v}
		case string:
			c.Strings = []string{v}
		default:
			b, _ := json.Marshal(v)
			return nil, fmt.Errorf("the recorded row has %s in %q", b, field.Name)
		}
		f.Columns = append(f.Columns, c)
	}
	return f, nil
}
