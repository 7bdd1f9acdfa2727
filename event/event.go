package event

// Types of events, for subscriptions.
const (
	ProjectCreatedType        = "project.created"
	ProjectAppliedType        = "project.applied"
	ProjectConfiguredType     = "project.configured"
	DatasetVersionCreatedType = "datasetversion.created"
	HoldoutReadType           = "holdout.read"
	PipelineRunStartedType    = "pipelinerun.started"
	PipelineRunFinishedType   = "pipelinerun.finished"
	ExperimentCreatedType     = "experiment.created"
	ExperimentUpdatedType     = "experiment.updated"
	ExperimentDeletedType     = "experiment.deleted"
	ExperimentRestoredType    = "experiment.restored"
	LoggedModelCreatedType    = "loggedmodel.created"
	LoggedModelFinishedType   = "loggedmodel.finished"
	LoggedModelDeletedType    = "loggedmodel.deleted"
	ModelCreatedType          = "model.created"
	ModelUpdatedType          = "model.updated"
	ModelDeletedType          = "model.deleted"
	RunCreatedType            = "run.created"
	RunFinishedType           = "run.finished"
	RunDeletedType            = "run.deleted"
	RunRestoredType           = "run.restored"
	ModelVersionCreatedType   = "modelversion.created"
	ModelVersionConditionType = "modelversion.conditioned"
	ModelVersionTaggedType    = "modelversion.tagged"
	ModelVersionRetiredType   = "modelversion.retired"
	ModelVersionDeletedType   = "modelversion.deleted"
	AliasMovedType            = "alias.moved"
	EvidenceRecordedType      = "evidence.recorded"
	GateDecidedType           = "gate.decided"
	RolloutStartedType        = "rollout.started"
	RolloutSteppedType        = "rollout.stepped"
	RolloutFinishedType       = "rollout.finished"
	RolloutAskedType          = "rollout.asked"
	AssignmentChangedType     = "assignment.changed"
	AssignmentAppliedType     = "assignment.applied"
	AssignmentFailedType      = "assignment.failed"
	LabelsReceivedType        = "labels.received"
	WindowClosedType          = "window.closed"
	IncidentOpenedType        = "incident.opened"
	IncidentResolvedType      = "incident.resolved"
	CaseOpenedType            = "case.opened"
	CaseAdvancedType          = "case.advanced"
	CaseClosedType            = "case.closed"
	LoopPausedType            = "loop.paused"
	JobLostType               = "job.lost"
	DeliverySkippedType       = "delivery.skipped"
	WebhookCreatedType        = "webhook.created"
	WebhookUpdatedType        = "webhook.updated"
	WebhookDeletedType        = "webhook.deleted"
	WebhookDisabledType       = "webhook.disabled"
	AccessChangedType         = "access.changed"
	DataPurgedType            = "data.purged"
)

// ProjectCreated: there is a new project, with a file or without one.
type ProjectCreated struct {
	v1
	Owner string `json:"owner,omitempty"`
	Risk  string `json:"risk"`
}

// ProjectApplied: a revision of a project's fairlead.yaml became the current one.
type ProjectApplied struct {
	v1
	Revision int64  `json:"revision"`
	Digest   string `json:"digest"` // SHA-256 of the file, hex
	Commit   string `json:"commit,omitempty"`
}

// ProjectConfigured: what is set of a project beside its file was changed.
type ProjectConfigured struct {
	v1
	KeepDeleted string `json:"keep_deleted"` // in the trash: 30d | forever; empty: as the server says
}

// DatasetVersionCreated: a dataset got a new immutable version.
type DatasetVersionCreated struct {
	v1
	Dataset string `json:"dataset"`
	N       int64  `json:"n"`
	Digest  string `json:"digest"` // SHA-256 of the Parquet file, hex
	Rows    int64  `json:"rows"`
	Source  string `json:"source"` // file | requests | holdout | upload
}

// HoldoutRead: a holdout is about to be read, for a version of a model or by somebody
// who looks at it.
type HoldoutRead struct {
	v1
	Dataset      string `json:"dataset"`
	Version      int64  `json:"version"` // of the dataset
	Model        string `json:"model"`
	ModelVersion int64  `json:"model_version"`
	Purpose      string `json:"purpose"`          // gate | reference | preview | query
	Reader       string `json:"reader"`           // the job that reads
	Reason       string `json:"reason,omitempty"` // of who looks at it
}

