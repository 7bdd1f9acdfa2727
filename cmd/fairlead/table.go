package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// tableWriter prints aligned columns.
type tableWriter struct{ w *tabwriter.Writer }

func table(w io.Writer, columns ...string) tableWriter {
	t := tableWriter{tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)}
	fmt.Fprintln(t.w, strings.Join(columns, "\t"))
	return t
}

// row prints one line; zero times and empty values show as a hyphen.
func (t tableWriter) row(values ...any) {
	cells := make([]string, len(values))
	for i, v := range values {
		switch x := v.(type) {
		case time.Time:
			if !x.IsZero() {
				cells[i] = x.UTC().Format("2006-01-02 15:04")
			}
		default:
			cells[i] = fmt.Sprint(v)
		}
		if cells[i] = plain(cells[i], ""); cells[i] == "" {
			cells[i] = "-"
		}
	}
	fmt.Fprintln(t.w, strings.Join(cells, "\t"))
}

// plain writes the control characters of a text, but those in keep, as they are in Go, such
// as \x1b: names, tags and answers are others' texts, and a terminal obeys them.
func plain(text, keep string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) && !strings.ContainsRune(keep, r) {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (t tableWriter) flush() { t.w.Flush() }
