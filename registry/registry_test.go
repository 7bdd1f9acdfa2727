package registry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

var (
	project = fairlead.Project{K: 1, Name: "default"}
	other   = fairlead.Project{K: 2, Name: "other"}
)

type bench struct {
	*testing.T
	db    *store.DB
	led   *ledger.Ledger
	tr    *tracking.Service
	reg   *registry.Service
	clock *fairlead.FakeClock
}

func open(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	clock := fairlead.NewFakeClock(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), blob.Schema(), tracking.Schema(), registry.Schema())
	b := &bench{T: t, db: db, clock: clock}
	b.must(err)
	t.Cleanup(func() { db.Close() })
	b.led = ledger.New(db, clock, slog.New(slog.DiscardHandler))
	blobs, err := blob.New(db, dir)
	b.must(err)
	b.tr = tracking.New(db, b.led, blobs, clock, slog.New(slog.DiscardHandler))
	b.reg = registry.New(db, b.led, blobs, b.tr, clock)
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) refused(err error, code fairlead.Code, message string) {
	b.Helper()
	if !fairlead.Is(err, code) || !strings.Contains(err.Error(), message) {
		b.Errorf("error %v, want %s with %q", err, code, message)
	}
}

// write runs a change as user ann.
func (b *bench) write(fn func(ctx context.Context, tx *store.Tx) error) error {
	ctx := fairlead.WithActor(b.Context(), fairlead.Actor{Kind: "user", Name: "ann"})
	return b.reg.Write(ctx, func(tx *store.Tx) error { return fn(ctx, tx) })
}

// model makes a model with n versions, each from a logged model of its own.
func (b *bench) model(name string, n int) (ids []string) {
	b.Helper()
	for i := range n {
		m, err := b.tr.AddLoggedModel(b.Context(), project, tracking.NewLoggedModel{})
		b.must(err)
		at := tracking.Place{Owner: tracking.LoggedModelOwner(m.ID), Path: "MLmodel"}
		b.must(b.tr.PutArtifact(b.Context(), project, at, strings.NewReader(fmt.Sprint("model ", i)), nil))
		_, err = b.tr.FinishLoggedModel(b.Context(), project, m.ID, tracking.ModelReady)
		b.must(err)
		_, err = b.version(registry.NewVersion{Model: name, LoggedModelID: m.ID})
		b.must(err)
		ids = append(ids, m.ID)
	}
	return ids
}

func (b *bench) version(n registry.NewVersion) (v *registry.Version, err error) {
	err = b.write(func(ctx context.Context, tx *store.Tx) error {
		if _, err := b.reg.EnsureModel(ctx, tx, project, n.Model); err != nil {
			return err
		}
		v, err = b.reg.CreateVersion(ctx, tx, project, n)
		return err
	})
	return v, err
}

func (b *bench) get(model string, n int64) (v *registry.Version) {
	b.Helper()
	b.must(b.reg.Read(b.Context(), func(tx *store.Tx) (err error) {
		v, err = b.reg.Version(tx, project, model, n)
		return err
	}))
	return v
}

func (b *bench) setAlias(model, alias string, n int64) error {
	return b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.SetAlias(ctx, tx, project, model, alias, n)
	})
}

func (b *bench) alias(model, alias string) (n, rev int64) {
	b.Helper()
	b.must(b.reg.Read(b.Context(), func(tx *store.Tx) (err error) {
		n, rev, err = b.reg.AliasRevision(tx, project, model, alias)
		return err
	}))
	return n, rev
}

// events returns the moves of aliases in the ledger, as alias:from>to.
func (b *bench) moves() string {
	b.Helper()
	records, err := b.led.List(b.Context(), ledger.Filter{Types: []string{event.AliasMovedType}})
	b.must(err)
	var out []string
	for _, r := range records {
		var e event.AliasMoved
		b.must(r.Decode(&e))
		out = append(out, fmt.Sprintf("%s:%d>%d", e.Alias, e.From, e.To))
	}
	return strings.Join(out, " ")
}

func TestSetModelTag_TellsWhichTag(t *testing.T) {
	b := open(t)
	b.model("wine", 1)
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		if err := b.reg.SetModelTag(ctx, tx, project, "wine", registry.Tag{Key: "team", Value: "cellar"}); err != nil {
			return err
		}
		return b.reg.DeleteModelTag(ctx, tx, project, "wine", "team")
	}))
	records, err := b.led.List(b.Context(), ledger.Filter{Types: []string{event.ModelUpdatedType}})
	b.must(err)
	var got []string
	for _, r := range records {
		got = append(got, string(r.Body))
	}
	want := `{"model":"wine","tag":"team","value":"cellar"} {"model":"wine","tag":"team"}`
	if s := strings.Join(got, " "); s != want {
		t.Errorf("events %s, want %s", s, want)
	}
}

