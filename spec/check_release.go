package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead/stat"
)

// environment checks that the parts fit the strategy.
func (c *checker) environment(e Environment) {
	path := join("release", e.Name)
	if e.Strategy == Canary {
		c.canary(e, path)
		return
	}
	if e.Strategy == Shadow {
		c.abort(e.Abort, path+".abort")
	}
	if c.d.given(path + ".steps") {
		c.d.problemAtKey(path+".steps", "`steps` is for a canary only",
			"remove it, or write `strategy: canary`")
	}
	for _, key := range []string{"hold", "abort"} {
		if e.Strategy == Replace && c.d.given(join(path, key)) {
			c.d.problemAtKey(join(path, key), fmt.Sprintf("`%s` has no meaning for replace", key),
				"remove it, or write `strategy: canary`")
		}
	}
}

func (c *checker) canary(e Environment, path string) {
	for _, example := range []string{
		"steps: [5%, 25%, 100%]",
		"hold: {labels: 500, at_most: 7d}",
		"abort: {metric: error, worse_by: 10%}",
	} {
		key, _, _ := strings.Cut(example, ":")
		if !c.d.given(join(path, key)) {
			c.d.problem(path, fmt.Sprintf("a canary needs `%s`", key), "add `"+example+"`")
		}
	}
	c.abort(e.Abort, path+".abort")
	before := 0.0
	for i, share := range e.Steps {
		at := fmt.Sprintf("%s.steps[%d]", path, i)
		if share <= before {
			c.d.problem(at, "a step must be greater than the one before, and above 0%",
				"let the steps rise, such as [5%, 25%, 100%]")
		}
		if share > 100 {
			c.d.problem(at, "a step is at most 100%", "let the last step be 100%")
		}
		before = share
	}
	if c.d.given(path+".steps") && before < 100 {
		c.d.problem(path+".steps", "the last step must be 100%", "add 100% at the end")
	}
}

// abort checks that two versions can be compared by the metric.
func (c *checker) abort(a *Abort, path string) {
	known := append([]string{ErrorMetric}, stat.LossNames()...)
	if a == nil || slices.Contains(known, a.Metric) {
		return
	}
	message := fmt.Sprintf("there is no metric `%s`", a.Metric)
	if _, ok := stat.Lookup(a.Metric); ok {
		message = fmt.Sprintf("`%s` is no sum over the rows, so a day of two versions cannot be "+
			"compared by it", a.Metric)
	}
	c.d.problem(path+".metric", message, nearestOf(a.Metric, "metrics to compare by", known))
}

// nearestOf names the nearest candidate, and all of them.
func nearestOf(word, kind string, candidates []string) string {
	all := "known " + kind + ": " + strings.Join(candidates, ", ")
	if c, ok := nearest(word, candidates); ok {
		return "did you mean `" + c + "`? " + all
	}
	return all
}

func (c *checker) monitor() {
	m := c.Monitor
	last, ok := c.LastEnvironment()
	if !ok {
		c.d.problemAtKey("monitor", "nothing is released, so there is nothing to watch",
			"add `release:`")
	}
	if m.Drift == nil && m.Performance == nil {
		c.d.problemAtKey("monitor", "nothing is watched", "add `drift:` or `performance:`")
	}
	if f := m.Performance; f != nil {
		if _, ok := stat.Lookup(f.Metric); !ok {
			c.d.problem("monitor.performance.metric",
				fmt.Sprintf("the monitor cannot compute `%s` from labels and predictions", f.Metric),
				nearestOf(f.Metric, "metrics", stat.Names()))
		}
	}
	c.reaction("drift", m.Then.Drift, m.Drift != nil, last)
	c.reaction("performance", m.Then.Performance, m.Performance != nil, last)
}

// reaction checks that what follows an incident is possible.
func (c *checker) reaction(kind, action string, watched bool, last Environment) {
	path := "monitor.then." + kind
	if !c.d.given(path) {
		return
	}
	switch {
	case !watched:
		c.d.problemAtKey(path, fmt.Sprintf("`monitor.%s` is not there, so it never happens", kind),
			fmt.Sprintf("add `monitor.%s`, or remove this", kind))
	case action == Retrain && c.Pipeline == nil:
		c.d.problem(path, "there is no pipeline to retrain with", "add `pipeline:`")
	case action == Rollback && last.Name != "" && last.Keep == 0:
		c.d.problem(path, fmt.Sprintf("`release.%s.keep: 0` leaves nothing to roll back to", last.Name),
			"keep at least one replaced version")
	}
}
