package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The report of real tests says what `go test` says, and which ones were left out.
func TestFilter_PrintsAsGoTestDoesAndWhatWasLeftOut(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		strict, ok bool
		want       []string
		wantNot    string
	}{
		{"passes", `func TestA(t *testing.T) { t.Log("chatter") }`, true, true,
			[]string{`(?m)^ok  \tx\t`}, "chatter|LEFT OUT|left out"},
		{"reports", `func TestA(t *testing.T) { t.Run("sub", testSub) }
func testSub(t *testing.T) { t.Log("chatter"); t.Log("REPORT: seed=7") }`, true, true,
			[]string{`(?m)^REPORT: x.TestA/sub: seed=7$`, `(?m)^ok  \tx\t`}, "chatter"},
		{"left out", `func TestA(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Skip("left out: no Python") }) }`, false, true,
			[]string{`(?m)^ok  \tx\t`, `(?m)^LEFT OUT: x.TestA/sub: no Python$`, `(?m)^1 tests left out$`},
			"chatter"},
		{"left out on CI", `func TestA(t *testing.T) { t.Skip("LEFT OUT: no Python") }`, true, false,
			[]string{`(?m)^LEFT OUT \(not allowed on CI\): x.TestA: no Python$`}, ""},
		{"left out on CI for want of rights", `func TestA(t *testing.T) { t.Skip("LEFT OUT: it needs the right to mount a tmpfs") }`, true, true,
			[]string{`(?m)^LEFT OUT: x.TestA: it needs the right`}, ""},
		{"says nothing", `func TestA(t *testing.T) { t.SkipNow() }`, false, true,
			[]string{`x.TestA: it does not say why`}, ""},
		{"fails", `func TestA(t *testing.T) { t.Run("sub", func(t *testing.T) { t.Error("broken") }) }
func TestB(t *testing.T) { t.Log("chatter") }`, false, false,
			[]string{`(?s)--- FAIL: TestA .*broken.*--- FAIL: TestA/sub.*FAIL\tx\t.*\nFAILED: x.TestA/sub\nFAILED: x.TestA\n$`},
			"chatter|=== RUN"},
		{"fails and reports", `func TestA(t *testing.T) { t.Log("REPORT: seed=7"); t.Error("broken") }`, false, false,
			[]string{`FAILED: x.TestA\nFAILED: x.TestA: seed=7\n$`}, ""},
		{"panics", `func TestA(t *testing.T) { panic("at the disco") }`, false, false,
			[]string{`panic: at the disco`, `FAIL\tx\t`}, ""},
		{"does not build", `func TestA(t *testing.T) { undefined() }`, false, false,
			[]string{`undefined: undefined`, `build failed`}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "go.mod"), "module x\n\ngo 1.26\n")
			write(t, filepath.Join(dir, "x_test.go"), "package x\n\nimport \"testing\"\n\n"+tt.body+"\n")
			cmd := exec.Command("go", "test", "-json", "./...")
			cmd.Dir = dir
			report, _ := cmd.Output() // the status is not what is looked at
			var out strings.Builder
			ok, err := filter(strings.NewReader(string(report)), &out, tt.strict)
			if err != nil || ok != tt.ok {
				t.Errorf("ok %v, %v; want %v", ok, err, tt.ok)
			}
			for _, want := range tt.want {
				if !regexp.MustCompile(want).MatchString(out.String()) {
					t.Errorf("no %s in:\n%s", want, &out)
				}
			}
			if tt.wantNot != "" && regexp.MustCompile(tt.wantNot).MatchString(out.String()) {
				t.Errorf("%s in:\n%s", tt.wantNot, &out)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What took long is told, the longest first.
func TestFilter_TellsWhatTookLong(t *testing.T) {
	var out strings.Builder
	ok, err := filter(strings.NewReader(`{"Action":"pass","Package":"a/x","Test":"TestA","Elapsed":19.9}
{"Action":"pass","Package":"a/x","Test":"TestB","Elapsed":21.4}
{"Action":"pass","Package":"a/x","Test":"TestC/sub","Elapsed":70}
{"Action":"pass","Package":"a/x","Test":"TestC","Elapsed":70}
`), &out, true)
	if want := "SLOW: x.TestC: 70 s\nSLOW: x.TestB: 21 s\n"; !ok || err != nil || out.String() != want {
		t.Errorf("%v %v %q", ok, err, out.String())
	}
}

// What is no event is of the go command itself, and is not lost.
func TestFilter_KeepsOtherLines(t *testing.T) {
	var out strings.Builder
	ok, err := filter(strings.NewReader("go: downloading x\n{\"Action\":\"start\",\"Package\":\"x\"}\nno newline"), &out, true)
	if got := fmt.Sprint(&out); !ok || err != nil || got != "go: downloading x\nno newline" {
		t.Errorf("%v %v %q", ok, err, got)
	}
}