func TestCreateVersion_NumbersNeverRepeat(t *testing.T) {
	b := open(t)
	b.model("bikes", 3)
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteVersion(ctx, tx, project, "bikes", 3)
	}))
	b.model("bikes", 1)
	if v := b.get("bikes", 4); v.N != 4 || v.User != "ann" {
		t.Errorf("version %+v", v)
	}
}

func TestCreateVersion_KeepsLineage(t *testing.T) {
	b := open(t)
	id := b.model("bikes", 1)[0]
	want := registry.Lineage{PipelineRun: "pr_1", Commit: "abc", EnvLock: "d1", SpecRev: 3,
		Datasets: []data.Ref{{Dataset: "train", N: 2}}, Cause: "case",
		Params: map[string]any{"train": map[string]any{"rate": 0.1, "trees": json.Number("200.0")}}}
	v, err := b.version(registry.NewVersion{Model: "bikes", LoggedModelID: id, ProducedBy: want})
	b.must(err)
	got, _ := json.Marshal(b.get("bikes", v.N).ProducedBy)
	if w, _ := json.Marshal(want); string(got) != string(w) {
		t.Errorf("lineage %s, want %s", got, w)
	}
	b.model("bikes", 1) // a person's version in between
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		params, err := b.reg.LastParams(tx, project, "bikes")
		if err == nil && params["train"]["trees"] != json.Number("200.0") {
			t.Errorf("last params %v", params)
		}
		return err
	}))
}

