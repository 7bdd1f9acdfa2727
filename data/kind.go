package data

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// kinds is the set of types that all values of a column fit so far. Text always
// fits.
type kinds uint8

const (
	isBool kinds = 1 << iota
	isLong
	isDouble
	isTime
	anyKind = isBool | isLong | isDouble | isTime
)

// missing are the texts that stand for no value in columns that are not text.
var missing = []string{"NA", "NaN", "nan", "null", "NULL"}

func isMissing(v string) bool {
	switch v {
	case "NA", "NaN", "nan", "null", "NULL":
		return true
	}
	return false
}

// witness is the value that ruled a kind out.
type witness struct {
	file  string
	line  int
	value string
}

// textColumn is what the rows of CSV files say about one column.
type textColumn struct {
	name string
	fits kinds
	seen bool // has any value
	why  map[kinds]witness
}

// trim drops the blanks around a value; castText does the same.
func trim(v string) string { return strings.Trim(v, " \t") }

// observe narrows the kinds by one value and notes which line did so.
func (c *textColumn) observe(value, file string, line int) {
	v := trim(value)
	if v == "" || isMissing(v) {
		return
	}
	c.seen = true
	if c.fits == 0 {
		return
	}
	lost := c.fits &^ kindsOf(v, c.fits)
	if lost == 0 {
		return
	}
	c.fits &^= lost
	for _, k := range []kinds{isBool, isLong, isDouble, isTime} {
		if lost&k != 0 {
			c.why[k] = witness{file, line, value}
		}
	}
}

// kindsOf returns which of the asked kinds a value fits.
func kindsOf(v string, asked kinds) (fits kinds) {
	switch c := v[0]; {
	case c == 't' || c == 'T' || c == 'f' || c == 'F':
		if strings.EqualFold(v, "true") || strings.EqualFold(v, "false") {
			fits = isBool
		}
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		fits = numberKinds(v)
		if fits == 0 && asked&isTime != 0 && parseable(v) {
			fits = isTime
		}
	}
	return fits & asked
}

// numberKinds: an integer has no leading zero, because 007 is a code and not a
// number; other than that a number is what strconv takes without its extras.
func numberKinds(v string) kinds {
	digits := strings.TrimLeft(v[:1], "+-") + v[1:]
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		return 0
	}
	if strings.Trim(digits, "0123456789") == "" && digits != "" {
		if _, err := strconv.ParseInt(v, 10, 64); err == nil {
			return isLong | isDouble
		}
		return isDouble
	}
	if strings.Trim(digits, "0123456789.eE+-") != "" {
		return 0
	}
	if _, err := strconv.ParseFloat(v, 64); err != nil {
		return 0
	}
	return isDouble
}

// timeForm is ISO 8601 (RFC 3339, also without seconds or zone); without a zone
// a time is UTC.
var timeForm = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?:(:\d\d)(?:\.\d{1,9})?` +
	`(?:Z|[+-]\d\d(?::?\d\d)?)?)?)?$`)

func parseable(v string) bool {
	m := timeForm.FindStringSubmatch(v)
	if m == nil {
		return false
	}
	_, err := time.Parse("2006-01-02 15:04:05", m[1]+" "+or(m[2], "00:00")+or(m[3], ":00"))
	return err == nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// kind is the column's type: the narrowest that all values fit.
func (c *textColumn) kind() string {
	switch {
	case !c.seen:
		return String
	case c.fits&isBool != 0:
		return Boolean
	case c.fits&isLong != 0:
		return Long
	case c.fits&isDouble != 0:
		return Double
	case c.fits&isTime != 0:
		return Datetime
	}
	return String
}

// columnSet is the union of the columns of several files, in order of appearance.
type columnSet struct {
	order  []*textColumn
	byName map[string]*textColumn
}

func (s *columnSet) add(names []string) []*textColumn {
	out := make([]*textColumn, len(names))
	for i, name := range names {
		c := s.byName[name]
		if c == nil {
			c = &textColumn{name: name, fits: anyKind, why: map[kinds]witness{}}
			s.byName[name] = c
			s.order = append(s.order, c)
		}
		out[i] = c
	}
	return out
}
