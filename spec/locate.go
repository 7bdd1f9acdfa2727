package spec

import "strings"

// Locate returns the error of Parse for what another package found wrong in a file
// that Parse accepts, nil for nothing. The Line and Column of each problem count
// from 1 within the value at its Path, and become those of the file.
func Locate(file string, src []byte, problems []Problem) error {
	d, lines, err := decode(file, src, false, &Spec{})
	if err != nil {
		return err
	}
	for i, p := range problems {
		at := within(lines, d.find(d.values, p.Path), position{p.Line, p.Column})
		problems[i].Line, problems[i].Column = at.line, at.column
	}
	return problemsError(file, lines, problems)
}

// within returns the place in the file of a place in a text that begins at start,
// as the text is written: after its quote, or in the lines below its `|`. Where
// YAML joins lines it is the start.
func within(lines []string, start, at position) position {
	if start.line > len(lines) {
		return start
	}
	written := []rune(lines[start.line-1])
	written = written[min(start.column-1, len(written)):]
	switch {
	case len(written) == 0:
		return start
	case written[0] == '|' && start.line+at.line <= len(lines):
		first := lines[start.line] // has the block's indentation
		indent := len(first) - len(strings.TrimLeft(first, " "))
		return position{start.line + at.line, indent + at.column}
	case written[0] == '"', written[0] == '\'':
		at.column++
	}
	if at.line > 1 || at.column > len(written) {
		return start
	}
	return position{start.line, start.column + at.column - 1}
}
