package blob

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
)

// Limits of a path, in bytes. A segment's is that of common file systems, so that
// everything stored can be written out again.
const (
	maxPath    = 1024
	maxSegment = 255
)

// CleanPath returns the canonical form of a path: relative, separated by single
// slashes, without `.` segments. Invalid for an absolute or empty path, `..`,
// backslashes, control characters, text that is not UTF-8, segments that would
// mean one of these after percent-decoding, and more than 1024 bytes.
func CleanPath(path string) (string, error) {
	if reason := unsafePath(path); reason != "" {
		return "", badPath(path, reason)
	}
	clean := make([]string, 0, strings.Count(path, "/")+1)
	for s := range strings.SplitSeq(path, "/") {
		if s == "" || s == "." {
			continue
		}
		if len(s) > maxSegment {
			return "", badPath(path, "one of its names is longer than 255 bytes")
		}
		clean = append(clean, s)
	}
	if len(clean) == 0 {
		return "", badPath(path, "it names no file")
	}
	return strings.Join(clean, "/"), nil
}

// cleanPrefix is CleanPath for a directory: the empty prefix is the whole owner.
func cleanPrefix(prefix string) (string, error) {
	if strings.Trim(prefix, "./") == "" && !strings.HasPrefix(prefix, "/") &&
		!strings.Contains(prefix, "..") {
		return "", nil
	}
	return CleanPath(prefix)
}

// maxDecode bounds how often a path is percent-decoded to look for a hidden `..`.
const maxDecode = 4

func unsafePath(path string) string {
	if len(path) > maxPath {
		return "it is longer than 1024 bytes"
	}
	for range maxDecode {
		if reason := unsafeText(path); reason != "" {
			return reason
		}
		decoded, err := url.PathUnescape(path)
		if err != nil || decoded == path {
			return ""
		}
		path = decoded
	}
	return "it is percent-encoded several times over"
}

func unsafeText(path string) string {
	switch {
	case !utf8.ValidString(path):
		return "it is not UTF-8"
	case strings.ContainsFunc(path, unicode.IsControl):
		return "it has control characters"
	case strings.Contains(path, `\`):
		return "it has a backslash; separate names with /"
	case strings.HasPrefix(path, "/"):
		return "it is absolute; give it relative to its owner"
	}
	for s := range strings.SplitSeq(path, "/") {
		if s == ".." {
			return "it has .. in it"
		}
	}
	return ""
}

func badPath(path, reason string) error {
	if len(path) > 100 {
		path = path[:100] + "…"
	}
	return fairlead.Errorf(fairlead.Invalid, "the path %q is refused: %s", path, reason)
}
