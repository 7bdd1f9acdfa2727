package monitor

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// watched is one kind of windows of one endpoint: of which version, and since when
// in stream time. Windows from before, of the same version too, no longer count.
type watched struct {
	endpoint string
	kind     Kind
	model    string
	version  int64
	since    time.Time
}

// same reports whether w and o watch the same version in the same way.
func (w watched) same(o watched) bool {
	w.since, o.since = time.Time{}, time.Time{}
	return w == o
}

// watch makes true what the project's file and its live version say: it begins the
// windows of a version that became live, and ends those of a version that was
// replaced, and those that the file no longer asks for.
func (s *Service) watch(ctx context.Context, tx *store.Tx, p fairlead.Project) error {
	want, err := s.wanted(tx, p)
	if err != nil {
		return err
	}
	have, err := listWatched(tx, p)
	if err != nil {
		return err
	}
	kept := map[Kind]bool{}
	for _, h := range have {
		if w, ok := want[h.kind]; ok && w.same(h) {
			kept[h.kind] = true
		} else if err := s.endWatch(ctx, tx, p, h, want[h.kind]); err != nil {
			return err
		}
	}
	for _, kind := range []Kind{Drift, Performance} {
		w, ok := want[kind]
		if !ok || kept[kind] {
			continue
		}
		if err := s.beginWatch(tx, p, w); err != nil {
			return err
		}
	}
	return nil
}

// wanted returns what should be watched now; nothing while no version is live, or
// before the endpoint's stream has begun.
func (s *Service) wanted(tx *store.Tx, p fairlead.Project) (map[Kind]watched, error) {
	rev, err := s.Projects.Current(tx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	env, ok := rev.Spec.LastEnvironment()
	if !ok || rev.Spec.Monitor == nil {
		return nil, nil
	}
	w := watched{endpoint: release.EndpointName(rev.Spec.Model, env.Name), model: rev.Spec.Model}
	a, err := s.Release.Assignment(tx, p, w.endpoint)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	w.version = a.Version(release.RoleLive)
	if w.since, err = s.Stream.Now(tx, p, w.endpoint); err != nil || w.since.IsZero() {
		return nil, err
	}
	out := map[Kind]watched{}
	for _, kind := range []Kind{Drift, Performance} {
		if _, _, ok := lengthOf(rev.Spec.Monitor, kind); ok && w.version != 0 {
			w.kind = kind
			out[kind] = w
		}
	}
	return out, nil
}

func (s *Service) beginWatch(tx *store.Tx, p fairlead.Project, w watched) error {
	if err := saveWatched(tx, p, w); err != nil {
		return err
	}
	mon, err := s.settings(tx, p)
	if err != nil {
		return err
	}
	length, delay, _ := lengthOf(mon, w.kind)
	return s.setWindow(tx, p, w, w.since, length, delay)
}

// endWatch ends the windows of h and resolves the incident that they opened. next
// is what is watched instead, or nothing.
func (s *Service) endWatch(ctx context.Context, tx *store.Tx, p fairlead.Project,
	h, next watched) error {
	if err := deleteWatched(tx, p, h); err != nil {
		return err
	}
	if err := s.Stream.Cancel(tx, p, h.endpoint, windowTimer, string(h.kind)); err != nil {
		return err
	}
	open, err := openIncident(tx, p, h.endpoint, incidentKind(h.kind))
	if err != nil || open == nil {
		return err
	}
	at, err := s.Stream.NowOrWall(tx, p, h.endpoint)
	if err != nil {
		return err
	}
	why := "it is no longer watched"
	if next.endpoint == h.endpoint && next.version != h.version {
		why = replacedBy(next.version)
	}
	return s.resolve(ctx, tx, p, open, why, at)
}

// settings returns what the project's file says about monitoring, nil when it says
// nothing or there is no file.
func (s *Service) settings(tx *store.Tx, p fairlead.Project) (*spec.Monitor, error) {
	rev, err := s.Projects.Current(tx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return rev.Spec.Monitor, nil
}

// lengthOf returns how long a kind's windows are, and how long their labels are
// waited for; false when the kind is not watched.
func lengthOf(mon *spec.Monitor, kind Kind) (length, delay time.Duration, ok bool) {
	switch {
	case mon == nil:
	case kind == Drift && mon.Drift != nil:
		return mon.Drift.Window.Duration, 0, true
	case kind == Performance && mon.Performance != nil:
		f := mon.Performance
		return f.Window.Duration, f.LabelDelay.Duration, true
	}
	return 0, 0, false
}

// streamBegan begins what waited for the stream's first time: the windows of a
// version that was live before the first request, and the pairing of a rollout.
func (s *Service) streamBegan(ctx context.Context, tx *store.Tx, p fairlead.Project, name string,
	at time.Time) error {
	if err := s.watch(ctx, tx, p); err != nil {
		return err
	}
	return s.beginPaired(tx, p, name, at)
}
