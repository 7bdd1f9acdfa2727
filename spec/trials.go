package spec

import "math/rand/v2"

// Choice is one value of one parameter.
type Choice struct {
	Step  string `json:"step"`
	Param string `json:"param"`
	Value any    `json:"value"`
}

// Trials returns the combinations to try, in order, each with one choice for
// each entry of Over. The values of the last entry change fastest, as on an
// odometer. A seed other than 0 shuffles them (PCG with the seed), always in the
// same way. Tries cuts the list; a list shorter than Tries is not repeated.
func (s *Search) Trials() [][]Choice {
	total := 1
	for _, p := range s.Over {
		total *= len(p.Values)
	}
	n := total
	if s.Tries > 0 {
		n = min(n, s.Tries)
	}
	number := func(i int) int { return i }
	if s.Seed != 0 {
		shuffled := rand.New(rand.NewPCG(uint64(s.Seed), 0)).Perm(total)
		number = func(i int) int { return shuffled[i] }
	}
	trials := make([][]Choice, n)
	for i := range trials {
		trials[i] = s.trial(number(i))
	}
	return trials
}

// trial returns the combination with the given number.
func (s *Search) trial(number int) []Choice {
	choices := make([]Choice, len(s.Over))
	for i := len(s.Over) - 1; i >= 0; i-- {
		p := s.Over[i]
		choices[i] = Choice{p.Step, p.Name, p.Values[number%len(p.Values)]}
		number /= len(p.Values)
	}
	return choices
}
