// Command leftout reads what `go test -json` prints, and prints it as `go test` does
// without -v, with one line more for each test that was left out, and their number.
// A test that is left out is otherwise not to be told from one that passed. What a test
// that passed has logged as `REPORT: …` is printed too, such as the seed of its chance.
// The last lines name the tests that took long, and those that failed, each with its reports.
//
// On CI (CI=1) a test may only be left out for one of the reasons that are allowed
// here; any other makes the exit status 1, as a test that fails does.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// allowed matches the reasons for which a test may be left out everywhere: rights that
// not every machine gives, what chance decides, what has a make target of its own, and a
// database server, which nobody installs for a test.
var allowed = regexp.MustCompile("the right to (mount|trace)|no Postgres on this machine|the port is in use|run `make test-frameworks`")

func main() {
	ok, err := filter(os.Stdin, os.Stdout, os.Getenv("CI") != "")
	if err != nil {
		fmt.Fprintln(os.Stderr, "leftout:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// event is a line of `go test -json` (see `go doc test2json`).
type event struct {
	Action     string
	Package    string
	ImportPath string // of what does not build
	Test       string
	Output     string
	Elapsed    float64 // s, at its end
}

// filter copies the report and reports whether all is well.
func filter(in io.Reader, out io.Writer, strict bool) (ok bool, err error) {
	f := reporter{out: out, tests: map[string]map[string]*strings.Builder{}, ok: true}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				out.Write(line) // of the go command itself
			} else {
				f.take(e)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
	}
	return f.end(strict), nil
}

// reporter keeps what the tests of a package print until they have ended.
type reporter struct {
	out     io.Writer
	tests   map[string]map[string]*strings.Builder // package → test, "" for its own output
	skipped []skip
	slow    []event
	broken  []string // package.test: report, of tests that failed
	ok      bool
}

type skip struct{ pkg, test, reason string }

func (f *reporter) take(e event) {
	switch e.Action {
	case "build-output":
		io.WriteString(f.out, e.Output)
	case "output":
		f.output(e.Package, e.Test).WriteString(e.Output)
	case "pass", "skip", "fail":
		f.ended(e)
	}
}

func (f *reporter) output(pkg, test string) *strings.Builder {
	if f.tests[pkg] == nil {
		f.tests[pkg] = map[string]*strings.Builder{}
	}
	if f.tests[pkg][test] == nil {
		f.tests[pkg][test] = &strings.Builder{}
	}
	return f.tests[pkg][test]
}

// ended takes the end of a test or of a package.
func (f *reporter) ended(e event) {
	if e.Test != "" && !strings.Contains(e.Test, "/") && e.Elapsed >= slowest {
		f.slow = append(f.slow, e)
	}
	text := f.output(e.Package, e.Test).String()
	switch {
	case e.Test == "" && e.Action == "fail":
		f.ok = false
		f.failed(e.Package)
	case e.Test == "":
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "ok") || strings.HasPrefix(line, "?") {
				io.WriteString(f.out, line)
			}
		}
	case e.Action == "fail":
		f.broken = append(f.broken, path.Base(e.Package)+"."+e.Test)
		for _, m := range report.FindAllStringSubmatch(text, -1) {
			f.broken = append(f.broken, path.Base(e.Package)+"."+e.Test+": "+m[1])
		}
		return // told with its package
	case e.Action == "skip":
		f.skipped = append(f.skipped, skip{path.Base(e.Package), e.Test, reason(text)})
	default:
		for _, m := range report.FindAllStringSubmatch(text, -1) {
			fmt.Fprintf(f.out, "REPORT: %s.%s: %s\n", path.Base(e.Package), e.Test, m[1])
		}
	}
	if e.Test == "" {
		delete(f.tests, e.Package)
	} else {
		delete(f.tests[e.Package], e.Test)
	}
}

// failed prints what the failed tests of a package have printed, and those that had
// not ended, then what the package itself says.
func (f *reporter) failed(pkg string) {
	tests := f.tests[pkg]
	names := slices.Sorted(maps.Keys(tests))
	if len(names) > 0 && names[0] == "" {
		names = append(names[1:], "")
	}
	for _, name := range names {
		for line := range strings.Lines(tests[name].String()) {
			if !strings.HasPrefix(line, "=== ") && line != "PASS\n" {
				io.WriteString(f.out, line)
			}
		}
	}
}

// slowest is how long a test may take, in s, until it is told.
const slowest = 20

var position = regexp.MustCompile(`^\s*\S+\.go:\d+: (?i:left out:)?\s*`)

var report = regexp.MustCompile(`(?m)^\s*\S+\.go:\d+: REPORT: (.*)`)

// reason is what a test said when it was skipped.
func reason(text string) string {
	said := "it does not say why"
	for line := range strings.Lines(text) {
		if where := position.FindString(line); where != "" {
			said = strings.TrimSpace(line[len(where):])
		}
	}
	return said
}

// end prints what was left out, what took long and what failed.
func (f *reporter) end(strict bool) bool {
	for _, s := range f.skipped {
		word := ""
		if strict && !allowed.MatchString(s.reason) {
			word, f.ok = " (not allowed on CI)", false
		}
		fmt.Fprintf(f.out, "LEFT OUT%s: %s.%s: %s\n", word, s.pkg, s.test, s.reason)
	}
	if n := len(f.skipped); n > 0 {
		fmt.Fprintf(f.out, "%d tests left out\n", n)
	}
	slices.SortFunc(f.slow, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	for _, e := range f.slow {
		fmt.Fprintf(f.out, "SLOW: %s.%s: %.0f s\n", path.Base(e.Package), e.Test, e.Elapsed)
	}
	for _, b := range f.broken {
		fmt.Fprintln(f.out, "FAILED:", b)
	}
	return f.ok
}
