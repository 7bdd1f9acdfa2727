package pyenv

import (
	"iter"
	"regexp"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// Requirements say what an environment must hold.
type Requirements struct {
	Text   string   // the text of a requirements file; it must not refer to other files
	Extra  []string // further texts of the same form, for example one package each
	Python string   // an interpreter's path or a version such as 3.11; empty: the manager's
}

// normalize returns the requirements as one text, a requirement or option a line,
// whose bytes do not depend on comments, blanks, continued lines or line ends.
func (r Requirements) normalize() (string, error) {
	var b strings.Builder
	for _, text := range append([]string{r.Text}, r.Extra...) {
		for line := range logicalLines(text) {
			if err := check(line); err != nil {
				return "", err
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String(), nil
}

// Check says, as Invalid, which line no environment can be built from: one that refers to
// a file of this machine, or an option that is not taken.
func (r Requirements) Check() error {
	_, err := r.normalize()
	return err
}

// Sources returns the lines that say where packages come from, as an environment
// needs them that holds these requirements and more.
func (r Requirements) Sources() string {
	var b strings.Builder
	for line := range logicalLines(r.Text) {
		if strings.HasPrefix(line, "-") && line != "--require-hashes" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// logicalLines yields the lines of a requirements file as pip reads them: a line that
// ends in a backslash goes on in the next one, and a comment ends it.
func logicalLines(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		joined := ""
		for line := range strings.Lines(text + "\n\n") {
			line = strings.TrimRight(line, "\r\n")
			comment := strings.HasPrefix(strings.TrimSpace(line), "#")
			if part, goesOn := strings.CutSuffix(line, `\`); goesOn && !comment {
				joined += part
				continue
			}
			line, joined = joined+" "+line, ""
			if i := strings.Index(line, " #"); i >= 0 {
				line = line[:i]
			}
			line = strings.Join(strings.Fields(line), " ")
			if line != "" && !yield(line) {
				return
			}
		}
	}
}

// optionLines returns the lines of a normalized text that are options.
func optionLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "-") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// options are those that may stand in the requirements, and whether an address
// follows: where packages come from, and which of their forms to take.
var options = map[string]bool{"-i": true, "--index-url": true, "--extra-index-url": true,
	"-f": true, "--find-links": true, "--no-index": false, "--pre": false, "--prefer-binary": false,
	"--no-binary": false, "--only-binary": false, "--trusted-host": false, "--require-hashes": false}

var (
	packageNames = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?`)
	// named is a requirement with an address of its own: name[extras] @ address.
	named = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]* ?(\[[^\]]*\])? ?@ ?(\S+)`)
	// path is what installers take for a file.
	path = regexp.MustCompile(`(?i)^[.~]|[/\\]|\.(whl|zip|tar|tar\.\w+|tgz|tbz)$|^file:`)
)

// check refuses a line that refers to a file of this machine, and an option that is
// none of options: an environment must be the same wherever it is built.
func check(line string) error {
	if strings.HasPrefix(line, "-") {
		return checkOptions(line)
	}
	requirement, _, _ := strings.Cut(line, " --")
	if m := named.FindStringSubmatch(requirement); m != nil {
		if !remote(m[2]) {
			return refersToFile(line)
		}
		return nil
	}
	requirement, _, _ = strings.Cut(requirement, ";")
	if requirement = strings.TrimSpace(requirement); path.MatchString(requirement) && !remote(requirement) {
		return refersToFile(line)
	}
	return nil
}

func checkOptions(line string) error {
	option := ""
	for word := range strings.FieldsSeq(line) {
		value := word
		if strings.HasPrefix(word, "-") {
			option, value, _ = strings.Cut(word, "=")
			if len(option) > 2 && option[1] != '-' { // -fADDRESS
				option, value = word[:2], word[2:]
			}
		}
		address, known := options[option]
		if !known {
			return fairlead.Errorf(fairlead.Invalid, "the requirements have a line that cannot be used "+
				"here (%s); list the packages themselves", line)
		}
		if address && value != "" && !remote(value) {
			return refersToFile(line)
		}
	}
	return nil
}

func refersToFile(line string) error {
	return fairlead.Errorf(fairlead.Invalid,
		"the requirements refer to a file (%s); list the packages themselves", line)
}

// remote reports whether an address is one of another machine.
func remote(address string) bool {
	scheme, _, ok := strings.Cut(address, "://")
	return ok && !strings.HasSuffix(strings.ToLower(scheme), "file")
}
