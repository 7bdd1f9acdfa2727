package rest_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/store"
)

const none = "nothing" // a name that nobody has

// TestOperations_AnswerRefuseAndStayInTheirProject calls every operation that reads:
// what exists is answered, what does not is 404, garbage is 400, and another
// project's id is not found.
func TestOperations_AnswerRefuseAndStayInTheirProject(t *testing.T) {
	w := newWorld(t)
	events := decode[page](t, w.call("GET", "/projects/alpha/events?types=rollout.started", ""))
	if len(events.Items) != 2 {
		t.Fatalf("events: %+v", events)
	}
	for _, tt := range []struct {
		path     string // below the project; %s is what is named
		name     string
		part     string // of the answer
		missing  string // path, below the project, of what does not exist; empty: none
		invalid  string // path of what makes no sense; empty: none
		notThere int    // status in a project that lacks it; 0: 404
	}{
		{path: "", part: `"revision":1`},
		{path: "/revisions", part: `"revision":1`, invalid: "/revisions?page=x", notThere: 200},
		{path: "/revisions/1", part: `"spec"`, missing: "/revisions/99", invalid: "/revisions/0",
			notThere: 200},
		{path: "/datasets", part: `"dataset":"d"`, invalid: "/datasets?limit=0", notThere: 200},
		{path: "/datasets/d/versions", part: `"n":3`, missing: "/datasets/nothing/versions"},
		{path: "/datasets/d/versions/2", part: `"profile"`, missing: "/datasets/d/versions/9",
			invalid: "/datasets/d/versions/two"},
		{path: "/datasets/d/versions/latest", part: `"n":3`,
			missing: "/datasets/nothing/versions/latest"},
		{path: "/datasets/d/versions/1/reads", part: `"items":[]`,
			missing: "/datasets/d/versions/9/reads"},
		{path: "/models", part: `"name":"alpha"`, invalid: "/models?page=x", notThere: 200},
		{path: "/models/alpha", part: `"live":2`, missing: "/models/nothing"},
		{path: "/models/alpha/versions", part: `"n":5`, missing: "/models/nothing/versions"},
		{path: "/models/alpha/versions/1", part: `"packaged"`, missing: "/models/alpha/versions/9",
			invalid: "/models/alpha/versions/x"},
		{path: "/models/alpha?as_of=9000-01-01", part: `"live":2`,
			missing: "/models/alpha?as_of=2011-05-01", invalid: "/models/alpha?as_of=yesterday"},
		{path: "/models/alpha/versions?as_of=9000-01-01T00:00:00Z", part: `"n":5`,
			missing: "/models/alpha/versions?as_of=2011-05-01",
			invalid: "/models/alpha/versions?as_of=2011-05"},
		{path: "/models/alpha/versions/2?as_of=9000-01-01", part: `"aliases":["live"]`,
			missing: "/models/alpha/versions/2?as_of=2011-05-01",
			invalid: "/models/alpha/versions/2?as_of=x"},
		{path: "/models/alpha/aliases/live/moves", part: `"to":2`,
			missing: "/models/nothing/aliases/live/moves"},
		{path: "/models?name=LPH", part: `"newest":5`, invalid: "/models?limit=0", notThere: 200},
		{path: "/models/alpha/moves", part: `"to":2`, missing: "/models/nothing/moves",
			invalid: "/models/alpha/moves?as_of=x"},
		{path: "/models/alpha/decisions", part: `"items":[]`,
			invalid: "/models/alpha/decisions?version=0", notThere: 200},
		{path: "/models/alpha/versions/2/facts", part: `"commit":"abc"`,
			missing: "/models/alpha/versions/9/facts", invalid: "/models/alpha/versions/x/facts"},
		{path: "/models/alpha/versions/2/lineage", part: `"kind":"rollout"`,
			missing: "/models/alpha/versions/9/lineage",
			invalid: "/models/alpha/versions/2/lineage?as_of=x"},
		{path: "/models/alpha/versions/2/lineage?as_of=9000-01-01", part: `"kind":"endpoint"`,
			missing: "/models/alpha/versions/2/lineage?as_of=2011-05-01"},
		{path: "/models/alpha/versions/2/events", part: `"rollout.started"`,
			missing: "/models/nothing/versions/2/events"},
		{path: "/models/alpha/versions/2/proof", part: `"fairlead-proof/2"`,
			missing: "/models/alpha/versions/9/proof"},
		{path: "/pipeline-runs", part: `"items":[]`, invalid: "/pipeline-runs?page=x", notThere: 200},
		{path: "/pipeline-runs?state=running", part: `"items":[]`, invalid: "/pipeline-runs?state=odd",
			notThere: 200},
		{path: "/jobs", part: w.job, invalid: "/jobs?state=odd", notThere: 200},
		{path: "/jobs/" + w.job, part: `"state":"queued"`, missing: "/jobs/nothing",
			invalid: "/jobs/" + w.job + "?wait=soon"},
		{path: "/settings", part: `"keep_deleted":"60d","kept_ms":5184000000`, notThere: 200},
		{path: "/uploads", part: w.upload, invalid: "/uploads?page=x", notThere: 200},
		{path: "/uploads/" + w.upload, part: `"parts":3`, missing: "/uploads/nothing"},
		{path: "/cases", part: `"items":[]`, invalid: "/cases?page=x", notThere: 200},
		{path: "/endpoints", part: `"alpha@production"`, invalid: "/endpoints?page=x", notThere: 200},
		{path: "/endpoints/alpha@production", part: `"clock"`, missing: "/endpoints/nothing@production"},
		{path: "/endpoints/alpha", part: `"generation"`, missing: "/endpoints/nothing", notThere: 412},
		{path: "/endpoints/alpha/rollouts", part: w.rollout, invalid: "/endpoints/alpha/rollouts?page=x",
			notThere: 412},
		{path: "/rollouts", part: w.rollout, invalid: "/rollouts?page=x", notThere: 200},
		{path: "/rollouts/" + w.rollout, part: `"finished"`, missing: "/rollouts/nothing"},
		{path: "/traffic", part: `"endpoint":"alpha@production"`, invalid: "/traffic?last=soon",
			notThere: 200},
		{path: "/endpoints/alpha/traffic", part: `"total":{"requests":0`,
			missing: "/endpoints/nothing/traffic", invalid: "/endpoints/alpha/traffic?clock=sun", notThere: 412},
		{path: "/rollouts/" + w.rollout + "/history", part: `"what":"finished"`,
			missing: "/rollouts/nothing/history"},
		{path: "/endpoints/alpha/options", part: `"action":"restore","after":[`,
			missing: "/endpoints/nothing/options", notThere: 412},
		{path: "/endpoints/alpha@production/windows", part: `"items":[]`,
			invalid: "/endpoints/alpha/windows?from=monday", notThere: 200},
		{path: "/incidents", part: `"items":[]`, invalid: "/incidents?page=x", notThere: 200},
		{path: "/incidents?kind=decay&state=open", part: `"items":[]`, invalid: "/incidents?state=odd",
			notThere: 200},
		{path: "/monitoring", part: `"live":2,"clock"`, invalid: "/monitoring?page=x", notThere: 200},
		{path: "/endpoints/alpha/monitoring", part: `"incidents":[]`,
			missing: "/endpoints/nothing/monitoring", notThere: 412},
		{path: "/endpoints/alpha/drift", part: `"stretches":[]`, invalid: "/endpoints/alpha/drift?stretches=1001",
			notThere: 412},
		{path: "/endpoints/alpha/drift?from=2026-01-01T00:00:00Z", part: `"features":[]`,
			invalid: "/endpoints/alpha/drift?page=x", notThere: 412},
		{path: "/endpoints/alpha/performance", part: `"stretches":[]`,
			invalid: "/endpoints/alpha/performance?from=monday", notThere: 412},
		{path: "/overview", part: `"live":2`, notThere: 200},
		{path: "/phases", part: `"version 2 answers at alpha@production`, notThere: 200},
		{path: "/find?text=alp", part: `"alpha@production"`, invalid: "/find?text=" + strings.Repeat("x", 201),
			notThere: 200},
		{path: "/events", part: "rollout.started", invalid: "/events?after=x", notThere: 200},
	} {
		t.Run("GET "+tt.path, func(t *testing.T) {
			if a := w.call("GET", "/projects/alpha"+tt.path, ""); a.status != 200 ||
				!strings.Contains(string(a.body), tt.part) {
				t.Errorf("status %d, %s; want %s", a.status, a.body, tt.part)
			}
			if tt.missing != "" {
				wantProblem(t, tt.missing, w.call("GET", "/projects/alpha"+tt.missing, ""), 404)
			}
			if tt.invalid != "" {
				wantProblem(t, tt.invalid, w.call("GET", "/projects/alpha"+tt.invalid, ""), 400)
			}
			wantProblem(t, "no project", w.call("GET", "/projects/nobody"+tt.path, ""), 404)
			if tt.path == "" {
				return
			}
			foreign := w.call("GET", "/projects/beta"+tt.path, "")
			if tt.notThere != 200 {
				wantProblem(t, "other project", foreign, max(tt.notThere, 404))
			} else if foreign.status != 200 || tt.part != `"items":[]` && tt.part != `"spec"` &&
				tt.part != `"revision":1` &&
				strings.Contains(string(foreign.body), tt.part) {
				t.Errorf("the other project answers %d %s", foreign.status, foreign.body)
			}
		})
	}
	for name, n := range map[string]int{"LPH": 1, "al%25ha": 0, "al_ha": 0, "%27": 0} {
		a := w.call("GET", "/projects/alpha/models?name="+name, "")
		if got := strings.Count(string(a.body), `"newest"`); a.status != 200 || got != n {
			t.Errorf("models with %s: %d, %s", name, a.status, a.body)
		}
	}
	a := w.call("GET", "/projects/alpha/models/alpha/versions/x/card", "")
	wantProblem(t, "a version that is no number", a, 400)
	if !strings.Contains(string(a.body), `the version is \"x\"; it is a number from 1`) {
		t.Errorf("a version that is no number: %s", a.body)
	}
	for _, path := range []string{"/pipeline-runs/" + none, "/pipeline-runs/" + none + "/steps",
		"/pipeline-runs/" + none + "/graph", "/pipeline-runs/" + none + "/tries",
		"/pipeline-runs/" + none + "/why", "/pipeline-runs/" + none + "/steps/train",
		"/pipeline-runs/" + none + "/steps/train/why", "/pipeline-runs/" + none + "/steps/train/log",
		"/cases/" + none, "/cases/" + none + "/events", "/incidents/" + none + "/events",
		"/endpoints/alpha/distribution?feature=f&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z",
		"/decisions/" + none, "/evidence/" + none, "/incidents/" + none, "/loop/" + none,
		"/models/alpha/versions/1/decision"} {
		wantProblem(t, path, w.call("GET", "/projects/alpha"+path, ""), 404)
	}
}

