package gate

import (
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// tree is the facts as checks see them: nested by the dots of their names. A leaf
// is a fact's value, everything else a tree.
type tree map[string]any

// nest builds the tree. A name that runs through another fact (`f1.macro` beside
// `f1`) cannot nest: it stays whole in its root, to be read by index.
func nest(f Facts) tree {
	out := tree{}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		root, rest, dotted := strings.Cut(name, ".")
		if !dotted {
			out[root] = f[name]
			continue
		}
		branch, ok := out.branch(root)
		if !ok {
			continue
		}
		if !branch.put(strings.Split(rest, "."), f[name]) {
			branch[rest] = f[name]
		}
	}
	return out
}

func (t tree) branch(name string) (tree, bool) {
	if _, ok := t[name]; !ok {
		t[name] = tree{}
	}
	sub, ok := t[name].(tree)
	return sub, ok
}

func (t tree) put(path []string, v any) bool {
	for _, part := range path[:len(path)-1] {
		sub, ok := t.branch(part)
		if !ok {
			return false
		}
		t = sub
	}
	t[path[len(path)-1]] = v
	return true
}

// find returns the value at a path: a leaf or a tree.
func (t tree) find(path []string) (any, bool) {
	var at any = t
	for _, part := range path {
		sub, ok := at.(tree)
		if !ok {
			return nil, false
		}
		if at, ok = sub[part]; !ok {
			return nil, false
		}
	}
	return at, true
}

// variables returns what CEL evaluates on. A root without facts is an empty group,
// so that a check can ask for one by has(…).
func (t tree) variables() map[string]any {
	out := map[string]any{}
	for _, root := range roots() {
		if v, ok := t[root]; ok {
			out[root] = celValue(v)
		} else if root != "now" {
			out[root] = celValue(tree{})
		}
	}
	return out
}

func celValue(v any) ref.Val {
	sub, ok := v.(tree)
	if !ok {
		return types.DefaultTypeAdapter.NativeToValue(v)
	}
	values := make(map[string]any, len(sub))
	for name, v := range sub {
		values[name] = celValue(v)
	}
	return sorted{
		Mapper: types.NewStringInterfaceMap(types.DefaultTypeAdapter, values),
		keys:   slices.Sorted(maps.Keys(values)),
	}
}

// sorted is a CEL map that is walked in the order of its keys, so that a check
// gives the same result, and the same message, each time.
type sorted struct {
	traits.Mapper
	keys []string
}

// Iterator implements traits.Iterable.
func (s sorted) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, s.keys).Iterator()
}