func TestCreateVersion_AcceptsOnlySourcesThatTheProjectVouchesFor(t *testing.T) {
	b := open(t)
	id := b.model("bikes", 1)[0]
	m, err := b.tr.LoggedModel(t.Context(), project, id)
	b.must(err)
	r, err := b.tr.StartRun(t.Context(), project, tracking.NewRun{})
	b.must(err)
	pending, err := b.tr.AddLoggedModel(t.Context(), project, tracking.NewLoggedModel{})
	b.must(err)
	foreign, err := b.tr.StartRun(t.Context(), other, tracking.NewRun{})
	b.must(err)
	b.must(b.setAlias("bikes", "best", 1))
	prompt := []registry.Tag{{"mlflow.prompt.is_prompt", "true"}}
	check := func(in registry.NewVersion, storage, refused string) {
		t.Helper()
		in.Model = "targets"
		v, err := b.version(in)
		if refused != "" {
			if err == nil || !strings.Contains(err.Error(), refused) {
				t.Errorf("%+v: error %v, want %q", in, err, refused)
			}
			return
		}
		if err != nil || v.Storage != storage {
			t.Errorf("%+v: %+v, error %v, want files at %s", in, v, err, storage)
		}
	}
	for _, c := range []struct {
		in      registry.NewVersion
		storage string
		refused string
	}{
		{in: registry.NewVersion{LoggedModelID: id}, storage: m.ArtifactURI()},
		{in: registry.NewVersion{Source: "models:/" + id}, storage: m.ArtifactURI()},
		{in: registry.NewVersion{Source: "models:/bikes/1"}, storage: m.ArtifactURI()},
		{in: registry.NewVersion{Source: "models:/bikes@best"}, storage: m.ArtifactURI()},
		{in: registry.NewVersion{Source: "models:/bikes@best", LoggedModelID: id}, storage: m.ArtifactURI()},
		{in: registry.NewVersion{Source: "runs:/" + r.ID + "/model"}, storage: r.ArtifactURI() + "/model"},
		{in: registry.NewVersion{Source: r.ArtifactURI() + "/model"}, storage: r.ArtifactURI() + "/model"},
		{in: registry.NewVersion{Source: "runs:/" + r.ID + "//a/./model/"}, storage: r.ArtifactURI() + "/a/model"},
		{in: registry.NewVersion{Source: r.ArtifactURI() + "//model/"}, storage: r.ArtifactURI() + "/model"},
		{in: registry.NewVersion{Source: m.ArtifactURI() + "/"}, storage: m.ArtifactURI()},
		{in: registry.NewVersion{Source: strings.Replace(m.ArtifactURI(), ":/", ":///", 1)}, storage: m.ArtifactURI()},
		{in: registry.NewVersion{Source: "s3://bucket/model", RunID: r.ID}, storage: "s3://bucket/model"},
		{in: registry.NewVersion{Source: "dummy-source", Tags: prompt}},
		{in: registry.NewVersion{Source: "prompt-template", RunID: r.ID, Tags: prompt}},
		{in: registry.NewVersion{Source: "file:///tmp/x", Tags: prompt}, refused: "Invalid prompt source"},
		{in: registry.NewVersion{Source: "runs:/" + r.ID + "/model", Tags: prompt}, refused: "Invalid prompt source"},
		{in: registry.NewVersion{Source: "dummy-source", RunID: foreign.ID, Tags: prompt}, refused: "not found"},
		{in: registry.NewVersion{Source: "dummy-source", LoggedModelID: pending.ID, Tags: prompt},
			refused: "not READY"},
		{in: registry.NewVersion{}, refused: "Missing value for required parameter 'source'"},
		{in: registry.NewVersion{Source: "s3://bucket/model"}, refused: "name the one that it comes from"},
		{in: registry.NewVersion{LoggedModelID: pending.ID}, refused: "is PENDING and not READY"},
		{in: registry.NewVersion{Source: "/etc/passwd"}, refused: "Invalid model version source: '/etc/passwd'"},
		{in: registry.NewVersion{Source: "file:///etc"}, refused: "Invalid model version source"},
		{in: registry.NewVersion{Source: "models:/nope"}, refused: "expected models:/m-<id>"},
		{in: registry.NewVersion{Source: "models:/m-00000000000000000000000000000000"}, refused: "not found"},
		{in: registry.NewVersion{Source: "runs:/" + foreign.ID + "/model"}, refused: "not found"},
		{in: registry.NewVersion{Source: foreign.ArtifactURI()}, refused: "not found"},
		{in: registry.NewVersion{Source: "runs:/" + r.ID + "/a/../../b"}, refused: ".. in it"},
		{in: registry.NewVersion{Source: "s3://b/%252e%252e/x"}, refused: ".. in it"},
		{in: registry.NewVersion{Source: "runs:/" + r.ID + "/model", RunID: foreign.ID}, refused: "not below the run"},
		{in: registry.NewVersion{Source: "mlflow-artifacts:/0/traces/x"}, refused: "neither a run nor"},
		{in: registry.NewVersion{Source: "mlflow-artifacts:/9/models/" + id + "/artifacts"}, refused: "are at " + m.ArtifactURI()},
		{in: registry.NewVersion{Source: "mlflow-artifacts:/9/" + r.ID + "/artifacts/model"}, refused: "are at " + r.ArtifactURI()},
		{in: registry.NewVersion{Source: r.ArtifactURI() + `\model`}, refused: "backslash"},
		{in: registry.NewVersion{Source: "runs:/" + r.ID + `/a\model`}, refused: "backslash"},
		{in: registry.NewVersion{Source: "s3://b/x", RunID: foreign.ID}, refused: "not found"},
		{in: registry.NewVersion{Source: "models:/bikes/1", RunID: r.ID}, refused: "not of the run " + r.ID},
		{in: registry.NewVersion{Source: "models:/bikes@best", RunID: foreign.ID}, refused: "not of the run"},
		{in: registry.NewVersion{Source: "models:/bikes/1", LoggedModelID: pending.ID},
			refused: "not of the logged model " + pending.ID},
	} {
		check(c.in, c.storage, c.refused)
	}
	// A run of one's own vouches for none of these.
	for source, refused := range map[string]string{
		"FILE:///etc/passwd": "local files", "File:/etc": "local files", "/etc/pa:ss": "local files",
		"a/b:c": "local files", `\\host\x:y`: "local files", "C:/x": "local files", ":x": "local files",
		"Runs:/" + r.ID: "local files", "MODELS:/bikes/1": "local files", "S3://b/x": "local files",
		" s3://b/x": "local files", "s3": "local files",
		"http://h/x": "any host", "https://h/x": "any host", "ftp://h/x": "any host",
		"sftp://h/x": "any host", "hdfs://h/x": "any host", "viewfs://h/x": "any host",
		"r2://b@h/x": "any host", "b2://b@h/x": "any host", "abfss://f@h/x": "any host",
		"dbfs:/x": "any host", "data:text/html,x": "any host", "jar:file:/x!/y": "any host",
		"javascript:alert(1)": "any host", "mlflow-artifacts://h:80/x": "neither a run nor",
		"http://h/api/2.0/mlflow-artifacts/artifacts/0/" + r.ID + "/artifacts": "any host",
		"s3://b/x\x00y": "control", "s3://b/x%00y": "control", "s3://b/x%2500y": "control",
		"s3://b/x\ny": "control", `s3://b/x\y`: "backslash", "s3://b/x%5cy": "backslash",
		"s3://b/%2e%2e/%zz": ".. in it", `s3://b/..\..\x`: ".. in it", "s3://b/%25252e%25252e/x": ".. in it",
		"s3://b/%2525252525252e/x": ".. in it", "s3://b/x#/../y": ".. in it", "s3://b/x?y": "? # ;",
		"s3://b/x#y": "? # ;", "s3://b/x;y": "? # ;", "runs:/" + r.ID + "/%2e%2e%5cx": ".. in it",
		"models:/bikes/1%00": "control",
	} {
		check(registry.NewVersion{Source: source, RunID: r.ID}, "", refused)
	}
}
func TestCreateVersion_CopiesAVersionWhoseLoggedModelIsGone(t *testing.T) {
	b := open(t)
	r, err := b.tr.StartRun(t.Context(), project, tracking.NewRun{})
	b.must(err)
	m, err := b.tr.AddLoggedModel(t.Context(), project, tracking.NewLoggedModel{RunID: r.ID})
	b.must(err)
	_, err = b.tr.FinishLoggedModel(t.Context(), project, m.ID, tracking.ModelReady)
	b.must(err)
	v, err := b.version(registry.NewVersion{Model: "bikes", LoggedModelID: m.ID})
	b.must(err)
	b.must(b.tr.DeleteLoggedModel(t.Context(), project, m.ID))
	again, err := b.version(registry.NewVersion{Model: "copies", Source: "models:/bikes/1",
		RunID: v.RunID, LoggedModelID: v.LoggedModelID}) // as copy_model_version does
	b.must(err)
	if again.RunID != r.ID || again.LoggedModelID != m.ID || again.Storage != v.Storage {
		t.Errorf("copy %+v of %+v", again, v)
	}
}

