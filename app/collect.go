package app

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// collectJob is the job that gives back the room of files that nothing refers to.
const collectJob = "blob.collect"

// collectGrace is how long such files stay, in wall time: longer than from storing
// what a step or an upload has brought to referring to it.
const collectGrace = 24 * time.Hour

func (a *App) collect(ctx context.Context, _ *job.Run) error {
	if err := a.Tracking.ExpireUploads(ctx, collectGrace); err != nil {
		return err
	}
	freed, err := a.Blobs.Collect(ctx, collectGrace)
	a.opt.Log.Info("unreferenced files removed", "bytes", freed)
	return err
}

// scheduleCollection sets the daily collection, which keeps its time over restarts.
func (a *App) scheduleCollection(ctx context.Context) error {
	daily, err := job.ParseTiming("every 24h")
	if err != nil {
		return err
	}
	return a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		return a.Jobs.Schedule(tx, spec.Default, collectJob, "", daily, nil)
	})
}