func TestOperations_ChangeRefuseAndStayInTheirProject(t *testing.T) {
	w := newWorld(t)
	reason := `{"reason":"a test"}`
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
	}{
		{"keep for ever", "PUT", "/projects/alpha/settings", `{"keep_deleted":"forever"}`, 200},
		{"keep as was told", "PUT", "/projects/alpha/settings",
			`{"keep_deleted":"forever","kept_ms":5184000000}`, 200},
		{"collect what is kept for ever", "POST", "/projects/alpha/gc", `{}`, 412},
		{"collect it all the same", "POST", "/projects/alpha/gc", `{"older_than":"1d"}`, 200},
		{"keep for long", "PUT", "/projects/alpha/settings", `{"keep_deleted":"90d"}`, 200},
		{"collect by the setting", "POST", "/projects/alpha/gc", `{"dry_run":true}`, 200},
		{"keep for no time", "PUT", "/projects/alpha/settings", `{"keep_deleted":"0s"}`, 400},
		{"keep for a while", "PUT", "/projects/alpha/settings", `{"keep_deleted":"a while"}`, 400},
		{"start an upload for nobody", "POST", "/projects/alpha/uploads", `{"path":"f","bytes":1}`, 400},
		{"start an upload of nothing", "POST", "/projects/alpha/uploads",
			`{"run":"` + w.run + `","path":"f","bytes":0}`, 400},
		{"start an upload outside", "POST", "/projects/alpha/uploads",
			`{"run":"` + w.run + `","path":"../f","bytes":1}`, 400},
		{"start an upload in too many parts", "POST", "/projects/alpha/uploads",
			`{"run":"` + w.run + `","path":"f","bytes":10001,"part_bytes":1}`, 400},
		{"start an upload for another project's run", "POST", "/projects/beta/uploads",
			`{"run":"` + w.run + `","path":"f","bytes":1}`, 404},
		{"send a part", "PUT", "/projects/alpha/uploads/" + w.upload + "/parts/2", "1234567890", 200},
		{"send a short part", "PUT", "/projects/alpha/uploads/" + w.upload + "/parts/1", "123", 400},
		{"send a part too many", "PUT", "/projects/alpha/uploads/" + w.upload + "/parts/4", "x", 400},
		{"send no part", "PUT", "/projects/alpha/uploads/" + w.upload + "/parts/x", "x", 400},
		{"send a part of another project's upload", "PUT",
			"/projects/beta/uploads/" + w.upload + "/parts/1", "1234567890", 404},
		{"complete what is not whole", "POST", "/projects/alpha/uploads/" + w.upload + "/complete", `{}`, 400},
		{"send the first part", "PUT", "/projects/alpha/uploads/" + w.upload + "/parts/1", "1234567890",
			200},
		{"send the last part", "PUT", "/projects/alpha/uploads/" + w.upload + "/parts/3", "1", 200},
		{"complete another file", "POST", "/projects/alpha/uploads/" + w.upload + "/complete",
			`{"digest":"` + strings.Repeat("0", 64) + `"}`, 400},
		{"complete another project's upload", "POST", "/projects/beta/uploads/" + w.upload + "/complete",
			`{}`, 404},
		{"complete an upload", "POST", "/projects/alpha/uploads/" + w.upload + "/complete", `{}`, 200},
		{"complete it again", "POST", "/projects/alpha/uploads/" + w.upload + "/complete", `{}`, 200},
		{"send a part of a complete upload", "PUT", "/projects/alpha/uploads/" + w.upload + "/parts/3",
			"1", 412},
		{"abort a complete upload", "DELETE", "/projects/alpha/uploads/" + w.upload, "", 200},
		{"abort another project's upload", "DELETE", "/projects/beta/uploads/" + w.upload, "", 404},
		{"cancel a job", "POST", "/projects/alpha/jobs/" + w.job + "/cancel", "", 202},
		{"cancel it again", "POST", "/projects/alpha/jobs/" + w.job + "/cancel", "", 202},
		{"cancel nothing", "POST", "/projects/alpha/jobs/nothing/cancel", "", 404},
		{"cancel another project's job", "POST", "/projects/beta/jobs/" + w.job + "/cancel", "", 404},
		{"start a shadow", "PUT", "/projects/alpha/endpoints/alpha/shadows/3", "", 200},
		{"stop a shadow", "DELETE", "/projects/alpha/endpoints/alpha/shadows/3", "", 200},
		{"shadow nothing", "PUT", "/projects/alpha/endpoints/alpha/shadows/99", "", 404},
		{"shadow no number", "PUT", "/projects/alpha/endpoints/alpha/shadows/three", "", 400},
		{"roll back without a reason", "POST", "/projects/alpha/endpoints/alpha/rollback",
			`{"reason":""}`, 400},
		{"roll back without a body", "POST", "/projects/alpha/endpoints/alpha/rollback", "", 400},
		{"roll back with a list", "POST", "/projects/alpha/endpoints/alpha/rollback", "[]", 400},
		{"roll back with more", "POST", "/projects/alpha/endpoints/alpha/rollback",
			`{"reason":"x","force":1}`, 400},
		{"roll back too much", "POST", "/projects/alpha/endpoints/alpha/rollback",
			`{"reason":"` + strings.Repeat("x", 9000) + `"}`, 413},
		{"roll back another project's", "POST", "/projects/beta/endpoints/alpha@production/rollback",
			reason, 404},
		{"roll back what has changed", "POST", "/projects/alpha/endpoints/alpha/rollback",
			`{"reason": "drill", "generation": 1}`, 409},
		{"roll back", "POST", "/projects/alpha/endpoints/alpha/rollback", reason, 200},
		{"promote what is finished", "POST", "/projects/alpha/rollouts/" + w.rollout + "/promote", reason,
			412},
		{"promote nothing", "POST", "/projects/alpha/rollouts/nothing/promote", reason, 404},
		{"promote another project's", "POST", "/projects/beta/rollouts/" + w.rollout + "/promote", reason,
			404},
		{"cancel no run", "POST", "/projects/alpha/pipeline-runs/nothing/cancel", "", 404},
		{"do no run again", "POST", "/projects/alpha/pipeline-runs/nothing/rerun", `{"from":"train"}`, 404},
		{"do a run again from nowhere", "POST", "/projects/alpha/pipeline-runs/nothing/rerun", `{"from":""}`, 400},
		{"candidate without a number", "PUT", "/projects/alpha/models/alpha/candidate", `{"version":0}`,
			400},
		{"candidate that is not", "PUT", "/projects/alpha/models/alpha/candidate", `{"version":99}`, 404},
		{"describe a model", "PUT", "/projects/alpha/models/alpha/description", `{"description":"x"}`, 200},
		{"describe nothing", "PUT", "/projects/alpha/models/nothing/description", `{"description":""}`, 404},
		{"describe another project's", "PUT", "/projects/beta/models/alpha/description",
			`{"description":"x"}`, 404},
		{"describe with nothing", "PUT", "/projects/alpha/models/alpha/description", `{}`, 400},
		{"tag a model", "PUT", "/projects/alpha/models/alpha/tags/a%20b", `{"value":"1"}`, 200},
		{"tag nothing", "PUT", "/projects/alpha/models/nothing/tags/a", `{"value":"1"}`, 404},
		{"untag a model", "DELETE", "/projects/alpha/models/alpha/tags/a%20b", "", 200},
		{"untag it again", "DELETE", "/projects/alpha/models/alpha/tags/a%20b", "", 200},
		{"describe a version", "PUT", "/projects/alpha/models/alpha/versions/1/description",
			`{"description":"x"}`, 200},
		{"describe no version", "PUT", "/projects/alpha/models/alpha/versions/99/description",
			`{"description":"x"}`, 404},
		{"tag a version", "PUT", "/projects/alpha/models/alpha/versions/1/tags/a", `{"value":"1"}`, 200},
		{"untag a version", "DELETE", "/projects/alpha/models/alpha/versions/1/tags/a", "", 200},
		{"untag no version", "DELETE", "/projects/alpha/models/alpha/versions/99/tags/a", "", 404},
		{"set an alias", "PUT", "/projects/alpha/models/alpha/aliases/best", `{"version":3,"from":0}`, 200},
		{"set an alias that was moved", "PUT", "/projects/alpha/models/alpha/aliases/best",
			`{"version":4,"from":0}`, 412},
		{"move an alias", "PUT", "/projects/alpha/models/alpha/aliases/best", `{"version":4,"from":3}`, 200},
		{"set an alias to nothing", "PUT", "/projects/alpha/models/alpha/aliases/best",
			`{"version":99}`, 404},
		{"set live", "PUT", "/projects/alpha/models/alpha/aliases/live", `{"version":3}`, 403},
		{"set candidate", "PUT", "/projects/alpha/models/alpha/aliases/candidate", `{"version":3}`, 400},
		{"set an alias of nothing", "PUT", "/projects/alpha/models/nothing/aliases/best",
			`{"version":3}`, 404},
		{"set another project's alias", "PUT", "/projects/beta/models/alpha/aliases/best",
			`{"version":3}`, 404},
		{"remove an alias", "DELETE", "/projects/alpha/models/alpha/aliases/best", "", 200},
		{"remove live", "DELETE", "/projects/alpha/models/alpha/aliases/live", "", 403},
		{"set a stage", "PUT", "/projects/alpha/models/alpha/versions/5/stage", `{"stage":"Staging"}`, 200},
		{"set no stage", "PUT", "/projects/alpha/models/alpha/versions/5/stage", `{"stage":"odd"}`, 400},
		{"archive for no stage", "PUT", "/projects/alpha/models/alpha/versions/5/stage",
			`{"stage":"None","archive":true}`, 400},
		{"delete what is held", "DELETE", "/projects/alpha/models/alpha/versions/1", "", 412},
		{"delete a version", "DELETE", "/projects/alpha/models/alpha/versions/5", "", 200},
		{"delete it again", "DELETE", "/projects/alpha/models/alpha/versions/5", "", 404},
		{"delete another project's", "DELETE", "/projects/beta/models/alpha/versions/4", "", 404},
		{"delete a model that is live", "DELETE", "/projects/alpha/models/alpha", "", 412},
		{"delete no model", "DELETE", "/projects/alpha/models/nothing", "", 404},
		{"run what has no pipeline", "POST", "/projects/beta/cases", "", 412},
		{"run nothing", "POST", "/projects/nobody/cases", "", 404},
		{"labels that are none", "POST", "/projects/alpha/endpoints/alpha/labels", `{"labels":"no"}`,
			400},
		{"labels that are not JSON", "POST", "/projects/alpha/endpoints/alpha/labels", `{"labels":[`,
			400},
		{"labels for nothing", "POST", "/projects/alpha/endpoints/alpha/labels", `{"labels":[]}`, 400},
		{"clock to no time", "PUT", "/projects/alpha/endpoints/alpha/clock", `{"to":"noon"}`, 400},
		{"verify", "POST", "/audit/verify", "{}", 200},
		{"prove", "GET", "/audit/proofs/1", "", 200},
		{"prove nothing", "GET", "/audit/proofs/99999", "", 404},
		{"prove zero", "GET", "/audit/proofs/0", "", 400},
		{"apply no form", "POST", "/projects/alpha/revisions", "{}", 400},
		{"delete a project", "DELETE", "/projects/alpha", "", 405},
	} {
		a := w.call(tt.method, tt.path, tt.body)
		if tt.status < 400 && a.status != tt.status {
			t.Errorf("%s: status %d (%s), want %d", tt.name, a.status, a.body, tt.status)
		}
		if tt.status >= 400 {
			wantProblem(t, tt.name, a, tt.status)
		}
	}
}

