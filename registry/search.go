package registry

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// The most results of one page, and of one page by default.
const (
	maxModels       = 1000
	maxVersions     = 200_000
	defaultModels   = 100
	defaultVersions = 1000
)

// Search describes a page of models or versions.
type Search struct {
	Filter    string
	OrderBy   []string
	Limit     int
	PageToken string
}

var modelLanguage = &filter.Language{
	Kinds:   []filter.Kind{filter.Tag, filter.Attribute},
	Texts:   []string{"name"},
	Numbers: []string{"creation_timestamp", "last_updated_timestamp"},
	Aliases: map[string]string{"timestamp": "last_updated_timestamp"},
}

var versionLanguage = &filter.Language{
	Kinds:   []filter.Kind{filter.Tag, filter.Attribute},
	Texts:   []string{"name", "run_id", "source_path"},
	Numbers: []string{"version_number", "creation_timestamp", "last_updated_timestamp"},
}

// page reads offset and limit, and returns what binds page tokens to the search.
func (in *Search) page(standard, highest int) (bound string, offset, limit int, err error) {
	if limit = in.Limit; limit == 0 {
		limit = standard
	}
	if limit < 0 || limit > highest {
		return "", 0, 0, tracking.ErrValue("max_results", in.Limit, "It is out of range")
	}
	b, err := json.Marshal([]any{in.Filter, in.OrderBy})
	if err == nil {
		err = fairlead.DecodeCursor(in.PageToken, string(b), &offset)
	}
	return string(b), offset, limit, err
}

func pageOf[T any](items []T, bound string, offset, limit int) (page fairlead.Page[T]) {
	page.Items = items
	if len(items) > limit {
		page.Items = items[:limit]
		page.Next = fairlead.EncodeCursor(bound, offset+limit)
	}
	return page
}

// SearchModels returns the models that match, by name unless ordered otherwise.
// Prompts are left out unless the filter names their tag.
func (s *Service) SearchModels(ctx context.Context, p fairlead.Project, in Search) (
	page fairlead.Page[*Model], err error) {
	bound, offset, limit, err := in.page(defaultModels, maxModels)
	if err != nil {
		return page, err
	}
	q, err := compile(in, modelLanguage, modelsOf)
	if err != nil {
		return page, err
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		models, err := queryModels(tx, p, q, limit+1, offset)
		if err != nil {
			return err
		}
		page = pageOf(models, bound, offset, limit)
		return loadModels(tx, page.Items)
	})
	return page, err
}

// SearchVersions returns the versions that match, the last updated first unless
// ordered otherwise. Prompts are left out unless the filter names their tag.
func (s *Service) SearchVersions(ctx context.Context, p fairlead.Project, in Search) (
	page fairlead.Page[*Version], err error) {
	bound, offset, limit, err := in.page(defaultVersions, maxVersions)
	if err != nil {
		return page, err
	}
	q, err := compile(in, versionLanguage, versionsIn)
	if err != nil {
		return page, err
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		versions, err := queryVersions(tx, p, q, limit+1, offset)
		if err != nil {
			return err
		}
		page = pageOf(versions, bound, offset, limit)
		return loadVersions(tx, page.Items)
	})
	return page, err
}

// target says where a search finds what it compares.
type target struct {
	columns  map[string]string // of attributes
	tags     string            // table of tags x, up to its condition on the key
	standard string            // the order when the caller has none
	order    []string          // what follows it
}

// query is the condition and order of a search.
type query struct {
	where []string
	args  []any
	order []string
}

// and adds a condition; an empty one is none.
func (q *query) and(cond string, args []any) {
	if cond != "" {
		q.where = append(q.where, "("+cond+")")
		q.args = append(q.args, args...)
	}
}

func compile(in Search, l *filter.Language, t target) (*query, error) {
	where, err := filter.Parse(in.Filter, l)
	if err != nil {
		return nil, err
	}
	q := &query{}
	q.and(filter.SQL(where, t.condition))
	isPromptFilter := func(c filter.Comparison) bool {
		return c.Kind == filter.Tag && c.Key == promptTag
	}
	if !slices.ContainsFunc(filter.Comparisons(where), isPromptFilter) {
		q.and(t.condition(filter.Comparison{Kind: filter.Tag, Key: promptTag, Op: filter.NotEqual,
			Value: "true"}))
	}
	orders, err := filter.ParseOrders(in.OrderBy, l)
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		if o.Kind != filter.Attribute {
			return nil, fairlead.Errorf(fairlead.Invalid, "Invalid order_by entity: %s", o.Kind)
		}
		column := t.columns[o.Key]
		if o.Desc {
			column += " desc"
		}
		q.order = append(q.order, column)
	}
	if len(orders) == 0 && t.standard != "" {
		q.order = append(q.order, t.standard)
	}
	q.order = append(q.order, t.order...)
	return q, nil
}

// condition writes one comparison. A model without the prompts' tag is no prompt.
func (t target) condition(c filter.Comparison) (string, []any) {
	if c.Kind != filter.Tag {
		return c.Match(t.columns[c.Key])
	}
	has := "exists (select 1 from " + t.tags + " and x.key = ?"
	switch c.Op {
	case filter.IsNull:
		return "not " + has + ")", []any{c.Key}
	case filter.IsNotNull:
		return has + ")", []any{c.Key}
	}
	cond, args := c.Match("x.value")
	out, args := has+" and "+cond+")", append([]any{c.Key}, args...)
	text, _ := c.Value.(string)
	if c.Key == promptTag && (c.Op == filter.NotEqual && strings.EqualFold(text, "true") ||
		c.Op == filter.Equal && strings.EqualFold(text, "false")) {
		return "(" + out + " or not " + has + "))", append(args, c.Key)
	}
	return out, args
}
