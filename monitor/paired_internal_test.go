package monitor

import (
	"math"
	"testing"

	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/stat"
)

func joined(truth float64, predictions map[int64]float64) label.Joined {
	return label.Joined{Truth: truth, Predictions: predictions}
}

func TestPairing_AVersionThatFailsPaysTheWorstLoss(t *testing.T) {
	for name, c := range map[string]struct {
		rows            []label.Joined
		n               int
		live, candidate float64
	}{
		"both answer": {[]label.Joined{joined(10, map[int64]float64{1: 12, 2: 9})}, 1, 2, 1},
		"the candidate fails": {[]label.Joined{joined(10, map[int64]float64{1: 12, 2: 9}),
			joined(10, map[int64]float64{1: 11})}, 2, 3, 3},
		"the live version fails": {[]label.Joined{joined(10, map[int64]float64{1: 12, 2: 9}),
			joined(10, map[int64]float64{2: 15})}, 2, 7, 6},
		"an infinite answer is none": {[]label.Joined{joined(10, map[int64]float64{1: 12, 2: math.Inf(1)})}, 1, 2, 2},
		"a perfect one against none": {[]label.Joined{joined(10, map[int64]float64{1: 10})}, 1, 0, 1},
		"neither answers":            {[]label.Joined{joined(10, nil)}, 0, 0, 0},
		"of other versions":          {[]label.Joined{joined(10, map[int64]float64{3: 1})}, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test, err := stat.NewSequential(0.1, 0.05)
			if err != nil {
				t.Fatal(err)
			}
			pr := &pairing{live: 1, candidate: 2, metric: "mae", test: test}
			n, err := pr.add(c.rows)
			if err != nil || n != c.n || pr.labels != c.n || pr.lossLive != c.live ||
				pr.lossCandidate != c.candidate {
				t.Errorf("n %d, %+v, %v", n, pr, err)
			}
		})
	}
}

func TestLossMetric_IsOneThatJudgesRowByRow(t *testing.T) {
	for name, want := range map[string]string{"error": "mae", "wape": "wape", "auc": "logloss",
		"accuracy": "accuracy", "r2": "mae", "brier": "brier"} {
		if got := lossMetric(name); got != want {
			t.Errorf("%s is compared by %s, want %s", name, got, want)
		}
	}
}