// PipelineRunStarted: a pipeline began to run for a commit.
type PipelineRunStarted struct {
	v1
	Pipeline string `json:"pipeline_run"`
	Commit   string `json:"commit"`
	Cause    string `json:"cause"` // user | schedule | case
	Case     string `json:"case,omitempty"`
	// The run that it does again, and the step from which on; empty for others.
	RerunOf   string `json:"rerun_of,omitempty"`
	RerunFrom string `json:"rerun_from,omitempty"`
}

// PipelineRunFinished: a pipeline ended; Version is set when it has a winner.
type PipelineRunFinished struct {
	v1
	Pipeline string `json:"pipeline_run"`
	State    string `json:"state"` // succeeded | failed | cancelled
	Reason   string `json:"reason"`
	Model    string `json:"model,omitempty"`
	Version  int64  `json:"version,omitempty"`
	Case     string `json:"case,omitempty"`
}

// Run carries the run events.
type Run struct {
	v1
	Name       string `json:"-"` // the event's type
	Run        string `json:"run"`
	Experiment string `json:"experiment"`
	Status     string `json:"status,omitempty"`
}

// Experiment carries the experiment events.
type Experiment struct {
	v1
	Name       string `json:"-"` // the event's type
	Experiment string `json:"experiment"`
	Title      string `json:"title"`
}

// LoggedModel carries the logged model events.
type LoggedModel struct {
	v1
	Name        string `json:"-"` // the event's type
	LoggedModel string `json:"logged_model"`
	Run         string `json:"run,omitempty"`
	Status      string `json:"status,omitempty"`
}

// Model carries model.created, model.updated and model.deleted.
type Model struct {
	v1
	Name    string `json:"-"` // the event's type
	Model   string `json:"model"`
	Renamed string `json:"renamed,omitempty"` // the name it had before
	// Version is the version that was changed, 0 for the model itself.
	Version int64 `json:"version,omitempty"`
	// Tag is the key of a tag that was set to Value, or removed when that is nil;
	// empty where no tag was changed.
	Tag   string  `json:"tag,omitempty"`
	Value *string `json:"value,omitempty"`
	// Description and Stage are the new ones, nil where they are as they were.
	Description *string `json:"description,omitempty"`
	Stage       *string `json:"stage,omitempty"`
	// Tags are those that the model was made with.
	Tags map[string]string `json:"tags,omitempty"`
}

// ModelVersionDeleted: a version that nothing holds was removed for good.
type ModelVersionDeleted struct {
	v1
	Model   string `json:"model"`
	Version int64  `json:"version"`
}

// ModelVersionCreated: a model got a new version.
type ModelVersionCreated struct {
	v1
	Model   string `json:"model"`
	Version int64  `json:"version"`
	Run     string `json:"run,omitempty"`
	Source  string `json:"source,omitempty"`
	// Tags and Description are those that it was made with.
	Tags        map[string]string `json:"tags,omitempty"`
	Description string            `json:"description,omitempty"`
}

// ModelVersionCondition: a condition of a version (packaged, reference, …) became
// true, false or unknown.
type ModelVersionCondition struct {
	v1
	Model     string `json:"model"`
	Version   int64  `json:"version"`
	Condition string `json:"condition"`
	Status    string `json:"status"` // true | false | unknown
	Reason    string `json:"reason,omitempty"`
	Ref       string `json:"ref,omitempty"` // for example the package's digest
}

// ModelVersionTagged: a tag of a version was set, or removed when Value is nil.
type ModelVersionTagged struct {
	v1
	Model   string  `json:"model"`
	Version int64   `json:"version"`
	Key     string  `json:"key"`
	Value   *string `json:"value"`
}

// ModelVersionRetired: a version left standby and can no longer be called.
type ModelVersionRetired struct {
	v1
	Model   string `json:"model"`
	Version int64  `json:"version"`
	Reason  string `json:"reason"`
}

// AliasMoved: an alias points at another version; 0 is none.
type AliasMoved struct {
	v1
	Model string `json:"model"`
	Alias string `json:"alias"`
	From  int64  `json:"from"`
	To    int64  `json:"to"`
}

