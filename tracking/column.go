package tracking

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// Column is a metric, param or tag that runs of some experiments have, or had: one stays
// listed until its experiment is purged.
type Column struct {
	Kind filter.Kind
	Key  string
}

// Name is how the column is named in a filter, an order or a selection.
func (c Column) Name() string { return filter.Key{Kind: c.Kind, Key: c.Key}.String() }

// Columns asks for columns: those of one kind, or of all for an empty one, that contain each
// word of Contains in either case.
type Columns struct {
	Experiments []string
	Everywhere  bool
	Kind        filter.Kind
	Contains    string
	Common      bool // only those that the newest runs have, the most common first
	Limit       int
	PageToken   string
}

// ColumnPage is a page of columns, and how many there are on all pages.
type ColumnPage struct {
	fairlead.Page[Column]
	Total int
}

// Bounds of a search for columns.
const (
	maxColumns = 1000
	maxWords   = 10
	// commonAmong is how many of the newest runs common columns are looked for in.
	commonAmong = 30
)

// Columns returns the columns of runs: metrics, params, tags, each by name; names that begin
// with the first word come first.
func (s *Service) Columns(ctx context.Context, p fairlead.Project, in Columns) (
	page ColumnPage, err error) {
	if in.Limit < 1 || in.Limit > maxColumns {
		return page, ErrValue("limit", in.Limit, fmt.Sprintf("It is from 1 to %d", maxColumns))
	}
	words := strings.Fields(in.Contains)
	if len(words) > maxWords {
		return page, fairlead.Errorf(fairlead.Invalid, "a search for columns has at most %d words",
			maxWords)
	}
	if _, ok := keyKinds[in.Kind]; !ok && in.Kind != "" {
		return page, ErrValue("kind", string(in.Kind), "It is metric, parameter or tag")
	}
	bound, offset := fmt.Sprint(in.Experiments, in.Everywhere, in.Kind, in.Common, words), 0
	if err := fairlead.DecodeCursor(in.PageToken, bound, &offset); err != nil {
		return page, err
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		where, err := scopeOf(tx, p, Search{Experiments: in.Experiments, Everywhere: in.Everywhere})
		if err != nil || where == nil {
			return err
		}
		read := readColumns
		if in.Common {
			read = readCommonColumns
		}
		page.Items, page.Total, err = read(tx, where, in.Kind, words, in.Limit+1, offset)
		return err
	})
	if len(page.Items) > in.Limit {
		page.Items = page.Items[:in.Limit]
		page.Next = fairlead.EncodeCursor(bound, offset+in.Limit)
	}
	return page, err
}
