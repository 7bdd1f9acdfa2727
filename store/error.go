package store

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"

	"github.com/mattn/go-sqlite3"

	"github.com/fairlead-ml/fairlead"
)

// ErrNoRows is what Scan returns when a query found nothing.
var ErrNoRows = sql.ErrNoRows

// IsUnique reports whether err is a violated unique or primary key, which
// callers turn into Conflict or into "already done".
func IsUnique(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintUnique ||
		e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// isFull reports whether err is the engine's for a full disk. It says so in another
// way where the index of its log of writes cannot grow.
func isFull(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) &&
		(e.Code == sqlite3.ErrFull || e.ExtendedCode == sqlite3.ErrIoErrSHMSize)
}

// isLost reports whether err came of a disk that failed or is full, which may have
// undone more than the write that met it.
func isLost(err error) bool {
	var e sqlite3.Error
	return isFull(err) || errors.Is(err, errLost) || errors.As(err, &e) && e.Code == sqlite3.ErrIoErr
}

// translate gives the engine's failures that a caller can act on their code. An error
// that has one keeps it.
func translate(err error) error {
	var known *fairlead.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	var e sqlite3.Error
	errors.As(err, &e)
	switch {
	case errors.Is(err, context.Canceled):
		return fairlead.Errorf(fairlead.Unavailable,
			"whoever asked did not wait for the answer").Because(err)
	case errors.Is(err, context.DeadlineExceeded), e.Code == sqlite3.ErrInterrupt:
		return fairlead.Errorf(fairlead.Unavailable,
			"the database took too long to answer; ask for less at a time, or try again later").Because(err)
	case isFull(err):
		return errFull.Because(err)
	case e.Code == sqlite3.ErrIoErr:
		return fairlead.Errorf(fairlead.Unavailable,
			"the disk of the data directory failed to answer; nothing was changed").Because(err)
	case e.Code == sqlite3.ErrReadonly:
		return fairlead.Errorf(fairlead.Unavailable,
			"the data directory is read-only; make it writable and send the request again").Because(err)
	case e.Code == sqlite3.ErrBusy:
		return fairlead.Errorf(fairlead.Unavailable,
			"another program has locked the database; try again when it is done").Because(err)
	}
	return err
}

// openError says which file failed, and keeps the cause.
func openError(path string, err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) {
		switch e.Code {
		case sqlite3.ErrNotADB, sqlite3.ErrCorrupt:
			return fairlead.Errorf(fairlead.Precondition,
				"%s is not a fairlead database or is damaged; choose another --data directory",
				filepath.Base(path)).Because(err)
		case sqlite3.ErrCantOpen, sqlite3.ErrReadonly, sqlite3.ErrPerm:
			return fairlead.Errorf(fairlead.Precondition,
				"%s cannot be opened for writing; check the data directory's owner and mode",
				filepath.Base(path)).Because(err)
		}
	}
	return translate(err)
}
