package serving

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/stream"
)

// Request is one call of an endpoint.
type Request struct {
	ID         string    // the caller's id, to which ground truth is joined; empty: one is made
	RoutingKey string    // who asks: the same key goes to the same version; empty: the id
	EventTime  time.Time // zero: wall time
	Version    int64     // 0: what the endpoint routes to
	Trial      bool      // it is answered alone: not logged, not scored by others, not counted
	Frame      *engine.Frame
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
	MaxRows        = 10_000
	MaxDurableRows = 1_000 // where the log is durable: they are one write, which others wait for
	MaxIDBytes     = 256   // also of a routing key
)

// Infer answers a request: one version by the endpoint's weights, sticky by the
// request's routing key. The endpoint's other versions score it too, for the log:
// before the answer, all at once, where the log is durable, so that stream time never
// passes a request whose scores are not stored; else after it, so that a slow shadow
// slows nobody.
//
// A canary or shadow has Deps.ScoreWithin for its score, and what it has not said by
// then is a failure: a durable answer is at most so much later than the live version's
// own, and so is that of a canary which hangs. After three of them in a row the version
// is left out for 30 s, and fails meanwhile. A caller who leaves after a second or more
// counts among the three, so that impatient callers get their answers too.
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
	if r.Trial {
		return s.try(ctx, e, r)
	}
	q, err := s.scoring(ctx, e, &r)
	if err != nil {
		s.refuse(e, r.ID, err)
		return nil, err
	}
	res, err := s.infer(ctx, q)
	took := time.Since(begun)
	s.count(q, res, err, took)
	if err != nil {
		s.metrics.failed(e, err)
		return nil, err
	}
	e.seconds.Observe(took.Seconds())
	if v := e.all[res.Version]; v != nil {
		v.answered.Inc()
	}
	return res, nil
}

// Refuse counts a request to the endpoint that could not be read, and so was not one for
// Infer. id is the request's, if it had one.
func (s *Service) Refuse(p fairlead.Project, name, id string, err error) {
	if e := s.enter(routeKey{p.K, name}); e != nil {
		defer e.leave()
		s.refuse(e, id, err)
	}
}

// refuse counts a request that failed before a version was chosen. Its event time, if it
// brought one, may be what is wrong with it.
func (s *Service) refuse(e *endpoint, id string, err error) {
	s.metrics.failed(e, err)
	e.counter.failed(moment{wallClock: s.Clock.Now().UnixMilli()}, 0, id, err)
}

// scoring begins the request's way: it is within its bounds, and a version is to answer.
func (s *Service) scoring(ctx context.Context, e *endpoint, r *Request) (*scoring, error) {
	entry, err := s.admit(e, r)
	if err != nil {
		return nil, err
	}
	first, err := s.choose(ctx, e, *r)
	if err != nil {
		return nil, err
	}
	q := &scoring{endpoint: e, frame: r.Frame, entry: entry, first: first, within: s.ScoreWithin}
	if first == e.canary && r.Version == 0 {
		q.second = e.live // a canary that fails must not be noticed by its callers
	}
	return q, nil
}

func (s *Service) infer(ctx context.Context, q *scoring) (*Response, error) {
	if q.endpoint.durable {
		return s.inferDurable(ctx, q)
	}
	return s.inferBuffered(ctx, q)
}

// try answers a request that leaves no trace: stream time, the log, the other versions and
// the figures of the endpoint know nothing of it.
func (s *Service) try(ctx context.Context, e *endpoint, r Request) (*Response, error) {
	q, err := s.scoring(ctx, e, &r)
	if err != nil {
		return nil, err
	}
	if _, err := q.answerNow(ctx); err != nil {
		return nil, err
	}
	return q.response(), nil
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
	if at.Before(stream.Earliest) {
		return nil, stream.TooEarly(at)
	}
	if len(r.ID) > MaxIDBytes {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request's id has %d bytes; at most %d", len(r.ID), MaxIDBytes)
	}
	if len(r.RoutingKey) > MaxIDBytes {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"routing_key has %d bytes; at most %d", len(r.RoutingKey), MaxIDBytes)
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
	key := r.RoutingKey
	if key == "" {
		key = r.ID
	}
	if e.canary != nil && bucket(e.name, e.canary.key.version, key) < e.canary.percent {
		return e.canary, nil
	}
	return e.live, nil
}

