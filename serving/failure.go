package serving

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// What can go wrong with a request; Counts has how often.
const (
	Errored = "error"   // it failed through no fault of the caller
	Refused = "refused" // it broke the signature or a bound
	Failed  = "failed"  // a version could not score it; the caller may have got an answer
)

// Failure is something that went wrong at an endpoint, however often, in the words that
// its callers get.
type Failure struct {
	Version int64         `json:"version"` // 0: it failed before one was chosen
	What    string        `json:"what"`    // error | refused | failed
	Code    fairlead.Code `json:"code"`
	Message string        `json:"message"` // at most 500 bytes of it
	Count   int64         `json:"count"`   // since First
	First   time.Time     `json:"first"`   // wall time
	Last    time.Time     `json:"last"`
	Request string        `json:"request,omitempty"` // the id of the newest
}

// The bounds of what is kept of failures.
const (
	maxFailures     = 50  // of an endpoint, the newest
	maxFailuresHeld = 500 // that wait to be written; beyond, only those that are known are counted
	maxMessage      = 500 // bytes
)

// failureKey is what makes failures the same one.
type failureKey struct {
	of            routeKey
	version       int64
	what, message string
	code          fairlead.Code
}

// failures gathers what goes wrong until it is written.
type failures struct {
	mu   sync.Mutex
	said map[failureKey]*Failure
}

func (f *failures) add(of routeKey, version int64, what string, err error, id string, ms int64) {
	message := fairlead.MessageOf(err)
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "…"
	}
	at := fairlead.FromMS(ms)
	f.merge(failureKey{of, version, what, message, fairlead.CodeOf(err)},
		&Failure{Count: 1, First: at, Last: at, Request: id})
}

func (f *failures) merge(key failureKey, n *Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.said[key]
	switch {
	case old == nil && len(f.said) < maxFailuresHeld:
		f.said[key] = n
	case old == nil:
	case n.Last.Before(old.Last):
		old.Count, old.First = old.Count+n.Count, n.First
	default:
		old.Count, old.Last, old.Request = old.Count+n.Count, n.Last, n.Request
	}
}

func (f *failures) take() map[failureKey]*Failure {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := f.said
	f.said = map[failureKey]*Failure{}
	return out
}

// writeFailures adds what went wrong to the table. What cannot be written waits.
func (t *traffic) writeFailures() {
	said := t.failures.take()
	if len(said) == 0 {
		return
	}
	err := t.db.Write(context.Background(), store.Bulk, func(tx *store.Tx) error {
		return addFailures(tx, said)
	})
	if t.note(err); err != nil {
		for key, n := range said {
			t.failures.merge(key, n)
		}
		time.AfterFunc(countEvery, t.wake)
	}
}

func addFailures(tx *store.Tx, said map[failureKey]*Failure) error {
	touched := map[routeKey]bool{}
	for key, n := range said {
		touched[key.of] = true
		_, err := tx.Exec(`insert into failure (project_k, endpoint, model_n, what, code, message, n,
			first_ms, last_ms, request) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			on conflict (project_k, endpoint, model_n, what, code, message) do update set
			n = failure.n + excluded.n, last_ms = excluded.last_ms, request = excluded.request`,
			key.of.projectK, key.of.name, key.version, key.what, string(key.code), key.message,
			n.Count, n.First.UnixMilli(), n.Last.UnixMilli(), n.Request)
		if err != nil {
			return err
		}
	}
	for of := range touched {
		_, err := tx.Exec(`delete from failure where project_k = ? and endpoint = ? and last_ms < (
			select last_ms from failure where project_k = ? and endpoint = ?
			order by last_ms desc, message, model_n, what, code limit 1 offset ?)`,
			of.projectK, of.name, of.projectK, of.name, maxFailures-1)
		if err != nil {
			return err
		}
	}
	return nil
}

// Failures returns what went wrong at an endpoint, what did so last first, at most 50. It
// is at most a second behind.
func (s *Service) Failures(tx *store.Tx, p fairlead.Project, endpoint string) ([]Failure, error) {
	out := []Failure{}
	rows, err := tx.Query(`select model_n, what, code, message, n, first_ms, last_ms, request from failure
		where project_k = ? and endpoint = ? order by last_ms desc, message, model_n, what, code limit ?`,
		p.K, endpoint, maxFailures)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f Failure
		var first, last int64
		if err := rows.Scan(&f.Version, &f.What, &f.Code, &f.Message, &f.Count, &first, &last,
			&f.Request); err != nil {
			return nil, err
		}
		f.First, f.Last = fairlead.FromMS(first), fairlead.FromMS(last)
		out = append(out, f)
	}
	return out, rows.Err()
}
