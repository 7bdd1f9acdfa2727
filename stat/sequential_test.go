package stat_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
)

const days = 60

// stream simulates the hourly errors of two versions of equal skill: a shock that
// both feel, and one of its own for each, all AR(1) with Student-t innovations of
// three degrees of freedom, times a volume that follows the hour and drifts.
type stream struct {
	rng    *rand.Rand
	memory float64 // the AR(1) coefficient of a version's own errors, an hour
	common float64 // the weight of the shared shock against a version's own
	shared float64
	own    [2]float64
	hour   int
}

func (s *stream) student() float64 {
	squares := 0.0
	for range 3 {
		v := s.rng.NormFloat64()
		squares += v * v
	}
	return s.rng.NormFloat64() / math.Sqrt(squares/3)
}

// day returns the two sums of absolute errors of 24 hours.
func (s *stream) day() (losses [2]float64) {
	for range 24 {
		s.hour++
		volume := 100 * (1.1 + math.Sin(float64(s.hour)*math.Pi/12)) *
			(1 + 0.5*math.Sin(float64(s.hour)/500))
		s.shared = 0.95*s.shared + s.student()
		for v := range s.own {
			s.own[v] = s.memory*s.own[v] + s.student()
			losses[v] += volume * math.Abs(s.common*s.shared+s.own[v])
		}
	}
	return losses
}

// The daily log ratio of two equal versions has a standard deviation of 0.5 in
// the noisy stream and 0.3 in the paired one (at a memory of 0.8).
const noisy, paired = 0.5, 2.0

// rollout returns the block at which a candidate whose loss is ratio times that
// of an equal version is rejected, and days+1 when it never is.
func rollout(t *testing.T, s *stream, ratio, worseBy, alpha float64) int {
	t.Helper()
	test, err := stat.NewSequential(alpha)
	if err != nil {
		t.Fatal(err)
	}
	for range days {
		losses := s.day()
		if err := test.Add(losses[0]*ratio, losses[1]*(1+worseBy)); err != nil {
			t.Fatal(err)
		}
		if test.Rejected() {
			return test.Blocks()
		}
	}
	return days + 1
}

func rollouts(t *testing.T, memory, common, ratio, worseBy, alpha float64) []int {
	t.Helper()
	at := make([]int, 1000)
	rng := rand.New(rand.NewPCG(2026, 3))
	for i := range at {
		at[i] = rollout(t, &stream{rng: rng, memory: memory, common: common}, ratio, worseBy, alpha)
	}
	slices.Sort(at)
	return at
}

// Over 30,000 rollouts with other seeds the rates of the first three cases are
// 2.6, 3.2 and 4.1 %, so the limit is no luck of this seed.
func TestSequential_RejectsAtMostAlphaOfEqualVersions(t *testing.T) {
	for _, c := range []struct{ memory, common, ratio, worseBy, alpha float64 }{
		{0.5, noisy, 1, 0, 0.05},
		{0.8, noisy, 1, 0, 0.05},
		{0.9, noisy, 1, 0, 0.05},
		{0.9, noisy, 1, 0, 0.1},
		{0.8, paired, 1, 0, 0.05},
		{0.8, noisy, 1, 0.1, 0.05},
		{0.8, noisy, 1.1, 0.1, 0.05}, // worse by exactly what is tolerated
	} {
		at := rollouts(t, c.memory, c.common, c.ratio, c.worseBy, c.alpha)
		rejected, _ := slices.BinarySearch(at, days+1)
		t.Logf("%+v: %d of %d A/A rollouts rejected in %d looks each",
			c, rejected, len(at), days)
		if limit := c.alpha * float64(len(at)); float64(rejected) > limit {
			t.Errorf("%+v: %d rejected, at most %v allowed", c, rejected, limit)
		}
	}
}

func TestSequential_CatchesAWorseCandidateInDays(t *testing.T) {
	for _, c := range []struct {
		common, ratio, worseBy float64
		median, slowest        int // at most; slowest is the 95th percentile
	}{
		{paired, 1.5, 0, 8, 14},
		{paired, 1.5, 0.1, 10, 20},
		{paired, 2, 0, 6, 8},
		{paired, 2, 0.1, 6, 9},
		{paired, 3.3, 0.1, 5, 6},
		{noisy, 1.5, 0, 14, 45},
		{noisy, 2, 0.1, 8, 22},
		{noisy, 3.3, 0.1, 6, 9},
	} {
		at := rollouts(t, 0.8, c.common, c.ratio, c.worseBy, 0.05)
		median, slowest := at[len(at)/2], at[len(at)*95/100]
		t.Logf("%+v: rejected after %d blocks at the median, %d at p95", c, median, slowest)
		if median > c.median || slowest > c.slowest {
			t.Errorf("%+v: median %d, p95 %d", c, median, slowest)
		}
	}
}

func TestSequential_RejectsInTheFewestBlocksPossible(t *testing.T) {
	for _, c := range []struct {
		alpha float64
		want  int
	}{{0.05, 5}, {0.1, 4}, {0.5, 2}, {0.01, 8}} {
		test, _ := stat.NewSequential(c.alpha)
		for !test.Rejected() {
			if err := test.Add(80, 1); err != nil {
				t.Fatal(err)
			}
		}
		if test.Blocks() != c.want || stat.FewestBlocks(c.alpha) != c.want {
			t.Errorf("alpha %v: %d blocks, want %d", c.alpha, test.Blocks(), c.want)
		}
	}
}

