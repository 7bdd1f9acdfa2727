package monitor

import (
	"math"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/stat"
)

func joined(truth float64, predictions map[int64]float64, failed ...int64) label.Joined {
	j := label.Joined{Truth: truth, Scores: map[int64]label.Score{}}
	for version, value := range predictions {
		j.Scores[version] = label.Score{Value: value}
	}
	for _, version := range failed {
		j.Scores[version] = label.Score{Failed: true}
	}
	return j
}

func pairOf(t *testing.T, metric string) *pairing {
	t.Helper()
	test, err := stat.NewSequential(0.05)
	if err != nil {
		t.Fatal(err)
	}
	return &pairing{live: 1, candidate: 2, metric: metric, worseBy: 0.1, test: test}
}

func TestPairing_AVersionThatFailsPaysTheWorstLoss(t *testing.T) {
	both := joined(10, map[int64]float64{1: 12, 2: 9})
	for name, c := range map[string]struct {
		rows            []label.Joined
		n               int
		live, candidate float64
	}{
		"both answer":         {[]label.Joined{both}, 1, 2, 1},
		"the candidate fails": {[]label.Joined{both, joined(10, map[int64]float64{1: 11}, 2)}, 2, 3, 3},
		"the live version fails": {
			[]label.Joined{both, joined(10, map[int64]float64{2: 15}, 1)}, 2, 7, 6},
		"an infinite answer is none": {
			[]label.Joined{joined(10, map[int64]float64{1: 12, 2: math.Inf(1)})}, 1, 2, 2},
		"a perfect one against none": {[]label.Joined{joined(10, map[int64]float64{1: 10}, 2)}, 1, 0, 1},
		"neither answers":            {[]label.Joined{joined(10, nil, 1, 2)}, 0, 0, 0},
		"the candidate is not asked": {
			[]label.Joined{both, joined(10, map[int64]float64{1: 11})}, 1, 2, 1},
		"the live version is not asked": {
			[]label.Joined{both, joined(10, map[int64]float64{2: 50})}, 1, 2, 1},
		"of other versions": {[]label.Joined{joined(10, map[int64]float64{3: 1})}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			pr := pairOf(t, "mae")
			n, err := pr.add(c.rows)
			if err != nil || n != c.n || pr.labels != c.n || pr.lossLive != c.live ||
				pr.lossCandidate != c.candidate || math.Abs(pr.lossTolerated-1.1*c.live) > 1e-12 {
				t.Errorf("n %d, %+v, %v", n, pr, err)
			}
		})
	}
}

func TestPairing_ComparesWhatTheMetricSays(t *testing.T) {
	huge := joined(0, map[int64]float64{1: 1e308, 2: 1})
	three := []label.Joined{ // the candidate is right, and live is not
		joined(0, map[int64]float64{1: 1, 2: 0}), joined(1, map[int64]float64{1: 2, 2: 1}),
		joined(2, map[int64]float64{1: 2, 2: 2}), joined(2, map[int64]float64{1: 2, 2: 2})}
	two := []label.Joined{
		joined(0, map[int64]float64{1: 0.7, 2: 0.3}), joined(1, map[int64]float64{1: 0.8, 2: 0.6})}
	for name, c := range map[string]struct {
		metric                     string
		rows                       []label.Joined
		live, candidate, tolerated float64
		note                       string
	}{
		"three classes":          {"accuracy", three, 2, 0, 2.2, ""},
		"two classes":            {"accuracy", two, 1, 0, 1.1, ""},
		"squared errors":         {"rmse", two[:1], 0.49, 0.09, 0.5929, ""},
		"probabilities of three": {"logloss", three, 0, 0, 0, "the label 2 is not 0 or 1"},
		"labels that are no class": {"accuracy",
			[]label.Joined{joined(0.5, map[int64]float64{1: 0, 2: 1})}, 0, 0, 0,
			"the label 0.5 is no class"},
		"answers that are no class": {"accuracy",
			[]label.Joined{joined(2, map[int64]float64{1: .4, 2: .5})}, 0, 0, 0,
			"neither version gave an answer"},
		"a metric that is no sum": {"auc", two, 0, 0, 0, "auc cannot be compared row by row"},
		"errors too large to add up": {"mae", []label.Joined{huge, huge},
			math.MaxFloat64, 2, math.MaxFloat64, ""},
	} {
		t.Run(name, func(t *testing.T) {
			pr := pairOf(t, c.metric)
			_, err := pr.add(c.rows)
			near := func(a, b float64) bool { return a == b || math.Abs(a-b) < 1e-12 }
			if err != nil || !near(pr.lossLive, c.live) || !near(pr.lossCandidate, c.candidate) ||
				!near(pr.lossTolerated, c.tolerated) || !strings.HasPrefix(pr.note, c.note) ||
				(c.note == "") != (pr.note == "") {
				t.Errorf("%+v, %v", pr, err)
			}
		})
	}
}