func TestCreateVersion_KeepsTheVersionThatItsSourceNamed(t *testing.T) {
	b := open(t)
	b.model("bikes", 3)
	b.model("a@b", 1)
	b.must(b.setAlias("bikes", "best", 1))
	b.must(b.setAlias("a@b", "best", 1))
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		if _, err := b.reg.EnsureModel(ctx, tx, project, "none"); err != nil {
			return err
		}
		return b.reg.SetStage(ctx, tx, project, "bikes", 2, "Production", false)
	}))
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := b.reg.CreateModel(ctx, tx, project, "greeting", "",
			[]registry.Tag{{Key: "mlflow.prompt.is_prompt", Value: "True"}})
		return err
	}))
	_, err := b.version(registry.NewVersion{Model: "greeting", Source: "dummy-source",
		Tags: []registry.Tag{{Key: "mlflow.prompt.is_prompt", Value: "true"}}})
	b.must(err)
	for source, want := range map[string]string{
		"models:/bikes@best":       "models:/bikes/1",
		"models:/bikes@LATEST":     "models:/bikes/3",
		"models:/bikes/latest":     "models:/bikes/3",
		"models:/bikes/production": "models:/bikes/2",
		"models:/bikes/None":       "models:/bikes/3",
		"models:///bikes/01":       "models:/bikes/1",
		"models:/a@b/1":            "models:/a@b/1",
		"models:/a@b@best":         "models:/a@b/1",
	} {
		v, err := b.version(registry.NewVersion{Model: "copies", Source: source})
		if err != nil || v.Source != want {
			t.Errorf("%s: %+v, error %v, want %s", source, v, err, want)
		}
	}
	for source, refused := range map[string]string{
		"models:/greeting/1":      "Prompt versions cannot be used as model version sources.",
		"models:/greeting@latest": "Prompt versions cannot be used as model version sources.",
		"models://bikes/1":        "names no other server",
		"models://x/bikes/1":      "names no other server",
		"models:bikes/1":          "names no other server",
		"models:":                 "names no other server",
		"runs://x/y/model":        "names no other server",
		"models:/bikes/Staging":   `"Staging" names no version of "bikes"`,
		"models:/bikes@other":     `"other" names no version of "bikes"`,
		"models:/none/latest":     `"latest" names no version of "none"`,
		"models:/bikes/9":         "version=9) not found",
		"models:/bikes/+1":        "Invalid Model Version stage: +1",
		"models:/bikes/1/x":       "Invalid Model Version stage: 1/x",
		"models:/bikes/":          "expected models:/m-<id>",
		"models:/@best":           "expected models:/m-<id>",
		"models:/absent/latest":   "not found",
	} {
		if v, err := b.version(registry.NewVersion{Model: "copies", Source: source}); err == nil ||
			!strings.Contains(err.Error(), refused) {
			t.Errorf("%s: %+v, error %v, want %q", source, v, err, refused)
		}
	}
}