func TestOperations_DemandTheToken(t *testing.T) {
	w := newWorld(t)
	w.token = ""
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/projects/alpha", 200},
		{"GET", "/openapi.json", 200},
		{"POST", "/projects/alpha/cases", 401},
		{"POST", "/projects/alpha/revisions", 401},
		{"PUT", "/projects/alpha/endpoints/alpha/clock", 401},
		{"POST", "/projects/alpha/jobs/" + w.job + "/cancel", 401},
	} {
		a := w.call(tt.method, tt.path, "")
		if tt.status == 401 {
			p := wantProblem(t, tt.path, a, 401)
			if !strings.Contains(p.Detail, "token") {
				t.Errorf("%s: %q does not say what to do", tt.path, p.Detail)
			}
		} else if a.status != tt.status {
			t.Errorf("%s: %d %s", tt.path, a.status, a.body)
		}
	}
}

func TestLists_PageToTheEndWithoutGapOrRepeat(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		path string
		key  func(map[string]any) any
		want int
	}{
		{"/projects?", field("name"), 3},
		{"/projects/beta/revisions?", field("revision"), 2},
		{"/projects/alpha/datasets/d/versions?", field("n"), 3},
		{"/projects/alpha/models/alpha/versions?", field("n"), 5},
		{"/projects/alpha/models/alpha/versions?after=2&", field("n"), 3},
		{"/projects/alpha/models/alpha/versions?after=2&as_of=9000-01-01&", field("n"), 3},
		{"/projects/alpha/models/alpha/aliases/live/moves?", field("rev"), 2},
		{"/projects/alpha/models/alpha/moves?", field("rev"), 2},
		{"/projects/alpha/jobs?kind=test&", field("id"), 3},
		{"/projects/alpha/endpoints/alpha/rollouts?", field("id"), 2},
		{"/projects/alpha/rollouts?", field("id"), 2},
		{"/projects/alpha/events?types=modelversion.created&", field("seq"), 5},
		{"/projects/alpha/events?types=modelversion.created&newest=true&", field("seq"), 5},
	} {
		whole := decode[page](t, w.call("GET", tt.path+"limit=1000", ""))
		var parts []any
		for token, n := "", 0; ; n++ {
			part := decode[page](t, w.call("GET", tt.path+"limit=1&page="+token, ""))
			for _, item := range part.Items {
				parts = append(parts, tt.key(item))
			}
			if token = part.Next; token == "" {
				break
			}
			if n > tt.want {
				t.Fatalf("%s does not end", tt.path)
			}
		}
		if len(whole.Items) != tt.want || len(parts) != tt.want {
			t.Fatalf("%s: %d at once, %d in parts, want %d", tt.path, len(whole.Items), len(parts), tt.want)
		}
		for i, item := range whole.Items {
			if tt.key(item) != parts[i] {
				t.Errorf("%s: item %d is %v at once and %v in parts", tt.path, i, tt.key(item), parts[i])
			}
		}
	}
}

