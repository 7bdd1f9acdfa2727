package job

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Timing says when a schedule ticks, by the wall clock: "every 6h" from when it
// was set, or the five fields of a crontab in UTC, such as "30 4 * * mon-fri".
type Timing struct {
	text  string
	every time.Duration
	cron  cron
}

// minEvery is the shortest period of a schedule.
const minEvery = time.Second

// ParseTiming reads a Timing, or says what is wrong with it (Invalid).
func ParseTiming(text string) (Timing, error) {
	t := Timing{text: strings.Join(strings.Fields(text), " ")}
	period, ok := strings.CutPrefix(t.text, "every ")
	if !ok {
		var err error
		t.cron, err = parseCron(t.text)
		return t, err
	}
	var err error
	t.every, err = time.ParseDuration(period)
	if err != nil || t.every < minEvery {
		return t, fairlead.Errorf(fairlead.Invalid,
			"%q is no period of a schedule; write for example \"every 6h\", at least \"every 1s\"", text)
	}
	return t, nil
}

// Next returns the first tick after now of a schedule whose last one was, or
// would have been, at last. Ticks between the two are skipped. The zero time
// means that there is none, as for the 30th of February.
func (t Timing) Next(last, now time.Time) time.Time {
	if t.every == 0 {
		return t.cron.next(now)
	}
	missed := max(0, now.Sub(last)/t.every)
	return last.Add((missed + 1) * t.every)
}

// Schedule sets a schedule in the caller's transaction: at each tick a job of
// that kind is enqueued. Setting it again with the same timing keeps its ticks.
// However many ticks pass without a server, one job makes up for them.
func (s *Service) Schedule(tx *store.Tx, p fairlead.Project, kind, key string, t Timing,
	payload any) error {
	if p.K == 0 {
		return fairlead.Errorf(fairlead.Invalid, "the schedule of %s names no project", kind)
	}
	b, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("schedule %s: %w", kind, err)
	}
	now := s.clock.Now()
	next := t.Next(now, now)
	if next.IsZero() {
		return fairlead.Errorf(fairlead.Invalid, "the schedule %q never ticks", t.text)
	}
	s.wakeAfter(tx)
	return writeSchedule(tx, scheduleRow{p, kind, key, t.text, string(b), next})
}

// Unschedule ends a schedule; the jobs it has enqueued stay.
func (s *Service) Unschedule(tx *store.Tx, p fairlead.Project, kind, key string) error {
	return deleteSchedule(tx, p.K, kind, key)
}

// tick enqueues the jobs of the schedules that are due.
func (s *Service) tick(tx *store.Tx) error {
	now := s.clock.Now()
	due, err := dueSchedules(tx, now)
	if err != nil {
		return err
	}
	for _, r := range due {
		if err := s.tickOne(tx, r, now); err != nil {
			return fmt.Errorf("schedule %s/%s: %w", r.kind, r.key, err)
		}
	}
	return nil
}

func (s *Service) tickOne(tx *store.Tx, r scheduleRow, now time.Time) error {
	t, err := ParseTiming(r.timing)
	if err != nil {
		return err
	}
	_, _, err = s.Enqueue(tx, Task{
		Project: r.project, Kind: r.kind, Payload: json.RawMessage(r.payload),
		Key: fmt.Sprintf("%s@%d", r.key, r.next.UnixMilli()),
	})
	if err != nil {
		return err
	}
	return moveSchedule(tx, r, t.Next(r.next, now))
}
