package draft_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/cmd/fairlead/draft"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/spec"
)

const table = "id,at,x,target\n1,2024-01-01,2,1\n2,2024-01-02,3,0\n"

// drafted writes the files, and returns what a look at them gives.
func drafted(t *testing.T, files map[string]string) (*draft.Draft, *spec.Spec) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := draft.Walk(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := draft.Look(dir, "x", names)
	s, err := gate.Parse(spec.FileName, d.File)
	if err != nil {
		t.Fatalf("the file is wrong: %v\n%s", err, d.File)
	}
	return d, s
}

func TestLook_WritesWhatIsThere(t *testing.T) {
	const train = "import pandas as pd\npd.read_csv('data/history.csv')\n"
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string // lines of the file, without what is around them
		not   string   // a pattern
		runs  bool
	}{
		{"nothing", nil, []string{"project: x", "# data:", "# pipeline:"}, `(?m)^pipeline`, false},
		{"a table", map[string]string{"data/history.csv": table},
			[]string{"data:", "history: {from: data/history.csv, time: at, key: id, label: target}"},
			`(?m)^pipeline`, false},
		{"tables of months", map[string]string{"data/2024-01.csv": table, "data/2024-02.csv": table,
			"data/other.csv": "a\nb\n"},
			[]string{"data: {from: data/*-*.csv, time: at, label: target}", "other: {from: data/other.csv}"},
			`2024-01`, false},
		{"parts beside another table", map[string]string{"a1.csv": table, "a2.csv": table, "ab.csv": "a\nb\n"},
			[]string{"a1: {from: a1.csv", "a2: {from: a2.csv", "ab: {from: ab.csv}"}, `\*`, false},
		{"names that YAML and Fairlead do not take as they are", map[string]string{"data/a, b #.csv": "on\nx\n",
			"Data/Ümläut 2.csv": "id,\"a, b\"\n1,2\n", "holdout.csv": "a\nb\n", "data/true.csv": "a\nb\n", "data/null.csv": "1,y\nb,c\n", "data/3.csv": "a\nb\n"},
			[]string{`{from: "data/a, b #.csv"}`, "{from: holdout.csv}", "{from: data/true.csv}"},
			`(?m)^  holdout:`, false},
		{"Parquet", map[string]string{"x.parquet": "PAR1"}, []string{"x: {from: x.parquet}"}, ``, false},
		{"a table that is none", map[string]string{"data/x.csv": "1,2\n3,4\n"}, []string{"# data:"},
			`x\.csv`, false},
		{"a script", map[string]string{"train.py": "print(1)\n", "requirements.txt": "pandas\n"},
			[]string{"pipeline:", "python: {requirements: requirements.txt}", "train: {run: python train.py}"},
			``, true},
		{"a script that opens its table", map[string]string{"train.py": train, "data/history.csv": table},
			[]string{"# data:", "#   history: {from: data/history.csv", "train: {run: python3 train.py}"},
			`(?m)^data`, true},
		{"a script that opens one of two", map[string]string{"train.py": train, "data/history.csv": table,
			"data/new.csv": table},
			[]string{"data:", "#   history: {from: data/history.csv", "  new: {from: data/new.csv"}, ``, true},
		{"scripts that hand files on", map[string]string{"src/prepare.py": "", "src/train.py": "",
			"evaluate.py": "", "app.py": "if __name__ == '__main__':\n  serve()\n"},
			[]string{"train: {run: python3 src/prepare.py && python3 src/train.py && python3 evaluate.py}"},
			`app\.py`, true},
		{"scripts that know their inputs", map[string]string{"data/history.csv": table,
			"train.py":    `os.environ["FAIRLEAD_IN_HISTORY"], os.environ["FAIRLEAD_OUT_MODEL"]`,
			"evaluate.py": `os.environ["FAIRLEAD_IN_MODEL"], os.environ["FAIRLEAD_IN_NOTHING"]`},
			[]string{"data:", "train: {run: python3 train.py, in: [history], out: [model]}",
				"evaluate: {run: python3 evaluate.py, in: [model]}"}, `nothing`, true},
		{"one main", map[string]string{"fit_it.py": "if __name__ == \"__main__\":\n  main()\n", "lib.py": ""},
			[]string{"train: {run: python3 fit_it.py}"}, `lib\.py`, true},
		{"two mains and a notebook", map[string]string{"a.py": "if __name__ == '__main__': pass",
			"b.py": "if __name__ == '__main__': pass", "n.ipynb": "{}"},
			[]string{"#     a: {run: python3 a.py}", "#     b: {run: python3 b.py}", "#     n: {run: jupyter nbconvert"},
			`(?m)^pipeline`, false},
		{"requirements of this machine", map[string]string{"train.py": "", "requirements.txt": "-e .\n"},
			[]string{"train: {run: python3 train.py}"}, `python: \{`, true},
		{"an MLproject", map[string]string{"conda.yaml": "", "MLproject": "entry_points:\n  main:\n    " +
			"parameters:\n      alpha: {type: float, default: 0.5}\n    command: \"python go.py {alpha}\"\n  " +
			"check:\n    parameters:\n      what: path\n    command: \"python check.py {what}\"\n"},
			[]string{"main: {run: python go.py 0.5}", `#     check: {run: "python check.py {what}"}`}, ``, true},
		{"DVC's stages", map[string]string{"raw.csv": table, "dvc.yaml": "stages:\n  prepare:\n    " +
			"cmd: python p.py\n    deps: [p.py, raw.csv]\n    outs: [data/prepared]\n  evaluate:\n    " +
			"cmd: [a, b]\n    deps: [data/prepared]\n    metrics:\n    - m.json: {cache: false}\n"},
			[]string{"  evaluation:", `cp -r data/prepared "$FAIRLEAD_OUT_DATA_PREPARED"`, "out: [data-prepared]",
				`cp -r "$FAIRLEAD_IN_DATA_PREPARED" data/prepared`, "in: [data-prepared]", "out: [m-json]",
				"#   raw: {from: raw.csv"}, ``, true},
		{"DVC's templates", map[string]string{"dvc.yaml": "stages:\n  a: {cmd: \"x ${y}\"}\n", "train.py": ""},
			[]string{"train: {run: python3 train.py}"}, ``, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, s := drafted(t, tt.files)
			for _, line := range tt.want {
				if !strings.Contains("\n"+string(d.File), line) {
					t.Errorf("no line %q", line)
				}
			}
			if tt.not != "" && regexp.MustCompile(tt.not).Match(d.File) {
				t.Errorf("it has %s", tt.not)
			}
			if d.Runs != tt.runs || (s.Pipeline != nil) != tt.runs {
				t.Errorf("it runs: %v, %v, want %v", d.Runs, s.Pipeline, tt.runs)
			}
			if t.Failed() {
				t.Logf("%s\n%+v", d.File, d.Found)
			}
		})
	}
}

