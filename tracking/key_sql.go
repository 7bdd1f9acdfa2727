package tracking

import (
	"database/sql/driver"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// keyCache maps names of metrics, params and tags to their keys and back. It only
// learns what is committed, and keys are never deleted, so it is never wrong.
type keyCache struct {
	mu    sync.RWMutex
	keys  map[string]int64
	named map[int64]string
}

// maxCachedKeys bounds the memory of the cache to some megabytes.
const maxCachedKeys = 50_000

func (c *keyCache) get(name string) (int64, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	k, ok := c.keys[name]
	return k, ok
}

func (c *keyCache) add(learned map[string]int64) {
	if len(learned) == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil || len(c.keys)+len(learned) > maxCachedKeys {
		c.keys, c.named = map[string]int64{}, map[int64]string{}
	}
	for name, k := range learned {
		name = strings.Clone(name) // it may share its request's whole body
		c.keys[name], c.named[k] = k, name
	}
}

// keyName is a name, with its place among those that were asked for together.
type keyName struct {
	name string
	rank int
}

// names returns the names of the keys, which may repeat.
func (c *keyCache) names(tx *store.Tx, keys []int64) (map[int64]keyName, error) {
	out := map[int64]keyName{}
	var unknown []int64
	c.mu.RLock()
	for _, k := range keys {
		if _, ok := out[k]; ok {
			continue
		}
		name, ok := c.named[k]
		if !ok {
			unknown = append(unknown, k)
		}
		out[k] = keyName{name: name}
	}
	c.mu.RUnlock()
	learned := make(map[string]int64, len(unknown))
	for part := range slices.Chunk(unknown, inChunk) {
		query, args := inList("select k, name from key_name where k in (%s)", part)
		err := tx.Each(query, args, func(row []driver.Value) error {
			k, name := row[0].(int64), row[1].(string)
			out[k], learned[name] = keyName{name: name}, k
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if tx.ReadOnly() {
		c.add(learned)
	}
	byName := slices.SortedFunc(maps.Keys(out), func(a, b int64) int {
		return strings.Compare(out[a].name, out[b].name)
	})
	for i, k := range byName {
		out[k] = keyName{out[k].name, i}
	}
	return out, nil
}

// keyring gives the keys of names within one transaction, new ones included. What
// it learned may go to the cache once the transaction is committed.
type keyring struct {
	tx      *store.Tx
	cache   *keyCache
	seen    *seenKeys
	learned map[string]int64
}

func (s *Service) keyring(tx *store.Tx) *keyring {
	return &keyring{tx: tx, cache: &s.keys, seen: &s.seen}
}

func (r *keyring) key(name string) (int64, error) {
	if k, ok := r.cache.get(name); ok {
		return k, nil
	}
	if k, ok := r.learned[name]; ok {
		return k, nil
	}
	k, err := lookUpKey(r.tx, name)
	if errors.Is(err, store.ErrNoRows) {
		err = r.tx.QueryRow("insert into key_name (name) values (?) returning k", name).Scan(&k)
	}
	if err != nil {
		return 0, err
	}
	if r.learned == nil {
		r.learned = map[string]int64{}
	}
	r.learned[name] = k
	return k, nil
}

// of returns the key of a name that a run of the experiment is given, and sees to it that
// the experiment is known to have it.
func (r *keyring) of(expK int64, kind filter.Kind, name string) (int64, error) {
	k, err := r.key(name)
	if err == nil {
		err = r.seen.see(r.tx, expK, kind, k)
	}
	return k, err
}

func lookUpKey(tx *store.Tx, name string) (k int64, err error) {
	err = tx.QueryRow("select k from key_name where name = ?", name).Scan(&k)
	return k, err
}
