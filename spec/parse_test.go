package spec_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
)

// example reads a file of testdata.
func example(t testing.TB, name string) string {
	t.Helper()
	src, err := os.ReadFile("testdata/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(src)
}

// parse reads a text that must be right.
func parse(t testing.TB, text string) *spec.Spec {
	t.Helper()
	s, err := spec.Parse(spec.FileName, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// problems reads a text that must be wrong.
func problems(t testing.TB, text string) []spec.Problem {
	t.Helper()
	_, err := spec.Parse(spec.FileName, []byte(text))
	var e *fairlead.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *fairlead.Error, for:\n%s", err, text)
	}
	if e.Code != fairlead.Invalid {
		t.Errorf("code %s, want invalid", e.Code)
	}
	return e.Detail["problems"].([]spec.Problem)
}

// replaced returns the text with old, which it must have, as new.
func replaced(t testing.TB, text, old, new string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("%q is not in the example", old)
	}
	return strings.Replace(text, old, new, 1)
}

func TestParse_ReadsExamples(t *testing.T) {
	files, _ := filepath.Glob("../examples/*/fairlead.yaml")
	files = append(files, "testdata/bikes.yaml", "testdata/flights.yaml", "testdata/everything.yaml")
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := spec.Parse(name, src); err != nil {
			t.Error(err)
		}
	}
}

func TestParse_ReadsEveryPart(t *testing.T) {
	s := parse(t, example(t, "everything"))
	fit, _ := s.Step("fit")
	prepare, _ := s.Step("prepare")
	production, _ := s.Environment("production")
	mirror, _ := s.Environment("mirror")
	history, _ := s.DataByName("history")
	for _, c := range []struct {
		name      string
		got, want any
	}{
		{"risk", s.Risk, spec.High},
		{"model", s.Model, "Everything.v1"},
		{"goal", *s.Goal.AtLeast, 0.8},
		{"currency", s.Goal.Value.Currency, "EUR"},
		{"false negative", s.Goal.Value.FalseNegative, -20.5},
		{"data order", s.Data[1].Name, "recent"},
		{"last", history.Last.Hours(), 336.0},
		{"expectations", len(history.Expect), 3},
		{"values", fmt.Sprint(history.Expect[1].Values), "[AA UA <nil>]"},
		{"may be missing", history.Expect[1].Required, false},
		{"required by default", history.Expect[2].Required, true},
		{"holdout", s.Holdout.Last.Hours(), 36.0},
		{"version keeps its text", s.Pipeline.Python.Version, "3.11"},
		{"a command of two lines", prepare.Run, "python prepare.py\npython more.py\n"},
		{"params", fmt.Sprint(fit.Params),
			"map[algorithm:gbm depth:6 extra:map[a:1 b:<nil>] layers:[16 8]]"},
		{"order of params", fmt.Sprint(fit.ParamNames), "[depth algorithm layers extra]"},
		{"timeout", fit.Timeout.Minutes(), 90.0},
		{"env", fmt.Sprint(fit.Env), "map[DEBUG:true MODE:fast OMP_NUM_THREADS:1]"},
		{"cache off", fit.Cached(), false},
		{"cache on", prepare.Cached(), true},
		{"over", fmt.Sprint(s.Pipeline.Search.Over),
			"[{fit depth [4 6 8]} {fit algorithm [gbm linear]}]"},
		{"within", s.Pipeline.Until.Within.Minutes(), 30.0},
		{"gate order", s.Gates[1].When, spec.WhenLive},
		{"standing", s.Approvals["production"].Standing.Until.String(), "2027-06-30"},
		{"steps", fmt.Sprint(production.Steps), "[5 25 100]"},
		{"worse by", production.Abort.WorseBy, 0.1},
		{"keep", production.Keep, 3},
		{"keep by default", mirror.Keep, 1},
		{"log by default", mirror.Log, spec.Buffered},
		{"lateness", mirror.Lateness.Milliseconds(), int64(500)},
		{"red", s.Monitor.Drift.Red, spec.Red{N: 3, M: 5}},
		{"amount", s.Monitor.Performance.WorseBy, spec.Amount{Value: 0.03}},
		{"then", s.Monitor.Then.Drift, spec.Rollback},
		{"budget", s.Monitor.Retrain, spec.Budget{AtMost: 10, Failures: 2}},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, c.got, c.want)
		}
	}
}

