package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim/internal/keeper"
)

// readRecord decodes one of the JSON files of an attempt and refuses what a newer program wrote.
func readRecord(dir, name string, into any) error {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	var v struct{ Protocol int }
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("%s is damaged: %w", name, err)
	}
	if v.Protocol < 1 || v.Protocol > Protocol {
		return fairlead.Errorf(fairlead.Unimplemented,
			"the step was started by another fairlead (shim protocol %d, this one knows up to %d); "+
				"finish it with the program that started it", v.Protocol, Protocol)
	}
	return json.Unmarshal(b, into)
}

// readExit returns exit.json, and false when there is none yet.
func readExit(dir string) (Exit, bool, error) {
	var e keeper.Ending
	err := readRecord(dir, keeper.ExitFile, &e)
	if errors.Is(err, fs.ErrNotExist) {
		return Exit{}, false, nil
	}
	return e.Exit, err == nil, err
}

// create writes a file that must not exist yet. It does not sync: what an intent
// describes ends with the machine.
func create(dir, name string, v any) error {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(json.NewEncoder(f).Encode(v), f.Close())
}
