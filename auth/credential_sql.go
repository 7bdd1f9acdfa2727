package auth

import (
	"errors"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// insertCredential keeps the digest of a token or a session, and drops those that
// have expired.
func insertCredential(tx *store.Tx, accountK int64, c *Credential, kind Kind, secret string) error {
	if _, err := tx.Exec("delete from credential where expires_ms <= ?",
		c.Created.UnixMilli()); err != nil {
		return err
	}
	_, err := tx.Exec(`insert into credential (id, hash, account_k, kind, name, scope, project_k,
		project, created_ms, expires_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, c.ID, hash(secret),
		accountK, string(kind),
		c.Name, strings.Join(c.Scope,
			","), c.projectK, c.Project, c.Created.UnixMilli(), c.Expires.UnixMilli())
	return err
}

func countCredentials(tx *store.Tx, accountK int64, kind Kind) (n int, err error) {
	err = tx.QueryRow("select count(*) from credential where account_k = ? and kind = ?", accountK,
		string(kind)).Scan(&n)
	return n, err
}

// endOldSessions leaves the newest sessions of an account.
func endOldSessions(tx *store.Tx, accountK int64, keep int) (ended bool, err error) {
	res, err := tx.Exec(`delete from credential where id in (select id from credential
		where account_k = ? and kind = 'session' order by created_ms desc, id desc
		limit 1000 offset ?)`, accountK, keep)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

const selectCredential = `select c.id, a.name, c.name, c.scope, c.project_k, c.project,
	c.created_ms, c.expires_ms from credential c join account a on a.k = c.account_k
	where c.kind = ?`

func scanCredential(scan func(...any) error) (*Credential, error) {
	c := &Credential{}
	var scope string
	var created, expires int64
	err := scan(&c.ID, &c.User, &c.Name, &scope, &c.projectK, &c.Project, &created, &expires)
	c.Scope = strings.FieldsFunc(scope, func(r rune) bool { return r == ',' })
	c.Created, c.Expires = fairlead.FromMS(created), fairlead.FromMS(expires)
	return c, err
}

// listCredentials returns those of an account, or of all when the name is empty.
func listCredentials(tx *store.Tx, kind Kind, user string, now time.Time) ([]*Credential, error) {
	rows, err := tx.Query(selectCredential+` and (? = '' or a.name = ?) and c.expires_ms > ?
		order by c.created_ms desc, c.id desc`, string(kind), user, user, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []*Credential{}
	for rows.Next() {
		c, err := scanCredential(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

func deleteCredential(tx *store.Tx, kind Kind, user, id string) (*Credential, error) {
	c, err := scanCredential(tx.QueryRow(selectCredential+" and c.id = ? and (? = '' or a.name = ?)",
		string(kind), id, user, user).Scan)
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no %s %q; see `fairlead %s list`", kind,
			id, kind)
	}
	if err != nil {
		return nil, err
	}
	_, err = tx.Exec("delete from credential where id = ?", id)
	return c, err
}

func deleteSession(tx *store.Tx, secret string) error {
	_, err := tx.Exec("delete from credential where hash = ? and kind = 'session'", hash(secret))
	return err
}

// callerBySecret returns whose token it is, or session; errUnknown when it is nobody's,
// or has expired.
func callerBySecret(tx *store.Tx, kind Kind, secret string, now time.Time) (*Caller, error) {
	c := &Caller{Actor: fairlead.Actor{Kind: "user"}, Kind: kind}
	var k, expires int64
	var scope string
	err := tx.QueryRow(`select a.k, a.name, c.scope, c.project_k, c.project, c.expires_ms
		from credential c join account a on a.k = c.account_k where c.hash = ? and c.kind = ?
		and c.expires_ms > ?`, hash(secret), string(kind), now.UnixMilli()).Scan(&k, &c.Actor.Name,
		&scope, &c.projectK, &c.Project, &expires)
	if errors.Is(err, store.ErrNoRows) {
		return nil, errUnknown
	}
	if err != nil {
		return nil, err
	}
	if scope != "" {
		if c.Scope, err = parseScope(strings.Split(scope, ",")); err != nil {
			return nil, err
		}
	}
	c.Expires = fairlead.FromMS(expires)
	c.Roles, err = rolesOf(tx, k, c.Actor.Name)
	return c, err
}
