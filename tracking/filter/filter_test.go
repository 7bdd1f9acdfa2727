package filter_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

var runs = &filter.Language{
	Kinds: []filter.Kind{filter.Attribute, filter.Metric, filter.Param, filter.Tag, filter.Dataset,
		filter.Model},
	Texts:   []string{"run_id", "status", "run_name", "user_id", "artifact_uri"},
	Numbers: []string{"start_time", "end_time"},
	Aliases: map[string]string{"created": "start_time", "run name": "run_name"},
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
		"tags.x contains '%b_'": {{Kind: filter.Tag, Key: "x", Op: "CONTAINS", Value: "%b_"}},
		"run_id IN ('a', 'it''s')": {
			{Kind: filter.Attribute, Key: "run_id", Op: "IN", List: []any{"a", "it's"}}},
		"attributes.run_id NOT IN ('a')": {
			{Kind: filter.Attribute, Key: "run_id", Op: "NOT IN", List: []any{"a"}}},
		"Created < 5": nil,
		"created < 5": {{Kind: filter.Attribute, Key: "start_time", Op: "<", Value: 5.0}},
		"attributes.`run name` = 'x'": {
			{Kind: filter.Attribute, Key: "run_name", Op: "=", Value: "x"}},
		"tags.a IS NULL AND params.b is not null": {
			{Kind: filter.Tag, Key: "a", Op: "IS NULL"},
			{Kind: filter.Param, Key: "b", Op: "IS NOT NULL"}},
		"dataset.name = 'd'": {{Kind: filter.Dataset, Key: "name", Op: "=", Value: "d"}},
		"models.name = 'm'":  {{Kind: filter.Model, Key: "name", Op: "=", Value: "m"}},
	} {
		got, err := filter.Parse(text, runs)
		if want == nil && text != "" {
			if err == nil {
				t.Errorf("%q was accepted: %+v", text, got)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(filter.Comparisons(got), want) {
			t.Errorf("%q: %+v, error %v; want %+v", text, got, err, want)
		}
	}
}

func TestParse_BuildsTheTree(t *testing.T) {
	a := filter.Comparison{Kind: filter.Metric, Key: "a", Op: ">", Value: 1.0}
	b := filter.Comparison{Kind: filter.Param, Key: "b", Op: "=", Value: "x"}
	c := filter.Comparison{Kind: filter.Tag, Key: "c", Op: "IS NULL"}
	at := func(op filter.Op, v float64) filter.Comparison {
		return filter.Comparison{Kind: filter.Metric, Key: "a", Op: op, Value: v}
	}
	for text, want := range map[string]filter.Expr{
		"metrics.a > 1 OR params.b = 'x' AND tags.c IS NULL":   filter.Any{a, filter.All{b, c}},
		"(metrics.a > 1 or params.b = 'x') and tags.c is null": filter.All{filter.Any{a, b}, c},
		"NOT metrics.a > 1 AND params.b = 'x'":                 filter.All{filter.Not{a}, b},
		"not (metrics.a > 1 and params.b = 'x')":               filter.Not{filter.All{a, b}},
		"not not ((metrics.a > 1))":                            filter.Not{filter.Not{a}},
		"metrics.a between -1 and 2 and tags.c is null": filter.All{
			filter.All{at(">=", -1), at("<=", 2)}, c},
		"metrics.a NOT BETWEEN 1 AND 2": filter.Any{at("<", 1), at(">", 2)},
		"metrics.a IN (1, 2.5)": filter.Comparison{Kind: filter.Metric, Key: "a", Op: "IN",
			List: []any{1.0, 2.5}},
		"metrics.and > 1 AND metrics.not > 1": filter.All{
			filter.Comparison{Kind: filter.Metric, Key: "and", Op: ">", Value: 1.0},
			filter.Comparison{Kind: filter.Metric, Key: "not", Op: ">", Value: 1.0}},
	} {
		got, err := filter.Parse(text, runs)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, error %v; want %+v", text, got, err, want)
		}
	}
}

func TestParse_SaysWhereItStopped(t *testing.T) {
	for text, want := range map[string]string{
		"metrics.a > 1 AND (params.b = 'x'":  "expected ')', found 'the end', at character 34",
		"metrics.a > 1)":                     "Invalid clause(s) in filter string: ')'; join",
		"tags.`ä` = 'ö' AND foo.a = 'x'":     "'attribute', 'metric', 'parameter', 'tag', 'dataset', 'model'], at character 20",
		"metrics.a > 1 OR":                   "found 'the end', at character 17",
		"metrics.a BETWEEN 1, 2":             "Expected AND and the upper bound, found ',', at character 20",
		"metrics.a BETWEEN 1 AND 'x'":        "Expected numeric value type for metric 'a'. Found 'x', at character 25",
		"params.a = 'x' AND params.b > '1'":  "for parameter 'b'. Valid comparators are",
		"params.b BETWEEN '1' AND '2'":       "Invalid comparator 'BETWEEN'",
		"()":                                 "Expected an identifier, found ')', at character 2",
		"NOT":                                "Expected an identifier, found 'the end', at character 4",
		"params.a = 'x' ; params.b = 'y'":    "at character 16",
		strings.Repeat("(", 51):              "nested more than 50 deep, at character 52",
		strings.Repeat("NOT ", 51) + "a = 1": "nested more than 50 deep",
		strings.Repeat("metrics.a BETWEEN 0 AND 1 OR ", 101) + "metrics.a = 1": "more than 200 comparisons",
	} {
		_, err := filter.Parse(text, runs)
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want %q", text, err, want)
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
		"model.size = '1'":               "Invalid model key 'size'",
		"params.a = '1' params.b = '2'":  "Invalid clause(s) in filter string: 'params.b'",
		"params.a = '1' AND":             "Expected an identifier, found 'the end'",
		"params.a":                       "Expected a comparator, found 'the end'",
		"params.a = 'open":               "Invalid clause(s) in filter string: ''open'",
		"params.a = '1'; drop table run": "Invalid clause(s) in filter string: '; drop",
		"run_id IN ()":                   "ill-formed list",
		"run_id IN ('a' 'b')":            "ill-formed list",
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

// FuzzParse checks that no text panics, that refusals are Invalid, that what is
// accepted parses to the same tree when it is written out, and that it becomes a
// condition with as many arguments as marks.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"metrics.auc > 0.7 AND params.`a b` = '0.1'", "tags.\"x\" ilike '%_' and run_id in ('a','b')",
		"a.", ".", "-", "+.", "1e", "params.a = ''''", "`", "\"\"\"", "tags.a is not null", "<>", "!",
		"not (metrics.a between 1 and -2e9 or not metrics.`` not in (1,.5)) and tags.`a``.b` is null",
		"metrics.a not between 1 and 1 or params.a.b.c <> \"x\"", "((((((metrics.a = 1))))))",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		filter.ParseOrder(s, runs)
		got, err := filter.Parse(s, runs)
		if err != nil {
			if !fairlead.Is(err, fairlead.Invalid) {
				t.Errorf("error %v is not Invalid", err)
			}
			return
		}
		if got == nil {
			return
		}
		if again, err := filter.Parse(got.String(), runs); err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%q is written as %q, which reads as %#v, error %v", s, got, again, err)
		}
		cond, args := filter.SQL(got, func(c filter.Comparison) (string, []any) { return c.Match("x") })
		if n := strings.Count(cond, "?"); n != len(args) {
			t.Errorf("%q has %d marks and %d arguments", cond, n, len(args))
		}
	})
}
