package ledger

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// A checkpoint is a signed tree head (C2SP tlog-checkpoint): whoever keeps one can
// show later that the ledger was cut short or rewritten since.
const (
	origin          = "fairlead.ledger"
	keyFile         = "ledger.key"
	checkpointEvery = 5 * time.Minute // wall time, when there are new events
)

// Signer signs checkpoints with a key that is the data directory's own.
type Signer struct {
	signer   note.Signer
	verifier note.Verifier
	public   string
}

// OpenSigner reads the key in the directory, or makes it, readable by the owner.
func OpenSigner(dir string) (*Signer, error) {
	b, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		b, err = makeKey(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger key: %w", err)
	}
	secret, public, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	s := &Signer{public: public}
	if s.signer, err = note.NewSigner(secret); err == nil {
		s.verifier, err = note.NewVerifier(public)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Precondition,
			"%s in the data directory is damaged; restore it from a backup", keyFile).Because(err)
	}
	return s, nil
}

// makeKey makes a key and writes its file: a checkpoint may not outlive the key that
// signed it.
func makeKey(dir string) ([]byte, error) {
	secret, public, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	b := []byte(secret + "\n" + public + "\n")
	return b, fairlead.WriteFile(filepath.Join(dir, keyFile), b)
}

// PublicKey verifies the ledger's checkpoints (golang.org/x/mod/sumdb/note).
func (s *Signer) PublicKey() string { return s.public }

// sign returns the signed head of a tree.
func (s *Signer) sign(size int64, root tlog.Hash) (string, error) {
	return s.note(fmt.Sprintf("%s\n%d\n%s\n", origin, size, base64.StdEncoding.EncodeToString(root[:])))
}

// note returns the text, whose first line says what it is, with a signature.
func (s *Signer) note(text string) (string, error) {
	signed, err := note.Sign(&note.Note{Text: text}, s.signer)
	return string(signed), err
}

// checkpoint signs the present head when events have come since the last one.
func (l *Ledger) checkpoint(ctx context.Context) error {
	return l.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		size, err := head(tx)
		if err != nil {
			return err
		}
		last, err := lastCheckpoint(tx)
		if err != nil || size == last {
			return err
		}
		root, err := tlog.TreeHash(size, hashReader{tx})
		if err != nil {
			return err
		}
		signed, err := l.signer.sign(size, root)
		if err != nil {
			return err
		}
		return insertCheckpoint(tx, size, l.clock.Now().UnixMilli(), signed)
	})
}

// keepCheckpoints signs a head now and then, and once at the end.
func (l *Ledger) keepCheckpoints(ctx context.Context) {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if err := l.checkpoint(context.WithoutCancel(ctx)); err != nil {
			l.log.Error("ledger checkpoint cannot be written", "err", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// verifyCheckpoints checks that every signed head is one that the tree has had.
func (l *Ledger) verifyCheckpoints(tx *store.Tx, notes []string, rep *Report) error {
	for _, text := range notes {
		size, root, err := openCheckpoint(text, l.signer.verifier)
		if err != nil {
			return err
		}
		if size > rep.Events {
			return fairlead.Errorf(fairlead.Conflict,
				"the ledger was cut short: a signed checkpoint has %d events, and there are %d", size, rep.Events)
		}
		got, err := tlog.TreeHash(size, hashReader{tx})
		if err != nil {
			return err
		}
		if got != root {
			return fairlead.Errorf(fairlead.Conflict, "the ledger was rewritten: its first %d events are not the signed ones", size)
		}
	}
	rep.Checkpoints = len(notes)
	rep.PublicKey = l.signer.public
	return nil
}
