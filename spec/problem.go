package spec

import (
	"fmt"
	"sort"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	Line    int    `json:"line"`    // from 1
	Column  int    `json:"column"`  // from 1, in characters
	Path    string `json:"path"`    // such as pipeline.steps.train.in[0]; "" for the file
	Message string `json:"message"` // what is wrong, and why
	Hint    string `json:"hint"`    // what to do next; may be empty
}

// maxProblems bounds what one error reports.
const maxProblems = 20

// position is a place in the file; both count from 1.
type position struct{ line, column int }

// problemsError returns the Invalid error for a file's problems, nil for none.
func problemsError(file string, lines []string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	sort.SliceStable(problems, func(i, j int) bool {
		a, b := problems[i], problems[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	total := len(problems)
	problems = problems[:min(total, maxProblems)]
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %s", file, count(total, "problem"))
	if total > len(problems) {
		fmt.Fprintf(&b, "; the first %d are", len(problems))
	}
	b.WriteString(":\n")
	for _, p := range problems {
		b.WriteString("\n")
		p.write(&b, file, lines)
	}
	return fairlead.Errorf(fairlead.Invalid, "%s", strings.TrimRight(b.String(), "\n")).
		With("problems", problems)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// write prints the problem with its line and a caret under the column.
func (p Problem) write(b *strings.Builder, file string, lines []string) {
	fmt.Fprintf(b, "%s:%d:%d: ", file, p.Line, p.Column)
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message + "\n")
	if p.Line >= 1 && p.Line <= len(lines) {
		text, caret := excerpt(lines[p.Line-1], p.Column)
		number := fmt.Sprintf("%4d", p.Line)
		fmt.Fprintf(b, "%s | %s\n%s | %s^\n", number, text,
			strings.Repeat(" ", len(number)), strings.Repeat(" ", caret))
	}
	if p.Hint != "" {
		fmt.Fprintf(b, "  hint: %s\n", p.Hint)
	}
}

// excerptWidth is how many characters of a line an excerpt shows.
const excerptWidth = 120

// excerpt returns the part of a line around the column, and how many characters
// stand before the column in it. Tabs and other control characters become blanks.
func excerpt(line string, column int) (text string, caret int) {
	runes := []rune(line)
	for i, r := range runes {
		if r < ' ' || r == 0x7f {
			runes[i] = ' '
		}
	}
	caret = min(max(column-1, 0), len(runes))
	start := 0
	if caret > excerptWidth*3/4 {
		start = caret - excerptWidth/2
	}
	end := min(len(runes), start+excerptWidth)
	text = string(runes[start:end])
	caret -= start
	if start > 0 {
		text, caret = "…"+text, caret+1
	}
	if end < len(runes) {
		text += "…"
	}
	return text, caret
}
