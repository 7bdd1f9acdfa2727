package ledger

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead-ml/fairlead"
)

// Checked is what a bundle proves.
type Checked struct {
	Subject   string   `json:"subject"`
	Events    []Record `json:"events"`    // without a body where the proof tells none
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
	out, root, err := opened(b.Checkpoint, b.PublicKey, key)
	if err != nil {
		return nil, err
	}
	out.Subject = b.Subject
	for i, e := range b.Events {
		r, err := e.check(out.Size, root)
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
	return out, b.checkList(out.PublicKey)
}

// opened begins what a proof proves with its checkpoint.
func opened(checkpoint, own, key string) (out *Checked, root tlog.Hash, err error) {
	if key == "" {
		key = own
	}
	out = &Checked{PublicKey: key, Events: []Record{}, Documents: []string{}}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return nil, root, fairlead.Errorf(fairlead.Invalid, "the public key cannot be read").Because(err)
	}
	out.Size, root, err = openCheckpoint(checkpoint, verifier)
	out.Root = hex.EncodeToString(root[:])
	return out, root, err
}

// check returns the event, which is a leaf of the tree of that size and head.
func (e Entry) check(size int64, root tlog.Hash) (*Record, error) {
	r, digest, err := checkLeaf(e.Leaf, e.Path, size, root)
	if err != nil {
		return nil, err
	}
	salt, err := hex.DecodeString(e.Salt)
	if err != nil || hex.EncodeToString(bodyDigest(salt, []byte(e.Body))) != digest {
		return nil, fairlead.Errorf(fairlead.Conflict, "its body does not match its digest")
	}
	r.Body = json.RawMessage(e.Body)
	return r, nil
}

// checkLeaf returns the event that a leaf tells, without its body, and the body's digest.
func checkLeaf(text string, hashes []string, size int64, root tlog.Hash) (*Record, string, error) {
	var l leaf
	if err := json.Unmarshal([]byte(text), &l); err != nil || l.Format != leafFormat {
		return nil, "", fairlead.Errorf(fairlead.Invalid, "its leaf cannot be read")
	}
	path := make(tlog.RecordProof, len(hashes))
	for i, text := range hashes {
		h, err := hex.DecodeString(text)
		if err != nil || len(h) != tlog.HashSize {
			return nil, "", fairlead.Errorf(fairlead.Invalid, "its path cannot be read")
		}
		copy(path[i][:], h)
	}
	if l.Seq < 1 || tlog.CheckRecord(path, size, root, l.Seq-1,
		tlog.RecordHash([]byte(text))) != nil {
		return nil, "", fairlead.Errorf(fairlead.Conflict, "it is not in the signed tree")
	}
	return &Record{Seq: l.Seq, ID: l.ID, TimeMS: l.Time, AtMS: l.At, Project: l.Project, Type: l.Type,
		Version: l.Version, Subject: l.Subject, Actor: l.Actor}, l.Digest, nil
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

// checkList is Conflict unless the bundle is what the key has signed the list of.
func (b *Bundle) checkList(key string) error {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "the public key cannot be read").Because(err)
	}
	signed, err := openNote("list of the proof", b.List, verifier)
	if err != nil {
		return err
	}
	has := b.list()
	if signed == has {
		return nil
	}
	want, got := strings.Split(signed, "\n"), strings.Split(has, "\n")
	for _, line := range want {
		if !slices.Contains(got, line) {
			return unlisted(line, "is missing from the proof, or was changed")
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			return unlisted(line, "was added to the proof after it was signed")
		}
	}
	return fairlead.Errorf(fairlead.Conflict,
		"the events and documents of the proof are not in the order, or as often there, as it was signed")
}

// unlisted says of a line of the list what is wrong with what it stands for.
func unlisted(line, what string) error {
	if text, ok := strings.CutPrefix(line, "about "); ok {
		return fairlead.Errorf(fairlead.Conflict, "the proof was made about %s, and says something else",
			text)
	}
	if i := strings.LastIndexByte(line, ' '); i > 0 && !strings.HasPrefix(line, "made ") {
		return fairlead.Errorf(fairlead.Conflict, "%s %s", line[:i], what)
	}
	return fairlead.Errorf(fairlead.Conflict,
		"the proof's time or form was changed after it was signed")
}

