package pipeline

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Point is one value that a step printed: `::metric wape=0.31 step=2`.
type Point struct {
	Name  string  `json:"name"`
	Value float64 `json:"value" doc:"a text for NaN, +Inf and -Inf"`
	Step  int64   `json:"step,omitempty"`
}

type pointJSON struct {
	Name  string `json:"name"`
	Value any    `json:"value"` // a text where JSON has no number: NaN, +Inf, -Inf
	Step  int64  `json:"step,omitempty"`
}

// MarshalJSON writes a value that JSON has no number for as text.
func (p Point) MarshalJSON() ([]byte, error) {
	out := pointJSON{p.Name, p.Value, p.Step}
	if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		out.Value = strconv.FormatFloat(p.Value, 'g', -1, 64)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (p *Point) UnmarshalJSON(b []byte) error {
	var in pointJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	p.Name, p.Step = in.Name, in.Step
	switch v := in.Value.(type) {
	case float64:
		p.Value = v
	case string:
		var err error
		p.Value, err = strconv.ParseFloat(v, 64)
		return err
	}
	return nil
}

const (
	// maxPoints is how many points of one step are kept, the newest ones; beside them
	// the last one of each name.
	maxPoints = 5000
	// maxNames bounds the names of which only the last point is kept.
	maxNames = 1000
)

const metricMark = "::metric "

// parseMark returns the points of a line `::metric name=value … [step=n]`; none
// for other lines and for what is not a number. Step counts for the whole line.
func parseMark(line string) (points []Point) {
	rest, ok := strings.CutPrefix(line, metricMark)
	if !ok {
		return nil
	}
	var step int64
	for field := range strings.FieldsSeq(rest) {
		name, text, ok := strings.Cut(field, "=")
		if !ok || name == "" {
			continue
		}
		if name == "step" {
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				step = n
			}
			continue
		}
		if v, err := strconv.ParseFloat(text, 64); err == nil {
			points = append(points, Point{Name: name, Value: v})
		}
	}
	for i := range points {
		points[i].Step = step
	}
	return points
}

// readPoints returns what the step of an attempt printed, and how many points are
// left out.
func readPoints(dir string) (points []Point, dropped int64, err error) {
	for offset := int64(0); ; {
		lines, next, err := shim.ReadMarks(dir, offset)
		if err != nil {
			return nil, 0, err
		}
		for _, line := range lines {
			points = append(points, parseMark(line)...)
		}
		before := len(points)
		if points = newest(points); next == offset {
			return points, dropped + int64(before-len(points)), nil
		}
		dropped += int64(before - len(points))
		offset = next
	}
}

// newest returns the last maxPoints points, and of those before them the ones that
// say how their names ended: of maxNames names at most, the earliest.
func newest(points []Point) []Point {
	cut := len(points) - maxPoints
	if cut <= 0 {
		return points
	}
	ends := map[string]int{}
	for i, p := range points {
		if at, ok := ends[p.Name]; !ok || p.Step >= points[at].Step {
			ends[p.Name] = i
		}
	}
	var out []Point
	for i, p := range points[:cut] {
		if ends[p.Name] == i && len(out) < maxNames {
			out = append(out, p)
		}
	}
	return append(out, points[cut:]...)
}

// badName says which metric's name, as it is recorded, tracking would refuse; "" for
// none.
func badName(sp *spec.Spec, step string, points []Point) string {
	for _, p := range points {
		err := tracking.ValidateKey("metric", "Metric", recorded(sp, step, p.Name))
		if err != nil {
			return fmt.Sprintf("step %s printed a metric with a name that cannot be stored: %s",
				step, fairlead.MessageOf(err))
		}
	}
	return ""
}

// last returns the newest value of each name: that of the highest step, of equal
// steps the one printed last.
func last(points []Point) map[string]float64 {
	out, steps := map[string]float64{}, map[string]int64{}
	for _, p := range points {
		if step, ok := steps[p.Name]; !ok || p.Step >= step {
			out[p.Name], steps[p.Name] = p.Value, p.Step
		}
	}
	return out
}
