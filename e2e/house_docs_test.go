package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestHouse_DocumentedCommands(t *testing.T) {
	bin := program(t)
	t.Run("exist", func(t *testing.T) { documentedCommandsExist(t, bin) })
	t.Run("run", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/house",
			RequireExplicitExec: true,
			Setup: func(env *testscript.Env) error {
				env.Setenv("PATH", filepath.Dir(bin)+string(os.PathListSeparator)+os.Getenv("PATH"))
				env.Setenv("HOME", env.WorkDir)
				return nil
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"status": exitStatus, "waitfor": waitFor,
			},
		})
	})
}

// command is what the program's own help says of one of its commands.
type command struct {
	path     string // fairlead loop pause
	usage    string // fairlead loop pause [MODEL] [flags]
	examples []string
	flags    map[string]bool // --name and -n: whether it takes a value
	required []string        // flags that must be given
	subs     []string
}

var (
	subCommand = regexp.MustCompile(`^  ([a-z][a-z-]*) {2,}\S`)
	flagLine   = regexp.MustCompile(`^ +(?:(-\w), )?(--[a-z][a-z-]*)( [a-z]\w*)? {2,}(.*)$`)
)

// readHelp walks the tree of commands by their help.
func readHelp(t *testing.T, bin string, words []string, into map[string]*command) {
	t.Helper()
	out, err := exec.Command(bin, append(slices.Clone(words), "--help")...).Output()
	if err != nil {
		t.Fatalf("fairlead %s --help: %v", strings.Join(words, " "), err)
	}
	c := &command{path: strings.Join(append([]string{"fairlead"}, words...), " "),
		flags: map[string]bool{}}
	section := ""
	for line := range strings.Lines(string(out)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " ") {
			section = line
			continue
		}
		c.read(section, line)
	}
	into[c.path] = c
	for _, sub := range c.subs {
		readHelp(t, bin, append(slices.Clone(words), sub), into)
	}
}

func (c *command) read(section, line string) {
	switch section {
	case "Usage:":
		if use := strings.TrimSpace(line); use != "" && !strings.HasSuffix(use, "[command]") {
			c.usage = use
		}
	case "Examples:":
		c.examples = append(c.examples, line)
	case "Available Commands:":
		if m := subCommand.FindStringSubmatch(line); m != nil && m[1] != "help" {
			c.subs = append(c.subs, m[1])
		}
	case "Flags:", "Global Flags:":
		m := flagLine.FindStringSubmatch(line)
		if m == nil {
			return
		}
		c.flags[m[2]] = m[3] != ""
		if m[1] != "" {
			c.flags[m[1]] = m[3] != ""
		}
		if strings.HasSuffix(m[4], "(required)") {
			c.required = append(c.required, m[2])
		}
	}
}

// documentedCommandsExist checks each line that a document or the help tells a user to
// type: the command is there, and so are its flags and its arguments.
func documentedCommandsExist(t *testing.T, bin string) {
	tree := map[string]*command{}
	readHelp(t, bin, nil, tree)
	checked := 0
	check := func(where, line string, mention bool) {
		for _, words := range fairleadCalls(line) {
			checked++
			if why := wrongWith(tree, words, mention); why != "" {
				t.Errorf("%s: `%s`: %s", where, strings.Join(words, " "), why)
			}
		}
	}
	for _, c := range tree {
		ours := !strings.HasPrefix(c.path, "fairlead completion")
		if ours && len(c.subs) == 0 && len(c.examples) == 0 && c.path != "fairlead version" {
			t.Errorf("`%s --help` has no example", c.path)
		}
		for _, line := range c.examples {
			check("help of "+c.path, line, false)
		}
	}
	for _, name := range treeFiles(t, ".md") {
		typed, mentioned := shellLines(readTree(t, name))
		for _, line := range typed {
			check(name, line, false)
		}
		for _, line := range mentioned {
			check(name, line, true)
		}
	}
	if checked < 40 {
		t.Errorf("only %d documented commands were found; is the extraction right?", checked)
	}
}

// shellLines returns what a Markdown document tells to type: the lines of its sh
// blocks, and those indented by four spaces that begin with the program's name; and
// what it mentions in inline code. A backslash continues a line.
func shellLines(text string) (typed, mentioned []string) {
	fence := ""
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		line = strings.TrimRight(line, "\n")
		trimmed := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(trimmed, "```") && fence == "":
			fence = trimmed
		case strings.HasPrefix(trimmed, "```"):
			fence = ""
		case strings.HasPrefix(fence, "```sh"):
			typed = append(typed, trimmed)
		case fence == "" && strings.HasPrefix(line, "    fairlead"):
			typed = append(typed, trimmed)
		case fence == "":
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				mentioned = append(mentioned, m[1])
			}
		}
	}
	return typed, mentioned
}

