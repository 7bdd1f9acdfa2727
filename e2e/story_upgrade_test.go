package e2e_test

import (
	"archive/zip"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/mattn/go-sqlite3" // to play a newer program
)

// firstAnswer is what the first program answered to a request.
type firstAnswer struct {
	Method, Path, Body string
	Answer             any
}

// firstData unpacks a data directory that the program of commit cda87c0 left, the first
// whose tables are the present 001 migrations: two released versions of the tiny model,
// and what MLflow's client made of experiments, runs, models and versions, also deleted
// ones. It returns what that program answered at its end too.
func firstData(t *testing.T) (data string, answers []firstAnswer) {
	t.Helper()
	dir := t.TempDir()
	z, err := zip.OpenReader(filepath.Join("testdata", "first.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if err := os.CopyFS(dir, z); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "answers.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &answers); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data"), answers
}

// Today's program brings an old data directory up to date and answers as the old one
// did, and more; it goes on where that one was, and the record stays provable.
func TestUpgrade_KeepsWhatTheFirstProgramKept(t *testing.T) {
	data, answers := firstData(t)
	s := serve(t, data, "--environments", t.TempDir(), "--keep-deleted", "forever")
	for range 2 {
		answersAs(t, s, answers)
		s.run(t.TempDir(), "audit", "verify").want(t, 0, `^verified`)
		s.stop()
		s.start()
	}
	if copies, _ := filepath.Glob(filepath.Join(data, "fairlead.db.before-*")); len(copies) != 1 {
		t.Errorf("copies from before the migration: %v, want one", copies)
	}
	id := newRun(t, s)
	s.call("POST", "/api/2.0/mlflow/runs/log-batch", batchOf(id, "new", 10)).want(t, 200)
	s.call("POST", "/api/2.0/mlflow/model-versions/create", fmt.Sprintf(
		`{"name":"pines","source":"runs:/%s/model","run_id":%q}`, id, id)).want(t, 200, `"version":"4"`)
	s.run(t.TempDir(), "audit", "verify").want(t, 0, `^verified`)
}

// answersAs asks the server what the first program was asked.
func answersAs(t *testing.T, s *server, answers []firstAnswer) {
	t.Helper()
	for _, a := range answers {
		var body any
		if a.Body != "" {
			body = a.Body
		}
		r := s.call(a.Method, a.Path, body)
		var got any = r.body
		if _, isText := a.Answer.(string); !isText {
			r.want(t, 200).decode(t, &got)
		}
		lacks(t, a.Method+" "+a.Path, a.Answer, got)
	}
}

// lacks reports what the old answer has and the new one has not, or otherwise.
func lacks(t *testing.T, at string, old, got any) {
	t.Helper()
	switch old := old.(type) {
	case map[string]any:
		now, _ := got.(map[string]any)
		for key, value := range old {
			lacks(t, at+" ."+key, value, now[key])
		}
	case []any:
		now, _ := got.([]any)
		if len(now) < len(old) {
			t.Errorf("%s has %d items, and had %d", at, len(now), len(old))
			return
		}
		for i, value := range old {
			lacks(t, fmt.Sprint(at, "[", i, "]"), value, now[i])
		}
	case nil:
		// What had nothing in it was null, and is an empty list now.
		if empty, isList := got.([]any); got != nil && (!isList || len(empty) > 0) {
			t.Errorf("%s is %v, and was null", at, got)
		}
	default:
		if old != got {
			t.Errorf("%s is %v, and was %v", at, got, old)
		}
	}
}

// A program that is too old for a data directory says so and leaves it as it is.
func TestUpgrade_RefusesWhatANewerProgramWrote(t *testing.T) {
	data, _ := firstData(t)
	file := filepath.Join(data, "fairlead.db")
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`insert into migration (component, n, name, applied_ms)
		values ('tracking', 99, '099_later.sql', 1)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	run(t, t.TempDir(), "serve", "--data", data, "--listen", "127.0.0.1:0").want(t, 1,
		`written by a newer fairlead`, `tracking`, `start it with that version`)
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("the database was changed: %v", err)
	}
}
