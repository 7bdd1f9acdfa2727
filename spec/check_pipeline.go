package spec

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

const (
	stepsPath = "pipeline.steps"
	maxSteps  = 256
	maxValues = 1000    // of one param of a search
	maxTrials = 100_000 // combinations of a search
)

var specType = reflect.TypeFor[Spec]()

func (c *checker) pipeline() {
	if len(c.Pipeline.Steps) == 0 {
		c.d.problem(stepsPath, "there are no steps", "add a step, such as `train: {run: …}`")
		return
	}
	if n := len(c.Pipeline.Steps); n > maxSteps {
		c.d.problem(stepsPath, fmt.Sprintf("there are %d steps", n),
			fmt.Sprintf("use at most %d", maxSteps))
		return
	}
	if c.outputs() && c.inputs() {
		c.cycles()
	}
	if c.Pipeline.Search != nil {
		c.search(c.Pipeline.Search)
	}
	if c.Pipeline.Until != nil {
		c.until(c.Pipeline.Until)
	}
	if c.Pipeline.Refit != nil {
		c.refit(c.Pipeline.Refit)
	}
}

// outputs demands that each name means one thing: one entry of data or one
// output, also where steps see it as an environment variable (- is _ there). It
// reports whether all do.
func (c *checker) outputs() bool {
	ok := true
	owner := map[string]string{}
	for _, data := range c.Data {
		owner[variable(data.Name)] = "data." + data.Name
	}
	for _, step := range c.Pipeline.Steps {
		for i, name := range step.Out {
			path := fmt.Sprintf("%s.%s.out[%d]", stepsPath, step.Name, i)
			if first, taken := owner[variable(name)]; taken {
				ok = false
				c.d.problem(path, fmt.Sprintf("`%s` is already the name of %s", name, first),
					"give the output a name of its own")
				continue
			}
			owner[variable(name)] = fmt.Sprintf("an output of step `%s`", step.Name)
		}
	}
	return ok
}

func variable(name string) string { return strings.ReplaceAll(name, "-", "_") }

// inputs demands that each input exists, and reports whether all do.
func (c *checker) inputs() bool {
	ok := true
	known := c.readable()
	for _, step := range c.Pipeline.Steps {
		path := join(join(stepsPath, step.Name), "in")
		c.unique(step.In, path)
		for i, name := range step.In {
			if slices.Contains(known, name) {
				continue
			}
			ok = false
			c.d.problem(fmt.Sprintf("%s[%d]", path, i),
				fmt.Sprintf("there is no data or output `%s`", name), c.inputHint(name, known))
		}
	}
	return ok
}

// readable lists what a step may read: data, then outputs, in the file's order.
func (c *checker) readable() []string {
	var names []string
	for _, data := range c.Data {
		names = append(names, data.Name)
	}
	for _, step := range c.Pipeline.Steps {
		names = append(names, step.Out...)
	}
	return names
}

func (c *checker) inputHint(name string, known []string) string {
	if step, ok := c.Step(name); ok && len(step.Out) > 0 {
		return fmt.Sprintf("`%s` is a step; name its outputs: %s", name,
			strings.Join(step.Out, ", "))
	}
	return didYouMean(name, "inputs", known)
}

// cycles reports each step that waits for itself, once for each circle.
func (c *checker) cycles() {
	graph, reported := c.Pipeline.Graph(), map[string]bool{}
	for _, step := range c.Pipeline.Steps {
		circle := route(graph, step.Name, step.Name, map[string]bool{})
		if circle == nil || reported[step.Name] {
			continue
		}
		for _, name := range circle {
			reported[name] = true
		}
		c.d.problemAtKey(join(stepsPath, step.Name),
			"the step waits for its own output: "+strings.Join(circle, " → "),
			"take one of the inputs out of the circle")
	}
}

func (c *checker) search(s *Search) {
	if len(s.Over) == 0 {
		c.d.problem("pipeline.search.over", "there is nothing to search over",
			"add `<step>.<param>: [values]`")
	}
	trials := 1
	for _, p := range s.Over {
		path := fmt.Sprintf("pipeline.search.over.%s.%s", p.Step, p.Name)
		c.searched(p, path)
		if len(p.Values) > maxValues {
			c.d.problem(path, fmt.Sprintf("there are %d values", len(p.Values)),
				fmt.Sprintf("use at most %d", maxValues))
			continue
		}
		c.uniqueValues(p.Values, path)
		trials = min(trials*max(len(p.Values), 1), maxTrials+1)
	}
	if trials > maxTrials {
		c.d.problem("pipeline.search.over",
			fmt.Sprintf("there are more than %d combinations", maxTrials), "search over fewer values")
	}
}