var (
	inlineCode = regexp.MustCompile("`((?:bin/)?fairlead [^`]+)`")
	separators = regexp.MustCompile(`&&|\|\||[;&]|\s\|\s|\s>|\s2>|\s#`)
)

// fairleadCalls returns the calls of the program in one shell line, as words.
func fairleadCalls(line string) [][]string {
	var calls [][]string
	line, _, _ = strings.Cut(" "+line, " # ")
	for _, part := range separators.Split(line, -1) {
		words := shellWords(part)
		for len(words) > 0 && (strings.Contains(words[0], "=") || words[0] == "$") {
			words = words[1:]
		}
		if len(words) > 0 && path.Base(words[0]) == "fairlead" {
			words[0] = "fairlead"
			calls = append(calls, words)
		}
	}
	return calls
}

var shellWord = regexp.MustCompile(`"([^"]*)"|'([^']*)'|\S+`)

func shellWords(s string) []string {
	var words []string
	for _, w := range shellWord.FindAllString(s, -1) {
		words = append(words, strings.Trim(w, `"'`))
	}
	return words
}

// wrongWith says why a call could not be typed, or nothing. A mention may leave
// arguments and required flags out.
func wrongWith(tree map[string]*command, words []string, mention bool) string {
	c, rest := tree["fairlead"], words[1:]
	for len(rest) > 0 && tree[c.path+" "+rest[0]] != nil {
		c, rest = tree[c.path+" "+rest[0]], rest[1:]
	}
	args, given, why := c.split(rest)
	least, most := argumentCount(c.usage)
	switch {
	case why != "":
		return why
	case slices.Contains(given, "--help"):
		return ""
	case len(args) > 0 && most == 0 && (len(c.subs) > 0 || c.path == "fairlead"):
		return c.path + " has no command " + args[0]
	case len(args) > most || len(args) < least && !mention:
		return "it is written as " + c.usage
	}
	for _, name := range c.required {
		if !mention && !slices.Contains(given, name) {
			return "it needs " + name
		}
	}
	return ""
}

// split tells the arguments of a call from its flags.
func (c *command) split(words []string) (args, flags []string, why string) {
	for i := 0; i < len(words); i++ {
		name, _, inline := strings.Cut(words[i], "=")
		if !strings.HasPrefix(name, "-") {
			args = append(args, words[i])
			continue
		}
		takesValue, known := c.flags[name]
		if !known {
			return nil, nil, c.path + " has no flag " + name
		}
		flags = append(flags, name)
		if takesValue && !inline {
			i++
		}
	}
	return args, flags, ""
}

// argumentCount reads a usage line: capitals are arguments, those in brackets may be
// left out, and of alternatives each counts.
func argumentCount(usage string) (least, most int) {
	least = -1
	for alternative := range strings.SplitSeq(strings.TrimSuffix(usage, " [flags]"), " | ") {
		needed, all := 0, 0
		for _, w := range strings.Fields(alternative) {
			name := strings.Trim(w, "[]")
			if name != strings.ToUpper(name) {
				continue
			}
			all++
			if name == w {
				needed++
			}
		}
		if least < 0 || needed < least {
			least = needed
		}
		most = max(most, all)
	}
	return least, most
}

func TestArgumentCount(t *testing.T) {
	for usage, want := range map[string][2]int{
		"fairlead release MODEL VERSION [flags]":                 {2, 2},
		"fairlead check [FILE] [flags]":                          {0, 1},
		"fairlead gate explain DECISION | MODEL VERSION [flags]": {1, 2},
		"fairlead version [flags]":                               {0, 0},
	} {
		if least, most := argumentCount(usage); least != want[0] || most != want[1] {
			t.Errorf("argumentCount(%q) = %d, %d, want %v", usage, least, most, want)
		}
	}
}

func TestFairleadCalls(t *testing.T) {
	for line, want := range map[string]string{
		"fairlead check && fairlead run   # both":         "fairlead check;fairlead run",
		"FAIRLEAD_DATA=./d bin/fairlead serve -o json &":  "fairlead serve -o json",
		`fairlead rollback m@p --reason "wrong units"`:    "fairlead rollback m@p --reason wrong units",
		"fairlead audit prove 17 > proof.json":            "fairlead audit prove 17",
		"git clone https://example.org/fairlead && cd it": "",
	} {
		var got []string
		for _, call := range fairleadCalls(line) {
			got = append(got, strings.Join(call, " "))
		}
		if strings.Join(got, ";") != want {
			t.Errorf("fairleadCalls(%q) = %q, want %q", line, got, want)
		}
	}
}

