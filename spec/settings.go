package spec

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Settings are what is set of a project beside its file, which it may not have.
type Settings struct {
	// KeepDeleted is how long what is deleted can be restored (wall time): a length such as
	// 30d, or forever; empty for as long as the server is set to.
	KeepDeleted string `json:"keep_deleted"`
}

// forever is a KeepDeleted without an end.
const forever = "forever"

// ParseKeep reads how long what is deleted can be restored; negative is for ever.
func ParseKeep(text string) (time.Duration, error) {
	if text == forever {
		return -1, nil
	}
	d, err := ParseDuration(text)
	if err == nil && d.Duration <= 0 {
		err = errors.New("it must be longer")
	}
	if err != nil {
		return 0, fairlead.Errorf(fairlead.Invalid, "%q is neither a length of time such as 30d, nor %s",
			text, forever)
	}
	return d.Duration, nil
}

// Settings returns what is set of the project.
func (s *Projects) Settings(ctx context.Context, p fairlead.Project) (out Settings, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow("select keep_deleted from project where k = ?", p.K).Scan(&out.KeepDeleted)
	})
	return out, err
}

// Set changes what is set of the project.
func (s *Projects) Set(ctx context.Context, p fairlead.Project, to Settings) error {
	if to.KeepDeleted != "" {
		if _, err := ParseKeep(to.KeepDeleted); err != nil {
			return fmt.Errorf("keep_deleted: %w", err)
		}
	}
	return s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		_, err := tx.Exec("update project set keep_deleted = ? where k = ?", to.KeepDeleted, p.K)
		if err != nil {
			return err
		}
		_, err = s.led.Append(ctx, tx, p, "project/"+p.Name, time.Time{},
			event.ProjectConfigured{KeepDeleted: to.KeepDeleted})
		return err
	})
}

// Keep returns how long what is deleted in the project can be restored, where the server
// says otherwise for projects that say nothing; negative is for ever.
func (s *Projects) Keep(ctx context.Context, p fairlead.Project, otherwise time.Duration) (
	time.Duration, error) {
	set, err := s.Settings(ctx, p)
	if err != nil || set.KeepDeleted == "" {
		return otherwise, err
	}
	return ParseKeep(set.KeepDeleted)
}