// What nothing would do is refused, and not noted when it is too late.
func TestParse_RefusesActionsThatAreNotThere(t *testing.T) {
	for _, action := range []string{"label", "retire"} {
		text := strings.Replace(example(t, "everything"), "drift: rollback", "drift: "+action, 1)
		_, err := spec.Parse(spec.FileName, []byte(text))
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), action) ||
			!strings.Contains(err.Error(), "rollback") {
			t.Errorf("%s: %v", action, err)
		}
	}
}

func TestParse_CooldownIsAWindowWithoutOne(t *testing.T) {
	const head = "project: p\npipeline: {steps: {train: {run: x, out: [model]}}}\n" +
		"release: {production: {strategy: replace}}\nmonitor:\n"
	drift, performance := "  drift: {threshold: 0.2, window: 3d}\n",
		"  performance: {metric: mae, worse_by: 10%, window: 2d}\n"
	for monitor, want := range map[string]string{
		drift: "3d", performance: "2d", drift + performance: "2d",
		drift + performance + "  cooldown: 5d\n": "5d",
	} {
		s, err := spec.Parse(spec.FileName, []byte(head+monitor))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Monitor.Cooldown.String(); got != want {
			t.Errorf("%s: cooldown %s, want %s", monitor, got, want)
		}
	}
}

