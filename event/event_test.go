package event_test

import (
	"regexp"
	"testing"

	"github.com/fairlead-ml/fairlead/event"
)

func TestTypes_AreSubjectThenPastTense(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+\.([a-z]+(ed|t)|read)$`)
	for _, p := range []event.Payload{
		event.ProjectApplied{}, event.ProjectConfigured{}, event.DatasetVersionCreated{}, event.HoldoutRead{},
		event.PipelineRunStarted{}, event.PipelineRunFinished{}, event.Run{Name: event.RunCreatedType}, event.ModelVersionCreated{},
		event.ModelVersionCondition{}, event.ModelVersionTagged{}, event.ModelVersionRetired{},
		event.ModelVersionDeleted{}, event.Experiment{Name: event.ExperimentCreatedType},
		event.LoggedModel{Name: event.LoggedModelFinishedType},
		event.Model{Name: event.ModelUpdatedType}, event.AliasMoved{}, event.EvidenceRecorded{}, event.GateDecided{},
		event.Rollout{Name: event.RolloutSteppedType}, event.Assignment{Name: event.AssignmentAppliedType},
		event.LabelsReceived{}, event.WindowClosed{}, event.Incident{Name: event.IncidentOpenedType},
		event.Case{Name: event.CaseClosedType}, event.LoopPaused{}, event.JobLost{}, event.DeliverySkipped{},
		event.Webhook{Name: event.WebhookDisabledType},
	} {
		if !name.MatchString(p.Type()) || p.Format() < 1 {
			t.Errorf("%T has type %q, format %d", p, p.Type(), p.Format())
		}
	}
}
