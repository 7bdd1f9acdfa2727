package label

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
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
// id, event time, the features as they were sent, the label, and what else came
// with it. The same requests give the same version; no requests give one with no
// rows.
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
		Dataset: c.Dataset, Table: tableOf(rows, c.LabelColumn), Source: data.SourceRequests, Time: TimeColumn, At: c.AsOf,
	})
}

func (s *Service) rows(tx *store.Tx, p fairlead.Project, c Collect) ([]row, error) {
	q := serving.Query{To: c.AsOf}
	if c.Last > 0 {
		q.From = c.AsOf.Add(-c.Last)
	}
	requests, err := s.serving.Requests(tx, p, c.Endpoint, q)
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
		if err := json.Unmarshal([]byte(r.Features), &x.features); err != nil {
			return nil, fmt.Errorf("features of request %s: %w", r.ID, err)
		}
		if ok {
			x.truth = &t
			if err := json.Unmarshal([]byte(t.columns), &x.more); err != nil {
				return nil, fmt.Errorf("columns of label %s: %w", r.ID, err)
			}
		}
		out = append(out, x)
	}
	return out, nil
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
			values[name][i] = v
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
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Columns = append(t.Columns, columnOf(name, values[name]))
	}
	return t
}

// columnOf types a column of JSON values: numbers, booleans, or else text.
func columnOf(name string, values []any) data.TableColumn {
	typ := data.Double
	numbers, booleans, others := 0, 0, 0
	for _, v := range values {
		switch v.(type) {
		case nil:
		case float64:
			numbers++
		case bool:
			booleans++
		default:
			others++
		}
	}
	switch {
	case others > 0 || numbers > 0 && booleans > 0:
		typ = data.String
	case booleans > 0:
		typ = data.Boolean
	}
	c := data.TableColumn{Name: name, Type: typ}
	if typ != data.String {
		for _, v := range values {
			c.Floats = append(c.Floats, floatOf(v))
		}
		return c
	}
	for _, v := range values {
		text, ok := v.(string)
		if !ok && v != nil {
			text, ok = fmt.Sprint(v), true
		}
		c.Strings, c.Valid = append(c.Strings, text), append(c.Valid, ok)
	}
	return c
}

// floatOf is a JSON number, a boolean as 0 or 1, and NaN for null.
func floatOf(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case bool:
		if x {
			return 1
		}
		return 0
	}
	return math.NaN()
}