// exitStatus is `status N command args…`: the command must end with that status.
func exitStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command args…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s: exit status %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// waitFor is `waitfor file`: until a command in the background has written a line to it.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor file")
	}
	for range 1200 { // a minute, for a server that starts beside other tests
		f, err := os.Open(ts.MkAbs(args[0]))
		if err == nil {
			found := bufio.NewScanner(f).Scan()
			f.Close()
			if found {
				return
			}
		}
		ts.Check(ts.Exec("sleep", "0.05"))
	}
	ts.Fatalf("%s stayed empty", args[0])
}

// Links that leave the repository are not followed: tests talk to this machine alone.
func TestHouse_RelativeLinksResolve(t *testing.T) {
	link := regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	for _, name := range treeFiles(t, ".md") {
		text := readTree(t, name)
		for _, m := range link.FindAllStringSubmatch(withoutCode(text), -1) {
			target, fragment, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s links to %s, which is not there", name, m[1])
				continue
			}
			if fragment != "" && strings.HasSuffix(file, ".md") &&
				!slices.Contains(anchors(readTree(t, file)), fragment) {
				t.Errorf("%s links to %s, where no heading has that name", name, m[1])
			}
		}
	}
}

var fenced = regexp.MustCompile("(?ms)^```.*?^```")

func withoutCode(text string) string { return fenced.ReplaceAllString(text, "") }

var notInAnchor = regexp.MustCompile(`[^\p{L}\p{N} _-]`)

// anchors returns the names that GitHub gives to a document's headings.
func anchors(text string) []string {
	var names []string
	for line := range strings.Lines(withoutCode(text)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok &&
			strings.HasPrefix(line, "#") {
			name := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			names = append(names, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return names
}

// A fairlead.yaml that a document shows whole is one that `fairlead check` takes.
func TestHouse_DocumentedFilesAreRight(t *testing.T) {
	whole := regexp.MustCompile("(?ms)^```yaml\n((?:#[^\n]*\n)*project: .*?)^```")
	bin, checked := program(t), 0
	for _, name := range treeFiles(t, ".md") {
		for _, m := range whole.FindAllStringSubmatch(readTree(t, name), -1) {
			file := filepath.Join(t.TempDir(), "fairlead.yaml")
			if err := os.WriteFile(file, []byte(m[1]), 0o644); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(bin, "check", file).CombinedOutput(); err != nil {
				t.Errorf("%s shows a file that is wrong: %s", name, out)
			}
			checked++
		}
	}
	if checked == 0 {
		t.Error("no document shows a whole fairlead.yaml")
	}
}

// The table in docs/api.md is the table in the program.
func TestHouse_DocumentedCodesAreRight(t *testing.T) {
	text := readTree(t, "docs/api.md")
	for _, c := range []fairlead.Code{fairlead.Invalid, fairlead.Unauthenticated, fairlead.Denied,
		fairlead.NotFound, fairlead.Conflict, fairlead.Precondition, fairlead.Gone, fairlead.Exhausted,
		fairlead.Throttled, fairlead.Unavailable, fairlead.Unimplemented, fairlead.Internal} {
		row := fmt.Sprintf("| `%s` | %d | `%s` | %d |", c, c.HTTPStatus(), c.MLflowCode(), c.ExitStatus())
		if !strings.Contains(text, row) {
			t.Errorf("docs/api.md lacks the row %s", row)
		}
	}
}

// The table of roles in docs/operations.md is the one in the program.
func TestHouse_DocumentedRolesAreRight(t *testing.T) {
	text := readTree(t, "docs/operations.md")
	head := "| role |"
	for _, p := range auth.Permissions {
		head += fmt.Sprintf(" `%s` |", p)
	}
	rows := []string{head}
	for _, r := range auth.Roles {
		row := fmt.Sprintf("| `%s` |", r)
		for _, p := range auth.Permissions {
			cell := " |"
			if r.May(p) {
				cell = " x |"
			}
			row += cell
		}
		rows = append(rows, row)
	}
	for _, row := range rows {
		if !strings.Contains(text, row+"\n") {
			t.Errorf("docs/operations.md lacks the row %s", row)
		}
	}
}
