package spec

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"github.com/fairlead-ml/fairlead"
)

// FileName is the name of the file at the root of a repository.
const FileName = "fairlead.yaml"

// MaxBytes is the greatest size of a file.
const MaxBytes = 1 << 20

// Parse reads a fairlead.yaml, fills the defaults in, and checks all that can be
// known without running anything. The file's name is used in messages only.
//
// What is wrong is reported at once: the error is an Invalid *fairlead.Error
// whose message shows each problem (at most 20) with file:line:column, the line
// with a caret, and a hint, and whose Detail["problems"] is the []Problem.
func Parse(file string, src []byte) (*Spec, error) { return parse(file, src, false) }

// parse is Parse; of a stored file, which Parse has accepted, perhaps that of an
// older program, it only demands that it can be understood.
func parse(file string, src []byte, stored bool) (*Spec, error) {
	s := &Spec{}
	d, lines, err := decode(file, src, stored, s)
	if err != nil {
		return nil, err
	}
	s.fillNames()
	s.Monitor.fillCooldown()
	if !stored {
		check(s, d)
	}
	if err := problemsError(file, lines, d.problems); err != nil {
		return nil, err
	}
	return s, nil
}

// decode fills s from a file, and returns its lines and the decoder with what is
// wrong so far; the error is that of a text that is no YAML.
func decode(file string, src []byte, stored bool, s *Spec) (d *decoder, lines []string, err error) {
	if p := unreadable(src); p != nil {
		return nil, nil, problemsError(file, nil, []Problem{*p})
	}
	text := strings.TrimPrefix(string(src), "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	lines = strings.Split(text, "\n")
	root, problem := parseYAML(text)
	if problem != nil {
		return nil, nil, problemsError(file, lines, []Problem{*problem})
	}
	d = newDecoder(stored)
	d.structure(root, reflect.ValueOf(s).Elem(), "")
	return d, lines, nil
}

// fillNames sets the names whose defaults are other names of the file.
func (s *Spec) fillNames() {
	if s.Model == "" {
		s.Model = s.Project
	}
	last, _ := s.LastEnvironment()
	for i := range s.Data {
		if data := &s.Data[i]; data.From == FromRequests && data.Environment == "" {
			data.Environment = last.Name
		}
	}
}

// fillCooldown sets the cooldown whose default is the length of a window.
func (m *Monitor) fillCooldown() {
	switch {
	case m == nil || m.Cooldown.Duration != 0:
	case m.Performance != nil:
		m.Cooldown = m.Performance.Window
	case m.Drift != nil:
		m.Cooldown = m.Drift.Window
	}
}

// unreadable refuses what is not a text that YAML could be read from.
func unreadable(src []byte) *Problem {
	p := &Problem{Line: 1, Column: 1}
	switch {
	case len(src) > MaxBytes:
		p.Message = fmt.Sprintf("the file has %d bytes; at most %d are read", len(src), MaxBytes)
		p.Hint = "keep data out of it, and name files instead"
	case !utf8.Valid(src):
		p.Line, p.Column = invalidUTF8(src)
		p.Message = "this is not UTF-8 text"
		p.Hint = "save the file as UTF-8"
	case bytes.ContainsRune(src, 0):
		p.Line, p.Column = endOf(src[:bytes.IndexByte(src, 0)])
		p.Message = "the file has a NUL byte"
		p.Hint = "save the file as plain UTF-8 text"
	default:
		return nil
	}
	return p
}

func invalidUTF8(src []byte) (line, column int) {
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return endOf(src[:i])
		}
		i += n
	}
	return 1, 1
}

// endOf returns the place after a valid text.
func endOf(text []byte) (line, column int) {
	start := bytes.LastIndexByte(text, '\n') + 1
	return bytes.Count(text, []byte("\n")) + 1, utf8.RuneCount(text[start:]) + 1
}

// parseYAML returns the document's node. Aliases, tags and the like are refused
// before anything is built, so that no small file can grow.
func parseYAML(text string) (ast.Node, *Problem) {
	tokens := lexer.Tokenize(text)
	if p := refuseTokens(tokens); p != nil {
		return nil, p
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxProblem(err)
	}
	var root ast.Node
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			p := at(doc.Body.GetToken())
			p.Message = "a second document begins here"
			p.Hint = "one file describes one project: remove it, and the line `---`"
			return nil, &p
		}
		root = doc.Body
	}
	if _, null := root.(*ast.NullNode); root == nil || null {
		return nil, &Problem{Line: 1, Column: 1, Message: "the file is empty",
			Hint: "begin with `project: <name>`"}
	}
	return root, nil
}

func syntaxProblem(err error) *Problem {
	p := Problem{Line: 1, Column: 1, Message: "this is not YAML"}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		if tk := syntax.GetToken(); tk != nil {
			p = at(tk)
		}
		p.Message = "this is not YAML: " + syntax.GetMessage()
	}
	p.Hint = "check the indentation, the colons and the brackets around here"
	return &p
}

func at(tk *token.Token) Problem {
	if tk == nil || tk.Position == nil {
		return Problem{Line: 1, Column: 1}
	}
	return Problem{Line: max(tk.Position.Line, 1), Column: max(tk.Position.Column, 1)}
}

// PlainYAML refuses, as Invalid, a text with what a small file of YAML can grow by: aliases
// and deep nesting, and all else that a fairlead.yaml does without. It is for others' files.
func PlainYAML(text []byte) error {
	if p := refuseTokens(lexer.Tokenize(string(text))); p != nil {
		return fairlead.Errorf(fairlead.Invalid, "line %d: %s", p.Line, p.Message)
	}
	return nil
}

const (
	// maxNesting bounds brackets within brackets, and lists within lists on a line.
	maxNesting = 32
	// maxTokens bounds keys, values and signs: the parser's time grows with the
	// square of a mapping's keys.
	maxTokens = 20_000
)

// refuseTokens refuses the parts of YAML that fairlead.yaml does without, and
// nesting that would cost more than any real file needs.
func refuseTokens(tokens token.Tokens) *Problem {
	if len(tokens) > maxTokens {
		return refusal(tokens[maxTokens], "the file has too many keys and values",
			"keep data out of it, and name files instead")
	}
	brackets, entries, line := 0, 0, 0
	for _, tk := range tokens {
		switch tk.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			return refusal(tk, "anchors, aliases and merges are not read", "write the value out")
		case token.TagType:
			return refusal(tk, "tags are not read", "remove the tag, or quote the value")
		case token.DirectiveType:
			return refusal(tk, "directives are not read", "remove the line, or quote the value")
		case token.MappingKeyType:
			return refusal(tk, "a key marked with `?` is not read", "write `key: value`")
		case token.MappingStartType, token.SequenceStartType:
			brackets++
		case token.MappingEndType, token.SequenceEndType:
			brackets--
		case token.SequenceEntryType:
			if tk.Position != nil && tk.Position.Line != line {
				line, entries = tk.Position.Line, 0
			}
			entries++
		}
		if brackets > maxNesting || entries > maxNesting {
			return refusal(tk, "values are nested too deeply",
				fmt.Sprintf("use at most %d levels", maxNesting))
		}
	}
	return nil
}

func refusal(tk *token.Token, message, hint string) *Problem {
	p := at(tk)
	p.Message, p.Hint = message, hint
	return &p
}
