package spec

// Risk is the class of what a wrong prediction can do; it decides which gates
// and documents are compulsory.
type Risk string

// The risk classes, from the least to the most controlled.
const (
	Minimal Risk = "minimal"
	Limited Risk = "limited"
	High    Risk = "high"
)

// WhenLive is the value of Gate.When for a gate that needs a live version.
const WhenLive = "live"

// Spec is one `fairlead.yaml`: the life of one model, in the repository that
// builds it. Lists whose order matters keep the order of the file.
type Spec struct {
	// Project is the project's name, the first part of its addresses.
	Project string `json:"project" required:"true" form:"project"`
	// Owner is the team or person who answers for the model. Compulsory when
	// the risk is limited or high.
	Owner string `json:"owner,omitempty" form:"text"`
	// Risk is the class of what a wrong prediction can do; it decides which
	// gates are compulsory.
	Risk Risk `json:"risk" enum:"minimal|limited|high" default:"minimal"`
	// Model is the registered model's name. Without it the model is named after
	// the project.
	Model string `json:"model" form:"model"`
	// Goal is what success means: a metric and the value that it must reach.
	Goal *Goal `json:"goal,omitempty"`
	// Data names the data that the pipeline's steps read.
	Data []NamedData `json:"data,omitempty" keys:"name"`
	// Holdout is the data that the pipeline never sees: the gate judges on it, and
	// each read is recorded.
	Holdout *Holdout `json:"holdout,omitempty"`
	// Pipeline is how a candidate is made.
	Pipeline *Pipeline `json:"pipeline,omitempty"`
	// Gates are the checks that a candidate must pass before its release. All
	// of them are evaluated, in the order of the file.
	Gates []Gate `json:"gates,omitempty" keys:"name"`
	// Approvals says, by environment, who must agree to a release.
	Approvals map[string]Approval `json:"approvals,omitempty" keys:"name"`
	// Release lists the environments that a version passes, first to last. The
	// last one is what the model's bare name and the alias `live` stand for.
	Release []Environment `json:"release,omitempty" keys:"name"`
	// Monitor says what is watched in the last environment, and what follows.
	Monitor *Monitor `json:"monitor,omitempty"`
}

// Goal is the business understanding: what success means. Exactly one of
// AtLeast and AtMost is given; it also says which direction of the metric is
// the better one.
type Goal struct {
	// Metric is the metric that decides, as the `evaluate` step prints it.
	Metric string `json:"metric" required:"true" form:"metric"`
	// AtLeast is the value that a metric of which more is better must reach.
	AtLeast *float64 `json:"at_least,omitempty"`
	// AtMost is the value that a metric of which less is better must reach.
	AtMost *float64 `json:"at_most,omitempty"`
	// Value is what right and wrong predictions are worth, for reports.
	Value *Value `json:"value,omitempty"`
}

// Value is the worth of one prediction of a binary classifier, by outcome.
type Value struct {
	// TruePositive is the worth of a positive that was predicted.
	TruePositive float64 `json:"true_positive"`
	// FalsePositive is the worth (mostly negative) of a false alarm.
	FalsePositive float64 `json:"false_positive"`
	// TrueNegative is the worth of a negative that was predicted.
	TrueNegative float64 `json:"true_negative"`
	// FalseNegative is the worth (mostly negative) of a positive that was missed.
	FalseNegative float64 `json:"false_negative"`
	// Currency is the ISO 4217 code of the amounts.
	Currency string `json:"currency,omitempty" form:"currency"`
}

// Gate is one check that a candidate must pass.
type Gate struct {
	// Name is the gate's name, the key in the file.
	Name string `json:"name" file:"-"`
	// Check is a CEL expression over the facts about `candidate` and `live`; it
	// passes when it is true. A missing fact fails it.
	Check string `json:"check" required:"true" form:"text"`
	// When is `live` for a check that compares with the live version: it is
	// skipped, and shown as skipped, for a first release.
	When string `json:"when,omitempty" enum:"live"`
}

// Approval says who must agree before a version goes to an environment.
type Approval struct {
	// Roles lists the roles of which each must give one approval.
	Roles []string `json:"roles" required:"true" enum:"$role"`
	// Standing is a recorded pre-approval, so that the loop can close at night.
	Standing *Standing `json:"standing,omitempty"`
}

// Standing is an approval given ahead for changes of a narrow kind.
type Standing struct {
	// Cause is what must have caused the release.
	Cause string `json:"cause" required:"true" enum:"retrain"`
	// Same lists what must be unchanged since the version that people approved.
	Same []string `json:"same" required:"true" enum:"code|features|params"`
	// Until is the last day (UTC, wall time) on which it holds.
	Until Date `json:"until" required:"true"`
}

func (g *Gate) setKey(key string) { g.Name = key }
