package tracking

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// Completion is what a filter of runs may go on with where somebody types in it. Places lie
// between its characters, and are counted from 0.
type Completion struct {
	Want    filter.Want // empty where the text before cannot be read
	From    int         // what a suggestion replaces
	To      int
	Options []Suggestion
	Problem *FilterProblem // of the whole filter; nil when it can be searched with
}

// Suggestion is one way to go on.
type Suggestion struct {
	Text string `json:"text" doc:"what is put in"`
	Kind string `json:"kind" doc:"that of a key; or comparator, value or keyword"`
	Runs int    `json:"runs,omitempty" doc:"of the newest runs, how many have the value"`
}

// FilterProblem is what is wrong with a filter, and where.
type FilterProblem struct {
	Message string `json:"message"`
	From    int    `json:"from" doc:"the first character, from 0"`
	To      int    `json:"to" doc:"after the last character; from where something is missing"`
}

// Bounds of a completion.
const (
	maxSuggestions = 30
	valuesOfNewest = 5000 // runs, in which values are looked for
)

// CompleteFilter says what a filter of the runs of some experiments may go on with at a
// place, and what is wrong with it as it is.
func (s *Service) CompleteFilter(ctx context.Context, p fairlead.Project, in Search, at int) (
	*Completion, error) {
	out := &Completion{Options: []Suggestion{}, Problem: problemOf(in.Filter)}
	place := filter.PlaceAt(in.Filter, runLanguage, at)
	if place == nil {
		return out, nil
	}
	out.Want, out.From, out.To = place.Want, place.From, place.To
	var err error
	switch place.Want {
	case filter.WantKey:
		out.Options, err = s.suggestKeys(ctx, p, in, place)
	case filter.WantValue:
		out.Options, err = s.suggestValues(ctx, p, in, place)
	}
	kind := "keyword"
	if place.Want == filter.WantComparator {
		kind = "comparator"
	}
	for _, w := range place.Words {
		if strings.HasPrefix(w, strings.ToUpper(place.Typed)) {
			out.Options = append(out.Options, Suggestion{Text: w, Kind: kind})
		}
	}
	return out, err
}

func problemOf(text string) *FilterProblem {
	_, err := filter.Parse(text, runLanguage)
	if err == nil {
		return nil
	}
	out := &FilterProblem{Message: fairlead.MessageOf(err), To: len([]rune(text))}
	var e *fairlead.Error
	if errors.As(err, &e) {
		if at, ok := e.Detail["at"].(int); ok {
			out.From = at - 1
			out.To = out.From + e.Detail["length"].(int)
		}
	}
	return out
}

// suggestKeys returns the keys that what is typed is a part of.
func (s *Service) suggestKeys(ctx context.Context, p fairlead.Project, in Search,
	place *filter.Place) ([]Suggestion, error) {
	typed := strings.NewReplacer("`", "", `"`, "").Replace(place.Typed)
	prefix, key, prefixed := strings.Cut(typed, ".")
	ask := Columns{Experiments: in.Experiments, Everywhere: in.Everywhere, Limit: maxSuggestions}
	out := []Suggestion{}
	if kind, ok := filter.KindOf(prefix); prefixed && ok {
		ask.Kind, ask.Contains = kind, key
	} else {
		ask.Contains = typed
	}
	for _, k := range runLanguage.Attributes() {
		name := k.String()
		if strings.Contains(name, typed) || ask.Kind == k.Kind && strings.Contains(k.Key, key) {
			out = append(out, Suggestion{Text: name, Kind: string(k.Kind)})
		}
	}
	if _, ok := keyKinds[ask.Kind]; !ok && ask.Kind != "" {
		return out, nil
	}
	page, err := s.Columns(ctx, p, ask)
	columns := make([]Suggestion, 0, len(page.Items))
	for _, c := range page.Items {
		columns = append(columns, Suggestion{Text: c.Name(), Kind: string(c.Kind)})
	}
	return slices.Concat(columns, out), err
}

// suggestValues returns values that the newest runs have, the frequent ones first.
func (s *Service) suggestValues(ctx context.Context, p fairlead.Project, in Search,
	place *filter.Place) (out []Suggestion, err error) {
	if place.Numeric {
		return []Suggestion{}, nil
	}
	typed := strings.Trim(place.Typed, `'"`)
	if place.Kind == filter.Attribute && place.Key == "status" {
		for _, status := range statuses {
			if strings.Contains(status, strings.ToUpper(typed)) {
				out = append(out, Suggestion{Text: "'" + status + "'", Kind: "value"})
			}
		}
		return out, nil
	}
	column, table := "x.value", pairTables[place.Kind]
	if place.Kind == filter.Attribute && place.Key == "user_id" {
		column = "r.user_name"
	} else if table == "" {
		return []Suggestion{}, nil
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		where, err := scopeOf(tx, p, in)
		if err != nil || where == nil {
			return err
		}
		out, err = commonValues(tx, where, column, table, place.Key, typed)
		return err
	})
	return out, err
}
