package rest

import (
	"fmt"

	"github.com/fairlead-ml/fairlead"
)

// Paging is the part of a request for a list.
type Paging struct {
	Page  string `query:"page" doc:"the next of the page before; only with the same filter"`
	Limit int    `query:"limit" default:"500" minimum:"1" maximum:"1000"`
}

// cut returns the asked page of a whole list, which a stage keeps short enough to
// read at once. filter says which list it is; key identifies an item in it.
func cut[T any](all []T, in Paging, filter string, key func(T) string) (
	out fairlead.Page[T], err error) {
	after := ""
	if err := fairlead.DecodeCursor(in.Page, filter, &after); err != nil {
		return out, err
	}
	for i := 0; after != ""; i++ {
		if i == len(all) {
			return out, fairlead.Errorf(fairlead.Invalid,
				"what the page before ended with is gone; start again without a page token")
		}
		if key(all[i]) == after {
			all, after = all[i+1:], ""
		}
	}
	limit := in.Limit
	if limit <= 0 {
		limit = len(all)
	}
	if len(all) > limit {
		all = all[:limit]
		out.Next = fairlead.EncodeCursor(filter, key(all[limit-1]))
	}
	out.Items = all
	if out.Items == nil {
		out.Items = []T{}
	}
	return out, nil
}

// numbered is cut for a list that only grows at its end, whose items have no key.
func numbered[T any](all []T, in Paging, filter string) (out fairlead.Page[T], err error) {
	after := 0
	if err := fairlead.DecodeCursor(in.Page, filter, &after); err != nil {
		return out, err
	}
	after = min(max(after, 0), len(all))
	out.Items = append([]T{}, all[after:]...)
	if in.Limit > 0 && len(out.Items) > in.Limit {
		out.Items = out.Items[:in.Limit]
		out.Next = fairlead.EncodeCursor(filter, after+in.Limit)
	}
	return out, nil
}

// filled is a stage's own page, whose items are a list also when there are none.
func filled[T any](p fairlead.Page[T], err error) (fairlead.Page[T], error) {
	if p.Items == nil {
		p.Items = []T{}
	}
	return p, err
}

// list names a list and its filter, which a cursor is bound to.
func list(p fairlead.Project, name string, filter ...any) string {
	return fmt.Sprint(p.K, name, filter)
}
