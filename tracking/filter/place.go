package filter

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Want is what a filter goes on with at a place.
type Want string

// The wants.
const (
	WantKey        Want = "key"
	WantComparator Want = "comparator"
	WantValue      Want = "value"
	WantJoin       Want = "join" // AND, OR, or the end
)

// Place is where somebody types in a filter. From and To are places between its characters,
// from 0, and Typed is what lies between them: the word that is being typed.
type Place struct {
	Want     Want
	From, To int
	Typed    string
	Kind     Kind // of the key that a comparator or value is for
	Key      string
	Numeric  bool     // the key's values are numbers
	Words    []string // what else may stand here: comparators, keywords, parentheses
}

// PlaceAt returns what the filter goes on with at a place between its characters, from 0.
// It heeds only the text before it, and is nil where that cannot be read.
func PlaceAt(s string, l *Language, at int) *Place {
	s = cut(s, at)
	tokens, start := lexTyped(s)
	out := &Place{From: utf8.RuneCountInString(s[:start]), To: utf8.RuneCountInString(s),
		Typed: s[start:]}
	p := &parser{tokens: append(tokens, token{kind: end, raw: "the end"}), lang: l, place: out}
	p.wants(WantKey, "NOT", "(") // also of an empty filter
	if _, err := p.disjunction(); err != nil && p.peek().kind != end {
		return nil
	}
	if p.peek().kind != end {
		return nil
	}
	return out
}

// cut returns the first n characters.
func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// lexTyped splits the text into the tokens that are whole, and returns where the one that is
// being typed begins: the last one, if it touches the end and may go on.
func lexTyped(s string) (tokens []token, start int) {
	tokens, err := lex(s)
	if err != nil { // a quote that is open, or what cannot be read: tokens end before it
		if n := len(tokens); n > 0 {
			start = tokens[n-1].end
		}
		return tokens, start + len(s[start:]) - len(strings.TrimLeft(s[start:], " \t\n\r"))
	}
	tokens = tokens[:len(tokens)-1] // the end
	n := len(tokens)
	if n > 0 && tokens[n-1].end == len(s) {
		if t := tokens[n-1]; t.kind == word || t.kind == number || t.kind == symbol && t.raw != ")" &&
			t.raw != "(" && t.raw != "," {
			return tokens[:n-1], t.end - len(t.raw)
		}
	}
	return tokens, len(s)
}

// wants notes what comes next, where the text ends there.
func (p *parser) wants(w Want, words ...string) {
	if p.place != nil && p.peek().kind == end {
		p.place.Want, p.place.Words = w, words
		p.place.Kind, p.place.Key, p.place.Numeric = "", "", false
	}
}

// wantsFor is wants for the key of a comparison.
func (p *parser) wantsFor(c *Comparison, w Want, words ...string) {
	p.wants(w, words...)
	if p.place != nil && p.peek().kind == end {
		p.place.Kind, p.place.Key, p.place.Numeric = c.Kind, c.Key, p.lang.numeric(c.Kind, c.Key)
	}
}

// opWords are the comparators as they are typed.
func opWords(ops []Op) []string {
	out := make([]string, len(ops))
	for i, op := range ops {
		out[i] = string(op)
	}
	return out
}

// Attributes returns the names of the language's attributes, and those of a kind that has a
// fixed set of keys with their prefix.
func (l *Language) Attributes() (out []Key) {
	for _, a := range slices.Concat(l.Texts, l.Numbers) {
		out = append(out, Key{Attribute, a})
	}
	for _, kind := range l.Kinds {
		for _, key := range keysOf[kind] {
			out = append(out, Key{kind, key})
		}
	}
	return out
}
