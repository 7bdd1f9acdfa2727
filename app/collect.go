package app

import (
	"context"

	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// collectJob is the job that empties the trash of what has been there for long, and gives
// back the room of files that nothing refers to.
const collectJob = "blob.collect"

func (a *App) collect(ctx context.Context, _ *job.Run) error {
	if err := a.purge(ctx); err != nil {
		return err
	}
	if err := a.Tracking.ExpireUploads(ctx, blob.Grace); err != nil {
		return err
	}
	freed, err := a.Blobs.Collect(ctx, blob.Grace)
	a.opt.Log.Info("unreferenced files removed", "bytes", freed)
	return err
}

// purge purges the trash of all projects, of what each no longer keeps.
func (a *App) purge(ctx context.Context) error {
	projects, err := a.Projects.List(ctx)
	if err != nil {
		return err
	}
	for _, p := range projects {
		keep, err := a.Projects.Keep(ctx, p, a.opt.KeepDeleted)
		if err != nil {
			return err
		}
		if keep < 0 {
			continue
		}
		got, err := a.Tracking.Purge(ctx, p, a.opt.Clock.Now().Add(-keep))
		if err != nil {
			return err
		}
		a.opt.Log.Info("trash purged", "project", p.Name, "experiments", got.Experiments,
			"runs", got.Runs, "logged_models", got.LoggedModels, "kept", len(got.Kept))
	}
	return nil
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
