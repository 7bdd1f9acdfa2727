package spec

import "strings"

// nearest returns the candidate that is most likely meant by word: the one at
// the smallest edit distance, if at most a third of the letters differ (two for
// short words). The first candidate wins a tie.
func nearest(word string, candidates []string) (string, bool) {
	best, bestDistance := "", max(2, len(word)/3)+1
	if len(word) <= 2 {
		bestDistance = 2
	}
	for _, c := range candidates {
		if len(c) > len(word)+bestDistance || len(word) > len(c)+bestDistance {
			continue
		}
		d := editDistance(strings.ToLower(word), strings.ToLower(c))
		if d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best, best != ""
}

// editDistance is the optimal string alignment distance: inserted, deleted,
// replaced and swapped neighbouring bytes count one each (Damerau 1964,
// Levenshtein 1966).
func editDistance(a, b string) int {
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}

// didYouMean returns a hint that names the nearest candidate, or else all of
// them under the given word ("keys", "values").
func didYouMean(word, kind string, candidates []string) string {
	if c, ok := nearest(word, candidates); ok {
		return "did you mean `" + c + "`?"
	}
	if len(candidates) == 0 {
		return ""
	}
	return "known " + kind + ": " + strings.Join(candidates, ", ")
}
