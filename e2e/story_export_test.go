package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script runs one of the Python scripts of testdata.
func script(t *testing.T, interpreter, name string, args ...string) outcome {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(interpreter, append([]string{"-W", "ignore", path}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false",
		"MLFLOW_DISABLE_TELEMETRY=true")
	return outcomeOf(t, cmd).want(t, 0)
}

// contents returns the files of an export, without what tells two exports apart.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var manifest map[string]any
	if err := json.Unmarshal([]byte(out["manifest.json"]), &manifest); err != nil {
		t.Fatal(err)
	}
	delete(manifest, "created_ms")
	delete(manifest, "fairlead")
	out["manifest.json"] = fmt.Sprint(manifest)
	return out
}

func wantSame(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s of the second export is\n%.2000q\nand of the first\n%.2000q", name, got[name], text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}

// The real client makes a world of everything; what it reads from a server that the
// export was imported into is the same, and so is the export of that one, byte for byte.
// Another Python program reads the files without either.
func TestStory_ExportReadsBackTheSame(t *testing.T) {
	interpreter := python(t)
	s := serve(t, t.TempDir())
	script(t, interpreter, "export/world.py", s.url)
	first := filepath.Join(t.TempDir(), "export")
	s.run(t.TempDir(), "export", first).want(t, 0,
		`4 experiments, 8 runs with 1510 points, 2 logged models, 6 models with 8 versions, 14 files`)
	script(t, interpreter, "export/read.py", first).want(t, 0,
		`^1510 points, 3 of them NaN, \d+ of models, 14 files\n$`)

	other := serve(t, t.TempDir())
	other.run(t.TempDir(), "import", first).want(t, 0,
		`^imported from .*: 4 experiments, 8 runs with 1510 points`)
	want := script(t, interpreter, "import/dump.py", s.url).stdout
	if got := script(t, interpreter, "import/dump.py", other.url).stdout; got != want {
		t.Errorf("the client reads after the import\n%s\nand before\n%s", got, want)
	}
	for _, alias := range []string{"reg@champ", "short lived@best"} {
		args := []string{"model", "history", alias}
		before := s.run(t.TempDir(), args...).want(t, 0).stdout
		if got := other.run(t.TempDir(), args...).want(t, 0).stdout; got != before || got == "" {
			t.Errorf("the history of %s is\n%s\nand before\n%s", alias, got, before)
		}
	}
	second := filepath.Join(t.TempDir(), "export")
	other.run(t.TempDir(), "export", second, "--all").want(t, 0)
	wantSame(t, contents(t, second), contents(t, first))

	events := other.run(t.TempDir(), "audit", "verify").want(t, 0).stdout
	other.run(t.TempDir(), "import", first).want(t, 0, `; 20 things were here already\n$`)
	if got := other.run(t.TempDir(), "audit", "verify").want(t, 0).stdout; got != events {
		t.Errorf("a second import has changed something: %s, before %s", got, events)
	}
}

// A server is killed while it exports, and one while it imports: the first export is
// never taken for one, and what came in half is seen by nobody and goes on.
func TestStory_ExportAndImportSurviveKill9(t *testing.T) {
	s := serve(t, t.TempDir())
	const runs = 300
	for n := range runs {
		id := newRun(t, s)
		points := make([]string, 1000)
		for i := range points {
			points[i] = fmt.Sprintf(`{"key":"m%d","value":%d.5,"timestamp":%d,"step":%d}`, i%5, n, i, i)
		}
		s.call("POST", "/api/2.0/mlflow/runs/log-batch", fmt.Sprintf(`{"run_id":%q,"metrics":[%s]}`, id,
			strings.Join(points, ","))).want(t, 200)
		s.call("PUT", fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/0/%s/artifacts/a.txt", id),
			fmt.Sprintf("file %d", n)).want(t, 200)
	}
	dir := filepath.Join(t.TempDir(), "export")
	cut(t, s, "/api/v1/exports", map[string]any{"to": dir}, func() bool {
		return exists(filepath.Join(dir, "projects", "default", "metrics.parquet"))
	})
	other := serve(t, t.TempDir())
	other.run(t.TempDir(), "import", dir).want(t, 1, `was cut off`)
	s.run(t.TempDir(), "export", dir).want(t, 0, `300 runs with 300000 points, .* 300 files`)
	if exists(filepath.Join(dir, ".exporting")) {
		t.Error("a whole export is marked as one that was cut off")
	}
	s.run(t.TempDir(), "export", dir).want(t, 1, `is not empty`)

	cut(t, other, "/api/v1/imports", map[string]any{"from": dir}, func() bool {
		r, err := other.try("GET", "/api/v1/exports", nil)
		var now struct{ Points int64 }
		return err == nil && json.Unmarshal([]byte(r.body), &now) == nil && now.Points > 20_000
	})
	seen := other.call("POST", "/api/2.0/mlflow/runs/search",
		`{"experiment_ids":["0"],"max_results":1000}`).want(t, 200).body
	if n := strings.Count(seen, `"run_id"`); n > 0 {
		t.Errorf("%d runs are seen that are not whole", n)
	}
	other.run(t.TempDir(), "import", dir).want(t, 0, `300 runs with 300000 points, .* 300 files`)
	again := filepath.Join(t.TempDir(), "export")
	other.run(t.TempDir(), "export", again).want(t, 0)
	wantSame(t, contents(t, again), contents(t, dir))
}

// cut kills the server while a request runs, as soon as it is as far as far says.
func cut(t *testing.T, s *server, path string, body any, far func() bool) {
	t.Helper()
	ended := make(chan int, 1)
	go func() {
		r, err := s.try("POST", path, body)
		if err != nil {
			ended <- 0
			return
		}
		ended <- r.status
	}()
	for !far() {
		select {
		case status := <-ended:
			t.Fatalf("%s ended with %d before it could be cut off", path, status)
		default:
		}
	}
	s.kill()
	<-ended
	s.start()
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// A file that the disk has lost is named by what copies the data, keeps nothing else out,
// and is not passed over in silence.
func TestStory_BackupAndExportNameWhatIsDamaged(t *testing.T) {
	s := serve(t, t.TempDir())
	id := newRun(t, s)
	for _, name := range []string{"kept", "lost"} {
		s.call("PUT", fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/0/%s/artifacts/%s.txt", id, name),
			name).want(t, 200)
	}
	sum := sha256.Sum256([]byte("lost"))
	digest := hex.EncodeToString(sum[:])
	if err := os.Remove(filepath.Join(s.data, "blobs", digest[:2], digest[2:])); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	backups, export := filepath.Join(dir, "backups"), filepath.Join(dir, "export")
	named := `not in it: lost.txt of run ` + id + `: the file with the content ` + digest + ` is missing`
	s.run(dir, "backup", backups).want(t, 1, `^backed up to `, named, `1 files are damaged or missing`)
	s.run(dir, "restore", backups, "--check").want(t, 1, `^not whole: `, named)
	s.run(dir, "restore", backups, "--check", "--work", dir).want(t, 1, `^not whole: `)
	run(t, dir, "restore", backups, "--data", filepath.Join(dir, "data")).want(t, 0, `^restored`, named)
	s.run(dir, "export", export).want(t, 1, `^exported to .* 1 files of 4 B`, `left out: lost.txt of run `+id)
	other := serve(t, t.TempDir())
	other.run(dir, "import", export).want(t, 0, `1 files of 4 B`, `left out: lost.txt of run `+id)
	other.call("GET", fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/0/%s/artifacts/kept.txt", id),
		nil).want(t, 200, `^kept$`)
}