func (c *checker) searched(p Param, path string) {
	step, ok := c.Step(p.Step)
	if !ok {
		c.d.problemAtKey(path, fmt.Sprintf("there is no step `%s`", p.Step),
			didYouMean(p.Step, "steps", c.stepNames()))
		return
	}
	if evaluate, ok := c.EvaluateStep(); ok && evaluate.Name == p.Step {
		c.d.problemAtKey(path, fmt.Sprintf("step `%s` measures the tries: its params are the same for "+
			"all of them, and for the gate", p.Step), "search over the params of other steps")
		return
	}
	if _, ok := step.Params[p.Name]; !ok {
		hint := didYouMean(p.Name, "params", step.ParamNames)
		if hint == "" {
			hint = fmt.Sprintf("add `params: {%s: …}` to the step", p.Name)
		}
		c.d.problemAtKey(path, fmt.Sprintf("step `%s` has no param `%s`", p.Step, p.Name), hint)
	}
	if len(p.Values) == 0 {
		c.d.problem(path, "there are no values to try", "add at least one value")
	}
}

func (c *checker) uniqueValues(values []any, path string) {
	for i, v := range values {
		for _, earlier := range values[:i] {
			if reflect.DeepEqual(v, earlier) {
				c.d.problem(fmt.Sprintf("%s[%d]", path, i), "the value is given twice",
					"keep one of the two")
				break
			}
		}
	}
}

func (c *checker) stepNames() []string {
	var names []string
	for _, step := range c.Pipeline.Steps {
		names = append(names, step.Name)
	}
	return names
}

func (c *checker) until(u *Until) {
	const path = "pipeline.until"
	c.oneBound(path, u.AtLeast, u.AtMost)
	step, ok := c.EvaluateStep()
	if !ok {
		c.d.problem(path+".metric", "no step evaluates the model, so no metric is known",
			"name the step that does `evaluate`")
		return
	}
	input, _ := u.Split()
	if !slices.Contains(step.In, input) {
		c.d.problem(path+".metric",
			fmt.Sprintf("`%s` is not an input of step `%s`", input, step.Name),
			didYouMean(input, "inputs", step.In))
	}
}

func (c *checker) refit(r *Refit) {
	const path = "pipeline.refit"
	step, ok := c.Step(r.Step)
	if !ok {
		c.d.problem(path+".step", fmt.Sprintf("there is no step `%s`", r.Step),
			didYouMean(r.Step, "steps", c.stepNames()))
		return
	}
	if len(r.In) == 0 {
		c.d.problem(path+".in", "there are no inputs", "name what the step is to read")
	}
	c.unique(r.In, path+".in")
	known, graph := c.readable(), c.Pipeline.Graph()
	for i, name := range r.In {
		at := fmt.Sprintf("%s.in[%d]", path, i)
		producer, made := c.Pipeline.Producer(name)
		switch {
		case !slices.Contains(known, name):
			c.d.problem(at, fmt.Sprintf("there is no data or output `%s`", name),
				c.inputHint(name, known))
		case made && (producer.Name == step.Name ||
			route(graph, producer.Name, step.Name, map[string]bool{}) != nil):
			c.d.problem(at, fmt.Sprintf("`%s` is made from what step `%s` makes", name, step.Name),
				"name data or outputs that come before the step")
		}
	}
}

// evaluation demands a step that the gate can run on the holdout; where there is
// an `until`, its check has done so.
func (c *checker) evaluation() {
	if c.Pipeline == nil || c.Pipeline.Until != nil || len(c.Gates) == 0 ||
		!c.sound("data", "pipeline") {
		return
	}
	step, ok := c.EvaluateStep()
	if !ok {
		c.d.problem("gates", "no step evaluates the model, so no gate could decide",
			"name the step that does `evaluate`, with the model among its inputs")
		return
	}
	if _, ok := c.EvaluationInput(); !ok {
		c.d.problem(join(join(stepsPath, step.Name), "in"),
			"it is not clear which input the gate replaces with the holdout",
			"name one of the inputs `validation`, or add `pipeline.until`")
	}
}
