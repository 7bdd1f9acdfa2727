package event

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Sentence says in one English sentence, without its full stop, what an event tells. A
// type that is not known here, or a body that cannot be read, is told by its type.
func Sentence(kind string, body []byte) string {
	if tell, ok := sentences[kind]; ok {
		if text, err := tell(kind, body); err == nil {
			return text
		}
	}
	subject, verb, _ := strings.Cut(kind, ".")
	return subject + " " + verb
}

// Types lists the types of events in the order of their names.
func Types() []string {
	all := make([]string, 0, len(sentences))
	for kind := range sentences {
		all = append(all, kind)
	}
	slices.Sort(all)
	return all
}

type teller = func(kind string, body []byte) (string, error)

// by makes a teller of a function of the payload.
func by[T any](tell func(e T) string) teller {
	return func(_ string, body []byte) (string, error) {
		var e T
		err := json.Unmarshal(body, &e)
		return tell(e), err
	}
}

// verb makes a teller of a function of the payload and the type's second half.
func verb[T any](tell func(verb string, e T) string) teller {
	return func(kind string, body []byte) (string, error) {
		var e T
		err := json.Unmarshal(body, &e)
		_, v, _ := strings.Cut(kind, ".")
		return tell(v, e), err
	}
}

// because adds a reason to a text, where there is one.
func because(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

// short is how a commit, a digest or a long id is named.
func short(id string) string { return id[:min(len(id), 10)] }

// inWords names outcomes as people do.
func inWords(outcome string) string {
	return cmp.Or(map[string]string{"rolledback": "rolled back"}[outcome], outcome)
}

func versionOf(model string, n int64) string { return fmt.Sprintf("version %d of %s", n, model) }

// sentences has a teller for each type.
var sentences = map[string]teller{
	ProjectCreatedType: by(func(e ProjectCreated) string {
		text := fmt.Sprintf("The project was created, with %s risk", e.Risk)
		if e.Owner != "" {
			text += "; " + e.Owner + " answers for it"
		}
		return text
	}),
	ProjectAppliedType: by(func(e ProjectApplied) string {
		text := fmt.Sprintf("Revision %d of fairlead.yaml was applied", e.Revision)
		if e.Commit != "" {
			text += ", from commit " + short(e.Commit)
		}
		return text
	}),
	ProjectConfiguredType: by(func(e ProjectConfigured) string {
		return "What is deleted is now kept for " +
			cmp.Or(map[string]string{"": "as long as the server says", "forever": "ever"}[e.KeepDeleted], e.KeepDeleted)
	}),
	DatasetVersionCreatedType: by(func(e DatasetVersionCreated) string {
		return fmt.Sprintf("Version %d of dataset %s was made: %s from %s", e.N, e.Dataset,
			count(e.Rows, "row"), cmp.Or(dataSources[e.Source], e.Source))
	}),
	HoldoutReadType: by(func(e HoldoutRead) string {
		return fmt.Sprintf("Version %d of dataset %s was read for %s, as %s", e.Version, e.Dataset,
			versionOf(e.Model, e.ModelVersion), cmp.Or(purposes[e.Purpose], e.Purpose))
	}),
	PipelineRunStartedType: by(func(e PipelineRunStarted) string {
		if e.RerunOf != "" {
			return fmt.Sprintf("The pipeline run %s was begun again from %s on, as %s", e.RerunOf,
				e.RerunFrom, e.Pipeline)
		}
		return fmt.Sprintf("A pipeline run began for commit %s, by %s", short(e.Commit), e.Cause)
	}),
	PipelineRunFinishedType: by(func(e PipelineRunFinished) string {
		text := "The pipeline run " + e.State
		if e.State == "cancelled" {
			text = "The pipeline run was cancelled"
		}
		if e.Version != 0 {
			text += " with " + versionOf(e.Model, e.Version)
		}
		return because(text, e.Reason)
	}),
	ExperimentCreatedType:  verb(tellExperiment),
	ExperimentUpdatedType:  verb(tellExperiment),
	ExperimentDeletedType:  verb(tellExperiment),
	ExperimentRestoredType: verb(tellExperiment),
	RunCreatedType:         verb(tellRun),
	RunFinishedType:        verb(tellRun),
	RunDeletedType:         verb(tellRun),
	RunRestoredType:        verb(tellRun),
	LoggedModelCreatedType: verb(tellLoggedModel), LoggedModelFinishedType: verb(tellLoggedModel),
	LoggedModelDeletedType: verb(tellLoggedModel),
	ModelCreatedType: by(func(e Model) string {
		return fmt.Sprintf("Model %s was registered", e.Model)
	}),
	ModelUpdatedType: by(tellModel),
	ModelDeletedType: by(func(e Model) string { return fmt.Sprintf("Model %s was deleted", e.Model) }),
	ModelVersionCreatedType: by(func(e ModelVersionCreated) string {
		return because(upper(versionOf(e.Model, e.Version))+" was registered", e.Description)
	}),
	ModelVersionConditionType: by(func(e ModelVersionCondition) string {
		text := upper(versionOf(e.Model, e.Version)) + " "
		switch e.Status {
		case "true":
			text += "has the condition " + e.Condition
		case "false":
			text += "lacks the condition " + e.Condition
		default:
			text += "may or may not have the condition " + e.Condition
		}
		return because(text, e.Reason)
	}),
	ModelVersionTaggedType: by(func(e ModelVersionTagged) string {
		return tellTag(versionOf(e.Model, e.Version), e.Key, e.Value)
	}),
	ModelVersionRetiredType: by(func(e ModelVersionRetired) string {
		return because(upper(versionOf(e.Model, e.Version))+" was retired", e.Reason)
	}),
	ModelVersionDeletedType: by(func(e ModelVersionDeleted) string {
		return upper(versionOf(e.Model, e.Version)) + " was deleted for good"
	}),
	AliasMovedType: by(func(e AliasMoved) string {
		switch {
		case e.From == 0:
			return fmt.Sprintf("Alias %s now names %s", e.Alias, versionOf(e.Model, e.To))
		case e.To == 0:
			return fmt.Sprintf("Alias %s no longer names %s", e.Alias, versionOf(e.Model, e.From))
		}
		return fmt.Sprintf("Alias %s moved from version %d to %s", e.Alias, e.From, versionOf(e.Model, e.To))
	}),
	EvidenceRecordedType: by(func(e EvidenceRecorded) string {
		return "Facts were recorded for a decision: " + cmp.Or(map[string]string{
			"evaluation": "an evaluation on the holdout", "paired": "losses of two versions on the same requests",
		}[e.Kind], e.Kind)
	}),
	GateDecidedType: by(func(e GateDecided) string {
		of := versionOf(e.Model, e.Version)
		switch {
		case e.Result == "passed":
			return upper(of) + " passed the gate"
		case len(e.Failed) > 0:
			return because("The gate stopped "+of, strings.Join(e.Failed, ", "))
		}
		return because("The gate could not decide about "+of, e.Reason)
	}),
	RolloutStartedType: by(func(e Rollout) string {
		return because(fmt.Sprintf("A rollout (%s) of %s to %s began", e.Strategy, versionOf(e.Model, e.To),
			e.Environment), e.Reason)
	}),
	RolloutSteppedType: by(func(e Rollout) string {
		return because(fmt.Sprintf("%s now answers %g%% of %s", upper(versionOf(e.Model, e.To)), e.Percent,
			e.Environment), e.Reason)
	}),
	RolloutFinishedType: by(func(e Rollout) string {
		return because(fmt.Sprintf("The rollout of %s to %s ended, %s", versionOf(e.Model, e.To), e.Environment,
			inWords(e.Outcome)), e.Reason)
	}),
	RolloutAskedType: by(func(e Rollout) string {
		return because(fmt.Sprintf("The rollout of %s to %s waits for a human", versionOf(e.Model, e.To),
			e.Environment), e.Reason)
	}),
	AssignmentChangedType: by(func(e Assignment) string {
		return because("What "+e.Endpoint+" should serve was changed", e.Reason)
	}),
	AssignmentAppliedType: by(func(e Assignment) string {
		return because(e.Endpoint+" serves what it should", e.Reason)
	}),
	AssignmentFailedType: by(func(e Assignment) string {
		return because(e.Endpoint+" cannot serve what it should", e.Reason)
	}),
	LabelsReceivedType: by(func(e LabelsReceived) string {
		return fmt.Sprintf("%s came for %s, %d of them with a prediction", upper(count(int64(e.Count), "label")),
			e.Endpoint, e.Joined)
	}),
	WindowClosedType: by(func(e WindowClosed) string {
		text := fmt.Sprintf("The %s of %s, version %d, was judged %s", cmp.Or(windows[e.Kind], e.Kind), e.Endpoint,
			e.Version, e.State)
		if e.State == "unknown" {
			return text
		}
		return fmt.Sprintf("%s: %.3g, limit %.3g", text, e.Value, e.Limit)
	}),
	IncidentOpenedType: by(func(e Incident) string {
		return because(fmt.Sprintf("An incident of %s opened for version %d at %s (%.3g, limit %.3g)", e.Kind,
			e.Version, e.Endpoint, e.Value, e.Limit), e.Reason)
	}),
	IncidentResolvedType: by(func(e Incident) string {
		return because(fmt.Sprintf("The incident of %s at %s is over", e.Kind, e.Endpoint), e.Reason)
	}),
	CaseOpenedType: by(func(e Case) string {
		return because(fmt.Sprintf("A case opened for %s, by %s", e.Model, cmp.Or(causes[e.Cause], e.Cause)), e.Reason)
	}),
	CaseAdvancedType: by(func(e Case) string {
		return because(fmt.Sprintf("The case of %s is now %s", e.Model, e.State), e.Reason)
	}),
	CaseClosedType: by(func(e Case) string {
		text := fmt.Sprintf("The case of %s closed, %s", e.Model, inWords(e.Outcome))
		if e.Version != 0 {
			text += fmt.Sprintf(" with version %d", e.Version)
		}
		return because(text, e.Reason)
	}),
	LoopPausedType: by(func(e LoopPaused) string {
		if e.Paused {
			return because("The loop of "+e.Model+" was paused", e.Reason)
		}
		return because("The loop of "+e.Model+" goes on", e.Reason)
	}),
	JobLostType: by(func(e JobLost) string {
		return fmt.Sprintf("A worker was lost at a job (%s); it runs again", e.Kind)
	}),
	DeliverySkippedType: by(func(e DeliverySkipped) string {
		return because(fmt.Sprintf("%s could not handle event %d (%s) and went on without it", upper(e.Subscriber),
			e.Seq, e.Event), e.Reason)
	}),
	WebhookCreatedType: verb(tellWebhook), WebhookUpdatedType: verb(tellWebhook),
	WebhookDeletedType: verb(tellWebhook), WebhookDisabledType: verb(tellWebhook),
	AccessChangedType: by(tellAccess),
	DataPurgedType: by(func(e DataPurged) string {
		return fmt.Sprintf("%s %s was removed for good, with %s", upper(strings.ReplaceAll(e.Kind, "_", " ")),
			cmp.Or(e.Name, short(e.ID)), count(e.Files, "file"))
	}),
}

var (
	dataSources = map[string]string{"file": "files", "holdout": "the newest part of the data",
		"split": "all but the holdout", "upload": "an upload"}
	purposes = map[string]string{"gate": "the gate's evidence", "reference": "what drift is measured against"}
	windows  = map[string]string{"drift": "drift window", "performance": "performance window"}
	causes   = map[string]string{"user": "a person", "incident": "an incident", "candidate": "a new candidate"}
)

func tellExperiment(verb string, e Experiment) string {
	return fmt.Sprintf("Experiment %s was %s", cmp.Or(e.Title, e.Experiment), verb)
}

func tellRun(verb string, e Run) string {
	switch {
	case verb == "created":
		return "Run " + short(e.Run) + " began"
	case verb == "finished":
		return fmt.Sprintf("Run %s ended, %s", short(e.Run), strings.ToLower(e.Status))
	}
	return fmt.Sprintf("Run %s was %s", short(e.Run), verb)
}

func tellLoggedModel(verb string, e LoggedModel) string {
	text := fmt.Sprintf("Logged model %s was %s", short(e.LoggedModel), verb)
	if e.Run != "" {
		text += " by run " + short(e.Run)
	}
	return text
}

func tellModel(e Model) string {
	of := "model " + e.Model
	if e.Version != 0 {
		of = versionOf(e.Model, e.Version)
	}
	switch {
	case e.Renamed != "":
		return fmt.Sprintf("Model %s was renamed to %s", e.Renamed, e.Model)
	case e.Tag != "":
		return tellTag(of, e.Tag, e.Value)
	case e.Stage != nil:
		return fmt.Sprintf("%s went to stage %s", upper(of), *e.Stage)
	case e.Description != nil:
		return "The description of " + of + " was changed"
	}
	return upper(of) + " was changed"
}

func tellTag(of, key string, value *string) string {
	if value == nil {
		return fmt.Sprintf("Tag %s was removed from %s", key, of)
	}
	return fmt.Sprintf("%s was tagged %s=%s", upper(of), key, *value)
}

func tellWebhook(verb string, e Webhook) string {
	return because(fmt.Sprintf("Webhook %s was %s", e.Title, verb), e.Reason)
}

func tellAccess(e AccessChanged) string {
	where := " in this project"
	if e.Everywhere {
		where = " everywhere"
	}
	switch e.Change {
	case "user.added":
		return "The account " + e.User + " was made"
	case "user.removed":
		return "The account " + e.User + " was removed"
	case "password.changed":
		return "The password of " + e.User + " was changed"
	case "role.granted":
		return fmt.Sprintf("%s was granted the role %s%s", e.User, e.Role, where)
	case "role.revoked":
		return fmt.Sprintf("%s lost the role %s%s", e.User, e.Role, where)
	case "token.created":
		return fmt.Sprintf("A token of %s was made (%s)", e.User, e.Token)
	case "token.revoked":
		return fmt.Sprintf("A token of %s was revoked (%s)", e.User, e.Token)
	}
	return fmt.Sprintf("The access of %s changed: %s", e.User, e.Change)
}

// count writes "1 row", "1,181 rows".
func count(n int64, one string) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if n != 1 {
		one += "s"
	}
	return digits + " " + one
}

// upper begins a sentence.
func upper(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
