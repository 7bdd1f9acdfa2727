package stat

import (
	"encoding/json"
	"math"

	"github.com/fairlead-ml/fairlead"
)

// Sequential tests whether a candidate's loss is worse than the live version's
// by more than a tolerated share, block by block. It may be looked at after each
// block, for as long as one likes: a candidate that is not worse is ever
// rejected with probability at most alpha.
//
// A block is a stretch of stream time, a day say, over which both versions
// scored the same rows. Its score compares the two sums of losses,
//
//	s = (Lc^k - B^k) / (Lc^k + B^k),  B = (1 + worseBy) Ll,  k = 4,
//
// which is in [-1, 1], 0 at the tolerated ratio, and 1/2 when the ratio exceeds
// it by a third. The hypothesis is E[s | earlier blocks] ≤ 0. It holds when the
// candidate's loss is at most (1 + worseBy) times one that is exchangeable with
// the live version's, given the past; shocks that both versions feel, heavy tails
// and changing volume do no harm. A difference that lasts over blocks does, as
// the test cannot know that it will end: make blocks longer than the memory of
// the losses. In simulations at worseBy 0 and alpha 0.05, the worst case, 3 % of
// equal versions are rejected within 60 blocks while the log ratios of successive
// blocks correlate by 0.06, 4.3 % at 0.12, and more than alpha from about 0.2.
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
// However large the difference, rejection takes at least log2(1/alpha) blocks
// (5 for 0.05, 4 for 0.1): under the hypothesis each block may be a fair coin.
type Sequential struct {
	worseBy float64
	alpha   float64
	blocks  [][2]float64
	bet     bet
}

// NewSequential returns a test that tolerates a candidate worse by the relative
// share worseBy (0 or more; 0.1 means 10 %) and rejects falsely with probability
// at most alpha (between 0 and 1).
func NewSequential(worseBy, alpha float64) (*Sequential, error) {
	if !(worseBy >= 0) || math.IsInf(worseBy, 1) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"worse_by is %v; it must be a share of 0 or more, for example 10%%", worseBy)
	}
	if !(alpha > 0 && alpha < 1) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"alpha is %v; it must lie between 0 and 1, for example 0.05", alpha)
	}
	return &Sequential{worseBy: worseBy, alpha: alpha, bet: newBet()}, nil
}

// Add takes the two sums (or means) of losses of the next block, over the same
// rows. They must be finite and not negative, else Add is Invalid and changes
// nothing. Two zeros are a block that says nothing.
func (s *Sequential) Add(lossCandidate, lossLive float64) error {
	for _, loss := range []float64{lossCandidate, lossLive} {
		if !finite(loss) || loss < 0 {
			return fairlead.Errorf(fairlead.Invalid,
				"a block's loss is %v; losses must be finite and not negative", loss)
		}
	}
	block := [2]float64{lossCandidate, lossLive}
	s.blocks = append(s.blocks, block)
	s.bet.add(score(block, s.worseBy))
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

// LowerBound returns by which share the candidate is worse at least, with
// confidence 1-alpha at all blocks together: 0.25 means 25 % worse or more,
// negative that it may be better. It is the largest share up to which the test
// with each smaller tolerance rejects, in steps of 1 % of the ratio from -90 % to
// 900 %; -1 means that nothing is known yet.
func (s *Sequential) LowerBound() float64 {
	const step, lowest, highest = 0.01, 0.1, 10.0
	bound := -1.0
	for ratio := math.Log(lowest); ratio <= math.Log(highest); ratio += step {
		worseBy := math.Expm1(ratio)
		if b := s.replay(worseBy); !b.reached(s.alpha) {
			break
		}
		bound = worseBy
	}
	return bound
}

func (s *Sequential) replay(worseBy float64) bet {
	b := newBet()
	for _, block := range s.blocks {
		b.add(score(block, worseBy))
	}
	return b
}

// sequentialState is the JSON form: the settings and the blocks themselves, so
// that whoever reads a decision can replay it.
type sequentialState struct {
	WorseBy float64      `json:"worse_by"`
	Alpha   float64      `json:"alpha"`
	Blocks  [][2]float64 `json:"blocks"` // sums of losses: candidate, live
}

// MarshalJSON writes the settings and the blocks.
func (s *Sequential) MarshalJSON() ([]byte, error) {
	blocks := s.blocks
	if blocks == nil {
		blocks = [][2]float64{}
	}
	return json.Marshal(sequentialState{s.worseBy, s.alpha, blocks})
}

// UnmarshalJSON replays the blocks that MarshalJSON wrote.
func (s *Sequential) UnmarshalJSON(b []byte) error {
	var state sequentialState
	if err := json.Unmarshal(b, &state); err != nil {
		return fairlead.Errorf(fairlead.Invalid, "read sequential test: %w", err)
	}
	read, err := NewSequential(state.WorseBy, state.Alpha)
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
// after 13 blocks at worseBy 10 %, because even the boldest bet then grows by a
// quarter a block; with k = 4 after 6, where 5 is the least possible. As k grows
// further the score becomes a mere sign, which is blind to how much is at stake
// on a block and wins little.
const sharpness = 4

// score compares a block's losses with the tolerated ratio: tanh of half the
// scaled log ratio is the fraction in the doc of Sequential, without overflow.
func score(block [2]float64, worseBy float64) float64 {
	if block[0] == block[1] && block[0] == 0 {
		return 0
	}
	logRatio := math.Log(block[0]) - math.Log(block[1])
	return math.Tanh(sharpness / 2.0 * (logRatio - math.Log1p(worseBy)))
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