// EvidenceRecorded: facts about a subject were stored for a decision.
type EvidenceRecorded struct {
	v1
	Evidence string `json:"evidence"`
	Kind     string `json:"kind"` // evaluation | paired
	Digest   string `json:"digest"`
	Rollout  string `json:"rollout,omitempty"`
}

// GateDecided: a gate passed or stopped a version. The digests are SHA-256 in hex, of
// what was decided, by what policy and on what facts; empty when it could not be run.
type GateDecided struct {
	v1
	Decision string   `json:"decision"`
	Model    string   `json:"model"`
	Version  int64    `json:"version"`
	Baseline int64    `json:"baseline,omitempty"` // the live version it was compared with
	Result   string   `json:"result"`             // passed | failed | undecided: it could not be run
	Failed   []string `json:"failed,omitempty"`
	Case     string   `json:"case,omitempty"`
	Reason   string   `json:"reason,omitempty"` // why it could not be run
	Outcome  string   `json:"decision_digest,omitempty"`
	Policy   string   `json:"policy_digest,omitempty"`
	Evidence string   `json:"evidence_digest"`
}

// Rollout carries rollout.started, rollout.stepped, rollout.finished and
// rollout.asked: it waits for a human.
type Rollout struct {
	v1
	Name        string  `json:"-"` // the event's type
	Rollout     string  `json:"rollout"`
	Environment string  `json:"environment"`
	Endpoint    string  `json:"endpoint"`
	Model       string  `json:"model"`
	From        int64   `json:"from"`
	To          int64   `json:"to"`
	Strategy    string  `json:"strategy"`
	Step        int     `json:"step"`
	Percent     float64 `json:"percent"`
	Outcome     string  `json:"outcome,omitempty"` // promoted | rolledback | aborted
	Reason      string  `json:"reason,omitempty"`
	Case        string  `json:"case,omitempty"`
	Evidence    string  `json:"evidence,omitempty"` // the newest then
}

// Assignment carries assignment.changed, assignment.applied and assignment.failed: what
// an endpoint should serve, that it does, and why it cannot for now.
type Assignment struct {
	v1
	Name       string `json:"-"` // the event's type
	Endpoint   string `json:"endpoint"`
	Generation int64  `json:"generation"`
	Reason     string `json:"reason,omitempty"`
}

// LabelsReceived: one batch of ground truth was stored.
type LabelsReceived struct {
	v1
	Endpoint    string `json:"endpoint"`
	Count       int    `json:"count"`
	Joined      int    `json:"joined"`       // of them, how many had a prediction
	FirstAtMS   int64  `json:"first_at_ms"`  // event time of the oldest joined request
	LastAtMS    int64  `json:"last_at_ms"`   // and of the newest
	WatermarkMS int64  `json:"watermark_ms"` // the newest observed_at, stream time
}

// WindowClosed: a monitoring window of an endpoint was judged.
type WindowClosed struct {
	v1
	Endpoint string  `json:"endpoint"`
	Version  int64   `json:"version"`
	Kind     string  `json:"kind"` // drift | performance
	FromMS   int64   `json:"from_ms"`
	ToMS     int64   `json:"to_ms"`
	State    string  `json:"state"` // green | red | unknown
	Value    float64 `json:"value"`
	Limit    float64 `json:"limit"`
}

// Incident carries incident.opened and incident.resolved.
type Incident struct {
	v1
	Name     string  `json:"-"` // the event's type
	Incident string  `json:"incident"`
	Endpoint string  `json:"endpoint"`
	Model    string  `json:"model"`
	Version  int64   `json:"version"`
	Kind     string  `json:"kind"`   // drift | decay
	Action   string  `json:"action"` // what fairlead.yaml says is to be done
	Value    float64 `json:"value"`
	Limit    float64 `json:"limit"`
	Reason   string  `json:"reason"`
}

