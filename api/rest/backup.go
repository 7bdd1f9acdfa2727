package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/backup"
)

// BackupInput says where to back up to.
type BackupInput struct {
	Body struct {
		To string `json:"to" minLength:"1" doc:"absolute path on the server's machine"`
	}
}

// Backup is a backup that was made.
type Backup struct {
	backup.Manifest
	Path   string        `json:"path" doc:"the backup's directory"`
	Pruned backup.Pruned `json:"pruned" doc:"what was removed because no backup there needs it"`
}

func (a *API) backupOperations() {
	registerServer(a, op{id: "take-backup", method: "POST", path: "/backups",
		summary: "Back up the whole server into a directory of its machine; answers when it is synced",
		may:     auth.Own}, a.takeBackup)
}

func (a *API) takeBackup(ctx context.Context, in *BackupInput) (*Backup, error) {
	m, err := a.Backup.Take(ctx, in.Body.To)
	if err != nil {
		return nil, err
	}
	return &Backup{*m, m.Path, m.Pruned}, nil
}
