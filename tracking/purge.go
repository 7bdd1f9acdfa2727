package tracking

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Purged counts what a purge removed for good, or would remove, and names what it left.
type Purged struct {
	Experiments  int64  `json:"experiments"`
	Runs         int64  `json:"runs"`
	LoggedModels int64  `json:"logged_models"`
	Files        int64  `json:"files"` // that these referred to
	Bytes        int64  `json:"bytes"` // of them, each counted as often as it was referred to
	Kept         []Kept `json:"kept"`
}

// Kept is something in the trash that a purge leaves there, although it is old enough.
type Kept struct {
	Kind      string `json:"kind"` // run | logged_model | experiment
	ID        string `json:"id"`
	Name      string `json:"name"`
	DeletedMS int64  `json:"deleted_ms"` // wall time
	Reason    string `json:"reason"`
}

// Purge removes for good what came into the trash before a point of wall time, or at it:
// runs, logged models, and experiments with all logged models in them. What somebody
// holds stays, and so does an experiment of which something stays. Each removal is an
// event. It works in small transactions; what it was at when it was ended is gone for
// everybody else, and the next purge finishes it.
//
// Files that nothing refers to any more are removed by blob.Collect.
func (s *Service) Purge(ctx context.Context, p fairlead.Project, before time.Time) (*Purged,
	error) {
	return s.purge(ctx, p, before, false)
}

// purge goes through the trash; dry, it only says what Purge would do.
func (s *Service) purge(ctx context.Context, p fairlead.Project, before time.Time, dry bool) (
	*Purged, error) {
	u := &purge{s: s, p: p, beforeMS: fairlead.MS(before), dry: dry, out: &Purged{Kept: []Kept{}}}
	for _, kind := range []*trashKind{runTrash, loggedModelTrash, experimentTrash} {
		list := func(tx *store.Tx, after item) ([]item, error) {
			return trash(tx, kind, p, u.beforeMS, after)
		}
		if err := u.each(ctx, kind, list); err != nil {
			return u.out, fmt.Errorf("purge %ss: %w", kind.name, err)
		}
	}
	if dry || u.out.Runs == 0 {
		return u.out, nil
	}
	return u.out, s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		return deleteUnusedDatasets(tx, p)
	})
}

// purgeChunk bounds the items of one transaction, and purgePoints the points of a
// history, so that writers wait briefly.
const (
	purgeChunk  = 20
	purgePoints = 4000
)

// item is one thing in the trash.
type item struct {
	k         int64
	id, name  string
	deletedMS int64
}

type purge struct {
	s        *Service
	p        fairlead.Project
	beforeMS int64
	dry      bool
	out      *Purged
}

// each removes what list yields, chunk by chunk.
func (u *purge) each(ctx context.Context, kind *trashKind,
	list func(tx *store.Tx, after item) ([]item, error)) error {
	for after := (item{}); ; {
		var chunk, doomed []item
		var kept []Kept
		err := u.transact(ctx, func(tx *store.Tx) (err error) {
			if chunk, err = list(tx, after); err != nil {
				return err
			}
			doomed, kept, err = u.sort(tx, kind, chunk)
			return err
		})
		if err != nil || len(chunk) == 0 {
			return err
		}
		u.out.Kept = append(u.out.Kept, kept...)
		if err := u.remove(ctx, kind, doomed); err != nil {
			return err
		}
		after = chunk[len(chunk)-1]
	}
}

// transact is a transaction of the purge, which writes nothing when it is dry.
func (u *purge) transact(ctx context.Context, fn func(tx *store.Tx) error) error {
	if u.dry {
		return u.s.db.Read(ctx, fn)
	}
	return u.s.db.Write(ctx, store.Bulk, fn)
}

// sort tells what is held from what goes, and marks the latter: from then on nobody
// finds it, so that nobody can begin to depend on it.
func (u *purge) sort(tx *store.Tx, kind *trashKind, chunk []item) (doomed []item, kept []Kept,
	err error) {
	for _, it := range chunk {
		reason, err := kind.reason(u, tx, it)
		if err != nil {
			return nil, nil, err
		}
		if reason != "" {
			kept = append(kept, Kept{kind.name, it.id, it.name, it.deletedMS, reason})
			continue
		}
		doomed = append(doomed, it)
		if u.dry {
			continue
		}
		if err := markPurging(tx, kind, it); err != nil {
			return nil, nil, err
		}
	}
	return doomed, kept, nil
}

