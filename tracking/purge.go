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
	return u.out, nil
}

// purgeChunk bounds the items of one transaction, and purgeRows its rows, so that
// writers wait briefly. Of one table an item keeps at most purgeFew to the end.
const (
	purgeChunk = 20
	purgeRows  = 4000
	purgeFew   = 300
)

// item is one thing in the trash.
type item struct {
	k            int64
	id, name     string
	deletedMS    int64
	rows         int // that its last transaction removes
	files, bytes int64
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
	return u.s.db.Free(ctx, store.Bulk, fn)
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

// remove removes marked items: first what is large of each, then the rest of several
// at once.
func (u *purge) remove(ctx context.Context, kind *trashKind, items []item) error {
	for i := range items {
		if err := u.prepare(ctx, kind, &items[i]); err != nil {
			return err
		}
	}
	for len(items) > 0 {
		n, rows := 1, items[0].rows
		for n < len(items) && rows+items[n].rows <= purgeRows {
			rows += items[n].rows
			n++
		}
		if err := u.removeSome(ctx, kind, items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// removeSome removes items in one transaction.
func (u *purge) removeSome(ctx context.Context, kind *trashKind, items []item) error {
	var n, files, bytes int64
	err := u.transact(ctx, func(tx *store.Tx) error {
		n, files, bytes = 0, 0, 0
		for _, it := range items {
			there, err := u.removeOne(ctx, tx, kind, it)
			if err != nil {
				return err
			}
			if there {
				n, files, bytes = n+1, files+it.files, bytes+it.bytes
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

// removeOne reports whether it was removed; not when another purge was faster.
func (u *purge) removeOne(ctx context.Context, tx *store.Tx, kind *trashKind, it item) (there bool,
	err error) {
	if u.dry {
		return true, nil
	}
	if kind.unlist != nil {
		if _, err := kind.unlist(u, tx, it, purgeRows); err != nil {
			return false, err
		}
	}
	if kind.last != nil {
		if err := kind.last(tx, it.k); err != nil {
			return false, err
		}
	}
	if there, err = deleteRows(tx, kind, it); err != nil || !there {
		return false, err
	}
	owner := kind.owner(it.id)
	if err := u.s.blobs.UnlinkAll(tx, u.p, owner); err != nil {
		return false, err
	}
	if err := deleteSeals(tx, u.p, owner); err != nil {
		return false, err
	}
	return true, u.s.emit(ctx, tx, u.p, kind.subject+it.id, event.DataPurged{Kind: kind.name,
		ID: it.id, Name: it.name, DeletedMS: it.deletedMS, Files: it.files, Bytes: it.bytes})
}

// prepare removes of an item what one transaction should not, and notes what stays. Of
// what a purge that was cut off has removed already, nothing is counted.
func (u *purge) prepare(ctx context.Context, kind *trashKind, it *item) error {
	if kind.empty != nil {
		if err := kind.empty(u, ctx, *it); err != nil {
			return err
		}
	}
	owner := kind.owner(it.id)
	counts := make([]int, len(kind.rows))
	err := u.s.db.Read(ctx, func(tx *store.Tx) (err error) {
		if it.files, it.bytes, err = u.s.blobs.Weigh(tx, u.p, owner); err != nil || u.dry {
			return err
		}
		for i, t := range kind.rows {
			if counts[i], err = countRows(tx, kind, t, *it, purgeFew+1); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || u.dry {
		return err
	}
	for i, t := range kind.rows {
		if counts[i] <= purgeFew {
			it.rows += counts[i]
			continue
		}
		if t.listed {
			if err := u.repeat(ctx, func(tx *store.Tx) (int, error) {
				return kind.unlist(u, tx, *it, purgeRows/2)
			}); err != nil {
				return err
			}
		}
		if err := u.repeat(ctx, func(tx *store.Tx) (int, error) {
			return deleteSome(tx, kind, t, *it, purgeRows)
		}); err != nil {
			return err
		}
	}
	if it.files <= purgeFew {
		it.rows += int(it.files)
		return nil
	}
	return u.repeat(ctx, func(tx *store.Tx) (int, error) {
		return u.s.blobs.UnlinkSome(tx, u.p, owner, purgeRows)
	})
}

// repeat does some of a work in one transaction after another, until nothing is left.
func (u *purge) repeat(ctx context.Context, some func(tx *store.Tx) (int, error)) error {
	for n := 1; n > 0; {
		err := u.s.db.Free(ctx, store.Bulk, func(tx *store.Tx) (err error) {
			n, err = some(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rowsOf is a table that has rows of an item.
type rowsOf struct {
	name    string
	primary string // its primary key
	listed  bool   // other rows lead to these: unlist comes first
}

// trashKind is one kind of what the trash holds.
type trashKind struct {
	name    string
	subject string // of its events, before the id
	table   string
	id      string   // the column with the public id
	arrived string   // the column with the time from which it is in the trash at the earliest
	key     string   // the column of its key in the tables of its rows
	rows    []rowsOf // the tables of its rows
	owner   func(id string) blob.Owner
	count   func(*Purged) *int64
	// reason says why an item is kept; empty when it goes.
	reason func(*purge, *store.Tx, item) (string, error)
	// empty removes what is in an item; nil where nothing is.
	empty func(*purge, context.Context, item) error
	// unlist removes up to limit rows that the item's other rows lead to, and returns how
	// many; nil where there are none.
	unlist func(u *purge, tx *store.Tx, it item, limit int) (int, error)
	// last removes what the item was the last to have; nil where nothing is shared.
	last func(tx *store.Tx, k int64) error
}

var runTrash = &trashKind{
	name: "run", subject: "run/", table: "run", id: "id", arrived: "created_ms", key: "run_k",
	rows: []rowsOf{
		{name: "metric", primary: "run_k, key_k, step, ts, value, is_nan"},
		{name: "latest", primary: "run_k, key_k", listed: true},
		{name: "param", primary: "run_k, key_k"},
		{name: "tag", primary: "run_k, key_k"},
		{name: "run_input", primary: "run_k, dataset_k"},
		{name: "run_model", primary: "run_k, direction, model_id"},
		{name: "logged_model_metric", primary: loggedModelMetricKey},
		{name: "metric_pending", primary: "run_k"},
	},
	owner: RunOwner, count: func(p *Purged) *int64 { return &p.Runs },
	reason: held(RunOwner), unlist: (*purge).unindex, last: deleteOwnDatasets,
}

const loggedModelMetricKey = "model_k, key_k, dataset_name, dataset_digest, run_k, step, ts, " +
	"value, is_nan"

var loggedModelTrash = &trashKind{
	name: "logged_model", subject: "loggedmodel/", table: "logged_model", id: "id",
	arrived: "arrived_ms", key: "model_k",
	rows: []rowsOf{
		{name: "logged_model_param", primary: "model_k, key"},
		{name: "logged_model_tag", primary: "model_k, key"},
		{name: "logged_model_metric", primary: loggedModelMetricKey},
	},
	owner: LoggedModelOwner, count: func(p *Purged) *int64 { return &p.LoggedModels },
	reason: held(LoggedModelOwner),
}

var experimentTrash = &trashKind{
	name: "experiment", subject: "experiment/", table: "experiment", id: "n",
	arrived: "arrived_ms", key: "exp_k",
	rows: []rowsOf{
		{name: "experiment_tag", primary: "exp_k, key"},
		{name: "run_dataset", primary: "k"},
		{name: "experiment_key", primary: "exp_k, kind, key_k"},
	},
	owner: experimentOwner, count: func(p *Purged) *int64 { return &p.Experiments },
	reason: (*purge).occupied, empty: (*purge).empty, unlist: (*purge).forget,
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

// forget drops what is remembered of an experiment: its key may be given again.
func (u *purge) forget(_ *store.Tx, it item, _ int) (int, error) {
	u.s.seen.forget(it.k)
	return 0, nil
}

// unindex takes a run, or some of its metrics, out of the index. Its key may be given
// again, and the next run with it is not pending yet.
func (u *purge) unindex(tx *store.Tx, it item, limit int) (int, error) {
	u.s.index.forget(it.k)
	if err := deletePending(tx, it.k); err != nil {
		return 0, err
	}
	return deleteIndexed(tx, it.k, limit)
}