func TestParse_FillsDefaults(t *testing.T) {
	s := parse(t, "project: a\nrelease: {live: {}}\ndata: {seen: {from: requests}}\n"+
		"monitor: {drift: {threshold: 0.2, window: 1d}}\n")
	live := s.Release[0]
	for _, c := range []struct{ got, want any }{
		{s.Model, "a"}, {s.Data[0].Environment, "live"}, {s.Risk, spec.Minimal}, {live.Strategy, spec.Replace}, {live.Keep, 1},
		{live.Log, spec.Buffered}, {s.Monitor.Drift.Method, "psi"},
		{s.Monitor.Drift.Red, spec.Red{N: 2, M: 3}}, {s.Monitor.Then.Performance, spec.Alert},
		{s.Monitor.Retrain.Failures, 3},
	} {
		if c.got != c.want {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	canary := parse(t, replaced(t, example(t, "bikes"), ", alpha: 0.05", ""))
	if alpha := canary.Release[0].Abort.Alpha; alpha != 0.05 {
		t.Errorf("alpha %v, want 0.05", alpha)
	}
}

// TestParse_PointsAtProblems replaces one text of an example by something wrong.
// The mark ¦ stands where the problem is; without it the place is not looked at.
func TestParse_PointsAtProblems(t *testing.T) {
	for _, c := range []struct {
		base, old, new string
		want           string // path: message
		hint           string // part of the hint
	}{
		// keys
		{"bikes", "owner: city", "¦ownr: city", "ownr: the key `ownr` is not known here", "`owner`"},
		{"bikes", "owner: city-mobility", "¦2: x", "2: the key `2` is not known here", "known keys"},
		{"bikes", "days: 60", "days: 60, ¦days: 61",
			"pipeline.steps.prepare.params.days: the key `days` is given twice, " +
				"first in line 12", "keep one"},
		{"bikes", "owner: city-mobility", "¦project: b",
			"project: the key `project` is given twice, first in line 1", "keep one"},
		{"bikes", "goal: {metric: wape, ", "¦goal: {",
			"goal: `metric` is missing", "add `metric"},
		{"bikes", "train: ", "¦Train:",
			"pipeline.steps.Train: \"Train\" is not a name", "lower-case"},
		// types
		{"bikes", "owner: city-mobility", "owner: ¦12",
			"owner: this must be a text, not a number", `"12"`},
		{"bikes", "owner: city-mobility", "¦owner:", "owner: there is no value", "remove the key"},
		{"bikes", "in: [train], out", "in: ¦train, out",
			"pipeline.steps.train.in: this must be a list, not a text", "[train]"},
		{"bikes", "goal: {metric: wape, at_most: 0.45}", "goal: ¦wape",
			"goal: this must be keys with values, not a text", "key: value"},
		{"bikes", "labelled: true", "labelled: ¦yes",
			"data.recent.labelled: this must be true or false, not a text", "true or false"},
		{"bikes", "tries: 6", "tries: ¦6.5",
			"pipeline.search.tries: this must be a whole number, not \"6.5\"", "digits"},
		{"bikes", "at_most: 0.45", "at_most: ¦low",
			"goal.at_most: this must be a number, not \"low\"", "0.5"},
		{"bikes", "at_most: 0.45", "at_most: ¦.nan",
			"goal.at_most: this must be a number, not \".nan\"", "0.5"},
		{"bikes", "run: python train.py", "run: ¦[python, train.py]",
			"pipeline.steps.train.run: this must be a text, not a list", "write a text"},
		{"bikes", "learning_rate: 0.05", "learning_rate: ¦.inf",
			"pipeline.steps.train.params.learning_rate: this is not a number that can be used",
			"finite"},
		// values
		{"bikes", "risk: minimal", "risk: ¦minmal",
			"risk: \"minmal\" is not one of the values allowed", "`minimal`"},
		{"bikes", "last: 60d", "last: ¦60",
			"data.recent.last: \"60\" is not a duration", "7d"},
		{"bikes", "last: 60d", "last: ¦30m2h",
			"data.recent.last: \"30m2h\" is not a duration", "greatest first"},
		{"bikes", "last: 60d", "last: ¦0d", "data.recent.last: a duration of nothing", "0s"},
		{"bikes", "last: 60d", "last: ¦999999999w",
			"data.recent.last: \"999999999w\" is too long", "100 years"},
		{"bikes", "red: 2 of 3", "red: ¦5 of 3",
			"monitor.drift.red: 5 of 3 windows can never be red", "3 of 5"},
		{"bikes", "worse_by: 30%", "worse_by: ¦-3",
			"monitor.performance.worse_by: \"-3\" is not an amount", "30%"},
		{"bikes", "worse_by: 10%", "worse_by: ¦0.1",
			"release.production.abort.worse_by: this must be a percentage, not \"0.1\"", "10%"},
		{"bikes", "alpha: 0.05", "alpha: ¦0.7",
			"release.production.abort.alpha: 0.7 is too great", "0.5"},
		{"bikes", "alpha: 0.05", "alpha: ¦0",
			"release.production.abort.alpha: 0 is too small", "above 0"},
		{"bikes", "labels: 48", "labels: ¦0",
			"release.production.hold.labels: 0 is too small", "1"},
		{"everything", "until: 2027-06-30", "until: ¦2027-06-31",
			"approvals.production.standing.until: \"2027-06-31\" is not a date", "2027-06-30"},
		{"everything", "compliance", "¦complience",
			"approvals.production.roles[1]: \"complience\" is not one of the values", "`compliance`"},
		// names that tracking could not store
		{"bikes", "goal: {metric: wape", "goal: {metric: ¦wape@10",
			"goal.metric: \"wape@10\" is not a metric name", "letters"},
		{"bikes", "days: 60", "¦" + strings.Repeat("d", 187) + ": 60",
			"pipeline.steps.prepare.params." + strings.Repeat("d", 187), "at most 186"},
		// files
		{"bikes", "data/history.csv", "¦../history.csv",
			"data.history.from: \"../history.csv\" is not a file or glob", "without .."},
		{"bikes", "data/history.csv", "¦/etc/passwd",
			"data.history.from: \"/etc/passwd\" is not a file or glob", "relative"},
		{"bikes", "data/history.csv", "¦s3://bucket/a.csv",
			"data.history.from: \"s3://bucket/a.csv\" is not a file or glob", "relative"},
		{"bikes", "requirements: requirements.txt", "requirements: ¦a/../../b",
			"pipeline.python.requirements: \"a/../../b\" is not a file", "relative"},
		// how the parts refer to each other
		{"bikes", "goal: {metric: wape", "¦goal: {at_least: 0.1, metric: wape",
			"goal: both at_least and at_most", "direction"},
		{"bikes", "goal: {metric: wape, at_most: 0.45}", "¦goal: {metric: wape}",
			"goal: there is no bound", "at_most"},
		{"bikes", "environment: production", "environment: ¦prod",
			"data.recent.environment: there is no environment `prod`", "production"},
		{"bikes", "from: requests, ", "from: requests, ¦time: at, ",
			"data.recent.time: `time` is for files only", "remove it"},
		{"bikes", "label: bikers", "¦labelled: true",
			"data.history.labelled: `labelled` is for requests only", "from: requests"},
		{"bikes", "  history: {from: data/history.csv, time: at,", "  history: {from: data/history.csv,",
			"holdout: no data has a time column", "time: <column>"},
		{"bikes", "in: [history, recent]", "in: [¦histroy, recent]",
			"pipeline.steps.prepare.in[0]: there is no data or output `histroy`", "`history`"},
		{"bikes", "in: [train], out", "in: [¦prepare], out",
			"pipeline.steps.train.in[0]: there is no data or output `prepare`",
			"its outputs: train, validation"},
		{"bikes", "in: [train], out", "in: [train, ¦train], out",
			"pipeline.steps.train.in[1]: `train` is given twice", "keep one"},
		{"bikes", "out: [model]", "out: [¦train]",
			"pipeline.steps.train.out[0]: `train` is already the name of an output of step `prepare`",
			"name of its own"},
		{"bikes", "out: [model]", "out: [model, ¦history]",
			"pipeline.steps.train.out[1]: `history` is already the name of data.history", "own"},
		{"bikes", "prepare:  {run: python prepare.py, in: [history, recent]",
			"¦prepare: {run: python prepare.py, in: [history, model]",
			"pipeline.steps.prepare: the step waits for its own output: prepare → train → prepare",
			"circle"},
		{"bikes", "train.num_leaves: [15, 31]", "¦train.num_leafs: [15, 31]",
			"pipeline.search.over.train.num_leafs: step `train` has no param `num_leafs`",
			"`num_leaves`"},
		{"bikes", "train.num_leaves: [15, 31]", "¦tran.num_leaves: [15, 31]",
			"pipeline.search.over.tran.num_leaves: there is no step `tran`", "`train`"},
		{"bikes", "train.num_leaves: [15, 31]", "¦evaluate.rows: [15, 31]",
			"pipeline.search.over.evaluate.rows: step `evaluate` measures the tries", "other steps"},
		{"bikes", "train.num_leaves: [15, 31]", "¦num_leaves: [15, 31]",
			"pipeline.search.over.num_leaves: \"num_leaves\" is not a parameter of a step",
			"train.num_leaves"},
		{"bikes", "train.num_leaves: [15, 31]", "train.num_leaves: [15, ¦15]",
			"pipeline.search.over.train.num_leaves[1]: the value is given twice", "keep one"},
		{"bikes", "train.num_leaves: [15, 31]", "train.num_leaves: ¦[]",
			"pipeline.search.over.train.num_leaves: there are no values", "at least one"},
		{"bikes", "metric: validation.wape", "metric: ¦wape",
			"pipeline.until.metric: \"wape\" is not a metric of an input", "validation.wape"},
		{"bikes", "metric: validation.wape", "metric: ¦train.wape",
			"pipeline.until.metric: `train` is not an input of step `evaluate`", "model, validation"},
		{"bikes", "{step: train, in: [train, validation]}", "{step: ¦trian, in: [train]}",
			"pipeline.refit.step: there is no step `trian`", "`train`"},
		{"bikes", "{step: train, in: [train, validation]}", "{step: train, in: [train, ¦model]}",
			"pipeline.refit.in[1]: `model` is made from what step `train` makes", "before"},
		{"bikes", "in: [model, validation]}", "in: [validation]}",
			"pipeline.until.metric: no step evaluates the model", "evaluate"},
		{"everything", "  production:\n    roles", "  ¦prod:\n    roles",
			"approvals.prod: there is no environment `prod`", "production"},
		{"everything", "owner: risk-team\nrisk: high", "risk: ¦high",
			"risk: a model of high risk needs an owner", "owner:"},
		// release and monitor
		{"bikes", "steps: [10%, 50%, 100%]", "steps: [10%, ¦5%, 100%]",
			"release.production.steps[1]: a step must be greater", "rise"},
		{"bikes", "steps: [10%, 50%, 100%]", "steps: ¦[10%, 50%]",
			"release.production.steps: the last step must be 100%", "100%"},
		{"bikes", "steps: [10%, 50%, 100%]", "steps: [10%, ¦150%]",
			"release.production.steps[1]: a step is at most 100%", "100%"},
		{"bikes", "steps: [10%, 50%, 100%]", "steps: [¦0.1, 1]",
			"release.production.steps[0]: this must be a percentage, not \"0.1\"", "10%"},
		{"bikes", "strategy: canary, steps: ", "strategy: replace, ¦steps: ",
			"release.production.steps: `steps` is for a canary only", "canary"},
		{"bikes", "production: {strategy: canary, " +
			"steps: [10%, 50%, 100%], hold: {labels: 48, at_most: 14d}, ",
			"¦production: {strategy: canary, steps: [10%, 50%, 100%], ",
			"release.production: a canary needs `hold`", "labels"},
		{"bikes", "abort: {metric: wape", "abort: {metric: ¦wap",
			"release.production.abort.metric: there is no metric `wap`", "did you mean `wape`? known"},
		{"bikes", "abort: {metric: wape", "abort: {metric: ¦auc",
			"release.production.abort.metric: `auc` is no sum over the rows",
			"error, mae, wape, mse, rmse, logloss, brier, accuracy"},
		{"bikes", "performance: {metric: wape", "performance: {metric: ¦accurracy",
			"monitor.performance.metric: the monitor cannot compute `accurracy`",
			"did you mean `accuracy`? known metrics: mae,"},
		{"bikes", "log: durable", "log: durable, keep: 0, ¦latness: 1m",
			"release.production.latness: the key `latness` is not known", "`lateness`"},
		{"bikes", "then: {drift: alert, performance: retrain}", "then: {performance: ¦rollbck}",
			"monitor.then.performance: \"rollbck\" is not one of the values", "`rollback`"},
		{"bikes", "  performance: {metric: wape, worse_by: 30%, window: 3d, red: 2 of 3, " +
			"label_delay: 24h}\n  then: {drift: alert, ",
			"  then: {drift: alert, ¦",
			"monitor.then.performance: `monitor.performance` is not there", "add `monitor.performance`"},
	} {
		t.Run(c.base+" "+c.new, func(t *testing.T) {
			text := replaced(t, example(t, c.base), c.old, c.new)
			p := problems(t, strings.Replace(text, "¦", "", 1))[0]
			if got := p.Path + ": " + p.Message; !strings.HasPrefix(got, c.want) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if line, column, ok := marked(text); ok && (p.Line != line || p.Column != column) {
				t.Errorf("at %d:%d, want %d:%d", p.Line, p.Column, line, column)
			}
			if !strings.Contains(p.Hint, c.hint) {
				t.Errorf("hint %q has no %q", p.Hint, c.hint)
			}
		})
	}
}

// marked returns the place of the mark ¦.
func marked(text string) (line, column int, ok bool) {
	before, _, ok := strings.Cut(text, "¦")
	start := strings.LastIndex(before, "\n") + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[start:]) + 1, ok
}

// TestParse_DemandsWhatTheGateRuns covers files whose gates could not decide.
func TestParse_DemandsWhatTheGateRuns(t *testing.T) {
	const gates = "gates: {good: {check: candidate.auc > 0.5}}\n"
	train := "train: {run: x, in: [d], out: [model]}"
	for _, c := range []struct{ file, want string }{
		{withSteps(train), "gates: no step evaluates the model"},
		{withSteps(train, "score: {run: x, in: [model, d, e]}"),
			"pipeline.steps.score.in: it is not clear which input"},
	} {
		p := problems(t, c.file+gates)[0]
		if got := p.Path + ": " + p.Message; !strings.HasPrefix(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
		parse(t, c.file)
	}
}

// TestParse_ReportsOneMistakeOnce demands that a mistake does not show up again
// in the parts that refer to it.
func TestParse_ReportsOneMistakeOnce(t *testing.T) {
	for _, c := range []struct{ old, new string }{
		{"data:\n", "dta:\n"}, {"release:\n", "realease:\n"}, {"project: bikes", "projct: bikes"},
		{"pipeline:\n", "pipelin:\n"}, {"history:", "History:"}, {"strategy: canary", "strategy: canry"},
		{"out: [train, validation]", "output: [train, validation]"}, {"production: ", "Production: "},
	} {
		got := problems(t, replaced(t, example(t, "bikes"), c.old, c.new))
		if len(got) != 1 {
			t.Errorf("%q: %d problems: %+v", c.new, len(got), got)
		}
	}
}

func TestParse_RefusesWhatIsNotReadable(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "1:1 the file is empty"},
		{"only comments", "# nothing\n\n", "1:1 the file is empty"},
		{"null", "null\n", "1:1 the file is empty"},
		{"too long", "#" + strings.Repeat("x", spec.MaxBytes), "1:1 the file has 1048577 bytes"},
		{"not UTF-8", "project: a\nowner: \xff\n", "2:8 this is not UTF-8 text"},
		{"UTF-16", "p\x00r\x00o\x00", "1:2 the file has a NUL byte"},
		{"NUL in a text", `project: "a\0"`, "1:10 the text has a NUL character"},
		{"not YAML", "project: a\ndata: [a\n", "2:7 this is not YAML"},
		{"a tab", "project: a\ndata:\n\tx: 1\n", "3:1 this is not YAML"},
		{"a list", "- project: a\n", "1:1 this must be keys with values, not a list"},
		{"a text", "bikes\n", "1:1 this must be keys with values, not a text"},
		{"two documents", "project: a\n---\nproject: b\n", "3:8 a second document begins here"},
		{"an anchor", "project: &a b\n", "1:10 anchors, aliases and merges are not read"},
		{"an alias", "project: *a\n", "1:10 anchors, aliases and merges are not read"},
		{"a merge", "project: a\ngoal: {<<: x}\n", "2:8 anchors, aliases and merges are not read"},
		{"a tag", "project: !!str a\n", "1:10 tags are not read"},
		{"a directive", "%YAML 1.2\n---\nproject: a\n", "1:1 directives are not read"},
		{"a key with ?", "? project\n: a\n", "1:1 a key marked with `?` is not read"},
		{"deep brackets", strings.Repeat("[", 100_000), "1:20001 the file has too many"},
		{"nested brackets", strings.Repeat("[", 100), "1:33 values are nested too deeply"},
		{"nested lists", strings.Repeat("- ", 100), "1:65 values are nested too deeply"},
		{"many keys", strings.Repeat("a: 1\n", 100_000), "6667:4 the file has too many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := problems(t, c.text)[0]
			got := fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Message)
			if !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if p.Hint == "" {
				t.Error("there is no hint")
			}
		})
	}
}

