package ledger_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

func TestAbout_IsWhatNamesTheID(t *testing.T) {
	db, led := open(t, filepath.Join(t.TempDir(), "f.db"))
	ctx := context.Background()
	other := fairlead.Project{K: 2, Name: "other"}
	for _, e := range []struct {
		p       fairlead.Project
		payload event.Payload
	}{
		{project, event.Case{Name: event.CaseOpenedType, Case: "ca_1", Reason: "ca_2"}},
		{project, event.Case{Name: event.CaseOpenedType, Case: "ca_12"}},
		{project, event.GateDecided{Case: "ca_1", Result: "passed"}},
		{project, event.Case{Name: event.CaseAdvancedType, Case: "ca_1"}},
		{other, event.Case{Name: event.CaseClosedType, Case: "ca_1"}},
		{project, event.Case{Name: event.CaseClosedType, Case: "ca_1"}},
	} {
		err := db.Write(ctx, store.Control, func(tx *store.Tx) error {
			_, err := led.Append(ctx, tx, e.p, "model/m", time.Time{}, e.payload)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := led.About(ctx, project, "ca_1", event.CaseOpenedType, event.CaseAdvancedType, event.CaseClosedType)
	if err != nil || len(got) != 3 || got[0].Seq != 1 || got[1].Seq != 4 || got[2].Seq != 6 {
		t.Errorf("got %+v, %v", got, err)
	}
}
