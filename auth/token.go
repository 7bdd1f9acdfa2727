package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the table of tokens.
func Schema() store.Schema {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return store.Schema{Component: "auth", Files: sub}
}

// OwnerFile is the file in the data directory that holds the owner's token.
const OwnerFile = "token"

// Tokens keeps the owner's token and those of running steps.
type Tokens struct {
	db    *store.DB
	clock fairlead.Clock
	owner string
}

// NewTokens reads the owner's token in the data directory, or makes it, readable
// by the owner alone.
func NewTokens(db *store.DB, clock fairlead.Clock, dir string) (*Tokens, error) {
	owner, err := ReadOwner(dir)
	if errors.Is(err, fs.ErrNotExist) {
		owner = newToken("fl_owner_")
		err = os.WriteFile(filepath.Join(dir, OwnerFile), []byte(owner+"\n"), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("owner's token: %w", err)
	}
	return &Tokens{db: db, clock: clock, owner: owner}, nil
}

// ReadOwner returns the owner's token of a data directory.
func ReadOwner(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, OwnerFile))
	return strings.TrimSpace(string(b)), err
}

func newToken(prefix string) string {
	b := make([]byte, 24)
	rand.Read(b)
	return prefix + hex.EncodeToString(b)
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// IssueStep returns a token with which a step of the project may read and track.
// It ends with its attempt: RevokeBelow with a higher fence, or at expires (wall
// time).
func (t *Tokens) IssueStep(tx *store.Tx, p fairlead.Project, subject string, fence int64, expires time.Time) (string, error) {
	token := newToken("fl_step_")
	_, err := tx.Exec(`insert into token (hash, project_k, subject, scope, fence, expires_ms)
		values (?, ?, ?, 'step', ?, ?)`, hash(token), p.K, subject, fence, expires.UnixMilli())
	return token, err
}

// RevokeBelow ends all tokens of the subject with a fence below the given one.
func (t *Tokens) RevokeBelow(tx *store.Tx, subject string, fence int64) error {
	_, err := tx.Exec("delete from token where subject = ? and fence < ?", subject, fence)
	return err
}

// identity is who a token stands for.
type identity struct {
	actor    fairlead.Actor
	projectK int64 // 0: all
	owner    bool
}

func (t *Tokens) identify(ctx context.Context, token string) (*identity, error) {
	if subtle.ConstantTimeCompare([]byte(token), []byte(t.owner)) == 1 {
		return &identity{actor: fairlead.Actor{Kind: "user", Name: "owner"}, owner: true}, nil
	}
	var id *identity
	err := t.db.Read(ctx, func(tx *store.Tx) error {
		var subject string
		var projectK, expires int64
		err := tx.QueryRow("select subject, project_k, expires_ms from token where hash = ?",
			hash(token)).Scan(&subject, &projectK, &expires)
		if errors.Is(err, store.ErrNoRows) || err == nil && expires < t.clock.Now().UnixMilli() {
			return fairlead.Errorf(fairlead.Unauthenticated,
				"the token is not known, or its step has ended; use the one in the data directory's file %q", OwnerFile)
		}
		id = &identity{actor: fairlead.Actor{Kind: "step", Name: subject}, projectK: projectK}
		return err
	})
	return id, err
}
