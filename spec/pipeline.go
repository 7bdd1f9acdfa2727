package spec

import "strings"

// The values of Search.When.
const (
	WhenFirst  = "first"
	WhenAlways = "always"
)

// Pipeline is how a candidate is made: steps that are any command, a search over
// their parameters, and when to stop.
type Pipeline struct {
	// Python is the environment that the steps run in, if they are Python.
	Python *Python `json:"python,omitempty"`
	// Steps are the commands. Who waits for whom follows from `in` and `out`;
	// steps that do not wait for each other run side by side.
	Steps []Step `json:"steps" required:"true" keys:"name"`
	// Search tries combinations of parameters.
	Search *Search `json:"search,omitempty"`
	// Until ends the tries as soon as a metric is good enough.
	Until *Until `json:"until,omitempty"`
	// Refit runs one step again on more data, after the winner is chosen and
	// before the gate.
	Refit *Refit `json:"refit,omitempty"`
	// Concurrency is how many steps of a run go at once, as far as the server has
	// places for steps (`fairlead serve --steps`); 0 is 2.
	Concurrency int `json:"concurrency,omitempty" min:"0" max:"256"`
}

// Python is an environment, built once for each set of requirements and shared.
type Python struct {
	// Requirements is the requirements file, relative to the repository.
	Requirements string `json:"requirements" required:"true" form:"path"`
	// Version is the Python version, such as 3.11; without it the server's.
	Version string `json:"version,omitempty" form:"python" number:"text" min:"3" max:"3.99"`
}

// Step is one command of the pipeline.
type Step struct {
	// Name is the step's name, the key in the file.
	Name string `json:"name" file:"-"`
	// Run is the command, in any language; it runs in the repository's directory.
	Run string `json:"run" required:"true" form:"text"`
	// In names the inputs: entries of `data`, or outputs of other steps.
	In []string `json:"in,omitempty" form:"name"`
	// Out names the outputs; no two steps have the same one.
	Out []string `json:"out,omitempty" form:"name"`
	// Code names the files of the commit that the step sees, as globs; a change of
	// any other does not run it again. Without it the step sees all.
	Code []string `json:"code,omitempty" form:"glob"`
	// Params are the step's parameters, with the values that a search starts from.
	Params map[string]any `json:"params,omitempty" keys:"param" order:"ParamNames"`
	// ParamNames lists the keys of Params in the order of the file.
	ParamNames []string `json:"-"`
	// Timeout ends an attempt that runs longer; 0s (the default) never does.
	Timeout Duration `json:"timeout,omitzero" clock:"wall" zero:"ok"`
	// Retries is how often the step is started again after its own failure; lost
	// machines and restarts of the server do not count.
	Retries int `json:"retries,omitempty" min:"0" max:"100"`
	// Env adds environment variables.
	Env map[string]string `json:"env,omitempty" keys:"variable" number:"text"`
	// Cache says whether an unchanged step may be answered from the cache.
	Cache *bool `json:"cache,omitempty" default:"true"`
}

// Cached reports whether an unchanged step may be answered from the cache.
func (s Step) Cached() bool { return s.Cache == nil || *s.Cache }

// Search tries the combinations of the values in Over, in an order that depends
// on nothing but the file.
type Search struct {
	// Over maps `step.param` to the values to try; the step declares the param.
	Over []Param `json:"over" required:"true" keys:"search"`
	// When is `first` to search once and let a retraining keep the winner's
	// params, or `always` to search in each retraining.
	When string `json:"when" enum:"first|always" default:"first"`
	// Tries is how many combinations are tried at most; 0 means all.
	Tries int `json:"tries,omitempty" min:"0" max:"10000"`
	// Seed shuffles the order of the combinations; 0 keeps the order of the file.
	Seed int64 `json:"seed,omitempty" min:"0"`
}

// Param is one parameter of a search and its values.
type Param struct {
	// Step is the step that has the parameter, the key's part before the dot.
	Step string `json:"step" file:"-"`
	// Name is the parameter, the key's part after the first dot.
	Name string `json:"name" file:"-"`
	// Values are tried in this order. In the file they are the key's value.
	Values []any `json:"values" file:"value"`
}

// Until ends the tries. Exactly one of AtLeast and AtMost is given.
type Until struct {
	// Metric is `<input>.<metric>`: the metric that the evaluate step printed
	// when it ran on that input, such as `validation.wape`.
	Metric string `json:"metric" required:"true" form:"until"`
	// AtLeast ends the tries when the metric is at least so much.
	AtLeast *float64 `json:"at_least,omitempty"`
	// AtMost ends the tries when the metric is at most so much.
	AtMost *float64 `json:"at_most,omitempty"`
	// Tries ends them after so many; 0 leaves it to `search`.
	Tries int `json:"tries,omitempty" min:"0" max:"10000"`
	// Within ends them when so much time has passed; 0s (the default) never does.
	Within Duration `json:"within,omitzero" clock:"wall" zero:"ok"`
}

// Refit runs Step again with the inputs In and the winner's params, after the
// winner is chosen and before the gate; its output replaces the winner's.
type Refit struct {
	// Step is the step that runs again.
	Step string `json:"step" required:"true" form:"name"`
	// In names its inputs for that run.
	In []string `json:"in" required:"true" form:"name"`
}

func (s *Step) setKey(key string) { s.Name = key }
func (p *Param) setKey(key string) {
	p.Step, p.Name, _ = strings.Cut(key, ".")
}
