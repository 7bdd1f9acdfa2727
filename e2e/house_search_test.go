package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// searchPage is docs/search.md beside a server with two runs: one has a metric auc of 0.9,
// the other has none.
type searchPage struct {
	*server
	text        string
	with, lacks string // ids of the runs
}

// Each example of docs/search.md is as the page says.
func TestHouse_SearchingIsAsDocumented(t *testing.T) {
	p := &searchPage{server: serve(t, t.TempDir()), text: readTree(t, "docs/search.md")}
	for i, id := range []*string{&p.with, &p.lacks} {
		var made struct {
			Run struct{ Info struct{ Run_ID string } }
		}
		p.call(http.MethodPost, "/api/2.0/mlflow/runs/create", fmt.Sprintf(
			`{"experiment_id": "0", "run_name": "r%d", "start_time": %d}`, i, i)).want(t, 200).decode(t, &made)
		*id = made.Run.Info.Run_ID
	}
	p.call(http.MethodPost, "/api/2.0/mlflow/runs/log-metric",
		fmt.Sprintf(`{"run_id": %q, "key": "auc", "value": 0.9, "timestamp": 1}`, p.with)).want(t, 200)
	p.examples()
	p.attributes()
	p.truth()
	p.commands()
}

// found returns the ids of the runs that a filter finds.
func (p *searchPage) found(filter string) (ids []string) {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"experiment_ids": []string{"0"}, "filter": filter})
	if err != nil {
		p.t.Fatal(err)
	}
	var out struct {
		Runs []struct{ Info struct{ Run_ID string } }
	}
	p.call(http.MethodPost, "/api/2.0/mlflow/runs/search", string(body)).want(p.t, 200).decode(p.t, &out)
	for _, r := range out.Runs {
		ids = append(ids, r.Info.Run_ID)
	}
	return ids
}

// examples runs the filters in the page's blocks, and looks for the error in the last one.
func (p *searchPage) examples() {
	var blocks []string
	for _, m := range regexp.MustCompile("(?ms)^```(.*?)\n(.*?)^```").FindAllStringSubmatch(p.text, -1) {
		if m[1] == "" {
			blocks = append(blocks, m[2])
		}
	}
	if len(blocks) != 2 {
		p.t.Fatalf("%d blocks", len(blocks))
	}
	for filter := range strings.Lines(blocks[0]) {
		p.found(strings.TrimSpace(filter))
	}
	filter, message, _ := strings.Cut(strings.TrimSpace(blocks[1]), "\n")
	var problem struct{ Message string }
	p.call(http.MethodPost, "/api/2.0/mlflow/runs/search",
		fmt.Sprintf(`{"experiment_ids": ["0"], "filter": %q}`, filter)).want(p.t, 400).decode(p.t, &problem)
	if problem.Message != message {
		p.t.Errorf("the error is %q, and the page says %q", problem.Message, message)
	}
}

// attributes asks each list for each attribute and prefix that it is said to have.
func (p *searchPage) attributes() {
	const api = "/api/2.0/mlflow/"
	ask := map[string]func(filter string) (method, path, body string){
		"runs": func(f string) (string, string, string) {
			return http.MethodPost, api + "runs/search", `{"experiment_ids": ["0"], "filter": "` + f + `"}`
		},
		"experiments": func(f string) (string, string, string) {
			return http.MethodPost, api + "experiments/search", `{"max_results": 10, "filter": "` + f + `"}`
		},
		"logged models": func(f string) (string, string, string) {
			return http.MethodPost, api + "logged-models/search",
				`{"experiment_ids": ["0"], "filter": "` + f + `"}`
		},
		"registered models": func(f string) (string, string, string) {
			return http.MethodGet, api + "registered-models/search?filter=" + strings.ReplaceAll(f, " ", "%20"), ""
		},
		"model versions": func(f string) (string, string, string) {
			return http.MethodGet, api + "model-versions/search?filter=" + strings.ReplaceAll(f, " ", "%20"), ""
		},
	}
	word := regexp.MustCompile("`([a-z_]+)`")
	for list, request := range ask {
		row := regexp.MustCompile(`(?m)^\| ` + list + ` \| (.*) \| (.*) \|$`).FindStringSubmatch(p.text)
		if row == nil {
			p.t.Fatalf("the page has no row for %s", list)
		}
		var filters []string
		for _, m := range word.FindAllStringSubmatch(row[1], -1) {
			filters = append(filters, m[1]+" IS NOT NULL", "attributes."+m[1]+" IS NULL")
		}
		for _, m := range word.FindAllStringSubmatch(row[2], -1) {
			key := "name" // the datasets and models of a run have few
			filters = append(filters, m[1]+"."+key+" IS NOT NULL")
		}
		if len(filters) < 4 {
			p.t.Errorf("%s: only %v", list, filters)
		}
		for _, f := range filters {
			method, path, body := request(f)
			if r := p.call(method, path, any(body)); r.status != 200 {
				p.t.Errorf("%s: %s: %d %s", list, f, r.status, r.body)
			}
		}
		method, path, body := request("nonsense IS NULL")
		p.call(method, path, any(body)).want(p.t, 400)
	}
}

// truth checks the table of what is true of a run with the metric, and of one without.
func (p *searchPage) truth() {
	rows := regexp.MustCompile("(?m)^\\| `(.*)` \\| (true|false) \\| (true|false) \\|$").
		FindAllStringSubmatch(p.text, -1)
	if len(rows) < 5 {
		p.t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		ids := p.found(row[1])
		for id, says := range map[string]string{p.with: row[2], p.lacks: row[3]} {
			if got := fmt.Sprint(slices.Contains(ids, id)); got != says {
				p.t.Errorf("%s is %s of the run %s, and the page says %s", row[1], got, id, says)
			}
		}
	}
}

// commands types the page's commands.
func (p *searchPage) commands() {
	block := regexp.MustCompile("(?ms)^```sh\n(.*?)^```").FindStringSubmatch(p.text)
	for line := range strings.Lines(block[1]) {
		cmd := exec.Command("sh", "-c", strings.Replace(line, "fairlead ", program(p.t)+" ", 1))
		cmd.Dir, cmd.Env = p.t.TempDir(), append(cmd.Environ(), "FAIRLEAD_DATA="+p.data)
		want := p.with
		if strings.Contains(line, "--count") {
			want = `(?m)^2$` // neither has a loss
		}
		outcomeOf(p.t, cmd).want(p.t, 0, want)
	}
}