func TestSetAlias_MovesWithRevisionHistoryAndEvent(t *testing.T) {
	b := open(t)
	b.model("bikes", 2)
	for _, n := range []int64{1, 1, 2} {
		b.must(b.setAlias("bikes", "candidate", n))
	}
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteAlias(ctx, tx, project, "bikes", "candidate")
	}))
	b.must(b.setAlias("bikes", "candidate", 2))
	want := "candidate:0>1 candidate:1>2 candidate:2>0 candidate:0>2"
	if got := b.moves(); got != want {
		t.Errorf("events %s, want %s", got, want)
	}
	if n, rev := b.alias("bikes", "candidate"); n != 2 || rev != 4 {
		t.Errorf("alias at %d, revision %d", n, rev)
	}
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		moves, err := b.reg.AliasMoves(tx, project, "bikes", "candidate")
		if len(moves) != 4 || moves[1].From != 1 || moves[1].Actor != "user:ann" || moves[1].Event == "" {
			t.Errorf("history %+v", moves)
		}
		return err
	}))
	if v := b.get("bikes", 2); len(v.Aliases) != 1 || v.Aliases[0] != "candidate" {
		t.Errorf("aliases of version 2: %v", v.Aliases)
	}
}

func TestSetAlias_RefusesLiveReservedAndUnknown(t *testing.T) {
	b := open(t)
	b.model("bikes", 1)
	b.refused(b.setAlias("bikes", "live", 1), fairlead.Denied, "give the version the alias 'candidate'")
	b.refused(b.setAlias("bikes", "v12", 1), fairlead.Invalid, "reserved")
	b.refused(b.setAlias("bikes", "Latest", 1), fairlead.Invalid, "reserved")
	b.refused(b.setAlias("bikes", "a b", 1), fairlead.Invalid, "Invalid alias name")
	b.refused(b.setAlias("bikes", "a", 2), fairlead.NotFound, "version=2")
	b.refused(b.setAlias("cars", "a", 1), fairlead.NotFound, "not found")
	err := b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteAlias(ctx, tx, project, "bikes", "live")
	})
	b.refused(err, fairlead.Denied, "releases alone")
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.SetLive(ctx, tx, project, "bikes", 1)
	}))
	if n, _ := b.alias("bikes", "live"); n != 1 {
		t.Errorf("live is %d", n)
	}
}

func TestAlias_LatestIsTheHighestVersion(t *testing.T) {
	b := open(t)
	b.model("bikes", 2)
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := b.reg.CreateModel(ctx, tx, project, "empty", "", nil)
		return err
	}))
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		for model, want := range map[string]int64{"bikes": 2, "empty": 0} {
			if n, err := b.reg.Alias(tx, project, model, "Latest"); n != want || err != nil {
				t.Errorf("latest of %s is %d, %v", model, n, err)
			}
		}
		_, err := b.reg.Alias(tx, project, "cars", "latest")
		b.refused(err, fairlead.NotFound, "not found")
		return nil
	}))
}

func TestRetire_RefusesWhatIsLiveOrHeld(t *testing.T) {
	b := open(t)
	b.model("bikes", 2)
	retire := func(n int64) error {
		return b.write(func(ctx context.Context, tx *store.Tx) error {
			return b.reg.Retire(ctx, tx, project, "bikes", n, "replaced")
		})
	}
	hold := registry.Holder{Kind: "endpoint", ID: "bikes@production", Reason: "standby"}
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		if err := b.reg.SetLive(ctx, tx, project, "bikes", 2); err != nil {
			return err
		}
		return b.reg.Hold(tx, project, "bikes", 1, hold)
	}))
	b.refused(retire(2), fairlead.Precondition, "version 2 of \"bikes\" is live")
	b.refused(retire(1), fairlead.Precondition, "held by endpoint bikes@production (standby)")
	err := b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteVersion(ctx, tx, project, "bikes", 1)
	})
	b.refused(err, fairlead.Precondition, "held by")
	err = b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteModel(ctx, tx, project, "bikes")
	})
	b.refused(err, fairlead.Precondition, "is live")
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.Unhold(tx, project, "bikes", 1, hold.Kind, hold.ID)
	}))
	b.must(retire(1))
	b.must(retire(1))
	if v := b.get("bikes", 1); !v.Retired() || v.Reason != "replaced" {
		t.Errorf("version %+v", v)
	}
	b.refused(b.setAlias("bikes", "candidate", 1), fairlead.Gone, "retired (replaced)")
}

