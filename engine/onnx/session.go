package onnx

import (
	"context"
	"fmt"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// session is a loaded model. It takes one tensor [rows, columns] of float32 or
// float64, or one tensor [rows, 1] for each column, of numbers or text, and answers
// with one output [rows] or [rows, k].
type session struct {
	runtime *Runtime
	mark    *mark // of what is under way
	sig     engine.Signature
	onnx    *ort.DynamicAdvancedSession
	inputs  []ort.InputOutputInfo
	single  bool
	width   int // of a float32 output whose shape is known; else 0
	rank    int // of that output
	free    chan *call

	mu     sync.RWMutex // held for reading during a call, for writing by Close
	closed bool
}

// call holds the buffers of one call in flight.
type call struct {
	rows    int
	in      numbers
	out     *ort.Tensor[float32]
	options *ort.RunOptions
}

// Load loads the ONNX model of a package directory into this process, with one
// thread a call. A package for another engine, or a model that does not fit its
// own signature, is Invalid.
func (r *Runtime) Load(dir string, m *engine.Manifest) (engine.Predictor, error) {
	content, err := readModel(dir, m)
	if err != nil {
		return nil, err
	}
	return r.load(content, m, new(mark))
}

// load loads a model under a mark, which is forgotten when it is unloaded.
func (r *Runtime) load(content []byte, m *engine.Manifest, mk *mark) (_ engine.Predictor, err error) {
	mk.calls.Add(1)
	defer func() {
		mk.calls.Add(-1)
		if err != nil {
			mk.forget()
		}
	}()
	inputs, outputs, err := ort.GetInputOutputInfoWithONNXData(content)
	if err != nil {
		return nil, notLoaded(err)
	}
	s := &session{
		runtime: r, mark: mk, sig: m.Signature, inputs: inputs, free: make(chan *call, r.most),
	}
	if err := s.fit(outputs); err != nil {
		return nil, err
	}
	options, err := sessionOptions()
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	s.onnx, err = ort.NewDynamicAdvancedSessionWithONNXData(
		content, names(inputs), names(outputs), options)
	if err != nil {
		return nil, notLoaded(err)
	}
	return s, nil
}

// notLoaded blames the model for what ONNX Runtime says of it, and the machine when
// that is about memory.
func notLoaded(err error) error {
	code := fairlead.Invalid
	if strings.Contains(err.Error(), "bad_alloc") || strings.Contains(err.Error(), "allocate memory") {
		code = fairlead.Unavailable
	}
	return fairlead.Errorf(code, "the ONNX model does not load: %w", err)
}

// fit checks the model's inputs and outputs against the signature.
func (s *session) fit(outputs []ort.InputOutputInfo) error {
	if len(outputs) != 1 {
		return fairlead.Errorf(fairlead.Invalid,
			"the ONNX model has %d outputs, and one is served", len(outputs))
	}
	if s.single = s.takesOneTensor(); s.single {
		s.rank = len(outputs[0].Dimensions)
		if outputs[0].DataType == ort.TensorElementDataTypeFloat {
			s.width = knownWidth(outputs[0].Dimensions)
		}
		return nil
	}
	for _, in := range s.inputs {
		if s.field(in.Name) < 0 {
			return fairlead.Errorf(fairlead.Invalid,
				"the ONNX model's input %q %v is not in its signature", in.Name, in.Dimensions)
		}
	}
	return nil
}

func (s *session) takesOneTensor() bool {
	if len(s.inputs) != 1 || s.inputs[0].DataType == ort.TensorElementDataTypeString {
		return false
	}
	shape := s.inputs[0].Dimensions
	return len(shape) == 2 && shape[1] == int64(len(s.sig.Inputs))
}

// knownWidth is the number of values a row of an output [rows] or [rows, k], and 0
// for any other shape.
func knownWidth(shape ort.Shape) int {
	switch {
	case len(shape) == 1:
		return 1
	case len(shape) == 2 && shape[1] > 0:
		return int(shape[1])
	}
	return 0
}

func (s *session) field(name string) int {
	for i := range s.sig.Inputs {
		if s.sig.Inputs[i].Name == name {
			return i
		}
	}
	return -1
}

func sessionOptions() (*ort.SessionOptions, error) {
	o, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("session options: %w", err)
	}
	for _, set := range []error{o.SetIntraOpNumThreads(1), o.SetInterOpNumThreads(1)} {
		if set != nil {
			o.Destroy()
			return nil, fmt.Errorf("session options: %w", set)
		}
	}
	return o, nil
}

