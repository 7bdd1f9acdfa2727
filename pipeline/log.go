package pipeline

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/store"
)

// logAtOnce bounds one answer of Log.
const logAtOnce = 256 << 10

// LogRead says which stretch of a step's log is read.
type LogRead struct {
	Offset  int64
	Attempt int // from 1; 0 is the newest
}

// LogPart is a stretch of what a step printed.
type LogPart struct {
	shim.LogPart
	Attempt  int  // that printed it
	Attempts int  // that the step has begun
	Done     bool // nothing will follow what is there
}

// Log returns what a step printed, from an offset on, also while it runs: for a cached
// step, that of the one that its outputs are from. Empty data means that there is nothing
// more yet. A part ends with a whole character. The step is named as in Why.
func (s *Service) Log(ctx context.Context, p fairlead.Project, runID, step string, in LogRead) (
	*LogPart, error) {
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
		return nil, err
	}
	log := &LogPart{Attempts: attempts(row)}
	if log.Attempt = in.Attempt; in.Attempt == 0 {
		log.Attempt = log.Attempts
	}
	if log.Attempt > log.Attempts {
		return nil, fairlead.Errorf(fairlead.NotFound, "step %s has begun %s", step,
			count(log.Attempts, "attempt", "attempts"))
	}
	a, err := s.Jobs.LastAttempt(ctx, p.K, run.Job, attemptName(row, log.Attempt))
	if fairlead.Is(err, fairlead.NotFound) && !row.State.Final() {
		return log, nil // it is about to start
	}
	if err != nil {
		return nil, err
	}
	log.LogPart, err = shim.ReadLog(a.Dir, in.Offset, logAtOnce)
	if cut := incomplete(log.Data); cut < len(log.Data) {
		log.Data = log.Data[:len(log.Data)-cut]
		log.Next -= int64(cut)
	}
	ended := row.State.Final() || log.Attempt < log.Attempts
	log.Done = ended && log.Next >= log.End
	return log, err
}

// attempts returns how many attempts a step has begun, which the name of the last one in
// the job says: `try1.train.2`.
func attempts(s *Step) int {
	n, err := strconv.Atoi(s.jobStep[strings.LastIndexByte(s.jobStep, '.')+1:])
	if err != nil {
		return 0
	}
	return n
}

// attemptName is the name of an attempt in the job.
func attemptName(s *Step, n int) string {
	return s.jobStep[:strings.LastIndexByte(s.jobStep, '.')+1] + strconv.Itoa(n)
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
