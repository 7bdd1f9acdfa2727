package query

import (
	"context"
	"encoding/json"
	"slices"
)

// Name is a table that a query names, once for each name.
type Name struct {
	Name string `json:"name"`
	// Shadowed says that the query gives something of its own this name too (WITH), so
	// that it may mean no table.
	Shadowed bool  `json:"shadowed,omitempty"`
	Place    Place `json:"place"` // of its first use
}

// Place is where something is in a query's text.
type Place struct {
	Line     int `json:"line,omitempty"`   // from 1; 0: not known
	Column   int `json:"column,omitempty"` // from 1, in characters
	Position int `json:"position"`         // from 0, in bytes
}

// parse says which tables the query names, or why it is none.
func (c *speaker) parse(ctx context.Context) error {
	var text string
	err := c.conn.QueryRowContext(ctx, `select cast(json_serialize_sql(?::varchar, skip_null := true,
		skip_empty := true, skip_default := true) as varchar)`, c.order.SQL).Scan(&text)
	if err != nil {
		return c.located(err)
	}
	var parsed struct {
		Error      bool   `json:"error"`
		Type       string `json:"error_type"`
		Message    string `json:"error_message"`
		Position   string `json:"position"`
		Statements []any  `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return refusal("the query is nested too deeply; write its parts as WITH")
	}
	switch {
	case parsed.Error && parsed.Type != "parser":
		return refusal("this is no query: it is one SELECT (also FROM, VALUES, WITH, DESCRIBE or " +
			"SUMMARIZE), which changes nothing and reads the project's datasets alone")
	case parsed.Error:
		return c.at(parsed.Message, parsed.Position)
	case len(parsed.Statements) == 0:
		return refusal("there is nothing to run; write a query, such as: select * from a_dataset")
	case len(parsed.Statements) > 1:
		return refusal("there are %d statements; run one at a time", len(parsed.Statements))
	}
	t := &tree{speaker: c}
	if t.walk(parsed.Statements[0]); t.parameter {
		return refusal("a query has no parameters; write the values into it")
	}
	return c.say(line{Names: t.names()})
}

// tree is what is looked for in a parsed query.
type tree struct {
	*speaker
	tables    []Name
	own       []string // names of WITH
	parameter bool
}

// walk finds what there is below a node of the serialized tree.
func (t *tree) walk(node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			t.walk(item)
		}
	case map[string]any:
		t.note(node)
		for _, item := range node {
			t.walk(item)
		}
	}
}

func (t *tree) note(node map[string]any) {
	switch node["type"] {
	case "VALUE_PARAMETER":
		t.parameter = true
	case "BASE_TABLE":
		name, _ := node["table_name"].(string)
		at, _ := node["query_location"].(float64)
		if schema, _ := node["schema_name"].(string); schema == "" || schema == "main" {
			t.tables = append(t.tables, Name{Name: name, Place: t.place(int(at))})
		}
	}
	ctes, _ := node["cte_map"].(map[string]any)
	entries, _ := ctes["map"].([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		name, _ := entry["key"].(string)
		t.own = append(t.own, name)
	}
}

// names are the tables in the order of their first use.
func (t *tree) names() (out []Name) {
	slices.SortStableFunc(t.tables, func(a, b Name) int {
		return a.Place.Position - b.Place.Position
	})
	for _, n := range t.tables {
		if slices.ContainsFunc(out, func(o Name) bool { return o.Name == n.Name }) {
			continue
		}
		n.Shadowed = slices.Contains(t.own, n.Name)
		out = append(out, n)
	}
	return out
}
