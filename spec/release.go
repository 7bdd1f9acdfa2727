package spec

// The values of Environment.Strategy.
const (
	Replace = "replace"
	Canary  = "canary"
	Shadow  = "shadow"
)

// The values of Environment.Log.
const (
	Buffered = "buffered"
	Durable  = "durable"
)

// Environment is one place that a version is released to, and how.
type Environment struct {
	// Name is the environment's name, the key in the file. Its endpoint is
	// `{model}@{environment}`.
	Name string `json:"name" file:"-"`
	// Strategy is `replace` (all traffic at once), `canary` (by steps, on
	// evidence) or `shadow` (scores every request and answers none).
	Strategy string `json:"strategy" enum:"replace|canary|shadow" default:"replace"`
	// Steps are the shares of the traffic that a canary gets, rising to 100%.
	Steps []float64 `json:"steps,omitempty" unit:"percent"`
	// Hold is the evidence that each step of a canary waits for.
	Hold Hold `json:"hold,omitzero"`
	// Abort is when a canary is rolled back.
	Abort *Abort `json:"abort,omitempty"`
	// Log is `buffered` (a crash may lose the last requests) or `durable` (each
	// request is on disk before its answer).
	Log string `json:"log" enum:"buffered|durable" default:"buffered"`
	// Lateness is how far behind the newest request the endpoint's watermark
	// stays, so that late requests still count.
	Lateness Duration `json:"lateness,omitzero" clock:"stream" zero:"ok"`
	// Keep is how many replaced versions stay on standby as rollback targets.
	Keep int `json:"keep" default:"1" min:"0" max:"100"`
}

// Hold is what a canary's step waits for.
type Hold struct {
	// Labels is how many labelled pairs, scored by both versions, it takes.
	Labels int `json:"labels" required:"true" min:"1"`
	// AtMost is how long it waits for them; then it stays, and asks a human.
	AtMost Duration `json:"at_most" required:"true" clock:"stream"`
}

// ErrorMetric is the value of Abort.Metric for the plain error of each prediction.
const ErrorMetric = "error"

// Abort is a one-sided sequential test: the canary is rolled back once it is
// shown to be worse than the live version by more than WorseBy. It looks once a
// day of stream time, and no canary is promoted before the test could have
// rejected it: after 5 days with labels for an alpha of 0.05, 4 for 0.1.
type Abort struct {
	// Metric is the metric that is compared: `error`, the plain error of each
	// prediction, or one that is a sum over the rows: mae, wape, mse, rmse,
	// logloss, brier or accuracy. Classes need `accuracy`.
	Metric string `json:"metric" required:"true" form:"metric"`
	// WorseBy is by how much the metric may be worse than the live version's on
	// the same requests, relative to it: 10% of an accuracy of 0.9 is 0.09.
	WorseBy float64 `json:"worse_by" required:"true" unit:"fraction" min:"0" max:"1000"`
	// Alpha is the most that a canary is rolled back by chance, over the whole
	// rollout, when its usual day is no worse than is tolerated, whatever the
	// days before were like.
	Alpha float64 `json:"alpha" default:"0.05" above:"0" max:"0.5"`
}

func (e *Environment) setKey(key string) { e.Name = key }
