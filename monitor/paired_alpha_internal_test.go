package monitor

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/stat"
)

// equals simulates the requests of two equal versions: a shock that both feel and one of
// its own for each, AR(1) with heavy tails, times an hourly volume. Now and then a version
// does not answer, or is not asked.
type equals struct {
	rng    *rand.Rand
	hour   int
	shared float64
	own    [2]float64
}

// shock is a draw from Student's t distribution with 3 degrees of freedom.
func (q *equals) shock() float64 {
	var squares float64
	for range 3 {
		v := q.rng.NormFloat64()
		squares += v * v
	}
	return q.rng.NormFloat64() / math.Sqrt(squares/3)
}

// day writes the requests of 24 hours over those of the day before.
func (q *equals) day(rows []label.Joined) {
	for i := range rows {
		q.hour++
		volume := 100 * (1.1 + math.Sin(float64(q.hour)*math.Pi/12))
		q.shared = 0.95*q.shared + q.shock()
		rows[i].Truth = volume
		for v := range q.own {
			q.own[v] = 0.8*q.own[v] + q.shock()
			value := volume * (1 + 0.5*q.shared + q.own[v])
			rows[i].Scores[int64(v+1)] = label.Score{Value: value, Failed: q.rng.IntN(100) == 0}
			if q.rng.IntN(100) == 0 {
				delete(rows[i].Scores, int64(v+1))
			}
		}
	}
}

// The rollouts of package release end on what a pairing says, and its own 1,000 A/A
// rollouts take the losses as given. This is the pairing's half: over 60 days, longer than
// a rollout lasts, at most alpha of equal versions are ever rejected.
func TestPairing_RejectsAtMostAlphaOfEqualVersions(t *testing.T) {
	const pairings, days, alpha = 1000, 60, 0.05
	rows := make([]label.Joined, 24)
	for i := range rows {
		rows[i] = joined(0, nil)
	}
	rejected := 0
	for seed := range uint64(pairings) {
		test, err := stat.NewSequential(alpha)
		if err != nil {
			t.Fatal(err)
		}
		pr := &pairing{live: 1, candidate: 2, metric: "mae", test: test} // worseBy 0 is the worst case
		q := equals{rng: rand.New(rand.NewPCG(seed, 5))}
		for range days {
			q.day(rows)
			if _, err := pr.add(rows); err != nil {
				t.Fatal(err)
			}
		}
		if pr.facts(pr.test.Rejected())["rejected"] == true {
			rejected++
		}
	}
	t.Logf("%d of %d equal versions rejected within %d days", rejected, pairings, days)
	if rejected > alpha*pairings {
		t.Errorf("%d of %d equal versions rejected, at most %g allowed", rejected, pairings, alpha*pairings)
	}
}