func TestSetCondition_TellsEachChangeOnce(t *testing.T) {
	b := open(t)
	b.model("bikes", 1)
	set := func(c registry.Condition) {
		b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
			return b.reg.SetCondition(ctx, tx, project, "bikes", 1, c)
		}))
	}
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		c, err := b.reg.Condition(tx, project, "bikes", 1, registry.ConditionPackaged)
		if c.Status != registry.Unknown {
			t.Errorf("before: %+v", c)
		}
		return err
	}))
	failed := registry.Condition{Type: registry.ConditionPackaged, Status: registry.False, Reason: "no"}
	done := registry.Condition{Type: registry.ConditionPackaged, Status: registry.True, Ref: "d1"}
	for _, c := range []registry.Condition{failed, failed, done, done} {
		set(c)
	}
	records, err := b.led.List(t.Context(),
		ledger.Filter{Types: []string{event.ModelVersionConditionType}})
	b.must(err)
	if len(records) != 2 || records[1].Subject != registry.Subject("bikes", 1) {
		t.Errorf("%d events", len(records))
	}
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		ok, _, err := b.reg.Packaged(tx, project, "bikes", 1)
		all, err2 := b.reg.Conditions(tx, project, "bikes", 1)
		if !ok || len(all) != 1 || all[0].Ref != "d1" || err2 != nil {
			t.Errorf("packaged %v, conditions %+v, %v", ok, all, err2)
		}
		return err
	}))
	err = b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.RenameModel(ctx, tx, project, "bikes", "rides")
	})
	b.refused(err, fairlead.Precondition, "packaged versions")
}

func TestModelDir_WritesTheFilesOfTheVersion(t *testing.T) {
	b := open(t)
	b.model("bikes", 2)
	dir := filepath.Join(t.TempDir(), "model")
	b.must(b.reg.ModelDir(t.Context(), project, "bikes", 2, dir))
	text, err := os.ReadFile(filepath.Join(dir, "MLmodel"))
	if string(text) != "model 1" || err != nil {
		t.Errorf("file %q, %v", text, err)
	}
	r, err := b.tr.StartRun(t.Context(), project, tracking.NewRun{})
	b.must(err)
	v, err := b.version(registry.NewVersion{Model: "bikes", Source: "s3://b/m", RunID: r.ID})
	b.must(err)
	err = b.reg.ModelDir(t.Context(), project, "bikes", v.N, dir+"2")
	b.refused(err, fairlead.Precondition, "outside of this server")
}

func TestCreateVersion_SealsItsFiles(t *testing.T) {
	b := open(t)
	id := b.model("bikes", 1)[0]
	at := tracking.Place{Owner: tracking.LoggedModelOwner(id), Path: "MLmodel"}
	err := b.tr.PutArtifact(t.Context(), project, at, strings.NewReader("another model"), nil)
	b.refused(err, fairlead.Precondition, `version 1 of "bikes"`)
}

func TestDelete_LiftsTheSealWithTheLastVersion(t *testing.T) {
	b := open(t)
	id := b.model("bikes", 1)[0]
	_, err := b.version(registry.NewVersion{Model: "copies", Source: "models:/bikes/1"})
	b.must(err)
	at := tracking.Place{Owner: tracking.LoggedModelOwner(id), Path: "MLmodel"}
	put := func() error {
		return b.tr.PutArtifact(t.Context(), project, at, strings.NewReader("another model"), nil)
	}
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteVersion(ctx, tx, project, "bikes", 1)
	}))
	b.refused(put(), fairlead.Precondition, "whose files never change")
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteModel(ctx, tx, project, "copies")
	}))
	b.must(put())
}

// Versions of before sources were made canonical may name one place in many ways.
func TestDelete_KeepsTheSealOfAPlaceWithAnotherURI(t *testing.T) {
	b := open(t)
	m, err := b.tr.LoggedModel(t.Context(), project, b.model("bikes", 1)[0])
	b.must(err)
	at := tracking.Place{Owner: tracking.LoggedModelOwner(m.ID), Path: "MLmodel"}
	for _, uri := range []string{
		"mlflow-artifacts:/9/models/" + m.ID + "/artifacts",
		"mlflow-artifacts:///" + m.ExperimentID + "//models/./" + m.ID + "//artifacts",
		m.ArtifactURI() + "/", m.ArtifactURI() + "/.", m.ArtifactURI() + "/%2e", m.ArtifactURI() + "/MLmodel",
	} {
		v, err := b.version(registry.NewVersion{Model: "other", LoggedModelID: m.ID})
		b.must(err)
		b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(`update version set storage = ? where n = ? and model_k =
				(select k from model where name = 'other')`, uri, v.N)
			b.must(err)
			return b.reg.DeleteVersion(ctx, tx, project, "other", v.N)
		}))
		err = b.tr.PutArtifact(t.Context(), project, at, strings.NewReader("another model"), nil)
		b.refused(err, fairlead.Precondition, "whose files never change")
	}
}

