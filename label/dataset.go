package label

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/store"
)

// The columns that a dataset of requests has besides the features.
const (
	IDColumn      = "id"
	TimeColumn    = "at" // event time
	DefaultColumn = "label"
)

// Collect says which requests become a dataset version.
type Collect struct {
	Dataset     string
	Endpoint    string
	Labelled    bool          // only requests whose ground truth was known at AsOf
	Last        time.Duration // back from AsOf, in stream time; 0: all
	AsOf        time.Time     // stream time
	LabelColumn string        // what the label is called; default DefaultColumn
}

// CreateDataset makes a dataset version of what the endpoint was asked up to AsOf:
// id, event time, the label (missing where it is not known), the features as they
// were sent, and what came with the label, which fills only what the request lacked.
// Features called like one of the first three columns are left out. The same requests
// and labels give the same version, in whatever order they came; no requests give one
// with no rows.
func (s *Service) CreateDataset(ctx context.Context, p fairlead.Project, c Collect) (*data.Version, error) {
	if c.LabelColumn == "" {
		c.LabelColumn = DefaultColumn
	}
	t := newTable(c.LabelColumn)
	var last serving.LoggedRequest
	for more := true; more; {
		err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
			last, more, err = s.collect(tx, p, c, last, t)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return s.data.Create(ctx, p, data.Create{
		Dataset: c.Dataset, Table: t.table(), Source: data.SourceRequests, Time: TimeColumn,
		Key: IDColumn, Label: c.LabelColumn, FromAt: c.from(), ToAt: c.AsOf, At: c.AsOf,
	})
}

// from is the beginning of what is collected; the zero time when all is.
func (c Collect) from() time.Time {
	if c.Last <= 0 {
		return time.Time{}
	}
	return c.AsOf.Add(-c.Last)
}

// collectMost is how many requests are read on one snapshot: a reader's time is bounded,
// and a dataset is not.
const collectMost = 5_000

// errEnough ends a reading.
var errEnough = errors.New("enough")

// collect adds the requests that follow the one called after, at most collectMost, and
// returns the last of them, and whether there are more.
func (s *Service) collect(tx *store.Tx, p fairlead.Project, c Collect, after serving.LoggedRequest,
	t *table) (last serving.LoggedRequest, more bool, err error) {
	q := serving.Query{From: c.from(), To: c.AsOf}
	if after.ID != "" {
		q.From = fairlead.FromMS(after.AtMS)
	}
	var part []serving.LoggedRequest
	var ids []string
	err = s.serving.EachRequest(tx, p, c.Endpoint, q, func(r serving.LoggedRequest) error {
		switch {
		case r.AtMS == after.AtMS && r.ID <= after.ID:
			return nil // it was in the part before
		case len(part) == collectMost:
			return errEnough
		}
		part, ids = append(part, r), append(ids, r.ID)
		return nil
	})
	if more = err == errEnough; err != nil && !more {
		return last, false, err
	}
	known, err := truths(tx, p, c.Endpoint, ids, c.AsOf.UnixMilli())
	if err != nil {
		return last, false, err
	}
	for _, r := range part {
		truth, ok := known[r.ID]
		if !ok && c.Labelled {
			continue
		}
		if !ok {
			truth = truthRow{value: math.NaN(), columns: "null"}
		}
		if err := t.add(r, truth); err != nil {
			return last, false, err
		}
	}
	if more {
		last = part[len(part)-1]
	}
	return last, more, nil
}

// object reads a JSON object, with numbers as they are written.
func object(text string) (m map[string]any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return m, d.Decode(&m)
}

// table is a dataset on its way: id, at, the label, then features and further columns,
// each in the order of their names.
type table struct {
	id, at, truth data.TableColumn
	values        map[string][]any // by column, as far as its last value
}

func newTable(labelColumn string) *table {
	return &table{
		id:     data.TableColumn{Name: IDColumn, Type: data.String},
		at:     data.TableColumn{Name: TimeColumn, Type: data.Datetime},
		truth:  data.TableColumn{Name: labelColumn, Type: data.Double},
		values: map[string][]any{},
	}
}

func (t *table) add(r serving.LoggedRequest, truth truthRow) error {
	features, err := object(r.Features)
	if err != nil {
		return fmt.Errorf("features of request %s: %w", r.ID, err)
	}
	more, err := object(truth.columns)
	if err != nil {
		return fmt.Errorf("columns of label %s: %w", r.ID, err)
	}
	n := len(t.id.Strings)
	t.id.Strings = append(t.id.Strings, r.ID)
	t.at.Times = append(t.at.Times, fairlead.FromMS(r.AtMS))
	t.truth.Floats = append(t.truth.Floats, truth.value)
	t.put(n, features)
	t.put(n, more)
	return nil
}

// put sets row n of the columns, where it has no value yet.
func (t *table) put(n int, from map[string]any) {
	for name, v := range from {
		if name == IDColumn || name == TimeColumn || name == t.truth.Name {
			continue
		}
		column := t.values[name]
		if len(column) <= n {
			column = append(column, make([]any, n+1-len(column))...)
		}
		if column[n] == nil {
			column[n] = v
		}
		t.values[name] = column
	}
}

func (t *table) table() data.Table {
	out := data.Table{Columns: []data.TableColumn{t.id, t.at, t.truth}}
	for _, name := range slices.Sorted(maps.Keys(t.values)) {
		column := t.values[name]
		column = append(column, make([]any, len(t.id.Strings)-len(column))...)
		out.Columns = append(out.Columns, columnOf(name, column))
	}
	return out
}

// columnOf types a column of JSON values: booleans when all are, double when all are
// numbers (long when they are whole, and one is too large for a double to keep), or
// else text.
func columnOf(name string, values []any) data.TableColumn {
	numbers, booleans, others, whole, large := 0, 0, 0, true, false
	for _, v := range values {
		switch v := v.(type) {
		case nil:
		case json.Number:
			numbers++
			n, err := v.Int64()
			whole = whole && err == nil
			large = large || err == nil && (n > exact || n < -exact)
		case bool:
			booleans++
		default:
			others++
		}
	}
	switch {
	case others > 0 || numbers > 0 && booleans > 0:
		return textColumn(name, values)
	case booleans > 0:
		return data.TableColumn{Name: name, Type: data.Boolean, Floats: floats(values)}
	case whole && large:
		return longColumn(name, values)
	}
	return data.TableColumn{Name: name, Type: data.Double, Floats: floats(values)}
}

// exact is the largest whole number up to which a double keeps all.
const exact = 1 << 53

// floats are JSON numbers, booleans as 0 and 1, and NaN for null.
func floats(values []any) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case json.Number:
			out[i], _ = v.Float64()
		case bool:
			if v {
				out[i] = 1
			}
		default:
			out[i] = math.NaN()
		}
	}
	return out
}

func longColumn(name string, values []any) data.TableColumn {
	c := data.TableColumn{Name: name, Type: data.Long, Ints: make([]int64, len(values)), Valid: make([]bool, len(values))}
	for i, v := range values {
		if n, ok := v.(json.Number); ok {
			c.Ints[i], _ = n.Int64()
			c.Valid[i] = true
		}
	}
	return c
}

// textColumn keeps text as it is, and anything else as its JSON.
func textColumn(name string, values []any) data.TableColumn {
	c := data.TableColumn{Name: name, Type: data.String, Strings: make([]string, len(values)), Valid: make([]bool, len(values))}
	for i, v := range values {
		if v == nil {
			continue
		}
		text, ok := v.(string)
		if !ok {
			b, err := json.Marshal(v)
			if err != nil {
				panic("label: a value that came as JSON is none: " + err.Error())
			}
			text = string(b)
		}
		c.Strings[i], c.Valid[i] = text, true
	}
	return c
}
