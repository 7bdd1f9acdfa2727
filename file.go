package fairlead

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile puts b into the file at path, readable by its owner alone. It is whole and
// synced before it has its name, and the name is synced too: whoever reads, also after a
// loss of power, finds what was there before or all of b.
func WriteFile(path string, b []byte) error {
	dir, name := filepath.Dir(path), filepath.Base(path)
	f, err := os.CreateTemp(dir, "."+name+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