func TestModel_TagsStagesAndRename(t *testing.T) {
	b := open(t)
	b.model("bikes", 3)
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		if err := b.reg.SetStage(ctx, tx, project, "bikes", 1, "production", false); err != nil {
			return err
		}
		if err := b.reg.SetStage(ctx, tx, project, "bikes", 2, "Production", true); err != nil {
			return err
		}
		if err := b.reg.SetModelTag(ctx, tx, project, "bikes", registry.Tag{Key: "a", Value: "b"}); err != nil {
			return err
		}
		return b.reg.RenameModel(ctx, tx, project, "bikes", "rides")
	}))
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		m, err := b.reg.Model(tx, project, "rides")
		if err != nil {
			return err
		}
		var latest []string
		for _, v := range m.Latest {
			latest = append(latest, fmt.Sprint(v.Stage, v.N))
		}
		if got := strings.Join(latest, " "); got != "Archived1 Production2 None3" || len(m.Tags) != 1 {
			t.Errorf("latest %s, tags %v", got, m.Tags)
		}
		_, err = b.reg.Model(tx, other, "rides")
		b.refused(err, fairlead.NotFound, "Registered Model with name=rides not found")
		return nil
	}))
	err := b.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := b.reg.CreateModel(ctx, tx, project, "rides", "", nil)
		return err
	})
	b.refused(err, fairlead.Conflict, "Registered Model (name=rides) already exists")
	err = b.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := b.reg.CreateModel(ctx, tx, project, "a/b", "", nil)
		return err
	})
	b.refused(err, fairlead.Invalid, "a/b")
}

func TestDeleteModel_RemovesEverythingButTheNumbers(t *testing.T) {
	b := open(t)
	b.model("bikes", 2)
	b.must(b.setAlias("bikes", "best", 1))
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteModel(ctx, tx, project, "bikes")
	}))
	b.model("bikes", 1)
	if v := b.get("bikes", 3); len(v.Aliases) != 0 {
		t.Errorf("the new model inherited %v", v.Aliases)
	}
}

func TestRenameModel_TakesItsNumbersAlong(t *testing.T) {
	b := open(t)
	rename := func(from, to string) error {
		return b.write(func(ctx context.Context, tx *store.Tx) error {
			return b.reg.RenameModel(ctx, tx, project, from, to)
		})
	}
	b.model("bikes", 2)
	b.must(rename("bikes", "rides"))
	b.model("rides", 1)
	b.model("bikes", 1)
	if b.get("rides", 3) == nil || b.get("bikes", 3) == nil {
		t.Error("a number was given twice")
	}
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DeleteModel(ctx, tx, project, "bikes")
	}))
	b.refused(rename("rides", "bikes"), fairlead.Precondition, "has had the same numbers")
	b.model("cars", 1) // it may have the internal key of the model that was deleted
	b.refused(rename("cars", "bikes"), fairlead.Precondition, "has had the same numbers")
	b.must(rename("rides", "trips"))
	b.must(rename("trips", "rides"))
	b.model("rides", 1)
	b.get("rides", 4)
	// Without a number that was given under the name before, the name is free again.
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		_, err := b.reg.CreateModel(ctx, tx, project, "new", "", nil)
		return err
	}))
	b.must(rename("new", "bikes"))
	b.model("bikes", 1)
	b.get("bikes", 4)
}

func TestSetStage_ArchivesForActiveStagesAlone(t *testing.T) {
	b := open(t)
	b.model("bikes", 2)
	move := func(stage string, archive bool) error {
		return b.write(func(ctx context.Context, tx *store.Tx) error {
			return b.reg.SetStage(ctx, tx, project, "bikes", 1, stage, archive)
		})
	}
	for _, stage := range []string{"Archived", "none"} {
		b.refused(move(stage, true), fairlead.Invalid, "Model version transition cannot archive existing "+
			"model versions because '"+stage+"' is not an Active stage. "+
			"Valid stages are ['Staging', 'Production']")
	}
	b.must(move("staging", true))
	b.must(move("Archived", false))
}

// Of a model it is the stage of a version that is an update of it, and not an alias.
func TestModel_IsUpdatedByStagesAndNotByAliases(t *testing.T) {
	b := open(t)
	b.model("bikes", 1)
	updated := func() int64 {
		var m *registry.Model
		b.must(b.reg.Read(t.Context(), func(tx *store.Tx) (err error) {
			m, err = b.reg.Model(tx, project, "bikes")
			return err
		}))
		return m.UpdatedMS
	}
	before := updated()
	b.clock.Advance(time.Second)
	b.must(b.setAlias("bikes", "best", 1))
	if now := updated(); now != before {
		t.Errorf("an alias moves the update by %d ms", now-before)
	}
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.SetStage(ctx, tx, project, "bikes", 1, "Staging", false)
	}))
	if now := updated(); now != before+1000 {
		t.Errorf("a stage moves the update by %d ms", now-before)
	}
}

