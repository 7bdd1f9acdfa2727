package auth

import (
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func anyAccount(tx *store.Tx) (bool, error) {
	var n int
	err := tx.QueryRow("select count(*) from (select k from account limit 1) some").Scan(&n)
	return n > 0, err
}

func insertAccount(tx *store.Tx, acc *Account, hash string) (k int64, err error) {
	err = tx.QueryRow("insert into account (name, password, created_ms) values (?, ?, ?) returning k",
		acc.Name, hash, acc.Created.UnixMilli()).Scan(&k)
	if store.IsUnique(err) {
		return 0, fairlead.Errorf(fairlead.Conflict, "there is a user %s already", acc.Name)
	}
	return k, err
}

func deleteAccount(tx *store.Tx, k int64) error {
	for _, table := range []string{"delete from credential where account_k = ?",
		"delete from role_grant where account_k = ?", "delete from account where k = ?"} {
		if _, err := tx.Exec(table, k); err != nil {
			return err
		}
	}
	return nil
}

func updatePassword(tx *store.Tx, k int64, hash string) error {
	if _, err := tx.Exec("update account set password = ? where k = ?", hash, k); err != nil {
		return err
	}
	_, err := tx.Exec("delete from credential where account_k = ? and kind = ?", k, string(BySession))
	return err
}

// accountByName returns an account with its roles, and its password's PHC string.
func accountByName(tx *store.Tx, name string) (*Account, string, error) {
	acc := &Account{Name: name, Roles: []Grant{}}
	var stored string
	var created int64
	err := tx.QueryRow("select k, password, created_ms from account where name = ?", name).Scan(
		&acc.k, &stored, &created)
	if errors.Is(err, store.ErrNoRows) {
		return nil, "", fairlead.Errorf(fairlead.NotFound,
			"there is no user %q; see `fairlead user list`", name)
	}
	if err != nil {
		return nil, "", err
	}
	acc.Created, acc.Password = fairlead.FromMS(created), stored != ""
	acc.Roles, err = rolesOf(tx, acc.k, name)
	return acc, stored, err
}

func rolesOf(tx *store.Tx, k int64, name string) ([]Grant, error) {
	out := []Grant{}
	rows, err := tx.Query(`select project_k, project, role from role_grant where account_k = ?
		order by project, role`, k)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		g := Grant{User: name}
		if err := rows.Scan(&g.projectK, &g.Project, &g.Role); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, rows.Err()
}

func listAccounts(tx *store.Tx) ([]*Account, error) {
	rows, err := tx.Query("select k, name, password <> '', created_ms from account order by name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out, byK := []*Account{}, map[int64]*Account{}
	for rows.Next() {
		acc := &Account{Roles: []Grant{}}
		var created int64
		if err := rows.Scan(&acc.k, &acc.Name, &acc.Password, &created); err != nil {
			return nil, err
		}
		acc.Created = fairlead.FromMS(created)
		out, byK[acc.k] = append(out, acc), acc
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	grants, err := tx.Query(`select account_k, project_k, project, role from role_grant
		order by account_k, project, role`)
	if err != nil {
		return nil, err
	}
	defer grants.Close()
	for grants.Next() {
		var k int64
		var g Grant
		if err := grants.Scan(&k, &g.projectK, &g.Project, &g.Role); err != nil {
			return nil, err
		}
		acc := byK[k]
		g.User = acc.Name
		acc.Roles = append(acc.Roles, g)
	}
	return out, grants.Err()
}

func insertGrant(tx *store.Tx, k int64, p fairlead.Project, role Role) (changed bool, err error) {
	res, err := tx.Exec(`insert into role_grant (account_k, project_k, project, role)
		values (?, ?, ?, ?) on conflict do nothing`, k, p.K, p.Name, string(role))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func deleteGrant(tx *store.Tx, k int64, p fairlead.Project, role Role) (changed bool, err error) {
	res, err := tx.Exec("delete from role_grant where account_k = ? and project_k = ? and role = ?",
		k, p.K, string(role))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
