package rest

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/data/query"
)

// The bounds of an answer to a query.
const (
	queryRows  = 1000
	queryBytes = 16 << 20 // of its rows as JSON
	queryCell  = 16 << 10 // of a text
	csvRows    = 1_000_000
	csvBytes   = 256 << 20
	queryBody  = 2*query.MaxSQL + smallBody // of a request: JSON may write a character as several
)

// QueryRequest is SQL over the project's datasets.
type QueryRequest struct {
	SQL    string `json:"sql" doc:"one SELECT; a dataset's name is its newest version, \"name/3\" is version 3"`
	Limit  int64  `json:"limit,omitempty" minimum:"1" maximum:"10000" doc:"rows of the answer; default 1000"`
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"why a holdout is read, where the query names one: that is recorded"`
}

// QueryAnswer is what a query came to.
type QueryAnswer struct {
	Columns   []query.Column    `json:"columns"`
	Rows      []json.RawMessage `json:"rows" doc:"each is an array in the order of the columns; whole numbers beyond 2^53-1 and decimals are texts"`
	Cut       string            `json:"cut,omitempty" enum:"rows,bytes" doc:"there are more rows, which the limit or the bytes left out"`
	CutCells  int64             `json:"cut_cells,omitempty" doc:"texts of more than 16 KB, whose end is left out"`
	Tables    []data.QueryTable `json:"tables" doc:"what the names stood for"`
	ElapsedMS float64           `json:"elapsed_ms"`
}

// rows collects an answer's rows.
type rows struct{ *QueryAnswer }

// Columns implements query.Answer.
func (r rows) Columns(columns []query.Column) error {
	r.QueryAnswer.Columns = columns
	return nil
}

// Row implements query.Answer.
func (r rows) Row(row []byte) error {
	r.Rows = append(r.Rows, append(json.RawMessage{}, row...))
	return nil
}

func (a *API) queryOperations() {
	register(a, op{id: "query", method: "POST", path: "/queries", limit: queryBody,
		summary: "Run SQL over the datasets, in a process of its own that can only read them",
		may:     auth.Run},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Body QueryRequest
		}) (*QueryAnswer, error) {
			ctx, cancel := a.interruptible(ctx)
			defer cancel()
			out := &QueryAnswer{Columns: []query.Column{}, Rows: []json.RawMessage{},
				Tables: []data.QueryTable{}}
			q := in.Body.query(queryRows, queryBytes)
			q.Cell = queryCell
			done, err := a.Data.Query(ctx, p, q, rows{out})
			if err != nil {
				return nil, err
			}
			out.Cut, out.CutCells, out.ElapsedMS = done.Cut, done.CutCells, done.ElapsedMS
			out.Tables = append(out.Tables, done.Tables...)
			return out, nil
		})
	a.documentCSV()
}

func (r *QueryRequest) query(limit, bytes int64) data.Query {
	if r.Limit > 0 {
		limit = r.Limit
	}
	return data.Query{SQL: r.SQL, Reason: r.Reason, Rows: limit, Bytes: bytes}
}

const csvPath = project + "/queries/csv"

// csvRoute is outside the operations because it streams its answer.
func (a *API) csvRoute() auth.Route {
	return auth.Route{Method: http.MethodPost, Path: csvPath, Permission: auth.Run,
		BodyLimit: queryBody, Handle: a.queryCSV, Fail: Fail}
}

// queryCSV answers a query as CSV (RFC 4180). One that would be cut is broken off, so
// that nobody takes it for whole.
func (a *API) queryCSV(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return uploadProblem(err)
	}
	var in QueryRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return fairlead.Errorf(fairlead.Invalid, "the body is not the JSON of a query: %w", err)
	}
	if strings.TrimSpace(in.SQL) == "" {
		return fairlead.Errorf(fairlead.Invalid,
			"there is nothing to run; write a query as `sql`, such as: select * from a_dataset")
	}
	p := fairlead.ProjectFrom(r.Context())
	if p.K == 0 {
		return errNoProject(p.Name)
	}
	ctx, cancel := a.interruptible(r.Context())
	defer cancel()
	out := &csvAnswer{to: w, csv: csv.NewWriter(w)}
	done, err := a.Data.Query(ctx, p, in.query(csvRows, csvBytes), out)
	if err != nil && !out.begun {
		return a.problem(ctx, "query-csv", err)
	}
	out.csv.Flush()
	if err != nil || done.Cut != "" || out.csv.Error() != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// csvAnswer writes rows as they come.
type csvAnswer struct {
	to    http.ResponseWriter
	csv   *csv.Writer
	begun bool
}

// Columns implements query.Answer.
func (c *csvAnswer) Columns(columns []query.Column) error {
	c.begun = true
	c.to.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c.to.Header().Set("Content-Disposition", `attachment; filename="query.csv"`)
	names := make([]string, len(columns))
	for i, col := range columns {
		names[i] = col.Name
	}
	return c.csv.Write(names)
}

// Row implements query.Answer.
func (c *csvAnswer) Row(row []byte) error {
	var cells []json.RawMessage
	if err := json.Unmarshal(row, &cells); err != nil {
		return err
	}
	record := make([]string, len(cells))
	for i, cell := range cells {
		record[i] = string(cell)
		switch cell[0] {
		case 'n': // null
			record[i] = ""
		case '"':
			if err := json.Unmarshal(cell, &record[i]); err != nil {
				return err
			}
		}
	}
	return c.csv.Write(record)
}

// documentCSV describes the route in the document.
func (a *API) documentCSV() {
	o := op{method: http.MethodPost, may: auth.Run}
	answers := a.responses(o, reflect.TypeFor[QueryAnswer](), "QueryAnswer")
	answers["200"].Content = map[string]*huma.MediaType{
		"text/csv": {Schema: &huma.Schema{Type: "string"}}}
	schemas := a.huma.OpenAPI().Components.Schemas
	a.huma.OpenAPI().AddOperation(&huma.Operation{
		OperationID: "query-csv", Method: o.method, Path: csvPath,
		Summary:    "The same as CSV, of up to a million rows and 256 MB",
		Extensions: map[string]any{"x-permission": string(o.may)},
		Security:   []map[string][]string{{ownerScheme: {}}},
		Parameters: []*huma.Param{{Name: "project", In: "path", Required: true,
			Schema: &huma.Schema{Type: "string"}}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemas.Schema(reflect.TypeFor[QueryRequest](), true, "QueryRequest")}}},
		Responses: answers,
	})
}
