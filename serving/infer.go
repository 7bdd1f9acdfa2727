package serving

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/store"
)

// Request is one call of an endpoint.
type Request struct {
	ID        string    // the caller's id, to which ground truth is joined; empty: one is made
	EventTime time.Time // zero: wall time
	Version   int64     // 0: what the endpoint routes to
	Frame     *engine.Frame
}

// Response is the answer of one version.
type Response struct {
	ID      string
	Model   string
	Version int64
	Outputs *engine.Frame
}

// maxFuture bounds how far ahead of wall time an event time may be.
const maxFuture = 5 * time.Minute

// Infer answers a request: one version by the endpoint's weights, sticky by the
// request's id; the endpoint's other versions score it for the log. A request
// that was logged before under the same id is answered, and not logged again.
//
// Errors: NotFound for an unknown endpoint, Gone for a retired version, Invalid
// for a request that breaks the model's signature or the bounds of event time.
func (s *Service) Infer(ctx context.Context, p fairlead.Project, name string, r Request) (*Response, error) {
	e := s.routes.Load().endpoints[routeKey{p.K, name}]
	if e == nil {
		return nil, s.unknown(ctx, p, name)
	}
	now := s.Clock.Now()
	at, explicit := r.EventTime, !r.EventTime.IsZero()
	if !explicit {
		at = now
	}
	if at.After(now.Add(maxFuture)) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"event_time %s is in the future; at most %s ahead of the server's clock is accepted",
			at.Format(time.RFC3339), maxFuture)
	}
	if r.ID == "" {
		r.ID = fairlead.NewID("rq", now)
	}
	answer, err := s.choose(ctx, e, r)
	if err != nil {
		return nil, err
	}
	out, err := answer.predictor.Predict(ctx, r.Frame)
	if err != nil {
		return nil, err
	}
	entry := &entry{endpoint: e, id: r.ID, atMS: at.UnixMilli(), receivedMS: now.UnixMilli(),
		frame: r.Frame, served: answer.version}
	entry.add(answer, out, nil)
	for _, v := range e.scorers {
		if v != answer {
			scored, err := v.predictor.Predict(ctx, r.Frame)
			entry.add(v, scored, err)
		}
	}
	if err := s.log.put(ctx, entry); err != nil {
		return nil, err
	}
	s.Stream.Observe(p, e.name, at, explicit, e.lateness)
	return &Response{ID: r.ID, Model: e.model, Version: answer.version, Outputs: out}, nil
}

// choose returns the variant that answers. A canary that cannot take a request
// which the live version can is passed over: its callers must not notice it.
func (s *Service) choose(ctx context.Context, e *endpoint, r Request) (*variant, error) {
	if r.Version != 0 {
		if v := e.all[r.Version]; v != nil {
			return v, nil
		}
		return nil, s.unknownVersion(ctx, e, r.Version)
	}
	if e.live == nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, "%s has no live version", e.name)
	}
	if e.canary != nil && bucket(r.ID) < e.canary.percent &&
		e.canary.manifest.Signature.Validate(r.Frame) == nil {
		return e.canary, nil
	}
	return e.live, nil
}

// bucket maps an id to [0, 100), the same one each time (FNV-1a).
func bucket(id string) float64 {
	h := fnv.New64a()
	h.Write([]byte(id))
	return float64(h.Sum64()%10_000) / 100
}

// unknown says what could have been meant.
func (s *Service) unknown(ctx context.Context, p fairlead.Project, name string) error {
	var names []string
	for key := range s.routes.Load().endpoints {
		if key.projectK == p.K {
			names = append(names, key.name)
		}
	}
	if len(names) == 0 {
		return fairlead.Errorf(fairlead.NotFound,
			"there is no endpoint %q: nothing is released in project %s yet", name, p.Name)
	}
	slices.Sort(names)
	return fairlead.Errorf(fairlead.NotFound, "there is no endpoint %q in project %s; call one of: %s",
		name, p.Name, strings.Join(names, ", "))
}

func (s *Service) unknownVersion(ctx context.Context, e *endpoint, n int64) error {
	return s.DB.Read(ctx, func(tx *store.Tx) error {
		v, err := s.Registry.Version(tx, e.project, e.model, n)
		if err != nil {
			return err
		}
		have := slices.Sorted(func(yield func(int64) bool) {
			for n := range e.all {
				if !yield(n) {
					return
				}
			}
		})
		if v.Retired() {
			return fairlead.Errorf(fairlead.Gone, "%s version %d is retired; call %s without a version, or one of %v",
				e.model, n, e.name, have)
		}
		return fairlead.Errorf(fairlead.NotFound, "%s version %d is not released to %s; loaded are %v",
			e.model, n, e.name, have)
	})
}

// Loaded describes one version of an endpoint that can answer.
type Loaded struct {
	Endpoint string
	Model    string
	Version  int64
	Role     string
	Percent  float64
	Manifest *engine.Manifest
}

// Describe returns what the endpoint has loaded: the version that is live (or
// the one asked for) first, then the others by number.
func (s *Service) Describe(ctx context.Context, p fairlead.Project, name string, version int64) ([]Loaded, error) {
	e := s.routes.Load().endpoints[routeKey{p.K, name}]
	if e == nil {
		return nil, s.unknown(ctx, p, name)
	}
	first := e.live
	if version != 0 {
		if first = e.all[version]; first == nil {
			return nil, s.unknownVersion(ctx, e, version)
		}
	}
	if first == nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, "%s has no live version", e.name)
	}
	var out []Loaded
	for _, v := range e.all {
		out = append(out, Loaded{e.name, e.model, v.version, v.role, v.percent, v.manifest})
	}
	slices.SortFunc(out, func(a, b Loaded) int {
		if (a.Version == first.version) != (b.Version == first.version) {
			if a.Version == first.version {
				return -1
			}
			return 1
		}
		return int(a.Version - b.Version)
	})
	return out, nil
}

// Endpoints lists the full names of the project's endpoints that can answer.
func (s *Service) Endpoints(p fairlead.Project) []string {
	var out []string
	for key, e := range s.routes.Load().endpoints {
		if key.projectK == p.K && key.name == e.name {
			out = append(out, e.name)
		}
	}
	slices.Sort(out)
	return out
}

// Resolve returns an endpoint's full name for it or for the model's bare name.
func (s *Service) Resolve(ctx context.Context, p fairlead.Project, name string) (string, error) {
	e := s.routes.Load().endpoints[routeKey{p.K, name}]
	if e == nil {
		return "", s.unknown(ctx, p, name)
	}
	return e.name, nil
}

// firstNumber returns row's value in the first numeric column; ok is false when
// there is none.
func firstNumber(f *engine.Frame, row int) (v float64, ok bool) {
	for i := range f.Columns {
		if c := &f.Columns[i]; c.Kind.Numeric() && !c.Missing(row) {
			return c.Floats[row], true
		}
	}
	return 0, false
}

// rowID names the rows of a batch: a single row has the request's id itself.
func rowID(id string, row, rows int) string {
	if rows == 1 {
		return id
	}
	return fmt.Sprintf("%s/%d", id, row)
}