// bucket maps a routing key to [0, 100), the same one for the whole rollout of the
// version, and another one in the next: nobody gets each canary first.
func bucket(endpoint string, version int64, key string) float64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s\x00%d\x00%s", endpoint, version, key)
	return float64(h.Sum64()%10_000) / 100
}

// scoring is one request on its way through the endpoint's versions.
type scoring struct {
	endpoint *endpoint
	frame    *engine.Frame
	entry    *entry
	first    *variant      // is to answer
	second   *variant      // answers when first cannot; nil: none
	within   time.Duration // how long a version may take that is not live

	mu     sync.Mutex // guards scores
	scores []score
	answer *engine.Frame
	served int64
}

// by lets v score the request. Nothing but its own engine bounds a version that must
// answer: the live one, and one that the caller has named. Others are asked with care.
func (q *scoring) by(ctx context.Context, v *variant) (*engine.Frame, error) {
	if v.role != release.RoleLive && (v != q.first || q.second != nil) {
		if v != q.first {
			ctx = engine.Background(ctx) // it must leave room for those that answer
		}
		if err := q.mayAsk(ctx, v); err != nil {
			return nil, err
		}
		return q.ask(ctx, v)
	}
	begun := time.Now()
	out, err := v.predictor.Predict(ctx, q.frame)
	q.keep(v, out, err, time.Since(begun))
	return out, err
}

// mayAsk is nil when v is to be asked. One that is left out because it hangs has
// failed; one that cannot keep up has no score.
func (q *scoring) mayAsk(ctx context.Context, v *variant) error {
	err := v.guard.enter(engine.IsBackground(ctx), time.Now())
	switch err {
	case errLate:
		q.keep(v, nil, err, 0)
	case errBusy:
		q.endpoint.skipped.Inc()
	}
	return err
}

// ask lets v, which may be asked, score the request in time. What it says too late is
// dropped, and is its failure. It has no score when its engine has no place for the call,
// or whoever asked has left; but one that callers leave after a while, again and again,
// hangs.
func (q *scoring) ask(ctx context.Context, v *variant) (*engine.Frame, error) {
	begun := time.Now()
	inTime, cancel := context.WithTimeout(ctx, q.within)
	defer cancel()
	type result struct {
		out *engine.Frame
		err error
	}
	said := make(chan result, 1)
	v.acquire() // it may still run when the endpoint has gone
	q.endpoint.pool.wait.Go(func() {
		defer q.endpoint.pool.drop(v.loaded)
		defer v.guard.leave(engine.IsBackground(ctx))
		out, err := v.predictor.Predict(inTime, q.frame)
		said <- result{out, err}
	})
	var r result
	select {
	case r = <-said:
	case <-inTime.Done():
		r.err = inTime.Err()
	}
	if r.err != nil && ctx.Err() != nil {
		if time.Since(begun) >= min(q.within, leftAfter) {
			v.guard.note(true, time.Now())
		}
		return nil, ctx.Err()
	}
	if fairlead.Is(r.err, fairlead.Exhausted) {
		q.endpoint.skipped.Inc()
		return nil, r.err
	}
	late := r.err != nil && inTime.Err() != nil
	if late {
		r.err = fairlead.Errorf(fairlead.Unavailable,
			"version %d has not answered within %s", v.key.version, q.within)
	}
	v.guard.note(late, time.Now())
	q.keep(v, r.out, r.err, time.Since(begun))
	return r.out, r.err
}

// keep adds what v said to the scores, and how long it took.
func (q *scoring) keep(v *variant, out *engine.Frame, err error, took time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.scores = append(q.scores, score{v.key.version, v.role, out, err, took})
}

// takeScores returns the scores that there are, and begins anew.
func (q *scoring) takeScores() []score {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := q.scores
	q.scores = nil
	return out
}

