package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checker looks at what the types cannot say: how the parts refer to each other.
type checker struct {
	*Spec
	d      *decoder
	before []Problem // what decoding found; a part that it broke is not checked
}

// check reports everything that is wrong across the parts of a decoded file.
func check(s *Spec, d *decoder) {
	c := &checker{Spec: s, d: d, before: slices.Clone(d.problems)}
	c.root()
	c.dataParts()
	if s.Pipeline != nil && c.sound("data", "pipeline") {
		c.pipeline()
	}
	c.evaluation()
	c.approvals()
	for _, e := range s.Release {
		if c.sound(join("release", e.Name)) {
			c.environment(e)
		}
	}
	if s.Monitor != nil && c.sound("monitor", "release", "pipeline") {
		c.monitor()
	}
}

// sound reports whether decoding found nothing wrong at or under the paths, nor
// a key of the file that may be a part misspelt.
func (c *checker) sound(paths ...string) bool {
	parts := keysOf(specType)
	for _, p := range c.before {
		_, misspelt := nearest(p.Path, parts)
		if misspelt && !slices.Contains(parts, p.Path) {
			return false
		}
		for _, path := range paths {
			if p.Path == path || strings.HasPrefix(p.Path, path+".") {
				return false
			}
		}
	}
	return true
}

func (c *checker) root() {
	if c.Risk != Minimal && c.Owner == "" && c.sound("owner", "risk") {
		c.d.problem("risk", fmt.Sprintf("a model of %s risk needs an owner", c.Risk),
			"add `owner: <team or person>`")
	}
	if c.Goal != nil && c.sound("goal") {
		c.oneBound("goal", c.Goal.AtLeast, c.Goal.AtMost)
	}
}

// oneBound demands exactly one of at_least and at_most.
func (c *checker) oneBound(path string, atLeast, atMost *float64) {
	switch {
	case atLeast == nil && atMost == nil:
		c.d.problem(path, "there is no bound", "add `at_least: …` or `at_most: …`")
	case atLeast != nil && atMost != nil:
		c.d.problem(path, "both at_least and at_most are given",
			"keep the one that says which direction is better")
	}
}

func (c *checker) dataParts() {
	timed := false
	for _, data := range c.Data {
		timed = timed || data.Time != ""
		path := join("data", data.Name)
		if !c.sound(path, "release") {
			timed = true
			continue
		}
		if data.From == FromRequests {
			c.requests(data, path)
		} else {
			c.files(data, path)
		}
	}
	if c.Holdout != nil && !timed && c.sound("data", "holdout") {
		c.d.problem("holdout", "no data has a time column to keep the newest rows by",
			"add `time: <column>` to an entry of `data`")
	}
}

func (c *checker) requests(data NamedData, path string) {
	for _, key := range []string{"time", "key", "label"} {
		if c.d.given(join(path, key)) {
			c.d.problemAtKey(join(path, key), fmt.Sprintf("`%s` is for files only", key),
				"remove it: requests carry their own time, id and label")
		}
	}
	if _, ok := c.LastEnvironment(); !ok {
		c.d.problem(join(path, "from"), "nothing is released, so there are no requests",
			"add `release:`")
		return
	}
	if data.Environment != "" {
		c.knownEnvironment(data.Environment, join(path, "environment"))
	}
}

func (c *checker) files(data NamedData, path string) {
	for _, key := range []string{"environment", "labelled"} {
		if c.d.given(join(path, key)) {
			c.d.problemAtKey(join(path, key), fmt.Sprintf("`%s` is for requests only", key),
				"remove it, or write `from: requests`")
		}
	}
	if data.Last.Duration > 0 && data.Time == "" {
		c.d.problem(join(path, "last"), "the newest part needs a time column",
			"add `time: <column>`")
	}
}

func (c *checker) knownEnvironment(name, path string) {
	if _, ok := c.Environment(name); !ok {
		c.d.problem(path, fmt.Sprintf("there is no environment `%s`", name),
			didYouMean(name, "environments", environmentNames(c.Release)))
	}
}

func environmentNames(list []Environment) []string {
	var names []string
	for _, e := range list {
		names = append(names, e.Name)
	}
	return names
}

// approvals are checked in the order of their names, as a map has none.
func (c *checker) approvals() {
	if !c.sound("release", "approvals") {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(c.Approvals)) {
		a, path := c.Approvals[name], join("approvals", name)
		if _, ok := c.Environment(name); !ok {
			c.d.problemAtKey(path, fmt.Sprintf("there is no environment `%s`", name),
				didYouMean(name, "environments", environmentNames(c.Release)))
		}
		if len(a.Roles) == 0 {
			c.d.problem(join(path, "roles"), "no role is named", "name at least one role")
		}
		c.unique(a.Roles, join(path, "roles"))
	}
}

// unique reports texts that a list has twice.
func (c *checker) unique(list []string, path string) {
	for i, text := range list {
		if slices.Contains(list[:i], text) {
			c.d.problem(fmt.Sprintf("%s[%d]", path, i), fmt.Sprintf("`%s` is given twice", text),
				"keep one of the two")
		}
	}
}
