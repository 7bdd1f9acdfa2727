package stat

import (
	"cmp"
	"encoding/json"
	"slices"

	"github.com/fairlead-ml/fairlead"
)

// Categories counts strings on a fixed list of names, the counterpart of
// Histogram for text: a window is counted on the names of its reference, and
// what is not on the list counts as Other.
type Categories struct {
	Names   []string `json:"names"`
	Counts  []uint64 `json:"counts"` // [len(Names)]
	Other   uint64   `json:"other,omitempty"`
	Missing uint64   `json:"missing,omitempty"`

	index map[string]int // position in Names
}

// TopCategories returns the k most frequent of the values, the most frequent
// first and ties by name.
func TopCategories(values []string, k int) []string {
	counts := map[string]int{}
	for _, v := range values {
		counts[v]++
	}
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	return names[:min(len(names), max(k, 0))]
}

// NewCategories returns empty counts on names, each of which may occur once.
func NewCategories(names []string) (*Categories, error) {
	c := &Categories{Names: slices.Clone(names), Counts: make([]uint64, len(names))}
	if err := c.reindex(); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Categories) reindex() error {
	c.index = make(map[string]int, len(c.Names))
	for i, name := range c.Names {
		if _, twice := c.index[name]; twice {
			return fairlead.Errorf(fairlead.Invalid, "the category %q is listed twice", name)
		}
		c.index[name] = i
	}
	return nil
}

// Add counts one value; the empty string is a value like any other.
func (c *Categories) Add(v string) {
	if i, ok := c.index[v]; ok {
		c.Counts[i]++
		return
	}
	c.Other++
}

// AddMissing counts one row without a value.
func (c *Categories) AddMissing() { c.Missing++ }

func (c *Categories) comparable(other *Categories) error {
	if !slices.Equal(c.Names, other.Names) {
		return fairlead.Errorf(fairlead.Invalid,
			"the categories have different names; count both on those of the reference")
	}
	return nil
}

// Total returns the number of rows added, missing ones too.
func (c *Categories) Total() uint64 { return sum(c.Counts) + c.Other + c.Missing }

// UnmarshalJSON reads what Marshal wrote; names and counts that do not fit
// together are Invalid.
func (c *Categories) UnmarshalJSON(b []byte) error {
	type plain Categories
	var p plain
	if err := json.Unmarshal(b, &p); err != nil {
		return fairlead.Errorf(fairlead.Invalid, "read categories: %w", err)
	}
	if len(p.Counts) != len(p.Names) {
		return fairlead.Errorf(fairlead.Invalid,
			"read categories: %d names need as many counts, not %d", len(p.Names), len(p.Counts))
	}
	read := Categories(p)
	if err := read.reindex(); err != nil {
		return err
	}
	*c = read
	return nil
}
