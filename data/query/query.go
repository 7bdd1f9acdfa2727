package query

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine/child"
)

// The bounds of a query.
const (
	MaxSQL    = 64 << 10         // bytes of its text
	MaxTime   = 30 * time.Second // wall time, from the start of its process
	MaxTables = 32               // that it names
	MaxMemory = 512 << 20        // bytes that DuckDB may hold
	AtOnce    = 2                // queries of one server
	dataLimit = 1536 << 20       // bytes that the process may hold, the rest of the program too
	threads   = 2
	maxWait   = 5 * time.Second // for one of them to end
	MaxRow    = 64 << 20        // bytes of a row as JSON
)

// The environment of a child; the sandbox reads the last three.
const (
	modeVar    = "FAIRLEAD_QUERY"
	filesVar   = "FAIRLEAD_QUERY_FILES"
	memoryVar  = "FAIRLEAD_QUERY_MEMORY"
	secondsVar = "FAIRLEAD_QUERY_SECONDS"
)

// Request is a query and how much of its answer is wanted.
type Request struct {
	SQL   string
	Rows  int64 // at most
	Bytes int64 // of the rows' JSON, at most
	Cell  int   // bytes of a text, at most; longer ones are cut. 0: whole
}

// Column is one column of an answer.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type" doc:"DuckDB's name of it, such as BIGINT"`
}

// Table is what a name in a query stands for.
type Table struct {
	Name string // as the query writes it
	Path string // of a Parquet file
}

// Why an answer is not whole.
const (
	CutRows  = "rows"
	CutBytes = "bytes"
)

// Summary is what is known once a query has ended.
type Summary struct {
	Rows      int64  // of the answer
	Cut       string // rows | bytes: there would be more; empty: these are all
	CutCells  int64  // texts of which the end is missing
	ElapsedMS float64
}

// Runner runs queries, a few at once.
type Runner struct {
	slots chan struct{}
	time  time.Duration
}

// NewRunner returns a runner whose queries may take up to limit each; 0: MaxTime.
func NewRunner(limit time.Duration) *Runner {
	if limit == 0 {
		limit = MaxTime
	}
	return &Runner{slots: make(chan struct{}, AtOnce), time: limit}
}

// Resolve says what the tables of a query stand for, before any of it is read.
type Resolve func(ctx context.Context, names []Name) ([]Table, error)

// Answer takes the columns of an answer once, and then its rows in their order, each a
// JSON array (see Cell). The row is only valid during the call.
type Answer interface {
	Columns(columns []Column) error
	Row(row []byte) error
}

// Run runs a query. A query that cannot be run is Invalid, with details `line`,
// `column` (from 1, in characters) and `position` (in bytes) where it is known; one
// that needs more time or memory than there is for it is Precondition; Unavailable means
// that others run. Errors of resolve and to come back as they are.
func (r *Runner) Run(ctx context.Context, q Request, resolve Resolve, to Answer) (*Summary, error) {
	if len(q.SQL) > MaxSQL {
		return nil, fairlead.Errorf(fairlead.Invalid, "the query has %d bytes; at most %d are taken",
			len(q.SQL), MaxSQL)
	}
	return r.within(ctx, func(ctx context.Context) (*Summary, error) {
		names, err := r.parse(ctx, q.SQL)
		if err != nil {
			return nil, err
		}
		tables, err := resolve(ctx, names)
		if err != nil {
			return nil, err
		}
		return r.run(ctx, order{SQL: q.SQL, Rows: q.Rows, Cell: q.Cell}, q.Bytes, tables, to)
	})
}

// Read is Run of a query of ours, over the table t alone: a Parquet file that somebody else
// has made, and that may be anything. Invalid when it is none.
func (r *Runner) Read(ctx context.Context, q Request, path string, to Answer) (*Summary, error) {
	return r.within(ctx, func(ctx context.Context) (*Summary, error) {
		return r.run(ctx, order{SQL: q.SQL, Rows: q.Rows, Cell: q.Cell, Foreign: true}, q.Bytes,
			[]Table{{Name: "t", Path: path}}, to)
	})
}

// within runs one of a few queries, for as long as one may take.
func (r *Runner) within(ctx context.Context, fn func(ctx context.Context) (*Summary, error)) (*Summary,
	error) {
	if err := r.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-r.slots }()
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, r.time, errTime)
	defer cancel()
	s, err := fn(ctx)
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(context.Cause(ctx), errTime) {
		return nil, fairlead.Errorf(fairlead.Precondition, "the query took longer than %s and was ended; "+
			"read fewer rows or columns, or aggregate before you join", r.time).Because(err)
	}
	if err != nil {
		return nil, err
	}
	s.ElapsedMS = float64(time.Since(start).Microseconds()) / 1000
	return s, nil
}

var errTime = errors.New("the time of the query is over")

func (r *Runner) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(maxWait)
	defer t.Stop()
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-t.C:
		return fairlead.Errorf(fairlead.Unavailable,
			"%d queries are running already; try again when one has ended", AtOnce)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// order is what a child is told, on its standard input.
type order struct {
	SQL    string   `json:"sql"`
	Tables []string `json:"tables"` // the first one's file is the first descriptor
	Rows   int64    `json:"rows"`
	Cell   int      `json:"cell"`
	// Foreign files are not ours: what is wrong with them is for the caller to know.
	Foreign bool `json:"foreign,omitempty"`
}