func TestParse_ReportsAtMostTwenty(t *testing.T) {
	var b strings.Builder
	for i := range 50 {
		fmt.Fprintf(&b, "key%d: 1\n", i)
	}
	if got := problems(t, b.String()); len(got) != 20 {
		t.Errorf("%d problems, want 20", len(got))
	}
	_, err := spec.Parse(spec.FileName, []byte(b.String()))
	const want = "fairlead.yaml has 51 problems; the first 20 are:"
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("message %.80q", err.Error())
	}
}

func TestParse_ReadsOtherLineEndsAndMarks(t *testing.T) {
	text := "\ufeff" + strings.ReplaceAll(example(t, "bikes"), "\n", "\r\n")
	if s := parse(t, text); s.Project != "bikes" || s.Owner != "city-mobility" {
		t.Errorf("got %q and %q", s.Project, s.Owner)
	}
	p := problems(t, "project: a\r\nowner: ü\r\nrisk: nix\r\n")[0]
	if p.Line != 3 || p.Column != 7 {
		t.Errorf("at %d:%d, want 3:7", p.Line, p.Column)
	}
}

func TestParse_CountsColumnsInCharacters(t *testing.T) {
	p := problems(t, "project: a\ngoal: {metric: ä€, at_mst: 1}\n")
	if p[1].Column != 20 || p[1].Path != "goal.at_mst" {
		t.Errorf("got %+v", p[1])
	}
}

// TestParse_WrapsLongLines keeps the excerpt of a long line short and the caret
// under the column.
func TestParse_WrapsLongLines(t *testing.T) {
	text := "project: a\n" + `goal: {metric: m, at_most: 1, value: {currency: "` +
		strings.Repeat("x", 300) + `", tru_positive: 1}}`
	_, err := spec.Parse(spec.FileName, []byte(text))
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		if strings.HasSuffix(line, "^") {
			caret := len([]rune(line)) - 1
			above := []rune(lines[i-1])
			if len(above) > 140 || caret >= len(above) {
				t.Errorf("a line of %d characters, caret at %d", len(above), caret)
			}
			if strings.Contains(lines[i-2], "tru_positive") && string(above[caret:caret+3]) != "tru" {
				t.Errorf("the caret is under %q", string(above[caret:]))
			}
		}
	}
}
