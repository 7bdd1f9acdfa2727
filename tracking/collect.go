package tracking

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
)

// Collection is what collecting a project's garbage did, or would do.
type Collection struct {
	DryRun bool    `json:"dry_run"`
	Purged *Purged `json:"purged"`
	Freed  int64   `json:"freed_bytes"` // of files that nothing referred to, of any project
	Before Sizes   `json:"before"`
	After  Sizes   `json:"after"`
}

// Sizes are bytes, of the whole server but for Project.
type Sizes struct {
	Project      int64 `json:"project_files_bytes"` // files that the project refers to
	Database     int64 `json:"database_bytes"`      // of the file; Shrink makes it smaller
	DatabaseUsed int64 `json:"database_used_bytes"` // the rest is used again
	Files        int64 `json:"files_bytes"`
	Unused       int64 `json:"unused_files_bytes"` // nothing refers to them
}

// Collect purges what has been in the project's trash for olderThan (wall time), removes
// files that nothing refers to and that are old enough (blob.Grace), and says what there
// was before and after. A dry run changes nothing.
func (s *Service) Collect(ctx context.Context, p fairlead.Project, olderThan time.Duration,
	dry bool) (*Collection, error) {
	c := &Collection{DryRun: dry}
	var err error
	if c.Before, err = s.sizes(ctx, p); err != nil {
		return nil, err
	}
	if c.Purged, err = s.purge(ctx, p, s.clock.Now().Add(-olderThan), dry); err != nil {
		return nil, err
	}
	if !dry {
		if c.Freed, err = s.blobs.Collect(ctx, blob.Grace); err != nil {
			return nil, err
		}
	}
	c.After, err = s.sizes(ctx, p)
	return c, err
}

// Shrink gives the room that is free in the database's file back to the disk, and says
// what there is then. Writes wait meanwhile (store.DB.Shrink).
func (s *Service) Shrink(ctx context.Context, p fairlead.Project, c *Collection) (err error) {
	if err := s.db.Shrink(ctx); err != nil {
		return err
	}
	c.After, err = s.sizes(ctx, p)
	return err
}

func (s *Service) sizes(ctx context.Context, p fairlead.Project) (out Sizes, err error) {
	if out.Database, out.DatabaseUsed, err = s.db.Size(ctx); err != nil {
		return out, err
	}
	if out.Project, err = s.blobs.UsageOf(ctx, p); err != nil {
		return out, err
	}
	files, err := s.blobs.Usage(ctx)
	out.Files, out.Unused = files.Bytes, files.Unused
	return out, err
}
