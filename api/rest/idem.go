package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Once is the part of a request that may be sent again: with a key, the second
// sending gets the first one's answer and changes nothing.
type Once struct {
	Key string `header:"Idempotency-Key" json:"-" maxLength:"200" doc:"yours, such as a UUID; kept for a day"`
}

// keep is how long an answer is kept, in wall time.
const keep = 24 * time.Hour

// What is known about a key.
const (
	begun    = 0
	answered = 1
)

// once is one sending of a request with a key.
type once struct {
	api      *API
	projectK int64
	actor    string
	key      string
	hash     string
}

// newOnce identifies a request by its operation and all that it says.
func (a *API) newOnce(ctx context.Context, p fairlead.Project, key, operation string,
	in any) (*once, error) {
	said, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(append([]byte(operation+"\n"), said...))
	return &once{api: a, projectK: p.K, actor: fairlead.ActorFrom(ctx).String(), key: key,
		hash: hex.EncodeToString(sum[:])}, nil
}

// atomically makes a change that works in a transaction, and keeps its answer in
// the same one.
func atomically[O any](ctx context.Context, a *API, p fairlead.Project, key, operation string,
	in any, change func(tx *store.Tx) (O, error)) (out O, err error) {
	o, err := a.newOnce(ctx, p, key, operation, in)
	if err != nil {
		return out, err
	}
	err = a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		if found, err := o.recall(tx, &out); err != nil || found {
			return err
		}
		if out, err = change(tx); err != nil {
			return err
		}
		return o.store(tx, &out, answered)
	})
	return out, err
}

// inTurn makes a change that has a transaction of its own. The key is taken before
// and answered after it: when the server dies in between nobody can tell whether
// the change was made, and the key says so instead of making it twice.
func inTurn[O any](ctx context.Context, a *API, p fairlead.Project, key, operation string, in any,
	change func() (O, error)) (out O, err error) {
	if key == "" {
		return change()
	}
	o, err := a.newOnce(ctx, p, key, operation, in)
	if err != nil {
		return out, err
	}
	found := false
	err = a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		if found, err = o.recall(tx, &out); err != nil || found {
			return err
		}
		return o.store(tx, &out, begun)
	})
	if err != nil || found {
		return out, err
	}
	out, err = change()
	ctx = context.WithoutCancel(ctx) // the change is made, or is not; its key must know
	return out, errors.Join(err, a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		if err != nil {
			return o.forget(tx)
		}
		return o.store(tx, &out, answered)
	}))
}

// recall puts the answer of an earlier sending into out.
func (o *once) recall(tx *store.Tx, out any) (found bool, err error) {
	if o.key == "" {
		return false, nil
	}
	var hash, answer string
	var done int
	err = tx.QueryRow(`select request_hash, done, body from idem
		where project_k = ? and actor = ? and key = ? and expires_ms > ?`,
		o.projectK, o.actor, o.key, o.api.Clock.Now().UnixMilli()).Scan(&hash, &done, &answer)
	switch {
	case errors.Is(err, store.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case hash != o.hash:
		return false, fairlead.Errorf(fairlead.Conflict,
			"the Idempotency-Key %q was used for another request; take a new one", o.key)
	case done == 0:
		return false, fairlead.Errorf(fairlead.Conflict,
			"a request with the Idempotency-Key %q has begun and has no answer; look whether it was done, "+
				"and take a new key if not", o.key)
	}
	return true, json.Unmarshal([]byte(answer), out)
}

// store keeps the answer under the key, in place of one that has expired.
func (o *once) store(tx *store.Tx, answer any, done int) error {
	if o.key == "" {
		return nil
	}
	b, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	now := o.api.Clock.Now()
	if err := o.forget(tx); err != nil {
		return err
	}
	if _, err := tx.Exec("delete from idem where expires_ms <= ?", now.UnixMilli()); err != nil {
		return err
	}
	_, err = tx.Exec(`insert into idem (project_k, actor, key, request_hash, done, body, expires_ms)
		values (?, ?, ?, ?, ?, ?, ?)`, o.projectK, o.actor, o.key, o.hash, done, string(b), now.Add(keep).UnixMilli())
	return err
}

func (o *once) forget(tx *store.Tx) error {
	_, err := tx.Exec("delete from idem where project_k = ? and actor = ? and key = ?", o.projectK,
		o.actor, o.key)
	return err
}
