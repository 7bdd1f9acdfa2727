package filter

import (
	"strings"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
)

type tokenKind int

const (
	end    tokenKind = iota
	word             // an identifier or keyword, with its quoted parts unquoted
	text             // a quoted value
	number           // a numeric literal
	symbol           // a comparator, parenthesis or comma
)

type token struct {
	kind   tokenKind
	raw    string // as written, for messages
	value  string // a text's content, a word's key part
	prefix string // a word's part before its first dot
	plain  bool   // a word without dots and quotes: it may be a keyword
	at     int    // the first character's place in the filter, from 1
	end    int    // the byte after it
}

// keyword returns the token in upper case when it may be a keyword.
func (t token) keyword() string {
	if t.kind == word && t.plain {
		return strings.ToUpper(t.raw)
	}
	return ""
}

// maxFilter bounds a filter in bytes, and with it the values of its lists: a
// statement has at most 32,766 arguments on SQLite.
const maxFilter = 40_000

// lex splits a filter into tokens. With an error it returns those before it.
func lex(s string) ([]token, error) {
	if len(s) > maxFilter {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the filter has %d characters; at most %d are read", len(s), maxFilter)
	}
	var out []token
	at, counted := 1, 0 // the character of the byte at counted
	for i := 0; i < len(s); {
		c := s[i]
		var t token
		var n int
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '\'':
			t.value, n = quoted(s[i:])
			t.kind = text
		case strings.IndexByte("=!<>(),", c) >= 0:
			n = symbolLen(s[i:])
			t.kind = symbol
		case numberLen(s[i:]) > 0:
			n = numberLen(s[i:])
			t.kind = number
		case wordByte(c) || c == '`' || c == '"':
			t, n = lexWord(s[i:])
		}
		at, counted = at+utf8.RuneCountInString(s[counted:i]), i
		if n == 0 {
			return out, placed(at, s[i:], "Invalid clause(s) in filter string: '%s'", clip(s[i:]))
		}
		t.raw, t.at, t.end = s[i:i+n], at, i+n
		out = append(out, t)
		i += n
	}
	return append(out, token{raw: "the end", at: at + utf8.RuneCountInString(s[counted:])}), nil
}

// quoted returns the content of a quoted text and its length with the quotes, 0
// when it does not end. A doubled quote stands for one.
func quoted(s string) (string, int) {
	q := s[:1]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != q[0] {
			b.WriteByte(s[i])
			continue
		}
		if strings.HasPrefix(s[i+1:], q) {
			b.WriteByte(q[0])
			i++
			continue
		}
		return b.String(), i + 1
	}
	return "", 0
}

func symbolLen(s string) int {
	for _, op := range []string{"!=", "<>", "<=", ">="} {
		if strings.HasPrefix(s, op) {
			return 2
		}
	}
	if s[0] == '!' {
		return 0
	}
	return 1
}

// numberLen returns the length of the number that s starts with, 0 for none.
func numberLen(s string) int {
	i := 0
	if s[i] == '-' || s[i] == '+' {
		i++
	}
	whole := digits(s[i:])
	i += whole
	frac := 0
	if i < len(s) && s[i] == '.' {
		frac = digits(s[i+1:])
		i += 1 + frac
	}
	if whole+frac == 0 {
		return 0
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if n := digits(s[min(j, len(s)):]); n > 0 {
			i = j + n
		}
	}
	if i < len(s) && wordByte(s[i]) {
		return 0
	}
	return i
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

func wordByte(c byte) bool {
	return c == '_' || c == '-' || c == '/' || c == ':' || c >= 0x80 ||
		c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// lexWord reads an identifier such as metrics.auc, tags.`a b` or "name".
func lexWord(s string) (token, int) {
	t := token{kind: word, plain: true}
	var parts []string
	i := 0
	for {
		part, n := wordPart(s[i:])
		if n == 0 {
			return t, 0
		}
		t.plain = t.plain && s[i] != '`' && s[i] != '"'
		parts = append(parts, part)
		if i += n; i >= len(s) || s[i] != '.' {
			break
		}
		i++
	}
	t.prefix, t.value = string(Attribute), parts[0]
	if len(parts) > 1 {
		t.plain = false
		t.prefix, t.value = parts[0], strings.Join(parts[1:], ".")
	}
	return t, i
}

func wordPart(s string) (string, int) {
	if s == "" {
		return "", 0
	}
	if s[0] == '`' || s[0] == '"' {
		return quoted(s)
	}
	n := 0
	for n < len(s) && wordByte(s[n]) {
		n++
	}
	return s[:n], n
}

// clip shortens what a message quotes.
func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
