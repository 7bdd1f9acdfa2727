package rest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/data/query"
)

// The bounds of an answer to a query.
const (
	queryRows  = 1000
	queryBytes = 16 << 20                   // of its rows as JSON
	queryCell  = 16 << 10                   // of a text
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
			q := data.Query{SQL: in.Body.SQL, Reason: in.Body.Reason, Rows: queryRows, Bytes: queryBytes,
				Cell: queryCell}
			if in.Body.Limit > 0 {
				q.Rows = in.Body.Limit
			}
			done, err := a.Data.Query(ctx, p, q, rows{out})
			if err != nil {
				return nil, err
			}
			out.Cut, out.CutCells, out.ElapsedMS = done.Cut, done.CutCells, done.ElapsedMS
			out.Tables = append(out.Tables, done.Tables...)
			return out, nil
		})
	register(a, op{id: "get-query-bounds", method: "GET", path: "/queries/bounds",
		summary: "What a query may take, and what holds its process", may: auth.Read}, queryBounds)
	for _, form := range []string{data.CSV, data.Parquet} {
		a.documentQueryFile(form)
	}
}

// QueryBounds is what holds a query on this server.
type QueryBounds struct {
	Seconds   int      `json:"seconds" doc:"that a query may take"`
	Memory    int64    `json:"memory" doc:"bytes"`
	AtOnce    int      `json:"at_once" doc:"queries of the whole server"`
	FileRows  int      `json:"file_rows" doc:"of a whole answer as a file"`
	FileBytes int      `json:"file_bytes" doc:"of its rows as JSON"`
	Missing   []string `json:"missing" doc:"what would hold a query's process too, and this system has not: Landlock (from files), seccomp (from programs and sockets)"`
}

func queryBounds(context.Context, fairlead.Project, *InProject) (*QueryBounds, error) {
	return &QueryBounds{Seconds: int(query.MaxTime.Seconds()), Memory: query.MaxMemory,
		AtOnce: query.AtOnce, FileRows: data.FileRows, FileBytes: data.FileBytes,
		Missing: append([]string{}, query.Missing()...)}, nil
}

// queryForms are the files that an answer comes as.
var queryForms = map[string]string{data.CSV: "text/csv; charset=utf-8",
	data.Parquet: "application/vnd.apache.parquet"}

func queryFilePath(form string) string { return project + "/queries/" + form }

// queryFileRoute is outside the operations because it answers with a file.
func (a *API) queryFileRoute(form string) auth.Route {
	return auth.Route{Method: http.MethodPost, Path: queryFilePath(form), Permission: auth.Run,
		BodyLimit: queryBody, Fail: Fail, Handle: func(w http.ResponseWriter, r *http.Request) error {
			return a.queryFile(w, r, form)
		}}
}

func (a *API) queryFile(w http.ResponseWriter, r *http.Request, form string) error {
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
	f, err := a.Data.QueryFile(ctx, p, data.Query{SQL: in.SQL, Reason: in.Reason}, form)
	if err != nil {
		return a.problem(ctx, "query-"+form, err)
	}
	defer f.Close()
	w.Header().Set("Content-Type", queryForms[form])
	w.Header().Set("Content-Disposition", `attachment; filename="query.`+form+`"`)
	if info, err := f.Stat(); err == nil {
		w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	}
	io.Copy(w, f) // who has gone is told nothing
	return nil
}

// documentQueryFile describes the route in the document.
func (a *API) documentQueryFile(form string) {
	kind, _, _ := strings.Cut(queryForms[form], ";")
	a.document(rawOp{
		op: op{id: "query-" + form, method: http.MethodPost, path: queryFilePath(form),
			summary: "The whole answer as a " + form + " file, of up to a million rows and 256 MB",
			may:     auth.Run},
		body:   jsonOf[QueryRequest](a, "QueryRequest"),
		answer: contentOf(kind, binarySchema),
	})
}
