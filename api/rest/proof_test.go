package rest_test

import (
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/ledger"
)

// TestProof_OfAVersionIsCheckedWithoutTheServer takes a version's proof, and checks it
// with the public key that the server tells.
func TestProof_OfAVersionIsCheckedWithoutTheServer(t *testing.T) {
	w := newWorld(t)
	key := decode[ledger.Report](t, w.call("POST", "/audit/verify", "{}")).PublicKey
	a := w.call("GET", "/projects/alpha/models/alpha/versions/2/proof", "")
	w.stop()
	got, err := ledger.CheckProof(a.body, key)
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, e := range got.Events {
		types = append(types, e.Type)
	}
	all := strings.Join(types, " ")
	for _, want := range []string{"run.created", "modelversion.created", "modelversion.conditioned",
		"rollout.started", "rollout.finished", "alias.moved"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not among %s", want, all)
		}
	}
	for _, e := range got.Events {
		if strings.HasPrefix(e.Subject, "model/alpha/") && e.Subject != "model/alpha/2" {
			t.Errorf("event %d is about %s", e.Seq, e.Subject)
		}
	}
}

func TestCard_SaysWhatIsKnownAndWhatIsNot(t *testing.T) {
	w := newWorld(t)
	card := func(n string) string {
		t.Helper()
		return decode[rest.Card](t, w.call("GET", "/projects/alpha/models/alpha/versions/"+n+"/card", "")).Markdown
	}
	for _, want := range []string{"# alpha version 2\n", "| Aliases | live |", "not said: `owner` in fairlead.yaml",
		"Nobody has said what it is for", "The version names no data.", "No gate has judged it.",
		"- live of alpha@production", "`fairlead audit bundle alpha 2`"} {
		if got := card("2"); !strings.Contains(got, want) {
			t.Errorf("there is no %q in\n%s", want, got)
		}
	}
	if a := w.call("PUT", "/projects/alpha/models/alpha/description",
		`{"description":"For *alpha* alone.\n\n- not for beta"}`); a.status/100 != 2 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := card("2"); !strings.Contains(got, "## Intended use\n\nFor *alpha* alone.\n\n- not for beta\n") {
		t.Errorf("the description is not there as it was written:\n%s", got)
	}
	if got := card("1"); !strings.Contains(got, "- standby of alpha@production") {
		t.Errorf("version 1:\n%s", got)
	}
	if a := w.call("GET", "/projects/alpha/models/alpha/versions/99/card", ""); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestLineage_LeadsFromTheRunToTheEndpoint(t *testing.T) {
	w := newWorld(t)
	g := decode[rest.Lineage](t, w.call("GET", "/projects/alpha/models/alpha/versions/2/lineage", ""))
	kinds := map[string]rest.LineageNode{}
	ids := map[string]bool{}
	for _, n := range g.Nodes {
		if ids[n.ID] {
			t.Errorf("%s is there twice", n.ID)
		}
		kinds[n.Kind], ids[n.ID] = n, true
	}
	if v := kinds["version"]; v.N != 2 || !v.Self || v.State != "ready" {
		t.Errorf("version %+v", v)
	}
	if r := kinds["rollout"]; r.Key != w.rollout || r.State != "promoted" || r.TimeMS == 0 {
		t.Errorf("rollout %+v", r)
	}
	if e := kinds["endpoint"]; e.Key != "alpha@production" || e.State != "live" {
		t.Errorf("endpoint %+v", e)
	}
	next := map[string]string{}
	for _, e := range g.Edges {
		if !ids[e.From] || !ids[e.To] {
			t.Errorf("an edge to nowhere: %+v", e)
		}
		next[e.From] = e.To
	}
	at := kinds["run"].ID
	for range 3 {
		at = next[at]
	}
	if at != kinds["endpoint"].ID {
		t.Errorf("from the run one comes to %q: %+v", at, g.Edges)
	}
}

// A client that was generated from the document relies on it.
func TestModels_ListsAreNeverNull(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/models", "/models/alpha", "/models/alpha?as_of=9000-01-01",
		"/models/alpha/versions", "/models/alpha/versions?as_of=9000-01-01", "/models/alpha/versions/4",
		"/models/alpha/versions/4?as_of=9000-01-01", "/models/alpha/versions/4/facts",
		"/models/alpha/versions/4/lineage"} {
		a := w.call("GET", "/projects/alpha"+path, "")
		if a.status != 200 || strings.Contains(string(a.body), ":null") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
