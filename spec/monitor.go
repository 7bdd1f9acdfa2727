package spec

// The values of Then: what follows an incident.
const (
	Alert    = "alert"
	Retrain  = "retrain"
	Rollback = "rollback"
)

// Monitor says what is watched in the last environment, and what follows.
type Monitor struct {
	// Drift watches the inputs.
	Drift *Drift `json:"drift,omitempty"`
	// Performance watches the realised metric, from the joined labels.
	Performance *Performance `json:"performance,omitempty"`
	// Then says what an incident leads to. Drift is not decay: mostly drift
	// alerts and performance retrains.
	Then Then `json:"then,omitzero"`
	// Cooldown is how long after a case the next one may start by itself. Without it,
	// the length of a window of `performance`, or else of `drift`: so much new evidence
	// at least.
	Cooldown Duration `json:"cooldown,omitzero" clock:"stream"`
	// Retrain is the budget of automatic retrainings.
	Retrain Budget `json:"retrain,omitzero"`
}

// Drift compares the inputs of a window with the reference of the version that
// answers.
type Drift struct {
	// Method is the measure: `psi`, the population stability index.
	Method string `json:"method" enum:"psi" default:"psi"`
	// Threshold is the value above which a window is red for a feature.
	Threshold float64 `json:"threshold" required:"true" above:"0"`
	// Window is the length of a window.
	Window Duration `json:"window" required:"true" clock:"stream"`
	// Red is how many of the newest windows must be red to open an incident.
	Red Red `json:"red" default:"2 of 3"`
}

// Performance compares the realised metric of a window with the reference of
// the version that answers.
type Performance struct {
	// Metric is the metric that is watched. `evaluate` must print it under the
	// same name, as what it is compared with: mae, mse, rmse, mape, wape, bias
	// or r2; auc, logloss, brier, precision, recall or f1 for labels 0 and 1;
	// accuracy, balanced_accuracy, precision_macro, recall_macro or f1_macro for
	// any classes. Of the bias, the distance from zero counts.
	Metric string `json:"metric" required:"true" form:"metric"`
	// WorseBy is the loss that makes a window red: a number, or a percentage of
	// the reference.
	WorseBy Amount `json:"worse_by" required:"true"`
	// Window is the length of a window.
	Window Duration `json:"window" required:"true" clock:"stream"`
	// Red is how many of the newest windows must be red to open an incident.
	Red Red `json:"red" default:"2 of 3"`
	// LabelDelay is how long after a window its labels are waited for.
	LabelDelay Duration `json:"label_delay,omitzero" clock:"stream" zero:"ok"`
}

// Then maps the kind of an incident to what follows: `alert` shows it, `retrain` starts
// a case, `rollback` returns to the version before. To open a labelling queue, or to take
// the model out of service, is not there yet.
type Then struct {
	// Drift is what follows drift of the inputs.
	Drift string `json:"drift" enum:"$action" default:"alert"`
	// Performance is what follows decay of the realised metric.
	Performance string `json:"performance" enum:"$action" default:"alert"`
}

// Budget bounds what the loop does by itself.
type Budget struct {
	// AtMost is how many retrainings may start by themselves; 0 sets no limit.
	AtMost int `json:"at_most,omitempty" min:"0"`
	// Failures is after how many retrainings in a row that brought no new live version
	// (failed, stopped by a gate, rolled back or unchanged) it stops and asks a human.
	Failures int `json:"failures" default:"3" min:"1" max:"100"`
}
