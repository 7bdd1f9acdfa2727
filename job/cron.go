package job

import (
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// cron is a parsed crontab line (POSIX crontab(1)): a bit for each value that
// matches. A day matches by either day field when both are restricted.
type cron struct {
	minute, hour, day, month, weekday uint64
	eitherDay                         bool
}

type cronField struct {
	name     string
	min, max int
	names    string // three letters a value, from min on
}

var cronFields = [5]cronField{
	{"minute", 0, 59, ""},
	{"hour", 0, 23, ""},
	{"day of the month", 1, 31, ""},
	{"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
	{"day of the week", 0, 7, "sunmontuewedthufrisat"},
}

func parseCron(text string) (cron, error) {
	words := strings.Fields(text)
	if len(words) != 5 {
		return cron{}, fairlead.Errorf(fairlead.Invalid,
			"%q is no schedule; write \"every 6h\" or the five fields of a crontab in UTC, "+
				"such as \"30 4 * * mon\"", text)
	}
	var bits [5]uint64
	for i, f := range cronFields {
		var ok bool
		if bits[i], ok = f.parse(strings.ToLower(words[i])); !ok {
			return cron{}, fairlead.Errorf(fairlead.Invalid,
				"%q is no %s (%d to %d) in the schedule %q", words[i], f.name, f.min, f.max, text)
		}
	}
	if bits[4]&(1<<7) != 0 { // both 0 and 7 are Sunday
		bits[4] |= 1
	}
	return cron{
		minute: bits[0], hour: bits[1], day: bits[2], month: bits[3], weekday: bits[4],
		eitherDay: !strings.HasPrefix(words[2], "*") && !strings.HasPrefix(words[4], "*"),
	}, nil
}

// parse reads a list of values, ranges and steps: "1,5-9,*/15".
func (f cronField) parse(text string) (bits uint64, ok bool) {
	for part := range strings.SplitSeq(text, ",") {
		span, step, stepped := strings.Cut(part, "/")
		every := 1
		if stepped {
			var err error
			if every, err = strconv.Atoi(step); err != nil || every < 1 {
				return 0, false
			}
		}
		from, to, ok := f.span(span, stepped)
		if !ok {
			return 0, false
		}
		for v := from; v <= to; v += every {
			bits |= 1 << v
		}
	}
	return bits, true
}

// span reads "*", "5" or "5-9"; "5/15" means from 5 on.
func (f cronField) span(text string, open bool) (from, to int, ok bool) {
	if text == "*" {
		return f.min, f.max, true
	}
	first, last, isRange := strings.Cut(text, "-")
	if from, ok = f.value(first); !ok {
		return 0, 0, false
	}
	switch {
	case isRange:
		to, ok = f.value(last)
	case open:
		to = f.max
	default:
		to = from
	}
	return from, to, ok && from <= to
}

func (f cronField) value(text string) (int, bool) {
	if len(text) == 3 {
		if i := strings.Index(f.names, text); i >= 0 && i%3 == 0 {
			return f.min + i/3, true
		}
	}
	v, err := strconv.Atoi(text)
	return v, err == nil && v >= f.min && v <= f.max
}

// cronHorizon is beyond the rarest date, the 29th of February on a given weekday.
const cronHorizon = 41 * 366 * 24 * time.Hour

// next returns the first matching minute after t, in UTC, or the zero time.
func (c cron) next(t time.Time) time.Time {
	end := t.Add(cronHorizon)
	t = t.UTC().Truncate(time.Minute).Add(time.Minute)
	for t.Before(end) {
		switch {
		case c.month&(1<<t.Month()) == 0:
			t = time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
		case !c.onDay(t):
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
		case c.hour&(1<<t.Hour()) == 0:
			t = t.Truncate(time.Hour).Add(time.Hour)
		case c.minute&(1<<t.Minute()) == 0:
			t = t.Add(time.Minute)
		default:
			return t
		}
	}
	return time.Time{}
}

func (c cron) onDay(t time.Time) bool {
	day, weekday := c.day&(1<<t.Day()) != 0, c.weekday&(1<<t.Weekday()) != 0
	if c.eitherDay {
		return day || weekday
	}
	return day && weekday
}
