package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/engine"
)

// predictFlags say how an endpoint is asked.
type predictFlags struct {
	version int64
	trial   bool
}

// predicted is an answer of the Open Inference Protocol.
type predicted struct {
	Version string   `json:"model_version"`
	ID      string   `json:"id"`
	Outputs []tensor `json:"outputs"`
}

func (c *cli) predictCommand() *cobra.Command {
	var f predictFlags
	cmd := &cobra.Command{
		Use:   "predict ENDPOINT [ROWS]",
		Short: "Ask an endpoint for predictions",
		Long: `Predict sends rows to an endpoint and prints what it answers. ROWS is JSON, an object for
one row or a list of them, and comes from the standard input without it. The request is
logged like any other, unless it is a --trial.`,
		Example: `  fairlead predict flight-delays '{"carrier":"UA","distance":1400}'
  fairlead predict flight-delays@production --version 3 --trial   # rows from the standard input`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := rowsOf(cmd.InOrStdin(), args[1:])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(cl *client) error {
				out, err := f.ask(cmd.Context(), cl, args[0], rows)
				if err != nil {
					return err
				}
				return c.print(out, func(w io.Writer) { out.print(w, len(rows)) })
			})
		},
	}
	cmd.Flags().Int64Var(&f.version, "version", 0, "ask this version, and not the one that is routed to")
	cmd.Flags().BoolVar(&f.trial, "trial", false, "leave no trace: it is not logged, scored or counted")
	return cmd
}

// rowsOf reads the rows of an argument, or of in without one.
func rowsOf(in io.Reader, args []string) (rows []map[string]any, err error) {
	if len(args) > 0 {
		in = bytes.NewReader([]byte(args[0]))
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '{' {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&rows); err != nil || d.More() || len(rows) == 0 {
		return nil, usage(`the rows must be JSON such as {"a": 1} or [{"a": 1}, {"a": 2}]`)
	}
	return rows, nil
}

// ask sends the rows with the datatypes that the version's inputs have.
func (f predictFlags) ask(ctx context.Context, cl *client, endpoint string, rows []map[string]any) (
	out *predicted, err error) {
	var form rest.Form
	path := "/endpoints/" + url.PathEscape(endpoint) + "/form"
	model := "//p/" + url.PathEscape(cl.project) + "/v2/models/" + url.PathEscape(endpoint)
	if f.version != 0 {
		n := strconv.FormatInt(f.version, 10)
		path, model = path+"?version="+n, model+"/versions/"+n
	}
	if err := cl.do(ctx, http.MethodGet, path, nil, &form); err != nil {
		return nil, err
	}
	request := map[string]any{"inputs": tensorsOf(form, rows)}
	if f.trial {
		request["parameters"] = map[string]bool{"trial": true}
	}
	return out, cl.do(ctx, http.MethodPost, model+"/infer", request, &out)
}

// datatypes are the protocol's names of the kinds that are no text.
var datatypes = map[engine.Kind]string{engine.Double: "FP64", engine.Float: "FP32",
	engine.Long: "INT64", engine.Integer: "INT32", engine.Boolean: "BOOL"}

// tensorsOf returns the columns of the rows. The server says what is wrong with them; what
// the model has not is sent too, so that a misspelt name is named.
func tensorsOf(form rest.Form, rows []map[string]any) (out []tensor) {
	kinds := map[string]engine.Kind{}
	for _, in := range form.Inputs {
		kinds[in.Name] = in.Kind
	}
	seen := map[string]bool{}
	for _, row := range rows {
		for name := range row {
			seen[name] = true
		}
	}
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t := tensor{Name: name, Shape: []int{len(rows)}, Datatype: "BYTES"}
		if known, numeric := datatypes[kinds[name]]; numeric {
			t.Datatype = known
		}
		for _, row := range rows {
			t.Data = append(t.Data, cellOf(row[name], t.Datatype))
		}
		out = append(out, t)
	}
	return out
}

// cellOf writes a value that the model has no input for as text.
func cellOf(v any, datatype string) any {
	if _, text := v.(string); text || v == nil || datatype != "BYTES" {
		return v
	}
	return fmt.Sprint(v)
}

func (p *predicted) print(w io.Writer, rows int) {
	head := []string{"ROW"}
	for _, o := range p.Outputs {
		head = append(head, o.Name)
	}
	tw := table(w, head...)
	for i := range rows {
		cells := []any{i + 1}
		for _, o := range p.Outputs {
			if i < len(o.Data) {
				cells = append(cells, o.Data[i])
			}
		}
		tw.row(cells...)
	}
	tw.flush()
	fmt.Fprintf(w, "\nversion %s answered request %s\n", p.Version, p.ID)
}
