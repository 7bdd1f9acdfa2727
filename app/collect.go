package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// collectJob is the job that empties the trash of what has been there for long, and gives
// back the room of files that nothing refers to.
const collectJob = "blob.collect"

func (a *App) collect(ctx context.Context, _ *job.Run) error {
	err := a.purge(ctx)
	err = errors.Join(err, a.Tracking.ExpireUploads(ctx, blob.Grace))
	freed, e := a.Blobs.Collect(ctx, blob.Grace)
	a.opt.Log.Info("unreferenced files removed", "bytes", freed)
	return errors.Join(err, e)
}

// purge purges the trash of all projects, of what each no longer keeps. One that fails
// does not keep the others from it.
func (a *App) purge(ctx context.Context) error {
	projects, err := a.Projects.List(ctx)
	if err != nil {
		return err
	}
	for _, p := range projects {
		if e := a.purgeProject(ctx, p); e != nil {
			err = errors.Join(err, fmt.Errorf("purge project %s: %w", p.Name, e))
		}
	}
	return err
}

func (a *App) purgeProject(ctx context.Context, p fairlead.Project) error {
	keep, err := a.Projects.Keep(ctx, p, a.opt.KeepDeleted)
	if err != nil || keep < 0 {
		return err
	}
	got, err := a.Tracking.Purge(ctx, p, a.opt.Clock.Now().Add(-keep))
	if err != nil {
		return err
	}
	a.opt.Log.Info("trash purged", "project", p.Name, "experiments", got.Experiments,
		"runs", got.Runs, "logged_models", got.LoggedModels, "kept", len(got.Kept))
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
