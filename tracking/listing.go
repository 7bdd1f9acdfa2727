package tracking

import (
	"container/list"
	"slices"
	"sync"

	"github.com/fairlead-ml/fairlead"
)

// listing is the runs that a search found, in its order, by their keys. A table of runs is
// read by windows of one listing: rows neither move nor come twice while it is looked at.
type listing struct {
	id       string
	bound    string            // the project and the search
	rows     []int64           // of the first level
	children map[int64][]int64 // of each run that has some, in the same order; nested alone
	runs     int               // on all levels
	newest   int64             // the highest key that any run had
}

// weight is about how many keys the listing has in memory.
func (l *listing) weight() int { return l.runs + 4*len(l.children) }

// listings keeps the listings that were used last. One that is gone is made anew.
type listings struct {
	mu     sync.Mutex
	byID   map[string]*list.Element
	used   list.List // of *listing, the last used first
	weight int
}

// maxListed bounds the keys of all listings, and with them their memory to 16 MB.
const maxListed = 2 << 20

// get returns a listing of the same search, nil when there is none.
func (x *listings) get(id, bound string) *listing {
	x.mu.Lock()
	defer x.mu.Unlock()
	e := x.byID[id]
	if e == nil || e.Value.(*listing).bound != bound {
		return nil
	}
	x.used.MoveToFront(e)
	return e.Value.(*listing)
}

// add keeps a listing under an id of its own, in place of those that were not used for the
// longest time.
func (x *listings) add(l *listing) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byID == nil {
		x.byID = map[string]*list.Element{}
	}
	l.id = fairlead.NewHexID()
	x.byID[l.id] = x.used.PushFront(l)
	for x.weight += l.weight(); x.weight > maxListed && x.used.Len() > 1; {
		old := x.used.Remove(x.used.Back()).(*listing)
		x.weight -= old.weight()
		delete(x.byID, old.id)
	}
}

// nest puts each run below its parent, where that is among them too. above has the parents'
// keys. Runs that are below each other in a ring, or too deep, stay on the first level. Of
// runs that were sorted by a value the first ones, as many as valued says, have one: parents
// that have none go to where the first below them stands.
func (l *listing) nest(above map[int64]int64, valued int) {
	all := l.rows
	there := make(map[int64]bool, len(all))
	for _, k := range all {
		there[k] = true
	}
	under := func(k int64) (parent int64, ok bool) {
		parent, ok = above[k]
		return parent, ok && there[parent]
	}
	const deepest = 50
	below := func(k int64) (parent int64, ok bool) {
		parent, ok = under(k)
		top := parent
		for depth, more := 0, ok; more; depth++ {
			if top == k || depth == deepest {
				return 0, false
			}
			top, more = under(top)
		}
		return parent, ok
	}
	if valued > 0 && len(above) > 0 {
		all = lifted(all, valued, below)
	}
	l.rows, l.children = make([]int64, 0, len(all)), map[int64][]int64{}
	for _, k := range all {
		if parent, ok := below(k); ok {
			l.children[parent] = append(l.children[parent], k)
		} else {
			l.rows = append(l.rows, k)
		}
	}
}

// lifted moves what is behind the first ones, which have a value, to before the first of
// them that is below it.
func lifted(all []int64, valued int, below func(int64) (int64, bool)) []int64 {
	left := make(map[int64]bool, len(all)-valued)
	for _, k := range all[valued:] {
		left[k] = true
	}
	out := make([]int64, 0, len(all))
	for _, k := range all[:valued] {
		for up, ok := below(k); ok; up, ok = below(up) {
			if left[up] {
				delete(left, up)
				out = append(out, up)
			}
		}
		out = append(out, k)
	}
	for _, k := range all[valued:] {
		if left[k] {
			out = append(out, k)
		}
	}
	return out
}

// below returns the runs on all levels below one; nothing if they are more than most.
func (l *listing) below(run int64, most int) []int64 {
	out := slices.Clone(l.children[run])
	for i := 0; i < len(out) && len(out) <= most; i++ {
		out = append(out, l.children[out[i]]...)
	}
	if len(out) > most {
		return nil
	}
	return out
}
