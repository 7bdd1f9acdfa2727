package stat

import (
	"encoding/json"
	"math"

	"github.com/fairlead-ml/fairlead"
)

// Sequential tests whether a candidate's loss exceeds what is tolerated, which follows
// from the live version's loss, block by block. It may be looked at after each block,
// for as long as one likes.
//
// A block is a stretch of stream time, a day say, over which both versions scored the
// same rows. Its score compares the candidate's sum of losses with the tolerated one
// (Loss.Tolerated),
//
//	s = (Lc^k - B^k) / (Lc^k + B^k),  k = 4,
//
// which is in [-1, 1], 0 where they are equal, and 1/2 when the candidate's exceeds the
// tolerated one by a third. The null hypothesis is E[s | earlier blocks] ≤ 0, and a
// candidate of which it is true is ever rejected with probability at most alpha.
//
// It is true of a candidate whose loss is at most what is tolerated of a version that is
// exchangeable with the live one, given the past: a retrained twin, say. Shocks that both
// versions feel, heavy tails and changing volume do no harm then. What it does not cover:
//
//   - Losses of another shape. The score is bounded, so it is about the usual block, and
//     not about the mean of losses: a candidate that does a little worse on most blocks
//     and far better on a few is rejected although its mean is the same or lower, and one
//     that does a little better on most blocks and far worse on a few is not rejected.
//   - A difference that lasts over blocks and then ends, which the test cannot know: make
//     blocks longer than the memory of the losses. In simulations with nothing tolerated
//     and alpha 0.05, the worst case, 3 % of equal versions are rejected within 60 blocks
//     while the log ratios of successive blocks correlate by 0.06, 4.3 % at 0.12, and more
//     than alpha from about 0.2.
//
// The wealth is a bet against the hypothesis,
//
//	K = Π (1 + λ_t s_t) exp(-0.05 (λ_t s_t)²),
//
// with λ_t in [0, 0.95] chosen from earlier blocks; under the hypothesis it is a
// supermartingale, so P(some K ≥ 1/alpha) ≤ alpha (Ville's inequality;
// Waudby-Smith and Ramdas 2023, Estimating means of bounded random variables by
// betting; Howard et al. 2021, Time-uniform confidence sequences). The second
// factor is a fee of our own: it only lowers K, and leaves room for the weak
// correlation of blocks that real losses have.
//
// However large the difference, rejection takes FewestBlocks(alpha) blocks.
type Sequential struct {
	alpha  float64
	blocks [][2]float64
	bet    bet
}

// NewSequential returns a test that rejects falsely with probability at most alpha
// (between 0 and 1).
func NewSequential(alpha float64) (*Sequential, error) {
	if !(alpha > 0 && alpha < 1) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"alpha is %v; it must lie between 0 and 1, for example 0.05", alpha)
	}
	return &Sequential{alpha: alpha, bet: newBet()}, nil
}

// Alpha returns the probability that the test was made with.
func (s *Sequential) Alpha() float64 { return s.alpha }

// FewestBlocks is how many blocks a rejection takes at least: 5 for alpha 0.05, 4 for
// 0.1. No test could do with less than log2(1/alpha), because under the hypothesis each
// block may be a fair coin.
func FewestBlocks(alpha float64) int {
	b := newBet()
	n := 0
	for ; !b.reached(alpha); n++ {
		b.add(1)
	}
	return n
}

// Add takes the candidate's sum of losses (or mean) in the next block, and the one that
// is tolerated there. They must be finite and not negative, else Add is Invalid and
// changes nothing. Two zeros are a block that says nothing.
func (s *Sequential) Add(loss, tolerated float64) error {
	for _, loss := range []float64{loss, tolerated} {
		if !finite(loss) || loss < 0 {
			return fairlead.Errorf(fairlead.Invalid,
				"a block's loss is %v; losses must be finite and not negative", loss)
		}
	}
	s.blocks = append(s.blocks, [2]float64{loss, tolerated})
	s.bet.add(score(loss, tolerated))
	return nil
}

// Blocks returns how many blocks were added.
func (s *Sequential) Blocks() int { return len(s.blocks) }

// Wealth returns the evidence against the candidate so far: 1 at the start, more
// when it is worse. It is an e-value. It is capped at the largest float64.
func (s *Sequential) Wealth() float64 {
	return min(math.Exp(s.bet.logWealth), math.MaxFloat64)
}

// Rejected reports whether the wealth has ever reached 1/alpha: the candidate is
// worse by more than the tolerated share. It stays so.
func (s *Sequential) Rejected() bool { return s.bet.reached(s.alpha) }

// sequentialState is the JSON form: the setting and the blocks themselves, so
// that whoever reads a decision can replay it.
type sequentialState struct {
	Alpha  float64      `json:"alpha"`
	Blocks [][2]float64 `json:"blocks"` // sums of losses: the candidate's, the tolerated
}

// MarshalJSON writes the setting and the blocks.
func (s *Sequential) MarshalJSON() ([]byte, error) {
	blocks := s.blocks
	if blocks == nil {
		blocks = [][2]float64{}
	}
	return json.Marshal(sequentialState{s.alpha, blocks})
}

// UnmarshalJSON replays the blocks that MarshalJSON wrote.
func (s *Sequential) UnmarshalJSON(b []byte) error {
	var state sequentialState
	if err := json.Unmarshal(b, &state); err != nil {
		return fairlead.Errorf(fairlead.Invalid, "read sequential test: %w", err)
	}
	read, err := NewSequential(state.Alpha)
	if err != nil {
		return err
	}
	for _, block := range state.Blocks {
		if err := read.Add(block[0], block[1]); err != nil {
			return err
		}
	}
	*s = *read
	return nil
}

// sharpness is k in the score. With k = 1 a candidate twice as bad is caught
// after 13 blocks where 10 % is tolerated, because even the boldest bet then grows by a
// quarter a block; with k = 4 after 6, where 5 is the least possible. As k grows
// further the score becomes a mere sign, which is blind to how much is at stake
// on a block and wins little.
const sharpness = 4

// score compares a block's loss with the tolerated one: tanh of half the scaled log
// ratio is the fraction in the doc of Sequential, without overflow.
func score(loss, tolerated float64) float64 {
	if loss == tolerated {
		return 0
	}
	return math.Tanh(sharpness / 2.0 * (math.Log(loss) - math.Log(tolerated)))
}

// bet is a capital process on scores in [-1, 1]. The stake is aGRAPA's (section
// B.3 of Waudby-Smith and Ramdas 2023), mean over mean square of the earlier
// scores, with two imagined ones so that it begins boldly.
type bet struct {
	sum, sumSquares    float64
	logWealth, highest float64
}

// largestStake keeps the wealth positive after the worst score, and leaves a
// twentieth of it to come back with.
const largestStake = 0.95

// fee is the share of a squared gain or loss that each block costs.
const fee = 0.05

func newBet() bet { return bet{sum: 1, sumSquares: 1} }

func (b *bet) add(score float64) {
	stake := min(max(b.sum/b.sumSquares, 0), largestStake)
	gain := stake * score
	b.logWealth += math.Log1p(gain) - fee*gain*gain
	b.highest = max(b.highest, b.logWealth)
	b.sum += score
	b.sumSquares += score * score
}

func (b bet) reached(alpha float64) bool { return b.highest >= -math.Log(alpha) }
