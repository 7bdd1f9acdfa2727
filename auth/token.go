package auth

import (
	"context"
	"crypto/hmac"
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

// Schema returns the tables of tokens, accounts and roles.
func Schema() store.Schema { return store.Embedded("auth", files) }

// OwnerFile is the file in the data directory that holds the owner's token.
const OwnerFile = "token"

// Tokens keeps the owner's token and those of running steps, and guards the routes.
type Tokens struct {
	db       *store.DB
	clock    fairlead.Clock
	owner    [sha256.Size]byte // digest of the owner's token, which costs no look-up
	accounts *Accounts         // nil: nobody signs in
	steps    *cache            // callers that are steps
	ended    passes            // of the owner, that let nobody in any more
	bodies   *room
}

// NewTokens reads the owner's token in the data directory, or makes it, readable
// by the owner alone. A token that others could read, or that is not whole, is
// replaced: it may be known already.
func NewTokens(ctx context.Context, db *store.DB, clock fairlead.Clock, dir string) (*Tokens,
	error) {
	owner, err := ReadOwner(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (!IsOwner(owner) || exposed(dir)) {
		owner = newToken(ownerPrefix)
		err = fairlead.WriteFile(filepath.Join(dir, OwnerFile), []byte(owner+"\n"))
	}
	if err != nil {
		return nil, fmt.Errorf("owner's token: %w", err)
	}
	t := &Tokens{db: db, clock: clock, owner: sha256.Sum256([]byte(owner)), steps: newCache(),
		bodies: newRoom()}
	if err := t.readEnded(ctx); err != nil {
		return nil, fmt.Errorf("ended passes: %w", err)
	}
	return t, nil
}

// Admit lets people sign in with their accounts. It is called before the first request.
func (t *Tokens) Admit(a *Accounts) { t.accounts = a }

// ReadOwner returns the owner's token of a data directory.
func ReadOwner(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, OwnerFile))
	return strings.TrimSpace(string(b)), err
}

// Prove proves a claim to whoever knows the owner's token; see Proof.
func (t *Tokens) Prove(claim string) string { return proof(t.owner, claim) }

// Proof is what shows that its maker knows the owner's token, without telling it.
func Proof(token, claim string) string { return proof(sha256.Sum256([]byte(token)), claim) }

func proof(key [sha256.Size]byte, claim string) string {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(claim))
	return hex.EncodeToString(mac.Sum(nil))
}

// IsOwner reports whether a token has the form of an owner's: an empty file must not
// become an empty token.
func IsOwner(token string) bool {
	hexa, ok := strings.CutPrefix(token, ownerPrefix)
	b, err := hex.DecodeString(hexa)
	return ok && err == nil && len(b) == tokenBytes
}

// exposed reports whether others than the owner may read the file or write it.
func exposed(dir string) bool {
	info, err := os.Lstat(filepath.Join(dir, OwnerFile))
	return err != nil || info.Mode().Perm()&0o077 != 0 || !info.Mode().IsRegular()
}

const (
	tokenPrefix   = "fl_" // of every token
	ownerPrefix   = tokenPrefix + "owner_"
	stepPrefix    = tokenPrefix + "step_"
	userPrefix    = tokenPrefix + "user_"
	sessionPrefix = tokenPrefix + "session_"
	firstPrefix   = tokenPrefix + "first_"
	tokenBytes    = 24 // of randomness
)

func newToken(prefix string) string {
	b := make([]byte, tokenBytes)
	rand.Read(b)
	return prefix + hex.EncodeToString(b)
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// IssueStep returns a token with which a step of the project may read, track and
// predict. It ends with its attempt: RevokeBelow with a higher fence, or at expires
// (wall time).
func (t *Tokens) IssueStep(tx *store.Tx, p fairlead.Project, subject string, fence int64,
	expires time.Time) (string, error) {
	now := t.clock.Now().UnixMilli()
	if _, err := tx.Exec("delete from token where expires_ms <= ?", now); err != nil {
		return "", err
	}
	token := newToken(stepPrefix)
	_, err := tx.Exec(`insert into token (hash, project_k, subject, scope, fence, expires_ms)
		values (?, ?, ?, 'step', ?, ?)`, hash(token), p.K, subject, fence, expires.UnixMilli())
	return token, err
}

// RevokeBelow ends all tokens of the subject with a fence below the given one.
func (t *Tokens) RevokeBelow(tx *store.Tx, subject string, fence int64) error {
	tx.AfterCommit("auth/steps", t.steps.clear)
	_, err := tx.Exec("delete from token where subject = ? and fence < ?", subject, fence)
	return err
}

func (t *Tokens) isOwner(token string) bool {
	sum := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(sum[:], t.owner[:]) == 1
}

// step returns the step whose token it is.
func (t *Tokens) step(ctx context.Context, token string) (*Caller, error) {
	key, now := t.steps.key(token), t.clock.Now()
	if c := t.steps.get(key, now); c != nil {
		return c, nil
	}
	seen := t.steps.generation()
	c := &Caller{Actor: fairlead.Actor{Kind: "step"}, Kind: ByStep}
	err := t.db.Read(ctx, func(tx *store.Tx) error {
		var expires int64
		err := tx.QueryRow("select subject, project_k, expires_ms from token where hash = ?",
			hash(token)).Scan(&c.Actor.Name, &c.projectK, &expires)
		if errors.Is(err, store.ErrNoRows) || err == nil && expires <= now.UnixMilli() {
			return errUnknown
		}
		c.Expires = fairlead.FromMS(expires)
		return err
	})
	if err != nil {
		return nil, err
	}
	t.steps.put(key, c, seen, now)
	return c, nil
}

var errUnknown = fairlead.Errorf(fairlead.Unauthenticated,
	"the token is not known, or it has expired or was revoked, or its step has ended; use "+
		"another, or the one in the data directory's file %q", OwnerFile)
