package serving

import (
	"context"
	"hash/fnv"
	"io"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/stream"
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
	ID        string
	Model     string
	Version   int64
	Outputs   *engine.Frame
	Duplicate bool // the answer is the one that the same request got before
}

// The bounds of a request.
const (
	MaxRows    = 10_000
	MaxIDBytes = 256
)

// scoreMax bounds how long a version may score a request after its answer.
const scoreMax = 30 * time.Second

// Infer answers a request: one version by the endpoint's weights, sticky by the
// request's id. The endpoint's other versions score it too, for the log: before the
// answer, all at once, where the log is durable, so that stream time never passes a
// request whose scores are not stored; else after it, so that a slow shadow slows
// nobody.
//
// On a durable endpoint a request that was answered before under the same id, with
// the same inputs (and event time, if given), gets the same answer again and leaves
// no second row; other inputs under that id are a Conflict. A buffered endpoint
// answers it anew, and keeps the first.
//
// Errors: NotFound for an unknown endpoint, Unavailable for one that is loading or
// down, Gone for a retired version, Invalid for a request that breaks the model's
// signature or a bound.
func (s *Service) Infer(ctx context.Context, p fairlead.Project, name string, r Request) (*Response, error) {
	begun := time.Now()
	e := s.enter(routeKey{p.K, name})
	if e == nil {
		return nil, s.unknown(ctx, p, name)
	}
	defer e.leave()
	res, err := s.infer(ctx, e, r)
	if err != nil {
		s.metrics.failed(e, err)
		return nil, err
	}
	e.seconds.Observe(time.Since(begun).Seconds())
	if v := e.all[res.Version]; v != nil {
		v.answered.Inc()
	}
	return res, nil
}

func (s *Service) infer(ctx context.Context, e *endpoint, r Request) (*Response, error) {
	entry, err := s.admit(e, &r)
	if err != nil {
		return nil, err
	}
	first, err := s.choose(ctx, e, r)
	if err != nil {
		return nil, err
	}
	q := &scoring{endpoint: e, frame: r.Frame, entry: entry, first: first}
	if first == e.canary && r.Version == 0 {
		q.second = e.live // a canary that fails must not be noticed by its callers
	}
	if e.durable {
		return s.inferDurable(ctx, q)
	}
	return s.inferBuffered(ctx, q)
}

// admit checks the request's bounds and begins what the log keeps of it.
func (s *Service) admit(e *endpoint, r *Request) (*entry, error) {
	now := s.Clock.Now()
	at, explicit := r.EventTime, !r.EventTime.IsZero()
	if !explicit {
		at = now
	}
	if at.After(now.Add(stream.MaxFuture)) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"event_time %s is in the future; at most %s ahead of the server's clock is accepted",
			at.Format(time.RFC3339), stream.MaxFuture)
	}
	if len(r.ID) > MaxIDBytes {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request's id has %d bytes; at most %d", len(r.ID), MaxIDBytes)
	}
	if err := checkFrame(r.Frame); err != nil {
		return nil, err
	}
	if r.ID == "" {
		r.ID = fairlead.NewID("rq", now)
	}
	return &entry{endpoint: e, id: r.ID, atMS: at.UnixMilli(), explicit: explicit, receivedMS: now.UnixMilli()}, nil
}

// choose returns the variant that is to answer.
func (s *Service) choose(ctx context.Context, e *endpoint, r Request) (*variant, error) {
	if r.Version != 0 {
		if v := e.all[r.Version]; v != nil {
			return v, nil
		}
		return nil, s.unknownVersion(ctx, e, r.Version)
	}
	if e.live == nil {
		return nil, e.notLive()
	}
	if e.canary != nil && bucket(r.ID) < e.canary.percent {
		return e.canary, nil
	}
	return e.live, nil
}

// bucket maps an id to [0, 100), the same one each time (FNV-1a).
func bucket(id string) float64 {
	h := fnv.New64a()
	io.WriteString(h, id)
	return float64(h.Sum64()%10_000) / 100
}

// scoring is one request on its way through the endpoint's versions.
type scoring struct {
	endpoint *endpoint
	frame    *engine.Frame
	entry    *entry
	first    *variant // is to answer
	second   *variant // answers when first cannot; nil: none

	mu     sync.Mutex // guards entry.scores
	answer *engine.Frame
	served int64
}

// predict lets v score the request, for the log.
func (q *scoring) predict(ctx context.Context, v *variant) (*engine.Frame, error) {
	out, err := v.predictor.Predict(ctx, q.frame)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.entry.scores = append(q.entry.scores, score{v.key.version, v.role, out, err})
	return out, err
}