func names(infos []ort.InputOutputInfo) []string {
	out := make([]string, len(infos))
	for i := range infos {
		out[i] = infos[i].Name
	}
	return out
}

// Predict runs the model on the batch, as the model's own type of number.
// Cancelling ctx terminates the run between two of the model's nodes.
func (s *session) Predict(ctx context.Context, in *engine.Frame) (*engine.Frame, error) {
	arranged, err := s.sig.Arrange(in)
	if err != nil {
		return nil, err
	}
	if err := s.runtime.calls.Acquire(ctx); err != nil {
		return nil, err
	}
	defer s.runtime.calls.Release(ctx)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, fairlead.Errorf(fairlead.Unavailable, "the model is being unloaded")
	}
	c, err := s.take()
	if err != nil {
		return nil, err
	}
	defer s.put(c)
	if s.single && s.width > 0 {
		return s.predictPooled(ctx, c, arranged)
	}
	return s.predictAny(ctx, c, arranged)
}

// predictPooled is the common case: one tensor in, one of float32 out, both kept.
func (s *session) predictPooled(
	ctx context.Context, c *call, f *engine.Frame,
) (*engine.Frame, error) {
	if err := s.resize(c, f.Rows); err != nil {
		return nil, err
	}
	c.in.fill(f)
	if err := s.run(ctx, c, []ort.Value{c.in}, []ort.Value{c.out}); err != nil {
		return nil, err
	}
	return frameOf(s.sig, c.out.GetData(), s.width, floatColumn), nil
}

// predictAny lets ONNX Runtime allocate the output: its type or shape is not known
// before, or the inputs are a tensor for each column.
func (s *session) predictAny(
	ctx context.Context, c *call, f *engine.Frame,
) (*engine.Frame, error) {
	inputs, err := s.tensors(f)
	defer destroy(inputs)
	if err != nil {
		return nil, err
	}
	outputs := []ort.Value{nil}
	if err := s.run(ctx, c, inputs, outputs); err != nil {
		return nil, err
	}
	defer destroy(outputs)
	return s.read(outputs[0], f.Rows)
}

// read turns an output [rows] or [rows, k] into columns.
func (s *session) read(out ort.Value, rows int) (*engine.Frame, error) {
	shape := out.GetShape()
	if len(shape) == 0 || len(shape) > 2 || shape[0] != int64(rows) || shape[len(shape)-1] < 1 {
		return nil, fairlead.Errorf(fairlead.Internal,
			"the ONNX model answered %d rows with an output of shape %v", rows, shape)
	}
	k := 1
	if len(shape) == 2 {
		k = int(shape[1])
	}
	switch t := out.(type) {
	case *ort.Tensor[float32]:
		return frameOf(s.sig, t.GetData(), k, floatColumn), nil
	case *ort.Tensor[float64]:
		return frameOf(s.sig, t.GetData(), k, floatColumn), nil
	case *ort.Tensor[int64]:
		return frameOf(s.sig, t.GetData(), k, intColumn), nil
	case *ort.StringTensor:
		texts, err := t.GetContents()
		if err != nil {
			return nil, fmt.Errorf("read ONNX output: %w", err)
		}
		return frameOf(s.sig, texts, k, textColumn), nil
	}
	return nil, fairlead.Errorf(fairlead.Unimplemented,
		"the ONNX model answers with %T, which is not served", out)
}

// run runs the model, and terminates it when ctx ends.
func (s *session) run(ctx context.Context, c *call, in, out []ort.Value) error {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.options.Terminate()
		close(fired)
	})
	s.mark.calls.Add(1)
	err := s.onnx.RunWithOptions(in, out, c.options)
	s.mark.calls.Add(-1)
	if !stop() {
		<-fired
		c.options.UnsetTerminate()
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fairlead.Errorf(fairlead.Internal, "the ONNX model failed on this request: %w", err)
}

