package filter_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// readers has MLflow's own parser read the filters of stdin; what it refuses is null.
const readers = `
import json, sys
from mlflow.utils.search_utils import SearchUtils
from mlflow.exceptions import MlflowException

def read(text):
    try:
        found = SearchUtils.parse_search_filter(text)
    except MlflowException:
        return None
    for c in found:
        c["key"] = SearchUtils.translate_key_alias(c["key"]) if c["type"] == "attribute" else c["key"]
        c["comparator"] = c["comparator"].upper()
        if c["type"] == "metric":
            c["value"] = float(c["value"])
    return found

json.dump([read(t) for t in json.load(sys.stdin)], sys.stdout)
`

// mlflowFilters are filters that MLflow reads, and some that it refuses. It also takes
// comparisons with nothing between them for a conjunction, which is an error here.
var mlflowFilters = []string{
	"metrics.auc > 0.7", "metric.auc>=0.7", "metrics.`a b` <= -1e-3", "metrics.a.b.c != 1",
	"metrics.\"a b\" = 2 AND params.x = 'y'", "params.x LIKE '%a_'", "param.x ilike 'A%'",
	"parameters.x != \"v\"", "parameter.`x.y/z` = '1'", "tags.mlflow.user = 'ann'",
	"tag.`mlflow.source.name` like '%.py'", "tags.a = '1' and tags.b = '2' AND tags.c='3'",
	"tags.a IS NULL", "params.a is not null and tags.b IS NOT NULL", "attributes.status = 'RUNNING'",
	"status = 'FINISHED'", "attribute.run_id IN ('a', 'b')", "run_id NOT IN ('a','b')",
	"attr.run_id in ('x')", "run.status != 'FAILED'", "start_time >= 1664067852747",
	"created < 5", "attributes.`run name` = 'x'", "run_name ILIKE '%x%'", "end_time = 12",
	"dataset.name = 'd'", "datasets.digest IN ('a', 'b')", "dataset.context LIKE 't%'",
	"params.x = ''", "params.x = 'a AND b'", "params.x = 'a \"quoted\" b'", "tags.x = \"it's\"",
	"user_id = 'u' and artifact_uri LIKE 's3:%'", "metrics.loss < 1.5e3", "metrics.n = +2",
	"", "   ", "params.a = 1", "metrics.a > 'x'", "foo.a = 'x'", "foo = 'x'",
	"params.a", "params.a = 'open", "metrics.a LIKE '1'",
}

// TestParse_MeansWhatMLflowMeans checks that what MLflow accepts says the same here.
// Of what it refuses some is accepted: the language is a superset.
func TestParse_MeansWhatMLflowMeans(t *testing.T) {
	path := os.Getenv("FAIRLEAD_TEST_PYTHON")
	if path == "" {
		t.Skip("left out: no Python with mlflow; set FAIRLEAD_TEST_PYTHON or run `make setup`")
	}
	in, err := json.Marshal(mlflowFilters)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-c", readers)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(in)), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all [][]map[string]any
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for i, theirs := range all {
		if theirs == nil {
			continue
		}
		accepted++
		ours, err := filter.Parse(mlflowFilters[i], runs)
		if err != nil {
			t.Errorf("%q: %v", mlflowFilters[i], err)
			continue
		}
		if a, b := asJSON(t, theirs), asJSON(t, likeMLflow(ours)); a != b {
			t.Errorf("%q is %s to MLflow, and %s here", mlflowFilters[i], a, b)
		}
	}
	if accepted < 30 {
		t.Errorf("MLflow accepted %d filters", accepted)
	}
}

func likeMLflow(e filter.Expr) []map[string]any {
	out := []map[string]any{}
	for _, c := range filter.Comparisons(e) {
		value := c.Value
		if c.List != nil {
			value = c.List
		}
		out = append(out, map[string]any{"type": c.Kind, "key": c.Key, "comparator": c.Op,
			"value": value})
	}
	return out
}

func asJSON(t *testing.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
