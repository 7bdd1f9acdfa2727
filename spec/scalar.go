package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// syntaxError says why a text is not a value of its type, and what to write.
type syntaxError struct{ message, hint string }

func (e *syntaxError) Error() string { return e.message + "; " + e.hint }

// Duration is a length of time written with units of fixed length, such as 30s,
// 15m, 6h, 7d or 2w (500ms and 1h30m work too). A day has 24 hours. The field
// that holds one says which clock it follows.
type Duration struct{ time.Duration }

var durationUnits = []struct {
	name string
	size time.Duration
}{
	{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour},
	{"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond},
}

const (
	durationPattern = `^([0-9]+(w|d|h|ms|m|s))+$`
	durationHint    = "write a number and a unit, such as 30s, 15m, 6h, 7d or 2w"
	maxDuration     = 100 * 365 * 24 * time.Hour
)

var (
	durationForm = regexp.MustCompile(durationPattern)
	durationPart = regexp.MustCompile(`([0-9]+)(w|d|h|ms|m|s)`)
)

// ParseDuration reads the form that Duration documents: one part or more, from
// the greatest unit to the smallest.
func ParseDuration(text string) (Duration, error) {
	if !durationForm.MatchString(text) {
		return Duration{}, &syntaxError{fmt.Sprintf("%q is not a duration", text), durationHint}
	}
	var total time.Duration
	last := maxDuration + 1
	for _, part := range durationPart.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseInt(part[1], 10, 64)
		unit := unitSize(part[2])
		if unit >= last {
			return Duration{}, &syntaxError{fmt.Sprintf("%q is not a duration", text),
				"write each unit once, the greatest first, such as 1h30m"}
		}
		last = unit
		if err != nil || n > int64(maxDuration/unit) || total+time.Duration(n)*unit > maxDuration {
			return Duration{}, &syntaxError{fmt.Sprintf("%q is too long", text),
				"a duration is at most 100 years"}
		}
		total += time.Duration(n) * unit
	}
	return Duration{total}, nil
}

func unitSize(name string) time.Duration {
	for _, u := range durationUnits {
		if u.name == name {
			return u.size
		}
	}
	return 0
}

// String returns the duration in the greatest unit up to days that divides it:
// 7d, 36h, 90s. ParseDuration reads it back to the same value.
func (d Duration) String() string {
	for _, u := range durationUnits[1:] {
		if d.Duration != 0 && d.Duration%u.size == 0 {
			return strconv.FormatInt(int64(d.Duration/u.size), 10) + u.name
		}
	}
	if d.Duration == 0 {
		return "0s"
	}
	return d.Duration.String()
}

// MarshalText returns String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// Amount is a difference: a number in the metric's own unit, or a share of a
// reference value.
type Amount struct {
	Value    float64 // 0.03, or 0.3 for 30%
	Relative bool    // a share of the reference's absolute value
}

// Of returns the difference that the amount means at the given reference value.
func (a Amount) Of(reference float64) float64 {
	if a.Relative {
		return a.Value * math.Abs(reference)
	}
	return a.Value
}

const percentPattern = `^[0-9]+(\.[0-9]+)?%$`

// UnmarshalText reads "0.03" or "30%".
func (a *Amount) UnmarshalText(text []byte) error {
	if percent, ok := parsePercent(string(text)); ok {
		*a = Amount{Value: percent / 100, Relative: true}
		return nil
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
		return &syntaxError{fmt.Sprintf("%q is not an amount", text),
			"write a number that is not negative, such as 0.03, or a percentage such as 30%"}
	}
	*a = Amount{Value: v}
	return nil
}

// String returns the form of the file: 0.03 or 30%.
func (a Amount) String() string {
	if a.Relative {
		return formatNumber(percentOf(a.Value)) + "%"
	}
	return formatNumber(a.Value)
}

// MarshalText returns String.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// percentOf returns 100 times a fraction without the noise of binary fractions.
func percentOf(fraction float64) float64 {
	return math.Round(fraction*1e11) / 1e9
}

func formatNumber(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

var percentForm = regexp.MustCompile(percentPattern)

// parsePercent returns 10 for "10%".
func parsePercent(text string) (float64, bool) {
	if !percentForm.MatchString(text) {
		return 0, false
	}
	v, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
	return v, err == nil
}

// Float is a number of a free value that the file writes with a point or an
// exponent. Its JSON has one too: 1.0 is not 1 to everyone who reads it, as
// scikit-learn's min_samples_leaf, where one is a share and the other a count.
type Float float64

// MarshalJSON writes 1.0 as 1.0.
func (f Float) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(float64(f))
	if err == nil && !bytes.ContainsAny(b, ".e") {
		b = append(b, ".0"...)
	}
	return b, err
}

// Red is a persistence: N of the newest M windows.
type Red struct{ N, M int }

const redPattern = `^[1-9][0-9]{0,2} of [1-9][0-9]{0,2}$`

var redForm = regexp.MustCompile(redPattern)

// UnmarshalText reads "3 of 5".
func (r *Red) UnmarshalText(text []byte) error {
	const hint = "write how many red windows of how many open an incident, such as 3 of 5"
	if !redForm.Match(text) {
		return &syntaxError{fmt.Sprintf("%q is not of the form `N of M`", text), hint}
	}
	var n, m int
	if _, err := fmt.Sscanf(string(text), "%d of %d", &n, &m); err != nil || n > m {
		return &syntaxError{fmt.Sprintf("%d of %d windows can never be red", n, m), hint}
	}
	*r = Red{N: n, M: m}
	return nil
}

// String returns the form of the file: 3 of 5.
func (r Red) String() string { return fmt.Sprintf("%d of %d", r.N, r.M) }

// MarshalText returns String.
func (r Red) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Date is a day in UTC, in wall time; Time is its first instant.
type Date struct{ Time time.Time }

// End returns the first instant after the day, until which the day lasts.
func (d Date) End() time.Time { return d.Time.AddDate(0, 0, 1) }

// UnmarshalText reads "2027-06-30".
func (d *Date) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.DateOnly, string(text))
	if err != nil {
		return &syntaxError{fmt.Sprintf("%q is not a date", text),
			"write year, month and day, such as 2027-06-30"}
	}
	d.Time = t
	return nil
}

// String returns the form of the file: 2027-06-30.
func (d Date) String() string { return d.Time.Format(time.DateOnly) }

// MarshalText returns String.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }
