package tracking

import (
	"errors"
	"strings"
	"sync"

	"github.com/fairlead-ml/fairlead/store"
)

// keyCache maps names of metrics, params and tags to their keys. It only learns
// what is committed, and keys are never deleted, so it is never wrong.
type keyCache struct {
	mu   sync.RWMutex
	keys map[string]int64
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
		c.keys = map[string]int64{}
	}
	for name, k := range learned {
		c.keys[strings.Clone(name)] = k // a name may share its request's whole body
	}
}

// keyring gives the keys of names within one transaction, new ones included. What
// it learned may go to the cache once the transaction is committed.
type keyring struct {
	tx      *store.Tx
	cache   *keyCache
	learned map[string]int64
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

func lookUpKey(tx *store.Tx, name string) (k int64, err error) {
	err = tx.QueryRow("select k from key_name where name = ?", name).Scan(&k)
	return k, err
}
