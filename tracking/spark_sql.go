package tracking

import (
	"database/sql/driver"
	"slices"
	"strings"
)

// first returns the values of the first points; nil for NaN.
func (h history) first(limit int) ([]*float64, error) {
	return h.values("select value, is_nan from metric where "+h.where+
		" order by step, ts, value, is_nan limit ?", append(slices.Clip(h.args), limit)...)
}

// sample returns the values of the points at the places in a column or after them, and of
// the last point.
func (h history) sample(column string, places []any) ([]*float64, error) {
	marks := make([]string, len(places))
	args := make([]any, 0, (len(h.args)+1)*2+len(places))
	for i := range places {
		marks[i] = "(?)"
	}
	at := func(what string) string {
		return "(select " + what + " from metric where " + h.where + " and " + column +
			" >= v.column1 order by step, ts, value, is_nan limit 1)"
	}
	args = append(append(append(args, h.args...), h.args...), places...)
	out, err := h.values("select "+at("value")+", "+at("is_nan")+" from (values "+
		strings.Join(marks, ", ")+") v", args...)
	if err != nil {
		return nil, err
	}
	end, err := h.values("select value, is_nan from metric where "+h.where+
		" order by step desc, ts desc, value desc, is_nan desc limit 1", h.args...)
	return append(out, end...), err
}

// values runs a query for values and their NaN flags.
func (h history) values(query string, args ...any) (out []*float64, err error) {
	err = h.tx.Each(query, args, func(row []driver.Value) error {
		if row[1] == nil || row[1].(int64) != 0 {
			out = append(out, nil)
		} else {
			out = append(out, floatOf(row[0]))
		}
		return nil
	})
	return out, err
}