// remove removes marked items: first what is large, then the rest of them at once.
func (u *purge) remove(ctx context.Context, kind *trashKind, items []item) error {
	for _, it := range items {
		if kind.prepare == nil {
			break
		}
		if err := kind.prepare(u, ctx, it); err != nil {
			return err
		}
	}
	var n, files, bytes int64
	err := u.transact(ctx, func(tx *store.Tx) error {
		n, files, bytes = 0, 0, 0
		for _, it := range items {
			e, err := u.removeOne(ctx, tx, kind, it)
			if err != nil {
				return err
			}
			if e != nil {
				n, files, bytes = n+1, files+e.Files, bytes+e.Bytes
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	*kind.count(u.out) += n
	u.out.Files, u.out.Bytes = u.out.Files+files, u.out.Bytes+bytes
	return nil
}

// removeOne returns what was removed; nil when another purge was faster.
func (u *purge) removeOne(ctx context.Context, tx *store.Tx, kind *trashKind, it item) (
	e *event.DataPurged, err error) {
	owner := kind.owner(it.id)
	e = &event.DataPurged{Kind: kind.name, ID: it.id, Name: it.name, DeletedMS: it.deletedMS}
	if e.Files, e.Bytes, err = u.s.blobs.Weigh(tx, u.p, owner); err != nil || u.dry {
		return e, err
	}
	if kind.unlist != nil {
		if err := kind.unlist(u, tx, it); err != nil {
			return nil, err
		}
	}
	there, err := deleteRows(tx, kind, it)
	if err != nil || !there {
		return nil, err
	}
	if err := u.s.blobs.UnlinkAll(tx, u.p, owner); err != nil {
		return nil, err
	}
	if err := deleteSeals(tx, u.p, owner); err != nil {
		return nil, err
	}
	return e, u.s.emit(ctx, tx, u.p, kind.subject+it.id, *e)
}

// trashKind is one kind of what the trash holds.
type trashKind struct {
	name    string
	subject string // of its events, before the id
	table   string
	id      string   // the column with the public id
	key     string   // the column of its key in the tables of its rows
	rows    []string // the tables of its rows
	owner   func(id string) blob.Owner
	count   func(*Purged) *int64
	// reason says why an item is kept; empty when it goes.
	reason func(*purge, *store.Tx, item) (string, error)
	// prepare removes what one transaction should not; nil where there is nothing.
	prepare func(*purge, context.Context, item) error
	// unlist removes rows that the item's other rows lead to; nil where there are none.
	unlist func(*purge, *store.Tx, item) error
}

var runTrash = &trashKind{
	name: "run", subject: "run/", table: "run", id: "id", key: "run_k",
	rows: []string{"metric", "latest", "param", "tag", "run_input", "run_model",
		"logged_model_metric", "metric_pending"},
	owner: RunOwner, count: func(p *Purged) *int64 { return &p.Runs },
	reason: held(RunOwner), prepare: (*purge).shorten, unlist: (*purge).unindex,
}

var loggedModelTrash = &trashKind{
	name: "logged_model", subject: "loggedmodel/", table: "logged_model", id: "id", key: "model_k",
	rows:  []string{"logged_model_param", "logged_model_tag", "logged_model_metric"},
	owner: LoggedModelOwner, count: func(p *Purged) *int64 { return &p.LoggedModels },
	reason: held(LoggedModelOwner),
}

var experimentTrash = &trashKind{
	name: "experiment", subject: "experiment/", table: "experiment", id: "n", key: "exp_k",
	rows:  []string{"experiment_tag", "run_dataset"},
	owner: experimentOwner, count: func(p *Purged) *int64 { return &p.Experiments },
	reason: (*purge).occupied, prepare: (*purge).empty,
}

// held says who holds a run or a logged model.
func held(owner func(id string) blob.Owner) func(*purge, *store.Tx, item) (string, error) {
	return func(u *purge, tx *store.Tx, it item) (string, error) {
		return holders(tx, u.p, owner(it.id))
	}
}

// occupied says what stays in an experiment, which then stays too.
func (u *purge) occupied(tx *store.Tx, it item) (string, error) {
	if it.id == "0" {
		return "every project keeps its experiment 0", nil
	}
	run, err := runThatStays(tx, u, it)
	if err != nil || run != "" {
		return run, err
	}
	return modelThatStays(tx, it)
}

// empty removes the logged models of an experiment, also those that were not deleted.
func (u *purge) empty(ctx context.Context, it item) error {
	return u.each(ctx, loggedModelTrash, func(tx *store.Tx, after item) ([]item, error) {
		return modelsOf(tx, u, it, after)
	})
}

// unindex takes a run out of the index of metrics. Its key may be given again, and the
// next run with it is not pending yet.
func (u *purge) unindex(tx *store.Tx, it item) error {
	u.s.index.forget(it.k)
	return deleteIndexed(tx, it.k)
}

// shorten removes all of a run's points but those that fit into a transaction.
func (u *purge) shorten(ctx context.Context, it item) error {
	for !u.dry {
		var last *point
		err := u.s.db.Read(ctx, func(tx *store.Tx) (err error) {
			last, err = nthPoint(tx, it.k, purgePoints)
			return err
		})
		if err != nil || last == nil {
			return err
		}
		err = u.s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
			return deletePoints(tx, it.k, last)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
