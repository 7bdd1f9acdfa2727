package tracking

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Activity is what goes on in an experiment, of its active runs; of a deleted experiment,
// of the runs that were deleted with it too.
type Activity struct {
	Runs    int64 `json:"runs"`
	Running int64 `json:"running" doc:"of the newest 200 runs"`
	LastMS  int64 `json:"last_ms" doc:"when one of those began or ended last; 0: there is none"`
}

// newestOfActivity is among how many runs of an experiment the last activity is looked for.
const newestOfActivity = 200

// Activities returns what goes on in experiments, by their ids.
func (s *Service) Activities(ctx context.Context, p fairlead.Project, experiments []*Experiment) (
	out map[string]*Activity, err error) {
	out = make(map[string]*Activity, len(experiments))
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		for _, e := range experiments {
			a, err := activity(tx, e)
			if err != nil {
				return err
			}
			out[e.ID] = a
		}
		return nil
	})
	return out, err
}
