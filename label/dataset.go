package label

import (
	"context"
	"encoding/json"
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

// row is one request on its way into a table.
type row struct {
	serving.LoggedRequest
	features map[string]any
	truth    *truthRow
	more     map[string]any
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
	var rows []row
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = s.rows(tx, p, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.data.Create(ctx, p, data.Create{
		Dataset: c.Dataset, Table: tableOf(rows, c.LabelColumn), Source: data.SourceRequests, Time: TimeColumn,
		FromAt: c.from(), ToAt: c.AsOf, At: c.AsOf,
	})
}

// from is the beginning of what is collected; the zero time when all is.
func (c Collect) from() time.Time {
	if c.Last <= 0 {
		return time.Time{}
	}
	return c.AsOf.Add(-c.Last)
}

func (s *Service) rows(tx *store.Tx, p fairlead.Project, c Collect) ([]row, error) {
	requests, err := s.serving.Requests(tx, p, c.Endpoint, serving.Query{From: c.from(), To: c.AsOf})
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(requests))
	for i, r := range requests {
		ids[i] = r.ID
	}
	known, err := truths(tx, p, c.Endpoint, ids, c.AsOf.UnixMilli())
	if err != nil {
		return nil, err
	}
	var out []row
	for _, r := range requests {
		t, ok := known[r.ID]
		if !ok && c.Labelled {
			continue
		}
		x := row{LoggedRequest: r}
		if x.features, err = object(r.Features); err != nil {
			return nil, fmt.Errorf("features of request %s: %w", r.ID, err)
		}
		if ok {
			x.truth = &t
			if x.more, err = object(t.columns); err != nil {
				return nil, fmt.Errorf("columns of label %s: %w", r.ID, err)
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// object reads a JSON object, with numbers as they are written.
func object(text string) (m map[string]any, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return m, d.Decode(&m)
}

// tableOf lays the rows out: id, at, the label, then features and further columns,
// each in the order of their names.
func tableOf(rows []row, labelColumn string) data.Table {
	n := len(rows)
	id := data.TableColumn{Name: IDColumn, Type: data.String, Strings: make([]string, n)}
	at := data.TableColumn{Name: TimeColumn, Type: data.Datetime, Times: make([]time.Time, n)}
	truth := data.TableColumn{Name: labelColumn, Type: data.Double, Floats: make([]float64, n)}
	values := map[string][]any{}
	put := func(i int, from map[string]any) {
		for name, v := range from {
			if name == IDColumn || name == TimeColumn || name == labelColumn {
				continue
			}
			if values[name] == nil {
				values[name] = make([]any, n)
			}
			if values[name][i] == nil {
				values[name][i] = v
			}
		}
	}
	for i, r := range rows {
		id.Strings[i], at.Times[i], truth.Floats[i] = r.ID, fairlead.FromMS(r.AtMS), math.NaN()
		if r.truth != nil {
			truth.Floats[i] = r.truth.value
		}
		put(i, r.features)
		put(i, r.more)
	}
	t := data.Table{Columns: []data.TableColumn{id, at, truth}}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		t.Columns = append(t.Columns, columnOf(name, values[name]))
	}
	return t
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
