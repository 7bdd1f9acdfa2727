package filter_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

var runs = &filter.Language{
	Kinds:   []filter.Kind{filter.Attribute, filter.Metric, filter.Param, filter.Tag, filter.Dataset},
	Texts:   []string{"run_id", "status", "run_name"},
	Numbers: []string{"start_time"},
	Lists:   []string{"run_id"},
	Aliases: map[string]string{"created": "start_time", "run name": "run_name"},
	Null:    true,
}

func TestParse_ReadsComparisons(t *testing.T) {
	for text, want := range map[string][]filter.Comparison{
		"":                   nil,
		"metrics.auc > 0.7":  {{Kind: filter.Metric, Key: "auc", Op: ">", Value: 0.7}},
		"metric.a.b>=-1e-3":  {{Kind: filter.Metric, Key: "a.b", Op: ">=", Value: -1e-3}},
		"metrics.`a b` <> 1": {{Kind: filter.Metric, Key: "a b", Op: "!=", Value: 1.0}},
		`params."l r" = '0.1'`: {
			{Kind: filter.Param, Key: "l r", Op: "=", Value: "0.1"}},
		`param.a = "0.1"`: {{Kind: filter.Param, Key: "a", Op: "=", Value: "0.1"}},
		"tags.mlflow.user like 'A%' and tags.x ILIKE '%b_'": {
			{Kind: filter.Tag, Key: "mlflow.user", Op: "LIKE", Value: "A%"},
			{Kind: filter.Tag, Key: "x", Op: "ILIKE", Value: "%b_"}},
		"run_id IN ('a', 'it''s')": {
			{Kind: filter.Attribute, Key: "run_id", Op: "IN", List: []string{"a", "it's"}}},
		"attributes.run_id NOT IN ('a')": {
			{Kind: filter.Attribute, Key: "run_id", Op: "NOT IN", List: []string{"a"}}},
		"Created < 5": nil,
		"created < 5": {{Kind: filter.Attribute, Key: "start_time", Op: "<", Value: 5.0}},
		"attributes.`run name` = 'x'": {
			{Kind: filter.Attribute, Key: "run_name", Op: "=", Value: "x"}},
		"tags.a IS NULL AND params.b is not null": {
			{Kind: filter.Tag, Key: "a", Op: "IS NULL"},
			{Kind: filter.Param, Key: "b", Op: "IS NOT NULL"}},
		"dataset.name = 'd'": {{Kind: filter.Dataset, Key: "name", Op: "=", Value: "d"}},
	} {
		got, err := filter.Parse(text, runs)
		if want == nil && text != "" {
			if err == nil {
				t.Errorf("%q was accepted: %+v", text, got)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, error %v; want %+v", text, got, err, want)
		}
	}
}

func TestParse_ReadsListsOfTagsAndParamsWhereTheyAreKnown(t *testing.T) {
	models := &filter.Language{Kinds: []filter.Kind{filter.Param, filter.Tag, filter.Metric},
		KeyedLists: true}
	for text, want := range map[string]filter.Comparison{
		"tags.a IN ('1', '2')": {Kind: filter.Tag, Key: "a", Op: "IN", List: []string{"1", "2"}},
		"params.`a b` not in ('1')": {
			Kind: filter.Param, Key: "a b", Op: "NOT IN", List: []string{"1"}},
	} {
		got, err := filter.Parse(text, models)
		if err != nil || !reflect.DeepEqual(got, []filter.Comparison{want}) {
			t.Errorf("%q: %+v, error %v; want %+v", text, got, err, want)
		}
		if _, err := filter.Parse(text, runs); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q of runs: error %v", text, err)
		}
	}
	for _, text := range []string{"metrics.a IN ('1')", "tags.a IS NULL"} {
		if _, err := filter.Parse(text, models); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestParse_RefusesWhatMLflowRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"metrics.auc > 'x'":              "Expected numeric value type for metric",
		"metrics.auc LIKE 'x'":           "Invalid comparator 'LIKE'",
		"params.a = 1":                   "Expected a quoted string value for parameter",
		"params.a > '1'":                 "Invalid comparator '>'",
		"foo.a = '1'":                    "Invalid entity type 'foo'",
		"foo = '1'":                      "Invalid attribute key 'foo'",
		"dataset.size = '1'":             "Invalid dataset key 'size'",
		"params.a = '1' params.b = '2'":  "Invalid clause(s) in filter string: 'params.b'",
		"params.a = '1' OR params.b='2'": "Invalid clause(s) in filter string: 'OR'",
		"params.a = '1' AND":             "Expected an identifier, found 'the end'",
		"params.a":                       "Expected a comparator, found 'the end'",
		"params.a = 'open":               "Invalid clause(s) in filter string: ''open'",
		"params.a = '1'; drop table run": "Invalid clause(s) in filter string: '; drop",
		"status IN ('a')":                "Invalid comparator 'IN'",
		"run_id IN ()":                   "ill-formed list",
		"run_id IN ('a' 'b')":            "ill-formed list",
		"metrics.a IS NULL":              "Invalid comparator 'IS NULL'",
		"start_time > abc":               "Expected numeric value type",
		strings.Repeat("a", 200_000):     "at most",
		"tags.a LIKE '" + strings.Repeat("[", 1001) + "'": "more than 1000 bytes",
		"metrics.`a = 1": "Invalid clause(s)",
	} {
		_, err := filter.Parse(text, runs)
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", text, err, want)
		}
	}
}

func TestParseOrder_ReadsKeyAndDirection(t *testing.T) {
	for text, want := range map[string]filter.Order{
		"metrics.auc DESC":        {Kind: filter.Metric, Key: "auc", Desc: true},
		"metrics.`a b` asc":       {Kind: filter.Metric, Key: "a b"},
		"start_time":              {Kind: filter.Attribute, Key: "start_time"},
		"attributes.created desc": {Kind: filter.Attribute, Key: "start_time", Desc: true},
	} {
		got, err := filter.ParseOrder(text, runs)
		if err != nil || got != want {
			t.Errorf("%q: %+v, error %v", text, got, err)
		}
	}
	for _, text := range []string{"", "metrics.a down", "nope", "metrics.a DESC, x", "dataset.name"} {
		if _, err := filter.ParseOrder(text, runs); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

// FuzzParse checks that no text panics, that refusals are Invalid, and that what
// is accepted becomes a condition with as many arguments as marks.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"metrics.auc > 0.7 AND params.`a b` = '0.1'", "tags.\"x\" ilike '%_' and run_id in ('a','b')",
		"a.", ".", "-", "+.", "1e", "params.a = ''''", "`", "\"\"\"", "tags.a is not null", "<>", "!",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := filter.Parse(s, runs)
		if err != nil {
			if !fairlead.Is(err, fairlead.Invalid) {
				t.Errorf("error %v is not Invalid", err)
			}
			return
		}
		for _, c := range got {
			cond, args := c.Match("x")
			if n := strings.Count(cond, "?"); n != len(args) {
				t.Errorf("%q has %d marks and %d arguments", cond, n, len(args))
			}
		}
		filter.ParseOrder(s, runs)
	})
}