// openCheckpoint returns the size and the head of a tree that the key has signed.
func openCheckpoint(text string, key note.Verifier) (size int64, root tlog.Hash, err error) {
	signed, err := openNote("checkpoint", text, key)
	if err != nil {
		return 0, root, err
	}
	var encoded string
	_, err = fmt.Sscanf(signed, origin+"\n%d\n%s\n", &size, &encoded)
	b, notBase64 := base64.StdEncoding.DecodeString(encoded)
	if err != nil || notBase64 != nil || len(b) != len(root) {
		return 0, root, fairlead.Errorf(fairlead.Conflict, "the checkpoint cannot be read")
	}
	copy(root[:], b)
	return size, root, nil
}

// openNote returns what the key has signed.
func openNote(what, text string, key note.Verifier) (string, error) {
	n, err := note.Open([]byte(text), note.VerifierList(key))
	if err == nil {
		return n.Text, nil
	}
	mine := fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash())
	var changed *note.InvalidSignatureError
	var other *note.UnverifiedNoteError
	switch {
	case errors.As(err, &changed):
		err = fairlead.Errorf(fairlead.Conflict, "the %s has no valid signature: it was changed after "+
			"the key %s had signed it", what, mine).Because(err)
	case errors.As(err, &other) && len(other.Note.UnverifiedSigs) > 0:
		by := other.Note.UnverifiedSigs[0]
		err = fairlead.Errorf(fairlead.Conflict, "the %s has no valid signature of the key %s: "+
			"another one, %s+%08x, has signed it", what, mine, by.Name, by.Hash).Because(err)
	default:
		err = fairlead.Errorf(fairlead.Conflict, "the %s has no valid signature of the key %s",
			what, mine).Because(err)
	}
	return "", err
}

// Check checks the proof of one event in the way of Bundle.Check.
func (p *Proof) Check(key string) (*Checked, error) {
	if p.Checkpoint == "" {
		return nil, fairlead.Errorf(fairlead.Conflict, "the proof has no signed checkpoint")
	}
	out, root, err := opened(p.Checkpoint, p.PublicKey, key)
	if err != nil {
		return nil, err
	}
	r, digest, err := checkLeaf(string(p.Leaf), p.Path, out.Size, root)
	if err != nil {
		return nil, fmt.Errorf("event %d: %w", p.Seq, err)
	}
	if r.Seq != p.Seq || p.Size != out.Size || p.Root != out.Root {
		return nil, fairlead.Errorf(fairlead.Conflict,
			"the proof is of event %d of %d, root %s, and says something else", r.Seq, out.Size, out.Root)
	}
	if p.Body != nil || p.Salt != nil {
		if hex.EncodeToString(bodyDigest(p.Salt, p.Body)) != digest {
			return nil, fairlead.Errorf(fairlead.Conflict, "event %d: its body does not match its digest",
				r.Seq)
		}
		r.Body = json.RawMessage(p.Body)
	}
	out.Subject, out.Events = fmt.Sprintf("event %d", r.Seq), append(out.Events, *r)
	return out, nil
}

// CheckProof reads a Bundle, or the Proof of one event, from its JSON, and checks it with
// the public key, that of the proof itself when key is empty. What does not hold is
// Conflict, what is no proof Invalid.
func CheckProof(text []byte, key string) (*Checked, error) {
	var raw json.RawMessage
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&raw); errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fairlead.Errorf(fairlead.Invalid, "this is no whole proof: the file ends too early")
	} else if err != nil {
		return nil, noProof(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fairlead.Errorf(fairlead.Invalid, "this is no proof: the file goes on after its end")
	}
	var one Proof
	if err := json.Unmarshal(raw, &one); err == nil && len(one.Leaf) > 0 {
		return one.Check(key)
	}
	var b Bundle
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, noProof(err)
	}
	return b.Check(key)
}

func noProof(err error) error {
	return fairlead.Errorf(fairlead.Invalid, "this is no proof: it is not the JSON of one").
		Because(err)
}