// Case carries case.opened, case.advanced and case.closed: one turn of the loop.
type Case struct {
	v1
	Name     string `json:"-"` // the event's type
	Case     string `json:"case"`
	Model    string `json:"model"`
	Version  int64  `json:"version,omitempty"`
	State    string `json:"state"`
	Outcome  string `json:"outcome,omitempty"`
	Cause    string `json:"cause,omitempty"` // candidate | incident
	Incident string `json:"incident,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// LoopPaused: somebody stopped or resumed the loop of a model.
type LoopPaused struct {
	v1
	Model  string `json:"model"`
	Paused bool   `json:"paused"`
	Reason string `json:"reason"`
}

// JobLost: a worker's lease ran out; the job runs again with a higher fence.
type JobLost struct {
	v1
	Job   string `json:"job"`
	Kind  string `json:"kind"`
	Fence int64  `json:"fence"`
}

// DeliverySkipped: a subscriber could not handle an event, and went on without it.
type DeliverySkipped struct {
	v1
	Subscriber string `json:"subscriber"`
	Seq        int64  `json:"seq"`   // the event's number
	Event      string `json:"event"` // and its type
	Code       string `json:"code"`  // of the handler's error
	Reason     string `json:"reason"`
}

// Webhook carries the webhook events; it leaves the URL out, which may hold a secret.
type Webhook struct {
	v1
	Name    string   `json:"-"` // the event's type
	Webhook string   `json:"webhook"`
	Title   string   `json:"title"`
	Events  []string `json:"events"`
	Active  bool     `json:"active"`
	Reason  string   `json:"reason,omitempty"` // why it was disabled, where it was not by hand
}

// AccessChanged: somebody may do more, or less, than before.
type AccessChanged struct {
	v1
	// Change is user.added, user.removed, password.changed, role.granted, role.revoked,
	// token.created or token.revoked.
	Change     string `json:"change"`
	User       string `json:"user"`
	Role       string `json:"role,omitempty"`
	Token      string `json:"token,omitempty"`      // its id
	Everywhere bool   `json:"everywhere,omitempty"` // it is about all projects, and not this one alone
}

// DataPurged: what was in the trash is gone for good, with the rows that belonged to it;
// files that nothing else refers to follow.
type DataPurged struct {
	v1
	Kind      string `json:"kind"` // run | logged_model | experiment
	ID        string `json:"id"`
	Name      string `json:"name"`
	DeletedMS int64  `json:"deleted_ms"` // when it came into the trash, wall time; 0 where its experiment did
	Files     int64  `json:"files"`
	Bytes     int64  `json:"bytes"` // of these files, each counted as often as it was referred to
}

// Type implements Payload.
func (ProjectCreated) Type() string        { return ProjectCreatedType }
func (ProjectApplied) Type() string        { return ProjectAppliedType }
func (ProjectConfigured) Type() string     { return ProjectConfiguredType }
func (DatasetVersionCreated) Type() string { return DatasetVersionCreatedType }
func (HoldoutRead) Type() string           { return HoldoutReadType }
func (PipelineRunStarted) Type() string    { return PipelineRunStartedType }
func (PipelineRunFinished) Type() string   { return PipelineRunFinishedType }
func (e Experiment) Type() string          { return e.Name }
func (m LoggedModel) Type() string         { return m.Name }
func (m Model) Type() string               { return m.Name }
func (ModelVersionDeleted) Type() string   { return ModelVersionDeletedType }
func (r Run) Type() string                 { return r.Name }
func (ModelVersionCreated) Type() string   { return ModelVersionCreatedType }
func (ModelVersionCondition) Type() string { return ModelVersionConditionType }
func (ModelVersionTagged) Type() string    { return ModelVersionTaggedType }
func (ModelVersionRetired) Type() string   { return ModelVersionRetiredType }
func (AliasMoved) Type() string            { return AliasMovedType }
func (EvidenceRecorded) Type() string      { return EvidenceRecordedType }
func (GateDecided) Type() string           { return GateDecidedType }
func (r Rollout) Type() string             { return r.Name }
func (a Assignment) Type() string          { return a.Name }
func (LabelsReceived) Type() string        { return LabelsReceivedType }
func (WindowClosed) Type() string          { return WindowClosedType }
func (i Incident) Type() string            { return i.Name }
func (c Case) Type() string                { return c.Name }
func (LoopPaused) Type() string            { return LoopPausedType }
func (JobLost) Type() string               { return JobLostType }
func (DeliverySkipped) Type() string       { return DeliverySkippedType }
func (w Webhook) Type() string             { return w.Name }
func (AccessChanged) Type() string         { return AccessChangedType }
func (DataPurged) Type() string            { return DataPurgedType }