// What is left as comments is right, too, when the marks are taken away.
func TestLook_CommentsAreRight(t *testing.T) {
	d, _ := drafted(t, nil)
	text := regexp.MustCompile(`(?m)^# ((?:  )*[a-z-]+:(?: +\{.*)?)$`).ReplaceAll(d.File, []byte("$1"))
	s, err := gate.Parse(spec.FileName, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if len(s.Data) != 1 || s.Pipeline == nil || len(s.Pipeline.Steps) != 2 || s.Goal == nil ||
		len(s.Gates) != 1 || len(s.Release) != 1 || s.Monitor == nil {
		t.Errorf("not all comments were taken: %s", text)
	}
}

// What cannot be used is said.
func TestLook_SaysWhatItLeavesOut(t *testing.T) {
	d, _ := drafted(t, map[string]string{"requirements.txt": "-r other.txt\n", "a.csv": "1,2\n3,4\n",
		"dvc.yaml": "stages:\n  a: {cmd: x, deps: [big.bin], outs: [model]}\n"})
	var said []string
	for _, f := range d.Found {
		if f.Kind == draft.Note {
			said = append(said, f.Text)
		}
	}
	all := strings.Join(said, "\n")
	for _, want := range []string{"requirements.txt is not used", "a.csv has no header", "needs big.bin"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not said: %s", want, all)
		}
	}
}

func TestLook_TakesTheDependenciesOfAPyproject(t *testing.T) {
	d, s := drafted(t, map[string]string{"train.py": "", "pyproject.toml": "[build-system]\nrequires = [\"x\"]\n" +
		"[project]\nname = \"a\"\ndependencies = [ # all\n  \"pandas[parquet]>=2\", 'numpy; sys_platform == \"linux\"'\n]\n"})
	want := []draft.File{{Path: "requirements.txt", Text: []byte("# The dependencies of pyproject.toml, by " +
		"fairlead init.\npandas[parquet]>=2\nnumpy; sys_platform == \"linux\"\n")}}
	if len(d.More) != 1 || string(d.More[0].Text) != string(want[0].Text) {
		t.Errorf("it writes %q", d.More)
	}
	if s.Pipeline.Python == nil || s.Pipeline.Python.Requirements != "requirements.txt" {
		t.Errorf("the pipeline: %+v", s.Pipeline)
	}
	d, s = drafted(t, map[string]string{"train.py": "", "pyproject.toml": "[project]\nname = \"a\"\n[other]\n" +
		"dependencies = [\"x\"]\n"})
	if len(d.More) != 0 || s.Pipeline.Python != nil {
		t.Errorf("dependencies of another table were taken: %q", d.More)
	}
}

func TestWalk_LeavesToolsAlone(t *testing.T) {
	dir := t.TempDir()
	files := map[string]bool{"a.py": true, "b/c.csv": true, ".git/x.csv": false, "venv/y.py": false,
		"b/__pycache__/z.py": false}
	for name := range files {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := draft.Walk(dir)
	maps.DeleteFunc(files, func(_ string, kept bool) bool { return !kept })
	if want := slices.Sorted(maps.Keys(files)); err != nil || !slices.Equal(got, want) {
		t.Errorf("Walk = %q, %v, want %q", got, err, want)
	}
}

func TestProjectOf(t *testing.T) {
	for folder, want := range map[string]string{"My Flights_2": "my-flights-2", "wine": "wine", "..": "project",
		strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62), "Ä": "project", "7": "7"} {
		if got := draft.ProjectOf(folder); got != want {
			t.Errorf("ProjectOf(%q) = %q, want %q", folder, got, want)
		}
	}
}