func field(name string) func(map[string]any) any {
	return func(item map[string]any) any { return item[name] }
}

func TestLists_RefuseACursorOfAnotherList(t *testing.T) {
	w := newWorld(t)
	next := decode[page](t, w.call("GET", "/projects/alpha/models/alpha/versions?limit=1", "")).Next
	if next == "" {
		t.Fatal("no next page")
	}
	for _, path := range []string{"/projects/alpha/endpoints/alpha/rollouts",
		"/projects/alpha/datasets/d/versions",
		"/projects/alpha/events", "/projects/beta/models", "/projects/alpha/incidents"} {
		wantProblem(t, path, w.call("GET", path+"?page="+next, ""), 400)
	}
	events := decode[page](t, w.call("GET", "/projects/alpha/events?limit=1&types=modelversion.created", "")).Next
	wantProblem(t, "other types", w.call("GET", "/projects/alpha/events?types=alias.moved&page="+events, ""), 400)
}

func TestIdempotencyKey_MakesAChangeOnce(t *testing.T) {
	w := newWorld(t)
	rollback := func(key, reason string) answer {
		return w.call("POST", "/projects/alpha/endpoints/alpha/rollback",
			fmt.Sprintf(`{"reason":%q}`, reason), "Idempotency-Key", key)
	}
	generation := func() float64 {
		return decode[map[string]any](t, w.call("GET", "/projects/alpha/endpoints/alpha",
			""))["generation"].(float64)
	}
	first := generation()
	for range 3 {
		if a := rollback("k1", "wrong units"); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	if now := generation(); now != first+1 {
		t.Errorf("three sendings made %v changes", now-first)
	}
	wantProblem(t, "the key for something else", rollback("k1", "other"), 409)
	wantProblem(t, "too long a key", rollback(strings.Repeat("k", 300), "x"), 400)

	open := func(key string) string {
		a := w.call("POST", "/projects/alpha/cases", "", "Idempotency-Key", key)
		if a.status != 202 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return decode[map[string]any](t, a)["id"].(string)
	}
	if a, b := open("c1"), open("c1"); a != b {
		t.Errorf("two cases: %s, %s", a, b)
	}
	// the same key is another actor's or project's own
	wantProblem(t, "the key in another project",
		w.call("POST", "/projects/beta/cases", "", "Idempotency-Key", "c1"), 412)
}

func TestIdempotencyKey_AfterAFailureTriesAgain(t *testing.T) {
	w := newWorld(t)
	send := func(project string) answer {
		return w.call("POST", "/projects/"+project+"/cases", "", "Idempotency-Key", "k")
	}
	wantProblem(t, "without a pipeline", send("beta"), 412)
	if _, err := w.app.Projects.Apply(t.Context(),
		[]byte(strings.Replace(alphaFile, "alpha", "beta", 1)), "4b"); err != nil {
		t.Fatal(err)
	}
	if a := send("beta"); a.status != 202 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestIdempotencyKey_SaysWhenNobodyKnows(t *testing.T) {
	w := newWorld(t)
	send := func() answer {
		return w.call("POST", "/projects/alpha/cases", "", "Idempotency-Key", "k")
	}
	if a := send(); a.status != 202 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	// as the server leaves it that dies between the change and its answer
	w.write(func(tx *store.Tx) error { _, err := tx.Exec("update idem set done = 0"); return err })
	if p := wantProblem(t, "begun", send(), 409); !strings.Contains(p.Detail, "new key") {
		t.Errorf("%q does not say what to do", p.Detail)
	}
	w.write(func(tx *store.Tx) error { _, err := tx.Exec("update idem set expires_ms = 1"); return err })
	if a := send(); a.status != 202 {
		t.Errorf("after a day: %d %s", a.status, a.body)
	}
}

func TestWait_AnswersWhenItHappensOrTheTimeIsOver(t *testing.T) {
	w := newWorld(t)
	began := time.Now()
	a := w.call("GET", "/projects/alpha/jobs/"+w.job+"?wait=30ms", "")
	if a.status != 200 || time.Since(began) < 30*time.Millisecond || time.Since(began) > timeout {
		t.Errorf("%d after %s", a.status, time.Since(began))
	}
	for _, wait := range []string{"-1s", "soon", "5"} {
		wantProblem(t, wait, w.call("GET", "/projects/alpha/jobs/"+w.job+"?wait="+wait, ""), 400)
	}
	done := make(chan answer, 1)
	go func() { done <- w.call("GET", "/projects/alpha/jobs/"+w.job+"?wait=1h", "") }() // capped, and ends before
	w.write(func(tx *store.Tx) error { return w.app.Jobs.Cancel(t.Context(), tx, w.alpha.K, w.job) })
	select {
	case a := <-done:
		if state := decode[map[string]any](t, a)["state"]; state != "cancelled" {
			t.Errorf("state %v", state)
		}
	case <-time.After(timeout):
		t.Error("it waits on")
	}
	go func() { done <- w.call("GET", "/projects/alpha/events?after=9999&wait=1h", "") }()
	time.AfterFunc(500*time.Millisecond, w.stop) // it waits by then
	select {
	case a := <-done:
		if a.status != 200 {
			t.Errorf("a stopping server answers %d %s", a.status, a.body)
		}
	case <-time.After(timeout):
		t.Error("it waits for longer than the server runs")
	}
}

// TestOpenAPI_DescribesEveryOperation checks the document's structure: each
// reference leads somewhere, and each operation says what it needs to say.
func TestOpenAPI_DescribesEveryOperation(t *testing.T) {
	w := newWorld(t)
	a := w.call("GET", "/openapi.json", "")
	doc := decode[map[string]any](t, a)
	if doc["openapi"] != "3.1.0" {
		t.Errorf("version %v", doc["openapi"])
	}
	seen, ids := 0, map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, raw := range item.(map[string]any) {
			o := raw.(map[string]any)
			what := method + " " + path
			seen++
			id, _ := o["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s: operation id %q", what, id)
			}
			ids[id] = true
			for _, key := range []string{"summary", "x-permission"} {
				if s, _ := o[key].(string); s == "" {
					t.Errorf("%s says no %s", what, key)
				}
			}
			checkResponses(t, what, o["responses"].(map[string]any))
			checkParameters(t, what, path, o)
		}
	}
	native := 0
	for _, r := range w.app.Routes() {
		if strings.HasPrefix(r.Path, "/api/v1/") && r.Path != "/api/v1/openapi.json" {
			native++
		}
	}
	if seen != native {
		t.Errorf("%d operations described, %d routes", seen, native)
	}
	checkReferences(t, doc, doc)
}

