package spec

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// form is the shape that a text must have. Its pattern is valid for Go and for
// JSON Schema (ECMA 262) alike.
type form struct {
	pattern string
	what    string // what the text is, for "… is not a …"
	hint    string
	re      func() *regexp.Regexp
}

const nameHint = "use lower-case letters, digits, - and _, beginning with a letter"

// forms are the shapes that the tags `form` and `keys` name. Metrics and parameters are
// recorded as `<input>.<metric>` and `<step>.<param>`: with a name of 63 characters and
// the dot before them, 186 make the 250 that tracking takes.
var forms = compileForms(map[string]form{
	"project": {pattern: `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`, what: "project name",
		hint: "use at most 63 lower-case letters, digits and inner dashes"},
	"name": {pattern: `^[a-z][a-z0-9_-]{0,62}$`, what: "name", hint: nameHint},
	"model": {pattern: `^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`, what: "model name",
		hint: "use letters, digits, dots, - and _"},
	"text": {pattern: `\S`, what: "text", hint: "write at least one character"},
	"metric": {pattern: `^[A-Za-z_][A-Za-z0-9_./-]{0,185}$`, what: "metric name",
		hint: "use letters, digits, _ and dots, beginning with a letter, at most 186"},
	"until": {pattern: `^[a-z][a-z0-9_-]{0,62}\.[A-Za-z_][A-Za-z0-9_./-]{0,185}$`,
		what: "metric of an input", hint: "write `<input>.<metric>`, such as validation.wape"},
	"param": {pattern: `^[A-Za-z_][A-Za-z0-9_.-]{0,185}$`, what: "parameter name",
		hint: "use letters, digits, _, - and dots, beginning with a letter, at most 186"},
	"search": {pattern: `^[a-z][a-z0-9_-]{0,62}\.[A-Za-z_][A-Za-z0-9_.-]{0,185}$`,
		what: "parameter of a step", hint: "write `<step>.<param>`, such as train.num_leaves"},
	"variable": {pattern: `^[A-Za-z_][A-Za-z0-9_]*$`, what: "environment variable",
		hint: "use letters, digits and _, beginning with a letter"},
	"path":     {pattern: `^[^\\:*?\[\]]+$`, what: "file of the repository", hint: pathHint},
	"glob":     {pattern: `^[^\\:]+$`, what: "file or glob of the repository", hint: pathHint},
	"python":   {pattern: `^3\.[0-9]{1,2}$`, what: "Python version", hint: "write it as 3.11"},
	"currency": {pattern: `^[A-Z]{3}$`, what: "currency", hint: "use an ISO 4217 code, such as USD"},
})

const pathHint = "write it relative to the repository, with / and without .., such as data/a.csv"

func compileForms(forms map[string]form) map[string]form {
	for name, f := range forms {
		f.re = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(f.pattern) })
		forms[name] = f
	}
	return forms
}

// misfit says what is wrong with a text that has not the named form, and what to
// write; it returns nothing for one that has. The form "" is any text.
func misfit(name, text string) (message, hint string) {
	f, ok := forms[name]
	if !ok || f.re().MatchString(text) && (name != "path" && name != "glob" || staysInside(text)) {
		return "", ""
	}
	return fmt.Sprintf("%q is not a %s", text, f.what), f.hint
}

// staysInside reports whether a path is relative and never leaves its directory.
// The pattern has refused backslashes, drives and URLs already.
func staysInside(path string) bool {
	if strings.HasPrefix(path, "/") || strings.HasPrefix(path, "~") {
		return false
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == ".." || strings.TrimSpace(part) != part || part == "" {
			return false
		}
	}
	return true
}

// enums are the longer lists of values that a tag `enum:"$name"` stands for.
var enums = map[string]string{
	"$role":   "data-scientist|data-engineer|operator|business-owner|compliance",
	"$action": strings.Join([]string{Alert, Retrain, Rollback}, "|"),
}

// enumValues returns the values of a tag `enum`, nil for an empty tag.
func enumValues(tag string) []string {
	if tag == "" {
		return nil
	}
	if list, ok := enums[tag]; ok {
		tag = list
	}
	return strings.Split(tag, "|")
}
