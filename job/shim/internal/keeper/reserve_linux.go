package keeper

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
)

// recordRoom is more than any record takes.
const recordRoom = 4096

// durable asks for a sync before the rename.
const durable = true

// reserved is a record to be, under its temporary name, with its blocks
// allocated where the file system can: the end of a step must be writable on a
// disk that the step has filled.
type reserved struct{ file *os.File }

func reserve(dir, name string) (*reserved, error) {
	f, err := os.OpenFile(join(dir, name+".tmp"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	syscall.Fallocate(int(f.Fd()), 0, 0, recordRoom) // not every file system can
	return &reserved{f}, nil
}

// write fills the record and gives it its name.
func (r *reserved) write(v any, sync bool) error {
	defer r.file.Close()
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if _, err := r.file.WriteAt(b, 0); err != nil {
		return err
	}
	if err := r.file.Truncate(int64(len(b))); err != nil {
		return err
	}
	if sync {
		if err := r.file.Sync(); err != nil {
			return err
		}
	}
	return os.Rename(r.file.Name(), strings.TrimSuffix(r.file.Name(), ".tmp"))
}