func checkResponses(t *testing.T, what string, responses map[string]any) {
	for _, status := range []string{"400", "401", "403", "404", "500", "503"} {
		r, _ := responses[status].(map[string]any)
		content, _ := r["content"].(map[string]any)
		if content["application/problem+json"] == nil {
			t.Errorf("%s: response %s is not a problem: %v", what, status, r)
		}
	}
	if responses["200"] == nil && responses["202"] == nil {
		t.Errorf("%s describes no success", what)
	}
}

func checkParameters(t *testing.T, what, path string, o map[string]any) {
	named := map[string]bool{}
	params, _ := o["parameters"].([]any)
	for _, raw := range params {
		p := raw.(map[string]any)
		if p["in"] == "path" {
			named[p["name"].(string)] = true
		}
	}
	for _, part := range strings.Split(path, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok && !named[strings.TrimSuffix(name, "}")] {
			t.Errorf("%s does not describe %s", what, part)
		}
	}
}

func checkReferences(t *testing.T, doc map[string]any, node any) {
	switch n := node.(type) {
	case []any:
		for _, v := range n {
			checkReferences(t, doc, v)
		}
	case map[string]any:
		if ref, ok := n["$ref"].(string); ok {
			var at any = doc
			for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := at.(map[string]any)
				at = m[part]
			}
			if at == nil {
				b, _ := json.Marshal(n)
				t.Errorf("%s leads nowhere", b)
			}
		}
		for _, v := range n {
			checkReferences(t, doc, v)
		}
	}
}

