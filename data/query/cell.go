package query

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

// AppendCell appends a value as a cell of a row, in JSON without loss: a whole number
// beyond ±(2^53-1), and each decimal, is a text, since many readers of JSON have no
// other numbers than doubles; NaN, Infinity and -Infinity are texts; a time is ISO 8601
// in UTC.
func AppendCell(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int64:
		return appendInt(b, v)
	case uint64:
		if v > maxSafe {
			return append(strconv.AppendUint(append(b, '"'), v, 10), '"')
		}
		return strconv.AppendUint(b, v, 10)
	case float64:
		return appendFloat(b, v, 64)
	case float32:
		return appendFloat(b, float64(v), 32)
	case string:
		return appendText(b, v)
	case time.Time:
		return appendText(b, v.UTC().Format(time.RFC3339Nano))
	}
	return appendOther(b, v)
}

// CutText is the beginning of a text of at most n bytes, with a mark that there is more.
func CutText(text string, n int) string { return strings.ToValidUTF8(text[:n], "") + "…" }

// maxSafe is the greatest whole number up to which doubles have all.
const maxSafe = 1<<53 - 1

func appendInt(b []byte, v int64) []byte {
	if v > maxSafe || v < -maxSafe {
		return append(strconv.AppendInt(append(b, '"'), v, 10), '"')
	}
	return strconv.AppendInt(b, v, 10)
}

func appendFloat(b []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e' // as JavaScript writes numbers
	}
	return strconv.AppendFloat(b, v, format, -1, bits)
}

func appendText(b []byte, text string) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.Encode(text) // a text has no error
	return append(b, bytes.TrimRight(buf.Bytes(), "\n")...)
}

// appendOther writes what only DuckDB has.
func appendOther(b []byte, v any) []byte {
	switch v := v.(type) {
	case int8:
		return appendInt(b, int64(v))
	case int16:
		return appendInt(b, int64(v))
	case int32:
		return appendInt(b, int64(v))
	case uint8:
		return appendInt(b, int64(v))
	case uint16:
		return appendInt(b, int64(v))
	case uint32:
		return appendInt(b, int64(v))
	case *big.Int:
		if v.IsInt64() {
			return appendInt(b, v.Int64())
		}
		return appendText(b, v.String())
	case duckdb.Decimal:
		return appendText(b, decimal(v))
	case []byte:
		return appendText(b, `\x`+hex.EncodeToString(v))
	case duckdb.Interval:
		return appendText(b, duration(v))
	case duckdb.Union:
		return AppendCell(b, v.Value)
	case []any:
		return appendList(b, len(v), func(b []byte, i int) []byte { return AppendCell(b, v[i]) })
	case duckdb.OrderedMap:
		keys, values := v.Keys(), v.Values()
		return appendList(b, len(keys), func(b []byte, i int) []byte {
			b = AppendCell(append(b, '['), keys[i])
			return append(AppendCell(append(b, ','), values[i]), ']')
		})
	}
	return appendObject(b, v)
}

// appendObject writes a struct, by the names of its fields; what is of no known type is
// written as text.
func appendObject(b []byte, v any) []byte {
	fields, ok := v.(map[string]any)
	if !ok {
		return appendText(b, fmt.Sprint(v))
	}
	out := make(map[string]json.RawMessage, len(fields))
	for name, value := range fields {
		out[name] = AppendCell(nil, value)
	}
	text, err := json.Marshal(out)
	if err != nil { // what AppendCell writes is JSON
		return appendText(b, fmt.Sprint(v))
	}
	return append(b, text...)
}

func appendList(b []byte, n int, item func(b []byte, i int) []byte) []byte {
	b = append(b, '[')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = item(b, i)
	}
	return append(b, ']')
}

// appendTyped is AppendCell where the column's type says more than the value.
func appendTyped(b []byte, kind string, v any) []byte {
	switch v := v.(type) {
	case time.Time:
		return appendText(b, moment(kind, v))
	case []byte:
		if id := (duckdb.UUID{}); kind == "UUID" && len(v) == len(id) {
			copy(id[:], v)
			return appendText(b, id.String())
		}
	case map[string]any, []any:
		if kind == "JSON" {
			if text, err := json.Marshal(v); err == nil {
				return append(b, text...)
			}
		}
	}
	return AppendCell(b, v)
}

// moment writes a date or a time as its type has it. DuckDB's infinities are its first
// and last times.
func moment(kind string, t time.Time) string {
	year := t.Year()
	switch {
	case year >= 290_000:
		return "infinity"
	case year <= -290_000:
		return "-infinity"
	}
	layout, zone := "2006-01-02T15:04:05.999999999", ""
	switch kind {
	case "DATE":
		layout = time.DateOnly
	case "TIME", "TIME_NS":
		return t.Format("15:04:05.999999999")
	case "TIMETZ", "TIME WITH TIME ZONE":
		return t.Format("15:04:05.999999999Z07:00")
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		t, zone = t.UTC(), "Z"
	}
	text := t.Format(layout) + zone
	if year > 9999 {
		return "+" + text // ISO 8601: more than four digits have a sign
	}
	return text
}

// decimal writes all digits of the scale.
func decimal(d duckdb.Decimal) string {
	if d.Value == nil {
		return "0"
	}
	digits, sign := d.Value.String(), ""
	if rest, ok := strings.CutPrefix(digits, "-"); ok {
		digits, sign = rest, "-"
	}
	if d.Scale == 0 {
		return sign + digits
	}
	scale := int(d.Scale)
	if len(digits) <= scale {
		digits = strings.Repeat("0", scale-len(digits)+1) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// duration writes an interval as ISO 8601 does: months, days and seconds stay apart.
func duration(v duckdb.Interval) string {
	seconds := strings.TrimRight(strings.TrimRight(
		strconv.FormatFloat(float64(v.Micros)/1e6, 'f', 6, 64), "0"), ".")
	return fmt.Sprintf("P%dM%dDT%sS", v.Months, v.Days, seconds)
}