// line is what a child says, on its standard output, beside rows.
type line struct {
	Names   []Name   `json:"names,omitempty"`   // of a parser
	Columns []Column `json:"columns,omitempty"` // before the rows
	End     *end     `json:"end,omitempty"`     // behind them
	Error   *failure `json:"error,omitempty"`   // instead
}

type end struct {
	More     bool  `json:"more,omitempty"`
	CutCells int64 `json:"cut_cells,omitempty"`
}

func (r *Runner) parse(ctx context.Context, sql string) ([]Name, error) {
	var names []Name
	err := r.start(ctx, order{SQL: sql}, nil, func(l line, _ []byte) error {
		names = l.Names
		return nil
	})
	if len(names) > MaxTables && err == nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the query names %d tables; at most %d are taken",
			len(names), MaxTables)
	}
	return names, err
}

func (r *Runner) run(ctx context.Context, o order, left int64, tables []Table, to Answer) (*Summary,
	error) {
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for _, t := range tables {
		f, err := os.Open(t.Path)
		if err != nil {
			return nil, fmt.Errorf("open the file of table %s: %w", t.Name, err)
		}
		files, o.Tables = append(files, f), append(o.Tables, t.Name)
	}
	s := &Summary{}
	err := r.start(ctx, o, files, func(l line, row []byte) error {
		switch {
		case l.Columns != nil:
			return to.Columns(l.Columns)
		case l.End != nil:
			s.CutCells = l.End.CutCells
			if l.End.More {
				s.Cut = CutRows
			}
			return nil
		}
		if left -= int64(len(row)); left < 0 {
			s.Cut = CutBytes
			return errEnough
		}
		s.Rows++
		return to.Row(row)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return s, nil
}

// errEnough ends a child whose answer has become long enough.
var errEnough = errors.New("enough")

// start runs a child to its end and hands on what it says. The process is killed when
// ctx ends or take returns an error, which is then returned.
func (r *Runner) start(ctx context.Context, o order, files []*os.File,
	take func(l line, row []byte) error) error {
	said, out, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("run a query: %w", err)
	}
	defer said.Close()
	cmd, stderr, err := r.command(o, files, out)
	if err != nil {
		out.Close()
		return err
	}
	p, err := child.Start(cmd)
	out.Close()
	if err != nil {
		return err
	}
	defer func() {
		p.Kill()
		<-p.Done()
	}()
	defer context.AfterFunc(ctx, p.Kill)()
	ended, err := listen(said, take)
	if err != nil {
		return err
	}
	<-p.Done()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !ended:
		return died(p, stderr.String())
	}
	return nil
}

func (r *Runner) command(o order, files []*os.File, out *os.File) (*exec.Cmd, *tail, error) {
	told, err := json.Marshal(o)
	if err != nil {
		return nil, nil, fmt.Errorf("run a query: %w", err)
	}
	mode := modeParse
	if files != nil || o.Rows > 0 {
		mode = modeRun
	}
	stderr := &tail{}
	cmd := exec.Command(ownExecutable)
	cmd.Args[0] = "fairlead query"
	cmd.Env = append(child.Environ(), modeVar+"="+mode, filesVar+"="+strconv.Itoa(len(files)),
		memoryVar+"="+strconv.Itoa(dataLimit),
		secondsVar+"="+strconv.Itoa(threads*int(r.time/time.Second)+threads), "GOTRACEBACK=crash")
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = bytes.NewReader(told), out, stderr, files
	return cmd, stderr, nil
}

// ownExecutable is this program, also when its file was replaced by a newer one.
const ownExecutable = "/proc/self/exe"

// listen reads what a child says, and reports whether it came to an end of its own.
func listen(said *os.File, take func(l line, row []byte) error) (ended bool, err error) {
	in := bufio.NewScanner(said)
	in.Buffer(make([]byte, 64<<10), MaxRow)
	in.Split(wholeLines)
	for in.Scan() {
		b := in.Bytes()
		if len(b) > 0 && b[0] == '[' {
			if err := take(line{}, b); err != nil {
				return false, err
			}
			continue
		}
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			return false, fmt.Errorf("a query's process said what it should not: %w", err)
		}
		if l.Error != nil {
			return true, l.Error.err()
		}
		if err := take(l, nil); err != nil {
			return false, err
		}
		ended = ended || l.Columns == nil
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return false, fairlead.Errorf(fairlead.Precondition,
			"a row of the answer has more than %d MB; select less of it", MaxRow>>20)
	}
	return ended, nil
}

// wholeLines leaves out a last line without an end: what a child was writing when it was
// killed is no row.
func wholeLines(data []byte, _ bool) (advance int, token []byte, err error) {
	return bufio.ScanLines(data, false)
}

// died says why a child ended without a word. It has bounds on its memory beyond those
// of DuckDB, and a query that breaks them ends it.
func died(p *child.Process, stderr string) error {
	cause := fmt.Errorf("a query's process ended: %s: %s", p.State(), stderr)
	return fairlead.Errorf(fairlead.Precondition, "the query needs more memory than the %d MB there are "+
		"for it, or broke its process; read fewer rows or columns", MaxMemory>>20).Because(cause)
}

// tail keeps the last of what a child complains.
type tail struct{ b []byte }

const maxTail = 4 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-maxTail):]
	return len(p), nil
}

func (t *tail) String() string { return string(t.b) }