// A time is RFC 3339, or its name ends in _ms: who reads an answer need not guess.
func TestDocument_NamesTimesByTheirForm(t *testing.T) {
	w := newWorld(t)
	doc := decode[struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Type   any // a name, or a list of them
					Format string
				}
			}
		}
	}](t, w.call("GET", "/openapi.json", ""))
	times, numbers := 0, 0
	for schema, s := range doc.Components.Schemas {
		for name, p := range s.Properties {
			inMS := strings.HasSuffix(name, "_ms")
			switch {
			case p.Format == "date-time":
				times++
				if inMS {
					t.Errorf("%s.%s is RFC 3339 and is called milliseconds", schema, name)
				}
			case inMS:
				numbers++
				// A length of time may have a part of a millisecond; a chart has lists of times.
				if p.Type != "integer" && p.Type != "array" && name != "elapsed_ms" {
					t.Errorf("%s.%s is called milliseconds and is a %v", schema, name, p.Type)
				}
			case p.Type == "integer" && (strings.HasSuffix(name, "_at") || strings.HasSuffix(name, "time") ||
				name == "at" || name == "timestamp"):
				t.Errorf("%s.%s is a time as a number, and does not say its unit", schema, name)
			}
		}
	}
	if times < 10 || numbers < 5 {
		t.Errorf("only %d times and %d in milliseconds; is the document read right?", times, numbers)
	}
}