// answerNow lets the chosen version answer, or the second one when it cannot, and
// returns the versions that score the request and have not been tried.
func (q *scoring) answerNow(ctx context.Context) (rest []*variant, err error) {
	by, tried := q.first, []*variant{q.first}
	out, err := q.by(ctx, by)
	if err != nil && q.second != nil && ctx.Err() == nil {
		by, tried = q.second, append(tried, q.second)
		out, err = q.by(ctx, by)
	}
	q.answer, q.served = out, by.key.version
	return q.rest(tried...), err
}

// rest returns the versions that score the request, without those given.
func (q *scoring) rest(without ...*variant) []*variant {
	out := make([]*variant, 0, len(q.endpoint.scorers))
	for _, v := range q.endpoint.scorers {
		if !slices.Contains(without, v) {
			out = append(out, v)
		}
	}
	return out
}

func (q *scoring) response() *Response {
	return &Response{ID: q.entry.id, Model: q.endpoint.model, Version: q.served, Outputs: q.answer}
}

// inferDurable scores with all versions, stores the request, and answers.
func (s *Service) inferDurable(ctx context.Context, q *scoring) (*Response, error) {
	if q.frame.Rows > MaxDurableRows {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the request has %d rows; send at most %d at once to %s, whose log is durable",
			q.frame.Rows, MaxDurableRows, q.endpoint.name)
	}
	if err := q.scoreDurably(ctx); err != nil {
		return nil, err
	}
	q.entry.finish(q)
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
		_, err := q.answerNow(ctx)
		return err
	}
	var others sync.WaitGroup
	for _, v := range rest {
		others.Go(func() { q.by(ctx, v) })
	}
	out, err := q.by(ctx, q.first)
	others.Wait()
	q.answer, q.served = out, q.first.key.version
	if ctx.Err() != nil { // scores of a caller who left would be failures that are none
		return fairlead.Errorf(fairlead.Unavailable, "the request was given up before its answer").Because(ctx.Err())
	}
	if err == nil || q.second == nil {
		return err
	}
	for _, sc := range q.scores {
		if sc.version == q.second.key.version {
			q.answer, q.served, err = sc.outputs, sc.version, sc.err
		}
	}
	return err
}

// inferBuffered answers, hands the request to the log, and leaves scoring by the other
// versions for afterwards.
func (s *Service) inferBuffered(ctx context.Context, q *scoring) (*Response, error) {
	q.entry.size = sizeOf(q.frame)
	if err := s.log.reserve(ctx, q.entry.size); err != nil {
		return nil, err
	}
	kept := false
	defer func() {
		if !kept {
			s.log.cancel(q.entry.size)
		}
	}()
	rest, err := q.answerNow(ctx)
	if err != nil {
		return nil, err
	}
	rest = s.toScore(q, rest)
	q.entry.finish(q)
	res := q.response()
	kept = true
	s.log.add(q.entry)
	if len(rest) > 0 {
		s.scoreLater(q, rest)
	}
	return res, nil
}

// toScore returns those of the versions that are to score a request that was answered,
// whose scores the log then expects.
func (s *Service) toScore(q *scoring, all []*variant) (out []*variant) {
	if len(all) == 0 || !s.log.expect(q.entry.size) {
		q.endpoint.skipped.Add(float64(len(all)))
		return nil
	}
	for _, v := range all {
		if q.mayAsk(s.background, v) == nil {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		s.log.forgo(q.entry.size)
	}
	return out
}

// scoreLater lets the versions score the request.
func (s *Service) scoreLater(q *scoring, all []*variant) {
	q.endpoint.acquire()
	s.after.Go(func() {
		defer q.endpoint.leave()
		var each sync.WaitGroup
		for _, v := range all {
			each.Go(func() { q.ask(s.background, v) })
		}
		each.Wait()
		scores := q.takeScores()
		q.endpoint.counter.scored(q.entry.moment(), q.entry.id, scores)
		s.log.addScores(q.entry, scores)
	})
}
