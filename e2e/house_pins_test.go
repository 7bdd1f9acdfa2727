package e2e_test

import (
	"regexp"
	"testing"
)

// A version that a file names itself is the one in versions.mk. (A part of the program
// cannot read that file: the demo without a clone, a package's test.)
func TestHouse_PinsAreTheSame(t *testing.T) {
	versions := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)_VERSION\s*:=\s*(\S+)`).FindAllStringSubmatch(readTree(t, "versions.mk"), -1) {
		versions[m[1]] = m[2]
	}
	var files []string
	for _, ext := range []string{".go", ".md", ".txt", ".py"} {
		files = append(files, treeFiles(t, ext)...)
	}
	for name, pin := range map[string]string{
		"ISLP":         `\bISLP==([\w.]+)`,
		"TRITONCLIENT": `\btritonclient\[http\]==([\w.]+)`,
		"MLFLOW":       `\bmlflow(?:==| )(\d+\.\d+\.\d+)`,
	} {
		found := 0
		for _, file := range files {
			for _, m := range regexp.MustCompile(pin).FindAllStringSubmatch(readTree(t, file), -1) {
				if found++; m[1] != versions[name] {
					t.Errorf("%s names %s, and versions.mk has %s", file, m[0], versions[name])
				}
			}
		}
		if found == 0 {
			t.Errorf("nothing pins %s; is the pattern right?", name)
		}
	}
}