func TestWebhooks_AreMadeOnceAndStayInTheirProject(t *testing.T) {
	w := newWorld(t)
	hooks := "/projects/alpha/webhooks"
	body := `{"name":"ci","url":"https://192.0.2.1/","events":["model_version.created"]}`
	wantProblem(t, "no public address", w.call("POST", hooks, body), 400)
	body = strings.Replace(body, "192.0.2.1", "1.1.1.1", 1)
	var ids []string
	for range 2 {
		a := w.call("POST", hooks, body, "Idempotency-Key", "k")
		ids = append(ids, decode[struct{ ID string }](t, a).ID)
	}
	if ids[0] == "" || ids[0] != ids[1] {
		t.Errorf("sent again it is another webhook: %v", ids)
	}
	for _, tt := range []struct {
		method, path, body string
		status             int
		part               string
	}{
		{"POST", "/projects/alpha/webhooks", `{"name":"ci"}`, 400, "needs a name, a URL and events"},
		{"PATCH", "/projects/beta/webhooks/" + ids[0], `{"active":false}`, 404, "not found"},
		{"POST", "/projects/beta/webhooks/" + ids[0] + "/test", `{}`, 404, "not found"},
		{"DELETE", "/projects/beta/webhooks/" + ids[0], "", 404, "not found"},
		{"PATCH", hooks + "/" + ids[0], `{"events":["nothing"]}`, 400, "there is no event"},
		{"PATCH", hooks + "/" + ids[0], `{"active":false}`, 200, `"active":false`},
		{"DELETE", hooks + "/" + ids[0], "", 200, `"done":true`},
		{"DELETE", hooks + "/" + ids[0], "", 404, "not found"},
	} {
		a := w.call(tt.method, tt.path, tt.body)
		if a.status != tt.status || !strings.Contains(string(a.body), tt.part) {
			t.Errorf("%s %s: %d %s", tt.method, tt.path, a.status, a.body)
		}
	}
}
