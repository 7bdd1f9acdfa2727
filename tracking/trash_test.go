package tracking_test

import (
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

func TestExperiment_NameOfADeletedOneCanBeTakenAgain(t *testing.T) {
	b, ctx := open(t), t.Context()
	var ids []string
	for range 3 {
		e, err := b.svc.CreateExperiment(ctx, project, "bikes", nil)
		b.must(err)
		b.clock.Advance(time.Second)
		b.must(b.svc.DeleteExperiment(ctx, project, e.ID))
		ids = append(ids, e.ID)
	}
	byName := func(id, state string) {
		t.Helper()
		e, err := b.svc.ExperimentByName(ctx, project, "bikes")
		b.must(err)
		if e.ID != id || e.State != state {
			t.Errorf("by name: %s, %s; want %s, %s", e.ID, e.State, id, state)
		}
	}
	byName(ids[2], tracking.Deleted) // the one that was deleted last
	b.must(b.svc.RestoreExperiment(ctx, project, ids[0]))
	byName(ids[0], tracking.Active)
	err := b.svc.RestoreExperiment(ctx, project, ids[1])
	b.refused(err, fairlead.Conflict, "Experiment(name=bikes) already exists")
	b.must(b.svc.RenameExperiment(ctx, project, ids[0], "rides"))
	b.must(b.svc.RestoreExperiment(ctx, project, ids[1]))
	byName(ids[1], tracking.Active)
}
