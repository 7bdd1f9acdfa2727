package sink

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// retries are the waits after each failure of a delivery, wall time; about 28 hours in
// all. Each is made up to a tenth longer by chance, so that receivers that come back
// are not met by everything at once.
var retries = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute,
	10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 8 * time.Hour, 15 * time.Hour}

const (
	// disableAfter is for how long a webhook may fail at everything, wall time.
	disableAfter = 3 * 24 * time.Hour
	// maxRetryAfter bounds what a receiver may ask for by Retry-After.
	maxRetryAfter = 24 * time.Hour
	// keep is how long deliveries that have ended are kept; they are looked for at
	// each sweepEvery, and removed sweepSize at a time. Wall time.
	keep       = 30 * 24 * time.Hour
	sweepEvery = time.Hour
	sweepSize  = 500
	// atOnce is how many webhooks are sent to at once; each gets one after another.
	// Of those that fail, which may take as long as they can, half as many.
	atOnce = 16
	// lookAgain is the longest time between two looks, for a wall clock that was set.
	lookAgain = 30 * time.Second
)

// Start begins to send what waits.
func (s *Service) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.work.Go(func() {
		<-s.quit
		cancel()
	})
	s.work.Go(func() { s.dispatch(ctx) })
	return nil
}

// Stop ends sending. What is on its way is given up and sent again by the next server.
// It is safe before Start and to call twice.
func (s *Service) Stop() {
	s.once.Do(func() { close(s.quit) })
	s.work.Wait()
}

// wakeAfter lets the dispatcher look again, after the commit.
func (s *Service) wakeAfter(tx *store.Tx) { tx.AfterCommit("sink", s.poke) }

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Service) dispatch(ctx context.Context) {
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	for {
		wait, err := s.look(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("deliveries cannot be read", "err", err)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// look begins to send what is due and says when to look again.
func (s *Service) look(ctx context.Context) (wait time.Duration, err error) {
	now := s.Clock.Now()
	if err := s.sweep(ctx, now); err != nil {
		return time.Second, err
	}
	var first []*due
	err = s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		first, err = firstDue(tx)
		return err
	})
	if err != nil {
		return time.Second, err
	}
	wait = lookAgain
	first = slices.DeleteFunc(first, func(d *due) bool {
		later := d.at.After(now)
		if later {
			wait = min(wait, d.at.Sub(now))
		}
		return later
	})
	for _, d := range s.claim(first) {
		s.work.Go(func() {
			s.deliver(ctx, d)
			s.release(d)
		})
	}
	return wait, nil
}

// sweep removes deliveries that ended long ago.
func (s *Service) sweep(ctx context.Context, now time.Time) error {
	if now.Sub(s.swept) < sweepEvery {
		return nil
	}
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		n, err := deleteOld(tx, now.Add(-keep), sweepSize)
		if err == nil && n < sweepSize {
			s.swept = now
		}
		return err
	})
}

// claim takes the deliveries that are sent now. Webhooks take turns: who was served
// longest ago is first, whatever else waits.
func (s *Service) claim(first []*due) (claimed []*due) {
	s.mu.Lock()
	defer s.mu.Unlock()
	served := map[int64]time.Time{} // without those that have nothing to send any more
	for _, d := range first {
		served[d.webhookK] = s.served[d.webhookK]
	}
	s.served = served
	slices.SortStableFunc(first, func(a, b *due) int {
		return served[a.webhookK].Compare(served[b.webhookK])
	})
	failing := 0
	for _, d := range s.busy {
		if d.failing {
			failing++
		}
	}
	for _, d := range first {
		if len(s.busy) >= s.atOnce {
			break
		}
		if s.busy[d.webhookK] != nil || d.failing && failing >= s.atOnce/2 {
			continue
		}
		if d.failing {
			failing++
		}
		s.busy[d.webhookK] = d
		claimed = append(claimed, d)
	}
	return claimed
}

func (s *Service) release(d *due) {
	s.mu.Lock()
	delete(s.busy, d.webhookK)
	s.served[d.webhookK] = s.Clock.Now()
	s.mu.Unlock()
	s.poke()
}

