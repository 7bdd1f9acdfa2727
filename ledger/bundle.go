package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// bundleFormat names the form of a Bundle.
const bundleFormat = "fairlead-proof/2"

// bundleOrigin begins the text of a bundle's signed list, so that none is a checkpoint.
const bundleOrigin = "fairlead.proof"

// MaxBundle is the most events of one bundle.
const MaxBundle = 2000

// Bundle proves without a server that events are in a ledger: each entry's path leads
// from its leaf to the signed head. Texts that were hashed are JSON in a text, so that
// no program that reads and writes JSON changes them.
type Bundle struct {
	Format     string     `json:"format"`
	Subject    string     `json:"subject" doc:"what the events are about"`
	MadeMS     int64      `json:"made_ms" doc:"wall time"`
	PublicKey  string     `json:"public_key" doc:"of the checkpoint; compare it with one that you have from elsewhere"`
	Checkpoint string     `json:"checkpoint" doc:"the signed head of the tree (C2SP tlog-checkpoint)"`
	Events     []Entry    `json:"events"`
	Documents  []Document `json:"documents" doc:"what events name by its digest"`
	List       string     `json:"list" doc:"signed: the subject, all events and documents, so that none is left out or added (C2SP signed-note)"`
}

// Entry is one event of a bundle.
type Entry struct {
	Leaf string   `json:"leaf" doc:"the data of the leaf, JSON: who did what to what, when, and the body's digest"`
	Body string   `json:"body" doc:"JSON; HMAC-SHA-256 with the salt gives the leaf's digest"`
	Salt string   `json:"salt" doc:"hex"`
	Path []string `json:"path" doc:"hex, from the leaf up (RFC 6962)"`
}

// Document is a text that events name by its digest.
type Document struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256" doc:"of the text, hex"`
	Text   string `json:"text"`
}

// NewDocument returns the document of a text.
func NewDocument(name, text string) Document {
	return Document{Name: name, SHA256: textDigest(text), Text: text}
}

func textDigest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Bundle returns the proofs of the events with these numbers, which ascend, all in the tree
// as it is now, whose head it signs, and the documents. Exhausted when they are more than
// MaxBundle, Precondition in a ledger that signs nothing.
func (l *Ledger) Bundle(ctx context.Context, subject string, seqs []int64,
	documents ...Document) (*Bundle, error) {
	if l.signer == nil {
		return nil, fairlead.Errorf(fairlead.Precondition, "this ledger has no key to sign with")
	}
	if len(seqs) > MaxBundle {
		return nil, fairlead.Errorf(fairlead.Exhausted, "%d events are about %s, and a proof has at "+
			"most %d; `fairlead audit prove` proves one by one", len(seqs), subject, MaxBundle)
	}
	b := &Bundle{Format: bundleFormat, Subject: subject, MadeMS: fairlead.MS(l.clock.Now()),
		PublicKey: l.signer.public, Events: []Entry{},
		Documents: append([]Document{}, documents...)}
	err := l.db.Read(ctx, func(tx *store.Tx) error {
		size, err := head(tx)
		if err != nil {
			return err
		}
		hashes := memory{hashReader{tx}, map[int64]tlog.Hash{}}
		for _, seq := range seqs {
			e, err := l.entry(tx, seq, size, hashes)
			if err != nil {
				return fmt.Errorf("prove event %d: %w", seq, err)
			}
			b.Events = append(b.Events, e)
		}
		root, err := tlog.TreeHash(size, hashes)
		if err != nil {
			return err
		}
		if b.Checkpoint, err = l.signer.sign(size, root); err != nil {
			return err
		}
		b.List, err = l.signer.note(b.list())
		return err
	})
	return b, err
}

// list is the text of the signed list.
func (b *Bundle) list() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\nabout %q\n", bundleOrigin, b.Subject)
	for _, e := range b.Events {
		var l leaf
		_ = json.Unmarshal([]byte(e.Leaf), &l) // one that cannot be read has the number 0
		fmt.Fprintf(&out, "event %d %s\n", l.Seq, textDigest(e.Leaf))
	}
	for _, d := range b.Documents {
		fmt.Fprintf(&out, "document %q %s\n", d.Name, d.SHA256)
	}
	fmt.Fprintf(&out, "made %d\n", b.MadeMS)
	return out.String()
}

// memory keeps the hashes that it has read: the paths of many events share most of them.
type memory struct {
	from hashReader
	read map[int64]tlog.Hash
}

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, ix := range indexes {
		h, ok := m.read[ix]
		if !ok {
			found, err := m.from.ReadHashes([]int64{ix})
			if err != nil {
				return nil, err
			}
			h = found[0]
			m.read[ix] = h
		}
		out[i] = h
	}
	return out, nil
}

func (l *Ledger) entry(tx *store.Tx, seq, size int64, hashes tlog.HashReader) (Entry, error) {
	r, err := l.Event(tx, seq)
	if err != nil {
		return Entry{}, err
	}
	path, err := tlog.ProveRecord(size, seq-1, hashes)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Leaf: string(leafData(r)), Body: string(r.Body), Salt: hex.EncodeToString(r.salt),
		Path: []string{}}
	for _, h := range path {
		e.Path = append(e.Path, hex.EncodeToString(h[:]))
	}
	return e, nil
}
