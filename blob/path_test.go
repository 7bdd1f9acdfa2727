package blob_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
)

func TestCleanPath(t *testing.T) {
	for path, want := range map[string]string{
		"a":                              "a",
		"model/MLmodel":                  "model/MLmodel",
		"./a//b/./c/":                    "a/b/c",
		"a b/ü+%.txt":                    "a b/ü+%.txt",
		"100%25.txt":                     "100%25.txt",
		"..a/b..":                        "..a/b..",
		"...":                            "...",
		"":                               "",
		".":                              "",
		"/":                              "",
		"/etc/passwd":                    "",
		"..":                             "",
		"../a":                           "",
		"a/../b":                         "",
		"a/..":                           "",
		`a\..\b`:                         "",
		`C:\a`:                           "",
		"a/%2e%2e/b":                     "",
		"%2E%2E/b":                       "",
		"%252e%252e/b":                   "",
		"%2fetc/passwd":                  "",
		"a%00b":                          "",
		"a\x00b":                         "",
		"a\nb":                           "",
		"a\xffb":                         "",
		strings.Repeat("a", 256):         "",
		strings.Repeat("ab/", 341) + "a": strings.Repeat("ab/", 341) + "a",
		strings.Repeat("ab/", 342):       "",
	} {
		got, err := blob.CleanPath(path)
		if got != want || (want == "") != fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%.60q becomes %.60q, want %.60q; %v", path, got, want, err)
		}
	}
}

func FuzzCleanPath(f *testing.F) {
	for _, seed := range []string{"a/b", "../a", "%2e%2e/", "./.", "a//b", `\`, "%25252e", "/a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		clean, err := blob.CleanPath(path)
		if err != nil {
			if !fairlead.Is(err, fairlead.Invalid) {
				t.Errorf("%q: error %v", path, err)
			}
			return
		}
		if !filepath.IsLocal(clean) || filepath.Clean(clean) != clean || len(clean) > len(path) {
			t.Errorf("%q became %q", path, clean)
		}
		if again, err := blob.CleanPath(clean); again != clean || err != nil {
			t.Errorf("%q cleaned again is %q, %v", clean, again, err)
		}
	})
}
