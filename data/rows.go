package data

import (
	"context"
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data/query"
)

// The bounds of a stretch of rows.
const (
	maxRowColumns = 200
	maxRowBytes   = 8 << 20
	maxCell       = 16 << 10 // bytes of a text
)

// RowsQuery says which rows of a version are wanted.
type RowsQuery struct {
	Offset  int64 // of the first, from 0
	Limit   int
	Columns []string // nil: all, and at most the first 200
}

// Rows is a stretch of a version's rows. They never change, so an offset always leads
// to the same row.
type Rows struct {
	Columns []query.Column    `json:"columns"`
	Rows    []json.RawMessage `json:"rows"`  // an array each, in the order of columns
	Total   int64             `json:"total"` // rows of the version
	More    int               `json:"more"`  // columns that were left out
}

// Rows reads rows of a version. Texts of more than 16 KB are cut. Of a holdout only who
// has said why they look at it (Look) sees rows; for others it is Precondition.
func (s *Service) Rows(ctx context.Context, p fairlead.Project, ref Ref, q RowsQuery) (*Rows, error) {
	v, err := s.Get(ctx, p, ref)
	if err != nil {
		return nil, err
	}
	if err := s.mayLook(ctx, p, v); err != nil {
		return nil, err
	}
	out := &Rows{Total: v.Rows, Columns: []query.Column{}, Rows: []json.RawMessage{}}
	if q.Columns == nil {
		for _, c := range v.Columns {
			q.Columns = append(q.Columns, c.Name)
		}
	}
	if len(q.Columns) > maxRowColumns {
		out.More = len(q.Columns) - maxRowColumns
		q.Columns = q.Columns[:maxRowColumns]
	}
	path, err := s.Path(ctx, p, ref)
	if err != nil {
		return nil, err
	}
	t, err := readRange(ctx, path, q.Columns, q.Offset, int64(q.Limit))
	if err != nil {
		return nil, err
	}
	for i := range t.Columns {
		out.Columns = append(out.Columns, query.Column{Name: t.Columns[i].Name, Type: t.Columns[i].Type})
	}
	return out, out.fill(t)
}

// fill writes the table's rows, up to maxRowBytes.
func (r *Rows) fill(t *Table) error {
	bytes := 0
	for i := range t.Rows() {
		b := []byte{'['}
		for j := range t.Columns {
			if j > 0 {
				b = append(b, ',')
			}
			b = query.AppendCell(b, t.Columns[j].cell(i))
		}
		b = append(b, ']')
		if bytes += len(b); bytes > maxRowBytes && i > 0 {
			return nil // the reader asks for the rest
		}
		r.Rows = append(r.Rows, b)
	}
	return nil
}

// cell is row i as it is shown.
func (c *TableColumn) cell(i int) any {
	if text, ok := c.value(i).(string); ok && len(text) > maxCell {
		return query.CutText(text, maxCell)
	}
	return c.value(i)
}
