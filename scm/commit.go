package scm

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// Commit is a Git commit whose files are, or are to be, imported.
type Commit struct {
	SHA     string `json:"sha"`  // 40 hexadecimal digits
	Tree    string `json:"tree"` // of the files themselves; differs from the commit's when dirty
	Author  string `json:"author"`
	Message string `json:"message"`
	TimeMS  int64  `json:"time_ms"` // committer time, Unix milliseconds
	Dirty   bool   `json:"dirty"`   // the files are the commit's with uncommitted changes
	Object  []byte `json:"object,omitempty"`
	// Object is the raw commit object (`git cat-file commit`), set by Pack and
	// needed by Import; it is not kept.
}

// ID is what others know the snapshot by: the SHA, or `<sha>+dirty.<tree7>`.
func (c Commit) ID() string {
	if c.Dirty && len(c.Tree) >= 7 {
		return c.SHA + "+dirty." + c.Tree[:7]
	}
	return c.SHA
}

// Subject is the first line of the message.
func (c Commit) Subject() string {
	line, _, _ := strings.Cut(c.Message, "\n")
	return line
}

// objectID is Git's id of an object: SHA-1 of "kind size\0content".
func objectID(kind string, content []byte) string {
	h := sha1.New()
	h.Write(objectHeader(kind, int64(len(content))))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

func objectHeader(kind string, size int64) []byte {
	return append(strconv.AppendInt([]byte(kind+" "), size, 10), 0)
}

// parseCommit reads a raw commit object (gitformat: header lines, an empty line,
// the message). The tree it returns is the one the commit names.
func parseCommit(object []byte) (*Commit, error) {
	head, message, ok := bytes.Cut(object, []byte("\n\n"))
	if !ok {
		head, message = bytes.TrimSuffix(object, []byte("\n")), nil
	}
	c := &Commit{
		SHA: objectID("commit", object), Message: text(bytes.TrimRight(message, "\n")),
	}
	committed := false
	for line := range strings.Lines(string(head)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case key == "tree" && c.Tree == "" && isID(value):
			c.Tree = value
		case key == "author" && c.Author == "":
			c.Author, _ = person(value)
		case key == "committer" && !committed:
			_, c.TimeMS = person(value)
			committed = true
		}
	}
	if c.Tree == "" || c.Author == "" || !committed {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"this is not a commit object of a SHA-1 repository; send what `git cat-file commit` prints")
	}
	return c, nil
}

// person splits "Name <mail> seconds zone" into who and Unix milliseconds.
func person(value string) (who string, ms int64) {
	end := strings.LastIndexByte(value, '>')
	if end < 0 {
		return text([]byte(value)), 0
	}
	fields := strings.Fields(value[end+1:])
	if len(fields) > 0 {
		if seconds, err := strconv.ParseInt(fields[0], 10, 64); err == nil && plausible(seconds) {
			ms = seconds * 1000
		}
	}
	return text([]byte(value[:end+1])), ms
}

// plausible keeps a commit's time within four-digit years.
func plausible(seconds int64) bool { return seconds >= 0 && seconds < 253402300800 }

// text makes what Git allows in any encoding valid UTF-8.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

func isID(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha1.Size && strings.ToLower(s) == s
}
