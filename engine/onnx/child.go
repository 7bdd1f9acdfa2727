package onnx

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"syscall"

	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/worker"
)

// The environment of a child process that runs a model.
const (
	childPackage = "FAIRLEAD_ONNX_PACKAGE"
	childLibrary = "FAIRLEAD_ONNX_LIBRARY"
)

// ownExecutable is this program, also when its file was replaced by a newer one.
const ownExecutable = "/proc/self/exe"

// childEnv is the child's environment. With GOTRACEBACK=crash a native crash ends
// it by a signal, and not with Go's exit status 2.
func childEnv(library, dir string) []string {
	return append(os.Environ(), childPackage+"="+dir, childLibrary+"="+library, "GOTRACEBACK=crash")
}

// ChildMain is the life of a child process that runs a model. It does nothing in
// any other process; main, and TestMain of a package that loads ONNX models, call it
// before anything else.
func ChildMain() {
	dir := os.Getenv(childPackage)
	if dir == "" {
		return
	}
	syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) // a core would hold requests
	err := worker.Serve(func() (engine.Predictor, engine.Signature, error) {
		return loadAndTry(dir, os.Getenv(childLibrary))
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func loadAndTry(dir, library string) (engine.Predictor, engine.Signature, error) {
	m, err := engine.ReadManifest(dir)
	if err != nil {
		return nil, engine.Signature{}, err
	}
	r, err := Open(library)
	if err != nil {
		return nil, m.Signature, err
	}
	model, err := r.Load(dir, m)
	if err == nil && m.Parity != nil && m.Parity.Worst != nil {
		err = repeat(model, m)
	}
	return model, m.Signature, err
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
