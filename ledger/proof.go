package ledger

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Report is the result of Verify.
type Report struct {
	Events  int64  `json:"events"`
	Skipped int64  `json:"skipped"` // of them, those that say that a subscriber went on without one
	Root    string `json:"root"`    // RFC 6962 tree head over all events, hex

	Checkpoints int    `json:"checkpoints"`          // signed heads, all of which the tree has had
	PublicKey   string `json:"public_key,omitempty"` // of their signatures
}

// Verify reads the whole ledger and checks that numbers have no gaps, that every
// body is there and matches its digest, that every leaf matches its stored hash, and
// that the tree's head follows from the leaves and from every signed checkpoint. The
// first contradiction is an error with code Conflict.
func (l *Ledger) Verify(ctx context.Context) (*Report, error) {
	rep := &Report{}
	var notes []string
	err := l.db.Read(ctx, func(tx *store.Tx) (err error) {
		notes, err = checkpoints(tx) // first, so that none is of events that come meanwhile
		return err
	})
	if err != nil {
		return nil, err
	}
	var tree treeHead
	for {
		records, err := l.List(ctx, Filter{After: rep.Events, Limit: 1000})
		if err != nil {
			return nil, err
		}
		if len(records) == 0 {
			break
		}
		err = l.db.Read(ctx, func(tx *store.Tx) error { return verifyRecords(tx, rep, &tree, records) })
		if err != nil {
			return nil, err
		}
	}
	if err := l.verifyHead(ctx, rep, &tree); err != nil || l.signer == nil {
		return rep, err
	}
	return rep, l.db.Read(ctx, func(tx *store.Tx) error {
		return l.verifyCheckpoints(tx, notes, rep)
	})
}

func verifyRecords(tx *store.Tx, rep *Report, tree *treeHead, records []*Record) error {
	for _, r := range records {
		if r.Seq != rep.Events+1 {
			return broken(rep.Events+1, "is missing")
		}
		if r.Body == nil {
			return broken(r.Seq, "has lost its body")
		}
		if !bytes.Equal(bodyDigest(r.salt, r.Body), r.Digest) {
			return broken(r.Seq, "has a body that does not match its digest")
		}
		if r.Type == event.DeliverySkippedType {
			rep.Skipped++
		}
		if err := verifyHashes(tx, r, tree.add(tlog.RecordHash(leafData(r)))); err != nil {
			return err
		}
		rep.Events = r.Seq
	}
	return nil
}

// verifyHashes compares the hashes that r's leaf completes with the stored ones.
func verifyHashes(tx *store.Tx, r *Record, want []tlog.Hash) error {
	ix := tlog.StoredHashIndex(0, r.Seq-1)
	for i, h := range want {
		stored, err := hashReader{tx}.ReadHashes([]int64{ix + int64(i)})
		if errors.Is(err, store.ErrNoRows) {
			return broken(r.Seq, "has no leaf in the tree")
		}
		if err != nil {
			return err
		}
		if stored[0] != h {
			return broken(r.Seq, "was changed after it was written")
		}
	}
	return nil
}

// verifyHead compares the head computed from the leaves with the stored tree's.
func (l *Ledger) verifyHead(ctx context.Context, rep *Report, tree *treeHead) error {
	if rep.Events == 0 {
		return nil
	}
	want := tree.head()
	rep.Root = hex.EncodeToString(want[:])
	return l.db.Read(ctx, func(tx *store.Tx) error {
		got, err := tlog.TreeHash(rep.Events, hashReader{tx})
		if err != nil {
			return fmt.Errorf("read the tree: %w", err)
		}
		if got != want {
			return fairlead.Errorf(fairlead.Conflict, "the stored Merkle tree does not follow from the events")
		}
		return nil
	})
}

func broken(seq int64, what string) error {
	return fairlead.Errorf(fairlead.Conflict, "the ledger is broken: event %d %s", seq, what).With("seq", seq)
}

// treeHead computes an RFC 6962 head from leaves in order, keeping one hash for
// each complete subtree.
type treeHead struct {
	n     int64
	stack []tlog.Hash
}

// add returns the hashes that become final with this leaf, in the order in which
// they are stored: the leaf's own, then those of the subtrees that it completes.
func (t *treeHead) add(leaf tlog.Hash) []tlog.Hash {
	t.stack = append(t.stack, leaf)
	final := []tlog.Hash{leaf}
	for n := t.n; n&1 == 1; n >>= 1 {
		k := len(t.stack)
		node := tlog.NodeHash(t.stack[k-2], t.stack[k-1])
		t.stack = append(t.stack[:k-2], node)
		final = append(final, node)
	}
	t.n++
	return final
}

func (t *treeHead) head() tlog.Hash {
	h := t.stack[len(t.stack)-1]
	for i := len(t.stack) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.stack[i], h)
	}
	return h
}

// Proof shows that one event is in the ledger: hash Leaf as RFC 6962 says, walk
// Path, and arrive at Root for a tree of Size leaves, which Checkpoint signs. The leaf
// holds the digest of the event's body: HMAC-SHA-256 of Body with the key Salt, in hex.
type Proof struct {
	Seq  int64    `json:"seq"`
	Size int64    `json:"size"`
	Leaf []byte   `json:"leaf"` // the leaf's data; JSON, base64 in JSON
	Path []string `json:"path"` // hex, from the leaf up
	Root string   `json:"root"` // hex

	Checkpoint string `json:"checkpoint,omitempty"` // the signed head of that tree (C2SP tlog-checkpoint)
	PublicKey  string `json:"public_key,omitempty"` // of its signature (C2SP signed-note)

	Salt []byte `json:"salt,omitempty"` // absent with the body
	Body []byte `json:"body,omitempty"` // as it was digested; absent for who may not see it
}

// Prove returns the inclusion proof of an event in the ledger as it is now.
func (l *Ledger) Prove(ctx context.Context, seq int64) (p *Proof, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		r, err := l.Event(tx, seq)
		if err != nil {
			return err
		}
		size, err := head(tx)
		if err != nil {
			return err
		}
		path, err := tlog.ProveRecord(size, seq-1, hashReader{tx})
		if err != nil {
			return fmt.Errorf("prove event %d: %w", seq, err)
		}
		root, err := tlog.TreeHash(size, hashReader{tx})
		if err != nil {
			return fmt.Errorf("prove event %d: %w", seq, err)
		}
		p = &Proof{Seq: seq, Size: size, Leaf: leafData(r), Path: []string{},
			Root: hex.EncodeToString(root[:]), Salt: r.salt, Body: r.Body}
		for _, h := range path {
			p.Path = append(p.Path, hex.EncodeToString(h[:]))
		}
		if l.signer == nil {
			return nil
		}
		p.PublicKey = l.signer.public
		p.Checkpoint, err = l.signer.sign(size, root)
		return err
	})
	return p, err
}

// WithoutBody returns the proof for somebody who may know that there is such an event,
// and not what it says.
func (p Proof) WithoutBody() *Proof {
	p.Salt, p.Body = nil, nil
	return &p
}