// answerNow lets the chosen version answer, or the second one when it cannot.
func (q *scoring) answerNow(ctx context.Context) error {
	by := q.first
	out, err := q.predict(ctx, by)
	if err != nil && q.second != nil && ctx.Err() == nil {
		by = q.second
		out, err = q.predict(ctx, by)
	}
	q.answer, q.served = out, by.key.version
	return err
}

// rest returns the versions that score the request and have not yet.
func (q *scoring) rest(done ...*variant) []*variant {
	out := make([]*variant, 0, len(q.endpoint.scorers))
next:
	for _, v := range q.endpoint.scorers {
		for _, d := range done {
			if v == d {
				continue next
			}
		}
		out = append(out, v)
	}
	return out
}

// scoreAll lets the versions score the request at the same time.
func (q *scoring) scoreAll(ctx context.Context, all []*variant) {
	var wait sync.WaitGroup
	for _, v := range all {
		wait.Go(func() { q.predict(ctx, v) })
	}
	wait.Wait()
}

func (q *scoring) response() *Response {
	return &Response{ID: q.entry.id, Model: q.endpoint.model, Version: q.served, Outputs: q.answer}
}

// inferDurable scores with all versions, stores the request, and answers.
func (s *Service) inferDurable(ctx context.Context, q *scoring) (*Response, error) {
	if err := q.scoreDurably(ctx); err != nil {
		return nil, err
	}
	q.entry.served, q.entry.rows = q.served, entryRows(q.entry.id, q.frame)
	q.entry.keepAnswer(q.answer)
	before, err := s.log.put(ctx, q.entry)
	if err != nil {
		return nil, err
	}
	res := q.response()
	if before != nil {
		res.Duplicate, res.Version = true, before.version
		res.Outputs, err = before.frame()
	}
	return res, err
}

// scoreDurably lets all versions score at once. The live one is among them, so a
// canary that fails has cost no time.
func (q *scoring) scoreDurably(ctx context.Context) error {
	rest := q.rest(q.first)
	if len(rest) == 0 {
		return q.answerNow(ctx)
	}
	var others sync.WaitGroup
	others.Go(func() { q.scoreAll(ctx, rest) })
	out, err := q.predict(ctx, q.first)
	others.Wait()
	q.answer, q.served = out, q.first.key.version
	if ctx.Err() != nil { // scores of a caller who left would be failures that are none
		return fairlead.Errorf(fairlead.Unavailable, "the request was given up before its answer").Because(ctx.Err())
	}
	if err == nil || q.second == nil {
		return err
	}
	for _, sc := range q.entry.scores {
		if sc.version == q.second.key.version {
			q.answer, q.served, err = sc.outputs, sc.version, sc.err
		}
	}
	return err
}

// inferBuffered answers, and leaves scoring by the other versions for afterwards.
func (s *Service) inferBuffered(ctx context.Context, q *scoring) (*Response, error) {
	if err := s.log.reserve(ctx, q.frame.Rows); err != nil {
		return nil, err
	}
	if err := q.answerNow(ctx); err != nil {
		s.log.cancel(q.frame.Rows)
		return nil, err
	}
	q.entry.served, q.entry.rows = q.served, entryRows(q.entry.id, q.frame)
	done := []*variant{q.first}
	if len(q.entry.scores) > 1 {
		done = append(done, q.second)
	}
	s.scoreLater(ctx, q, q.rest(done...))
	return q.response(), nil
}

// scoreLater hands the request to the log once the other versions have scored it.
// When too many wait for that, the versions that cannot keep up go without it.
func (s *Service) scoreLater(ctx context.Context, q *scoring, rest []*variant) {
	if len(rest) == 0 {
		s.log.add(q.entry)
		return
	}
	select {
	case s.scoring <- struct{}{}:
	default:
		s.metrics.skipped.WithLabelValues(q.endpoint.project.Name, q.endpoint.name).Inc()
		for _, v := range rest {
			q.entry.scores = append(q.entry.scores, score{v.key.version, v.role, nil, errSkipped})
		}
		s.log.add(q.entry)
		return
	}
	q.endpoint.acquire()
	s.after.Go(func() {
		defer func() { <-s.scoring }()
		defer q.endpoint.leave()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scoreMax)
		defer cancel()
		q.scoreAll(ctx, rest)
		s.log.add(q.entry)
	})
}

var errSkipped = fairlead.Errorf(fairlead.Unavailable, "left out: the version cannot keep up with the requests")