// deliver sends a delivery once and stores what came of it. While that cannot be
// stored, nothing more is sent to the webhook.
func (s *Service) deliver(ctx context.Context, first *due) {
	at := s.Clock.Now()
	answer, err := s.attempt(ctx, first, at)
	if err != nil {
		s.Log.Error("a delivery cannot be read", "delivery", first.id, "err", err)
		pause(ctx, time.Second)
		return
	}
	if answer == nil {
		return
	}
	for wait := time.Second; ctx.Err() == nil; wait = min(2*wait, lookAgain) {
		err := s.record(ctx, first.id, at, answer)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.Log.Error("what came of a delivery cannot be stored", "delivery", first.id, "err", err)
		pause(ctx, wait)
	}
}

// pause waits in wall time, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// attempt sends a delivery, if it is still to be sent; nil when it is not.
func (s *Service) attempt(ctx context.Context, first *due, at time.Time) (*Answer, error) {
	var w *Webhook
	var d *Delivery
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		d, err = deliveryByID(tx, first.id)
		if err != nil || d == nil || d.State != Waiting || d.Next.After(at) {
			return err
		}
		w, err = webhookByK(tx, d.webhookK)
		return err
	})
	if err != nil || w == nil || !w.Active {
		return nil, err
	}
	secret, err := s.vault.open(w.ID, w.sealed)
	if err != nil {
		return &Answer{Error: fairlead.MessageOf(err)}, nil
	}
	return s.sender.send(ctx, w.URL, secret, d.ID, at, d.body), nil
}

// record stores what came of an attempt, and decides what follows.
func (s *Service) record(ctx context.Context, id string, at time.Time, answer *Answer) error {
	ctx = fairlead.WithActor(ctx, fairlead.System("sink"))
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		d, err := deliveryByID(tx, id)
		if err != nil || d == nil {
			return err
		}
		last, err := lastAttempt(tx, d.k)
		if err != nil {
			return err
		}
		if err := insertAttempt(tx, d.k, answer.Attempt(last.count()+1, at)); err != nil {
			return err
		}
		now := s.Clock.Now()
		d.follow(answer, now)
		tx.AfterCommit("sink/"+d.ID, func() { s.metrics.count(d.State) })
		if err := updateDelivery(tx, d); err != nil {
			return err
		}
		return s.followUp(ctx, tx, d, answer, now)
	})
}

// follow decides when the delivery is sent again, if it is.
func (d *Delivery) follow(answer *Answer, now time.Time) {
	switch {
	case answer.OK():
		d.State, d.Next, d.Finished = Delivered, time.Time{}, now
	case int(d.tries) >= len(retries):
		d.State, d.Next, d.Finished = Failed, time.Time{}, now
	default:
		wait := max(retries[d.tries], min(answer.RetryAfter, maxRetryAfter))
		d.Next = now.Add(wait + rand.N(wait/10))
		d.tries++
	}
}

// followUp keeps since when a webhook fails, and disables one to which nothing came
// through for too long, the delivery at hand with all its tries neither, or that says
// that it is gone.
func (s *Service) followUp(ctx context.Context, tx *store.Tx, d *Delivery, answer *Answer,
	now time.Time) error {
	w, err := webhookByK(tx, d.webhookK)
	if err != nil || w == nil || answer.OK() && w.FailingSince.IsZero() {
		return err
	}
	switch {
	case answer.OK():
		w.FailingSince = time.Time{}
	case w.FailingSince.IsZero():
		w.FailingSince = now
	}
	reason := whyDisabled(w, d, answer, now)
	if reason == "" || !w.Active {
		return updateWebhook(tx, w)
	}
	w.Active, w.Reason, w.Updated = false, reason, now
	if err := updateWebhook(tx, w); err != nil {
		return err
	}
	s.Log.Warn("a webhook was disabled", "webhook", w.ID, "reason", reason)
	return s.emit(ctx, tx, event.WebhookDisabledType, w)
}

// whyDisabled says why a webhook gets nothing more, or nothing.
func whyDisabled(w *Webhook, d *Delivery, answer *Answer, now time.Time) string {
	switch {
	case answer.Status == http.StatusGone:
		return "the receiver answered 410 Gone: it wants nothing more"
	case d.State == Failed && now.Sub(w.FailingSince) >= disableAfter:
		return fmt.Sprintf("nothing could be delivered since %s; the last time: %s",
			w.FailingSince.Format("2006-01-02 15:04 UTC"), answer.Error)
	}
	return ""
}