func TestSequential_StaysRejected(t *testing.T) {
	test, _ := stat.NewSequential(0.05)
	if test.Wealth() != 1 {
		t.Errorf("before the first block: wealth %v", test.Wealth())
	}
	add(t, test, 20, 3, 1.1)
	if !test.Rejected() {
		t.Errorf("three times as bad: wealth %v", test.Wealth())
	}
	add(t, test, 20, 1, 3.3)
	if !test.Rejected() || test.Wealth() > 1 {
		t.Errorf("later blocks took it back: wealth %v", test.Wealth())
	}
}

// The known limit of a bounded score: it is about the usual block and not about the
// mean. Both versions lose 1 a block on average, one of them always, the other little on
// most days and much on a few.
func TestSequential_DoesNotCompareMeansOfUnequalShapes(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	rejected := map[string]int{}
	for range 200 {
		steady, _ := stat.NewSequential(0.05)
		rare, _ := stat.NewSequential(0.05)
		for range days {
			uneven := 0.5
			if rng.IntN(10) == 0 {
				uneven = 5.5
			}
			add(t, steady, 1, 1, uneven)
			add(t, rare, 1, uneven, 1)
		}
		for name, test := range map[string]*stat.Sequential{"steady": steady, "rare": rare} {
			if test.Rejected() {
				rejected[name]++
			}
		}
	}
	if rejected["steady"] < 190 || rejected["rare"] > 10 {
		t.Errorf("of 200 with the same mean %v were rejected", rejected)
	}
}

func TestSequential_WealthStaysPositiveAndFinite(t *testing.T) {
	better, _ := stat.NewSequential(0.05)
	add(t, better, 1, 0, 1)
	if w := better.Wealth(); w <= 0 || w >= 1 {
		t.Errorf("a perfect candidate's wealth is %v", w)
	}
	worse, _ := stat.NewSequential(0.05)
	add(t, worse, 2000, 1, 0)
	if w := worse.Wealth(); math.IsInf(w, 0) || w < 1e300 {
		t.Errorf("a hopeless candidate's wealth is %v", w)
	}
	silent, _ := stat.NewSequential(0.05)
	add(t, silent, 10, 0, 0)
	if silent.Wealth() != 1 || silent.Blocks() != 10 {
		t.Errorf("blocks without loss moved the wealth to %v", silent.Wealth())
	}
}

func TestSequential_ReplaysIdenticallyFromJSON(t *testing.T) {
	straight, _ := stat.NewSequential(0.05)
	stored, _ := stat.NewSequential(0.05)
	s := stream{rng: rand.New(rand.NewPCG(7, 7)), memory: 0.8, common: paired}
	for range days {
		losses := s.day()
		add(t, straight, 1, 1.2*losses[0], 1.1*losses[1])
		stored = throughJSON(t, stored)
		add(t, stored, 1, 1.2*losses[0], 1.1*losses[1])
	}
	if stored.Wealth() != straight.Wealth() || stored.Rejected() != straight.Rejected() ||
		stored.Blocks() != straight.Blocks() {
		t.Errorf("stored %v, straight %v", stored.Wealth(), straight.Wealth())
	}
}

func TestSequential_RefusesWhatIsNoLoss(t *testing.T) {
	test, _ := stat.NewSequential(0.05)
	for _, block := range [][2]float64{
		{-1, 1}, {1, -1}, {math.NaN(), 1}, {1, math.NaN()}, {math.Inf(1), 1}, {1, math.Inf(1)},
	} {
		if err := test.Add(block[0], block[1]); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("Add(%v) = %v, want invalid", block, err)
		}
	}
	if test.Blocks() != 0 {
		t.Errorf("%d refused blocks were counted", test.Blocks())
	}
	for _, alpha := range []float64{0, 1, -0.1, math.NaN()} {
		if _, err := stat.NewSequential(alpha); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("NewSequential(%v) = %v, want invalid", alpha, err)
		}
	}
}

func TestSequential_RefusesToReadWhatIsNoTest(t *testing.T) {
	var test stat.Sequential
	for _, text := range []string{
		`{}`, `{"alpha":2}`, `{"alpha":0.05,"blocks":[[1,-1]]}`, `{"alpha":"5%"}`,
	} {
		if err := json.Unmarshal([]byte(text), &test); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("read %s: %v, want invalid", text, err)
		}
	}
}

func FuzzSequential_UnmarshalJSON(f *testing.F) {
	f.Add([]byte(`{"alpha":0.05,"blocks":[[1.5,1],[0,0],[0,2]]}`))
	f.Add([]byte(`{"alpha":2,"blocks":[[-1]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var test stat.Sequential
		if json.Unmarshal(text, &test) != nil {
			return
		}
		if test.Blocks() > 1000 {
			return
		}
		if w := test.Wealth(); !(w >= 0) || math.IsInf(w, 0) {
			t.Errorf("%s: wealth %v", text, w)
		}
	})
}

func add(t *testing.T, s *stat.Sequential, blocks int, loss, tolerated float64) {
	t.Helper()
	for range blocks {
		if err := s.Add(loss, tolerated); err != nil {
			t.Fatal(err)
		}
	}
}