// What the caller's order leaves equal is ordered by name and number.
func TestSearchVersions_BreaksTiesByNameAndNumber(t *testing.T) {
	b := open(t)
	b.model("beta", 2)
	b.model("alpha", 1)
	b.clock.Advance(time.Second)
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return b.reg.DescribeVersion(ctx, tx, project, "beta", 1, "changed last")
	}))
	for order, want := range map[string]string{
		"":                       "beta1 alpha1 beta2",
		"creation_timestamp ASC": "alpha1 beta2 beta1",
	} {
		in := registry.Search{}
		if order != "" {
			in.OrderBy = []string{order}
		}
		page, err := b.reg.SearchVersions(t.Context(), project, in)
		b.must(err)
		var names []string
		for _, v := range page.Items {
			names = append(names, fmt.Sprint(v.Model, v.N))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("by %q: %s, want %s", order, got, want)
		}
	}
}

// A logged model says which versions are made of it, as MLflow's server writes it.
func TestCreateVersion_TellsTheLoggedModel(t *testing.T) {
	b := open(t)
	id := b.model("bikes", 1)[0]
	for range 2 {
		b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
			_, err := b.reg.CreateVersion(ctx, tx, project,
				registry.NewVersion{Model: "bikes", LoggedModelID: id})
			return err
		}))
	}
	m, err := b.tr.LoggedModel(t.Context(), project, id)
	b.must(err)
	want := tracking.Tag{Key: "mlflow.modelVersions", Value: `[{"name": "bikes", "version": 1}, ` +
		`{"name": "bikes", "version": 2}, {"name": "bikes", "version": 3}]`}
	if len(m.Tags) != 1 || m.Tags[0] != want {
		t.Errorf("tags %+v, want %+v", m.Tags, want)
	}
}

func TestSearch_FiltersOrdersAndHidesPrompts(t *testing.T) {
	b := open(t)
	for i, name := range []string{"beta", "alpha", "Alps"} {
		b.model(name, i+1)
	}
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		prompt := []registry.Tag{{Key: "mlflow.prompt.is_prompt", Value: "true"}}
		if _, err := b.reg.CreateModel(ctx, tx, project, "greeting", "", prompt); err != nil {
			return err
		}
		return b.reg.SetVersionTag(ctx, tx, project, "Alps", 2, registry.Tag{Key: "k", Value: "v"})
	}))
	for _, c := range []struct{ filter, order, want string }{
		{"", "", "Alps alpha beta"},
		{"", "name DESC", "beta alpha Alps"},
		{"name LIKE 'al%'", "", "alpha"},
		{"name ILIKE 'AL%'", "", "Alps alpha"},
		{"tags.`mlflow.prompt.is_prompt` != 'true'", "", "Alps alpha beta"},
		{"tags.`mlflow.prompt.is_prompt` = 'true'", "", "greeting"},
		{"name = 'x'", "", ""},
		{"name = 'beta' OR name LIKE 'Al%'", "", "Alps beta"},
		{"NOT (name = 'beta' OR name LIKE 'Al%')", "", "alpha"},
		{"name = 'beta' OR tags.`mlflow.prompt.is_prompt` = 'true'", "", "beta greeting"},
		{"creation_timestamp > 0 AND tags.absent IS NULL", "name DESC", "beta alpha Alps"},
	} {
		in := registry.Search{Filter: c.filter}
		if c.order != "" {
			in.OrderBy = []string{c.order}
		}
		page, err := b.reg.SearchModels(t.Context(), project, in)
		b.must(err)
		var names []string
		for _, m := range page.Items {
			names = append(names, m.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q by %q: %q, want %q", c.filter, c.order, got, c.want)
		}
	}
	for filter, want := range map[string]string{
		"name = 'Alps'":      "Alps3 Alps2 Alps1",
		"version_number > 1": "Alps3 Alps2 alpha2",
		"tags.k = 'v'":       "Alps2",
		"tags.k IS NOT NULL OR version_number BETWEEN 3 AND 9": "Alps3 Alps2",
		"NOT tags.k = 'v' AND name = 'Alps'":                   "Alps3 Alps1",
		"name IN ('beta', 'x')":                                "beta1",
		"source_path LIKE 'models:/m-%' and name = 'beta'":     "beta1",
	} {
		in := registry.Search{Filter: filter, Limit: 2}
		var names []string
		for {
			page, err := b.reg.SearchVersions(t.Context(), project, in)
			b.must(err)
			for _, v := range page.Items {
				names = append(names, fmt.Sprint(v.Model, v.N))
			}
			if in.PageToken = page.Next; page.Next == "" {
				break
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %q, want %q", filter, got, want)
		}
	}
}
