package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/tracking"
)

// ChartSeries asks for one history, or for the part of it that a chart lacks.
type ChartSeries struct {
	Run   string `json:"run" maxLength:"64"`
	Key   string `json:"key" maxLength:"500"`
	From  *int64 `json:"from,omitempty" doc:"a step, or a time in Unix ms; absent for the beginning"`
	To    *int64 `json:"to,omitempty" doc:"included"`
	Width int64  `json:"width,omitempty" minimum:"0" doc:"of the buckets: as an answer said, so that new ones fit"`
	Seen  string `json:"seen,omitempty" maxLength:"16" doc:"as the answer before said: only what has changed is read"`
}

// ChartRequest asks for the histories of many metrics and runs.
type ChartRequest struct {
	By      string        `json:"by,omitempty" enum:"step,time" default:"step"`
	Buckets int           `json:"buckets,omitempty" default:"500" minimum:"1" maximum:"2000" doc:"of each series; of all together at most 100000"`
	Series  []ChartSeries `json:"series" minItems:"1" maxItems:"500"`
}

// ChartLine is a thinned history, column by column: item i of each list is of bucket i.
// Where each bucket is one point, to_step, to_ms, min, max, mean and count are left out.
type ChartLine struct {
	Run       string     `json:"run"`
	Key       string     `json:"key"`
	By        string     `json:"by" doc:"step, or time: also of a metric whose points all have the same step"`
	Width     int64      `json:"width" doc:"steps or ms of a bucket; 0 when each is one point"`
	Points    int64      `json:"points" doc:"of the part that was asked for"`
	Seen      string     `json:"seen" doc:"changes when newer points come"`
	Unchanged bool       `json:"unchanged,omitempty" doc:"nothing has come since seen, and nothing was read"`
	Step      []int64    `json:"step" doc:"the first of the bucket"`
	ToStep    []int64    `json:"to_step,omitempty"`
	MS        []int64    `json:"ms" doc:"when the first of its points was measured"`
	ToMS      []int64    `json:"to_ms,omitempty"`
	Last      []*float64 `json:"last" doc:"of its last point; null for NaN and the infinities"`
	Min       []*float64 `json:"min,omitempty" doc:"exact, of the numbers; null when it has none"`
	Max       []*float64 `json:"max,omitempty"`
	Mean      []*float64 `json:"mean,omitempty"`
	Count     []int64    `json:"count,omitempty" doc:"points"`
	NaNs      []int64    `json:"nans,omitempty" doc:"absent when no bucket has any; so highs and lows"`
	Highs     []int64    `json:"highs,omitempty" doc:"points of plus infinity"`
	Lows      []int64    `json:"lows,omitempty" doc:"points of minus infinity"`
}

// ChartLines are the series in the order in which they were asked for.
type ChartLines struct {
	Series []ChartLine `json:"series"`
}

func (a *API) chartOperations() {
	register(a, op{id: "chart-runs", method: "POST", path: "/charts", limit: 256 << 10,
		summary: "The histories of metrics of many runs, thinned with exact extremes", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Body ChartRequest
		}) (*ChartLines, error) {
			ask := tracking.ChartAsk{By: in.Body.By, Buckets: in.Body.Buckets}
			for _, s := range in.Body.Series {
				ask.Series = append(ask.Series, tracking.SeriesAsk(s))
			}
			all, err := a.Tracking.Charts(ctx, p, ask)
			out := &ChartLines{Series: make([]ChartLine, len(all))}
			for i := range all {
				out.Series[i] = newChartLine(&all[i])
			}
			return out, err
		})
}

func newChartLine(s *tracking.Series) ChartLine {
	out := ChartLine{Run: s.Run, Key: s.Key, By: s.By, Width: s.Width, Points: s.Points, Seen: s.Seen,
		Unchanged: s.Unchanged, Step: []int64{}, MS: []int64{}, Last: []*float64{}}
	odd := [3]bool{}
	for _, b := range s.Buckets {
		out.Step, out.MS = append(out.Step, b.FromStep), append(out.MS, b.FromMS)
		out.Last = append(out.Last, b.Last)
		odd[0], odd[1], odd[2] = odd[0] || b.NaNs > 0, odd[1] || b.Highs > 0, odd[2] || b.Lows > 0
		if s.Width == 0 {
			continue
		}
		out.ToStep, out.ToMS = append(out.ToStep, b.ToStep), append(out.ToMS, b.ToMS)
		out.Min, out.Max = append(out.Min, b.Min), append(out.Max, b.Max)
		out.Mean, out.Count = append(out.Mean, b.Mean), append(out.Count, b.Points)
	}
	for i, part := range []struct {
		to *[]int64
		of func(tracking.Bucket) int64
	}{
		{&out.NaNs, func(b tracking.Bucket) int64 { return b.NaNs }},
		{&out.Highs, func(b tracking.Bucket) int64 { return b.Highs }},
		{&out.Lows, func(b tracking.Bucket) int64 { return b.Lows }},
	} {
		for _, b := range s.Buckets {
			if odd[i] {
				*part.to = append(*part.to, part.of(b))
			}
		}
	}
	return out
}
