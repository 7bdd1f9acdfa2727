package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// bundleFormat names the form of a Bundle.
const bundleFormat = "fairlead-proof/1"

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

// Bundle returns the proofs of the events with these numbers, all in the tree as it is now,
// whose head it signs. Exhausted when they are more than MaxBundle, Precondition in a
// ledger that signs nothing.
func (l *Ledger) Bundle(ctx context.Context, subject string, seqs []int64) (*Bundle, error) {
	if l.signer == nil {
		return nil, fairlead.Errorf(fairlead.Precondition, "this ledger has no key to sign with")
	}
	if len(seqs) > MaxBundle {
		return nil, fairlead.Errorf(fairlead.Exhausted, "%d events are about %s, and a proof has at "+
			"most %d; `fairlead audit prove` proves one by one", len(seqs), subject, MaxBundle)
	}
	b := &Bundle{Format: bundleFormat, Subject: subject, MadeMS: fairlead.MS(l.clock.Now()),
		PublicKey: l.signer.public, Events: []Entry{}, Documents: []Document{}}
	err := l.db.Read(ctx, func(tx *store.Tx) error {
		size, err := head(tx)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			e, err := l.entry(tx, seq, size)
			if err != nil {
				return fmt.Errorf("prove event %d: %w", seq, err)
			}
			b.Events = append(b.Events, e)
		}
		root, err := tlog.TreeHash(size, hashReader{tx})
		if err != nil {
			return err
		}
		b.Checkpoint, err = l.signer.sign(size, root)
		return err
	})
	return b, err
}

func (l *Ledger) entry(tx *store.Tx, seq, size int64) (Entry, error) {
	r, err := l.Event(tx, seq)
	if err != nil {
		return Entry{}, err
	}
	path, err := tlog.ProveRecord(size, seq-1, hashReader{tx})
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

// Checked is what a bundle proves.
type Checked struct {
	Subject   string   `json:"subject"`
	Events    []Record `json:"events"`
	Documents []string `json:"documents"` // their names; each is named by an event
	Size      int64    `json:"size"`      // of the signed tree
	Root      string   `json:"root"`      // hex
	PublicKey string   `json:"public_key"`
}

// Check checks a bundle, with nothing but the bundle and a public key: that of the
// bundle itself when key is empty, which shows that the bundle is whole and not who made it.
// What does not hold is Conflict, what is no bundle Invalid.
func (b *Bundle) Check(key string) (*Checked, error) {
	if b.Format != bundleFormat {
		return nil, fairlead.Errorf(fairlead.Invalid, "this is no proof: its format is %q and not %q",
			b.Format, bundleFormat)
	}
	if key == "" {
		key = b.PublicKey
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the public key cannot be read").Because(err)
	}
	size, root, err := openCheckpoint(b.Checkpoint, verifier)
	if err != nil {
		return nil, err
	}
	out := &Checked{Subject: b.Subject, Size: size, Root: hex.EncodeToString(root[:]), PublicKey: key,
		Events: []Record{}, Documents: []string{}}
	for i, e := range b.Events {
		r, err := e.check(size, root)
		if err != nil {
			return nil, fmt.Errorf("event %d of the proof: %w", i+1, err)
		}
		out.Events = append(out.Events, *r)
	}
	for _, d := range b.Documents {
		if err := b.checkDocument(d); err != nil {
			return nil, err
		}
		out.Documents = append(out.Documents, d.Name)
	}
	return out, nil
}

// check returns the event, which is a leaf of the tree of that size and head.
func (e Entry) check(size int64, root tlog.Hash) (*Record, error) {
	var l leaf
	if err := json.Unmarshal([]byte(e.Leaf), &l); err != nil || l.Format != leafFormat {
		return nil, fairlead.Errorf(fairlead.Invalid, "its leaf cannot be read")
	}
	path := make(tlog.RecordProof, len(e.Path))
	for i, text := range e.Path {
		h, err := hex.DecodeString(text)
		if err != nil || len(h) != tlog.HashSize {
			return nil, fairlead.Errorf(fairlead.Invalid, "its path cannot be read")
		}
		copy(path[i][:], h)
	}
	if l.Seq < 1 || tlog.CheckRecord(path, size, root, l.Seq-1,
		tlog.RecordHash([]byte(e.Leaf))) != nil {
		return nil, fairlead.Errorf(fairlead.Conflict, "it is not in the signed tree")
	}
	salt, err := hex.DecodeString(e.Salt)
	if err != nil || hex.EncodeToString(bodyDigest(salt, []byte(e.Body))) != l.Digest {
		return nil, fairlead.Errorf(fairlead.Conflict, "its body does not match its digest")
	}
	return &Record{Seq: l.Seq, ID: l.ID, TimeMS: l.Time, AtMS: l.At, Project: l.Project, Type: l.Type,
		Version: l.Version, Subject: l.Subject, Actor: l.Actor, Body: json.RawMessage(e.Body)}, nil
}

// checkDocument is Conflict unless the document has its digest and an event names it.
func (b *Bundle) checkDocument(d Document) error {
	if textDigest(d.Text) != d.SHA256 {
		return fairlead.Errorf(fairlead.Conflict, "%s does not match its digest", d.Name)
	}
	for _, e := range b.Events {
		if strings.Contains(e.Body, `"`+d.SHA256+`"`) {
			return nil
		}
	}
	return fairlead.Errorf(fairlead.Conflict, "no event of the proof names %s", d.Name)
}

// openCheckpoint returns the size and the head of a tree that the key has signed.
func openCheckpoint(text string, key note.Verifier) (size int64, root tlog.Hash, err error) {
	n, err := note.Open([]byte(text), note.VerifierList(key))
	if err != nil {
		return 0, root, fairlead.Errorf(fairlead.Conflict,
			"the checkpoint has no valid signature of this key").Because(err)
	}
	var encoded string
	_, err = fmt.Sscanf(n.Text, origin+"\n%d\n%s\n", &size, &encoded)
	b, notBase64 := base64.StdEncoding.DecodeString(encoded)
	if err != nil || notBase64 != nil || len(b) != len(root) {
		return 0, root, fairlead.Errorf(fairlead.Conflict, "the checkpoint cannot be read")
	}
	copy(root[:], b)
	return size, root, nil
}

// ReadBundle reads a bundle from its JSON.
func ReadBundle(text []byte) (*Bundle, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	var b Bundle
	if err := d.Decode(&b); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "this is no proof: it is not the JSON of one").Because(err)
	}
	return &b, nil
}
