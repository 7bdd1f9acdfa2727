package registry_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func TestMoves_ListsAllAliasesTheNewestFirst(t *testing.T) {
	b := open(t)
	b.model("bikes", 3)
	b.model("other", 1)
	for i, alias := range []string{"best", "best", "worst", "best", "worst"} {
		b.clock.Advance(time.Duration(i/2) * time.Minute) // some at the same time
		b.must(b.setAlias("bikes", alias, int64(i%3+1)))
		b.must(b.setAlias("other", alias, 1))
	}
	list := func(asOf time.Time, limit int) (out []string) {
		for token, first := "", true; first || token != ""; first = false {
			var page fairlead.Page[registry.AliasMove]
			b.must(b.reg.Read(t.Context(), func(tx *store.Tx) (err error) {
				page, err = b.reg.Moves(tx, project, "bikes", asOf, token, limit)
				return err
			}))
			if len(page.Items) > limit || len(out) > 10 {
				t.Fatalf("a page of %d items, after %v", len(page.Items), out)
			}
			for _, m := range page.Items {
				out = append(out, fmt.Sprintf("%s:%d>%d", m.Alias, m.From, m.To))
			}
			token = page.Next
		}
		return out
	}
	whole := list(time.Time{}, 100)
	if fmt.Sprint(list(time.Time{}, 1)) != fmt.Sprint(whole) || len(whole) != 5 {
		t.Errorf("in pages %v, at once %v", list(time.Time{}, 1), whole)
	}
	if whole[0] != "worst:3>2" || whole[1] != "best:2>1" {
		t.Errorf("moves %v", whole)
	}
	if then := list(b.clock.Now().Add(-time.Minute), 100); len(then) != 4 ||
		then[0] != "best:2>1" {
		t.Errorf("moves by then %v", then)
	}
	err := b.reg.Read(t.Context(), func(tx *store.Tx) error {
		_, err := b.reg.Moves(tx, project, "nobody", time.Time{}, "", 1)
		return err
	})
	b.refused(err, fairlead.NotFound, "nobody")
	err = b.reg.Read(t.Context(), func(tx *store.Tx) error {
		_, err := b.reg.Moves(tx, project, "bikes", time.Time{}, "odd", 1)
		return err
	})
	b.refused(err, fairlead.Invalid, "page token")
}

func TestCountVersions_CountsThoseThatThereAre(t *testing.T) {
	b := open(t)
	b.model("bikes", 3)
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		if _, err := b.reg.CreateModel(ctx, tx, project, "none", "", nil); err != nil {
			return err
		}
		return b.reg.DeleteVersion(ctx, tx, project, "bikes", 2)
	}))
	models, err := b.reg.SearchModels(t.Context(), project, registry.Search{})
	b.must(err)
	b.must(b.reg.Read(t.Context(), func(tx *store.Tx) error {
		got, err := b.reg.CountVersions(tx, models.Items)
		if fmt.Sprint(got) != "map[bikes:2]" {
			t.Errorf("counts %v", got)
		}
		return err
	}))
}

// described registers a version with an MLmodel file, and describes it.
func (b *bench) described(mlmodel string) (*registry.Description, error) {
	b.Helper()
	m, err := b.tr.AddLoggedModel(b.Context(), project, tracking.NewLoggedModel{})
	b.must(err)
	if mlmodel != "" {
		at := tracking.Place{Owner: tracking.LoggedModelOwner(m.ID), Path: "MLmodel"}
		b.must(b.tr.PutArtifact(b.Context(), project, at, strings.NewReader(mlmodel), nil))
	}
	_, err = b.tr.FinishLoggedModel(b.Context(), project, m.ID, tracking.ModelReady)
	b.must(err)
	v, err := b.version(registry.NewVersion{Model: "bikes", LoggedModelID: m.ID})
	b.must(err)
	return b.reg.Describe(b.Context(), project, v)
}

func TestDescribe_ReadsTheMLmodelFile(t *testing.T) {
	b := open(t)
	got, err := b.described(`flavors:
  lightgbm: {lgb_version: 4.7.0}
  python_function: {loader_module: mlflow.lightgbm, python_version: 3.11.7}
mlflow_version: 3.17.2
model_size_bytes: 587161
signature:
  inputs: '[{"type": "double", "name": "hr", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
  params: null
`)
	b.must(err)
	if fmt.Sprint(got.Flavors) != "[lightgbm python_function]" || got.Python != "3.11.7" ||
		got.MLflow != "3.17.2" || got.SizeBytes != 587161 || got.Signature.Inputs[0].Name != "hr" ||
		len(got.Signature.Outputs) != 1 {
		t.Errorf("description %+v", got)
	}
	got, err = b.described("flavors: {}\nsignature: {inputs: '[{\"type\": \"map\"}]', outputs: ''}\n")
	if err != nil || got.Signature != nil || got.Problem == "" {
		t.Errorf("a signature that cannot be served: %+v, %v", got, err)
	}
	got, err = b.described("flavors: {}\n")
	if err != nil || got.Signature != nil || got.Problem != "" {
		t.Errorf("no signature: %+v, %v", got, err)
	}
}

func TestDescribe_RefusesWhatIsNoMLmodelFile(t *testing.T) {
	b := open(t)
	bomb := "a: &a [x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'm'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	for name, text := range map[string]string{"text": "model 0", "list": "[]", "broken": "{",
		"deep":    "flavors: " + strings.Repeat("[", 100_000),
		"growing": bomb + "flavors:\n  x: {python_version: *l}\n"} {
		if _, err := b.described(text); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.described(""); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("no file: %v", err)
	}
	r, err := b.tr.StartRun(t.Context(), project, tracking.NewRun{})
	b.must(err)
	v, err := b.version(registry.NewVersion{Model: "far", Source: "s3://bucket/model", RunID: r.ID})
	b.must(err)
	if _, err := b.reg.Describe(t.Context(), project, v); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("files elsewhere: %v", err)
	}
}
