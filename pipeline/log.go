package pipeline

import (
	"context"
	"errors"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/store"
)

// logAtOnce bounds one answer of Log.
const logAtOnce = 256 << 10

// Log returns what a step printed, from offset on, also while it runs: that of
// its newest attempt; for a cached step, of the one that its outputs are from.
// Empty data means that there is nothing more yet. A part ends with a whole
// character. The step is named as in Why.
func (s *Service) Log(ctx context.Context, p fairlead.Project, runID, step string,
	offset int64) (shim.LogPart, error) {
	var run *Run
	var row *Step
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if run, row, err = findStep(tx, p, runID, step); err != nil || row.From == "" {
			return err
		}
		if row, err = stepByID(tx, p, row.From); err != nil {
			return err
		}
		run, err = runByK(tx, p, row.runK)
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		err = fairlead.Errorf(fairlead.Gone,
			"the log of step %s is not kept any more", step)
	}
	if err != nil {
		return shim.LogPart{}, err
	}
	a, err := s.Jobs.LastAttempt(ctx, p.K, run.Job, row.jobStep)
	if err != nil {
		return shim.LogPart{}, err
	}
	part, err := shim.ReadLog(a.Dir, offset, logAtOnce)
	if cut := incomplete(part.Data); cut < len(part.Data) {
		part.Data = part.Data[:len(part.Data)-cut]
		part.Next -= int64(cut)
	}
	return part, err
}

// incomplete returns how many bytes at the end begin a character and do not end it.
func incomplete(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if last := b[len(b)-n:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return 0
			}
			return n
		}
	}
	return 0
}
