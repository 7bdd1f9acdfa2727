package scm

import (
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func insertCommit(tx *store.Tx, p fairlead.Project, c *Commit, executables []string,
	nowMS int64) error {
	names, err := json.Marshal(executables)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into source_commit (project_k, id, sha, tree, dirty, author, message,
		time_ms, executables, created_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.K, c.ID(), c.SHA, c.Tree, c.Dirty, c.Author, c.Message, c.TimeMS, string(names), nowMS)
	return err
}

func readCommit(tx *store.Tx, p fairlead.Project, id string) (*Commit, error) {
	c := &Commit{}
	err := tx.QueryRow(`select sha, tree, dirty, author, message, time_ms from source_commit
		where project_k = ? and id = ?`, p.K, id).
		Scan(&c.SHA, &c.Tree, &c.Dirty, &c.Author, &c.Message, &c.TimeMS)
	return c, err
}

func readExecutables(tx *store.Tx, p fairlead.Project, id string) (map[string]bool, error) {
	var text string
	var names []string
	err := tx.QueryRow("select executables from source_commit where project_k = ? and id = ?",
		p.K, id).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &names)
	}
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set, err
}
