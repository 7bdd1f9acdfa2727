package draft

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/spec"
)

// dataEntry is an entry of `data`.
type dataEntry struct {
	name             string
	from             string // a file, or a glob of several
	files            []string
	columns          string // one text for all of them, to compare
	time, key, label string // columns, if one can be it
	rows             int64  // 0: not counted
	reader           string // script that reads a file by its own name
}

const (
	maxEntries    = 20
	maxTableBytes = 256 << 20 // of a table that is read for its columns
)

// lookForData makes entries of the tables. Files whose names differ in digits alone, and
// whose columns are the same, are one.
func (l *folder) lookForData() {
	for _, name := range l.names {
		if data.SheetFormat(name) == "" || !canBeNamed(name) {
			continue
		}
		if len(l.data) == maxEntries {
			l.add(Note, "", fmt.Sprintf("there are more tables than the %d that were taken", maxEntries))
			break
		}
		if e, err := l.readTable(name); err != nil {
			l.add(Note, "", "left out: "+err.Error())
		} else if !l.joins(e) {
			l.data = append(l.data, *e)
		}
	}
	for i := range l.data {
		l.settle(&l.data[i])
	}
}

// readTable makes an entry of one file. The columns of Parquet, and of what is large, are
// not looked at.
func (l *folder) readTable(name string) (*dataEntry, error) {
	e := &dataEntry{from: name, files: []string{name}}
	file := filepath.Join(l.dir, filepath.FromSlash(name))
	info, err := os.Stat(file)
	if err != nil || data.SheetFormat(name) == "parquet" || info.Size() > maxTableBytes {
		return e, err
	}
	got, err := data.ReadOutline(file, name)
	if err != nil {
		return nil, err
	}
	e.rows = got.Rows
	for _, c := range got.Columns {
		e.columns += c.Name + "\n"
		e.role(c)
	}
	return e, nil
}

var (
	keyNames   = regexp.MustCompile(`(?i)^(id|key|uuid|.*_(id|key|uuid))$`)
	labelNames = regexp.MustCompile(`(?i)^(label|target|class|truth|outcome|y)$`)
)

// role takes a column for the first of its kind. A time and a key that a version would be
// refused for are none.
func (e *dataEntry) role(c data.OutlineColumn) {
	switch {
	case c.Type == data.Datetime && c.Full && e.time == "":
		e.time = c.Name
	case keyNames.MatchString(c.Name) && c.Full && c.Unique && e.key == "":
		e.key = c.Name
	case labelNames.MatchString(c.Name) && e.label == "":
		e.label = c.Name
	}
}

var digits = regexp.MustCompile(`\d+`)

// joins adds a file to the entry of those that differ from it in digits alone, and reports
// whether there is one. What is unique in each file need not be in all.
func (l *folder) joins(e *dataEntry) bool {
	glob := path.Join(path.Dir(e.from), digits.ReplaceAllString(path.Base(e.from), "*"))
	other := func(name string) bool { // such as a-b.csv beside 1-2.csv
		return spec.MatchFile(glob, name) &&
			digits.ReplaceAllString(path.Base(name), "*") != path.Base(glob)
	}
	if glob == e.from || slices.ContainsFunc(l.names, other) {
		return false
	}
	i := slices.IndexFunc(l.data, func(other dataEntry) bool {
		first := other.files[0]
		return other.columns == e.columns && e.columns != "" && path.Dir(first) == path.Dir(e.from) &&
			digits.ReplaceAllString(path.Base(first), "*") == path.Base(glob)
	})
	if i < 0 {
		return false
	}
	into := &l.data[i]
	into.files = append(into.files, e.from)
	into.from, into.key, into.rows = glob, "", into.rows+e.rows
	if into.time != e.time {
		into.time = ""
	}
	return true
}

// settle names an entry, and finds out whether a script reads its file by itself: steps do
// not see the files that `data` names.
func (l *folder) settle(e *dataEntry) {
	base := strings.Trim(stem(strings.ReplaceAll(e.from, "*", "")), "-_. ")
	if base == "" {
		base = path.Base(path.Dir(e.from))
	}
	e.name = l.free(nameOf(base), path.Base(path.Dir(e.from)))
	e.reader = l.readerOf(e)
	text := e.from
	switch {
	case e.rows == 1:
		text += ", 1 row"
	case e.rows > 1:
		text += fmt.Sprintf(", %d rows", e.rows)
	}
	if roles := e.roles(); len(roles) > 0 {
		text += "; " + strings.Join(roles, ", ")
	}
	if e.reader != "" {
		text += " (a comment only: " + e.reader + " opens the file itself)"
	}
	l.add(Table, e.name, text)
}

// free returns the name, or another that nothing has.
func (l *folder) free(name, folder string) string {
	taken := func(name string) bool {
		same := func(other string) bool {
			return strings.ReplaceAll(other, "-", "_") == strings.ReplaceAll(name, "-", "_")
		}
		return name == data.HoldoutDataset ||
			slices.ContainsFunc(l.data, func(e dataEntry) bool { return same(e.name) }) ||
			slices.ContainsFunc(l.steps, func(s stepEntry) bool { return slices.ContainsFunc(s.out, same) })
	}
	try := name
	for n := 1; taken(try); n++ {
		try = nameOf(folder + "-" + name)
		if n > 1 {
			try = shorten(try, 58) + fmt.Sprintf("-%d", n)
		}
	}
	return try
}

// readerOf names who opens a file of the entry by its own name; empty when nobody does.
func (l *folder) readerOf(e *dataEntry) string {
	for _, s := range l.steps {
		for _, file := range e.files {
			if slices.ContainsFunc(s.reads, func(p string) bool { return within(file, p) }) {
				return "step " + s.name
			}
		}
		for _, script := range s.scripts {
			if !stepInputs.MatchString(l.read(script)) && readsItself(l.read(script), e) {
				return script
			}
		}
	}
	return ""
}

// readsItself reports whether a script names a file of the entry, or all of its kind.
func readsItself(script string, e *dataEntry) bool {
	for _, file := range e.files {
		if strings.Contains(script, path.Base(file)) {
			return true
		}
	}
	return strings.Contains(script, "*"+path.Ext(e.files[0]))
}

// roles are the columns, as the file has them.
func (e *dataEntry) roles() (list []string) {
	for _, r := range []struct{ key, column string }{
		{"time", e.time}, {"key", e.key}, {"label", e.label},
	} {
		if r.column != "" {
			list = append(list, r.key+": "+Scalar(r.column))
		}
	}
	return list
}

// canBeNamed reports whether a fairlead.yaml can name the file itself.
func canBeNamed(name string) bool {
	_, err := spec.Parse(spec.FileName, []byte("project: x\ndata:\n  d: {from: "+Scalar(name)+"}\n"))
	return err == nil && !strings.ContainsAny(name, "*?[]{}")
}