// tensors returns the inputs that the model asks for, in its order.
func (s *session) tensors(f *engine.Frame) ([]ort.Value, error) {
	if s.single {
		t, err := newNumbers(s.inputs[0].DataType, f.Rows, len(f.Columns))
		if err != nil {
			return nil, err
		}
		t.fill(f)
		return []ort.Value{t}, nil
	}
	var values []ort.Value
	for _, in := range s.inputs {
		v, err := columnTensor(in.DataType, &f.Columns[s.field(in.Name)], f.Rows)
		if err != nil {
			return values, fmt.Errorf("ONNX input %s: %w", in.Name, err)
		}
		values = append(values, v)
	}
	return values, nil
}

func columnTensor(kind ort.TensorElementDataType, c *engine.Column, rows int) (ort.Value, error) {
	if kind != ort.TensorElementDataTypeString {
		t, err := newNumbers(kind, rows, 1)
		if err != nil {
			return nil, err
		}
		t.fill(&engine.Frame{Columns: []engine.Column{*c}, Rows: rows})
		return t, nil
	}
	t, err := ort.NewStringTensor(ort.NewShape(int64(rows), 1))
	if err != nil {
		return nil, err
	}
	if err := t.SetContents(c.Strings); err != nil {
		t.Destroy()
		return nil, err
	}
	return t, nil
}

// frameOf turns row-major values, k in each row, into columns.
func frameOf[T any](
	sig engine.Signature, data []T, k int, column func(name string, data []T, j, k int) engine.Column,
) *engine.Frame {
	columns := make([]engine.Column, k)
	for j := range columns {
		columns[j] = column(sig.OutputName(j, k), data, j, k)
	}
	return engine.NewFrame(columns...)
}

// floatColumn takes the j-th of each k values, as do intColumn and textColumn.
func floatColumn[T float32 | float64](name string, data []T, j, k int) engine.Column {
	values := make([]float64, len(data)/k)
	for i := range values {
		values[i] = float64(data[i*k+j])
	}
	return engine.Floats64(name, values...)
}

func intColumn(name string, data []int64, j, k int) engine.Column {
	return engine.Ints64(name, every(data, j, k)...)
}

func textColumn(name string, data []string, j, k int) engine.Column {
	return engine.Strings(name, every(data, j, k)...)
}

func every[T any](data []T, j, k int) []T {
	values := make([]T, len(data)/k)
	for i := range values {
		values[i] = data[i*k+j]
	}
	return values
}

func (s *session) take() (*call, error) {
	select {
	case c := <-s.free:
		return c, nil
	default:
	}
	options, err := ort.NewRunOptions()
	if err != nil {
		return nil, fmt.Errorf("ONNX run options: %w", err)
	}
	return &call{options: options}, nil
}

func (s *session) put(c *call) {
	select {
	case s.free <- c:
	default:
		c.destroy()
	}
}

// resize gives the call buffers for a number of rows; the last size is kept.
func (s *session) resize(c *call, rows int) error {
	if c.rows == rows {
		return nil
	}
	c.release()
	var err error
	if c.in, err = newNumbers(s.inputs[0].DataType, rows, len(s.sig.Inputs)); err != nil {
		return err
	}
	shape := ort.NewShape(int64(rows), int64(s.width))
	if c.out, err = ort.NewEmptyTensor[float32](shape[:s.rank]); err != nil {
		return fmt.Errorf("ONNX output: %w", err)
	}
	c.rows = rows
	return nil
}

func (c *call) release() {
	if c.in != nil {
		c.in.Destroy()
	}
	if c.out != nil {
		c.out.Destroy()
	}
	c.in, c.out, c.rows = nil, nil, 0
}

func (c *call) destroy() {
	c.release()
	c.options.Destroy()
}

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}

// Close waits for the calls in flight and unloads the model. It is idempotent.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for len(s.free) > 0 {
		(<-s.free).destroy()
	}
	s.mark.calls.Add(1)
	defer s.mark.forget()
	defer s.mark.calls.Add(-1)
	return s.onnx.Destroy()
}
