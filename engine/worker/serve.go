package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// Socket is the file descriptor of the worker's end of the socket.
const Socket = 3

// Loader loads the model of a worker process, and says what it takes.
type Loader func() (engine.Predictor, engine.Signature, error)

// Serve is a worker process's life: it loads the model, says so, and answers
// requests, one after another, until the server closes the socket.
func Serve(load Loader) error {
	conn := os.NewFile(Socket, "socket")
	defer conn.Close()
	return serve(conn, load)
}

func serve(conn io.ReadWriter, load Loader) error {
	model, sig, err := load()
	if err != nil {
		return errors.Join(err, send(conn, failed(err), &engine.Frame{}))
	}
	defer model.Close()
	if err := send(conn, response{Ready: true}, &engine.Frame{}); err != nil {
		return err
	}
	for {
		var req request
		req.body, err = readMessage(conn, &req)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := answerOne(conn, model, sig, &req); err != nil {
			return err
		}
	}
}

func answerOne(conn io.Writer, model engine.Predictor, sig engine.Signature, req *request) error {
	in, err := req.frame(sig)
	if err != nil {
		return err
	}
	out, err := model.Predict(context.Background(), in)
	if err != nil {
		return send(conn, failed(err), &engine.Frame{})
	}
	resp := response{Rows: out.Rows, Columns: make([]responseColumn, len(out.Columns))}
	for i := range out.Columns {
		c := &out.Columns[i]
		data, err := describe(c)
		if err != nil {
			return send(conn, failed(err), &engine.Frame{})
		}
		resp.Columns[i] = responseColumn{Name: c.Name, Kind: c.Kind, Data: data}
	}
	return send(conn, resp, out)
}

// failed is the answer where there is none.
func failed(err error) response {
	return response{Error: &responseError{Code: fairlead.CodeOf(err), Message: err.Error()}}
}

func send(conn io.Writer, resp response, body *engine.Frame) error {
	msg, err := encode(resp, body)
	if err == nil {
		_, err = conn.Write(msg)
	}
	return err
}

// frame decodes a request whose columns are the signature's inputs.
func (r *request) frame(sig engine.Signature) (*engine.Frame, error) {
	if len(r.Columns) != len(sig.Inputs) {
		return nil, fmt.Errorf("the request has %d columns, and the model %d",
			len(r.Columns), len(sig.Inputs))
	}
	f := &engine.Frame{Rows: r.Rows, Columns: make([]engine.Column, len(r.Columns))}
	body := r.body
	for i, data := range r.Columns {
		c := engine.Column{Name: sig.Inputs[i].Name, Kind: sig.Inputs[i].Kind}
		var err error
		if body, err = fill(&c, data, body, r.Rows); err != nil {
			return nil, fmt.Errorf("the request's column %q: %w", c.Name, err)
		}
		f.Columns[i] = c
	}
	return f, nil
}
