package draft

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// The files of other tools that say how a model is made.
const (
	dvcFile     = "dvc.yaml"
	projectFile = "MLproject"
)

// lookAtOthers takes the steps of another tool's file, and reports whether there are any.
func (l *folder) lookAtOthers() bool {
	switch {
	case l.has(dvcFile):
		l.takeStages(l.read(dvcFile))
	case l.has(projectFile):
		l.takeEntryPoints(l.read(projectFile))
	}
	return len(l.steps) > 0
}

// placeholder is what MLflow replaces by a parameter.
var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// takeEntryPoints makes a step of the entry point main, or of the only one: the others are
// comments, since what one leaves in the folder another step would not find.
func (l *folder) takeEntryPoints(text string) {
	var project struct {
		EntryPoints yaml.MapSlice `yaml:"entry_points"`
	}
	if yaml.Unmarshal([]byte(text), &project) != nil {
		l.add(Note, "", projectFile+" is left out: it is not YAML")
		return
	}
	for _, item := range project.EntryPoints {
		name, entry := fmt.Sprint(item.Key), fields(item.Value)
		command, _ := entry["command"].(string)
		missing := ""
		command = placeholder.ReplaceAllStringFunc(strings.TrimSpace(command), func(m string) string {
			// A text in place of the mapping is a type: such a parameter has no default.
			value := fields(fields(entry["parameters"])[m[1:len(m)-1]])["default"]
			if value == nil {
				missing = m
				return m
			}
			return fmt.Sprint(value)
		})
		switch {
		case command == "":
		case missing == "" && (name == "main" || len(project.EntryPoints) == 1):
			l.steps = append(l.steps, stepEntry{name: nameOf(name), run: command,
				scripts: l.namedIn(command)})
		default:
			l.suggest(name, command)
		}
	}
}

// fields returns a mapping by its keys; nil for any other value.
func fields(value any) map[string]any {
	switch m := value.(type) {
	case map[string]any:
		return m
	case yaml.MapSlice:
		out := map[string]any{}
		for _, item := range m {
			out[fmt.Sprint(item.Key)] = item.Value
		}
		return out
	}
	return nil
}

// namedIn lists the files of the folder that a command names.
func (l *folder) namedIn(command string) (files []string) {
	for _, word := range strings.Fields(command) {
		if word = strings.Trim(word, `"'`); l.has(word) {
			files = append(files, word)
		}
	}
	return files
}

// stage is one of a dvc.yaml.
type stage struct {
	name       string
	commands   []string
	deps, outs []string
}

// takeStages makes a step of each stage. What stages hand to each other in the folder is
// copied in and out of it: a step has a folder of its own.
func (l *folder) takeStages(text string) {
	var file struct {
		Stages yaml.MapSlice `yaml:"stages"`
	}
	if yaml.Unmarshal([]byte(text), &file) != nil || strings.Contains(text, "${") {
		l.add(Note, "", dvcFile+" is left out: templates (${…}) are not read; write its stages "+
			"as steps")
		return
	}
	var stages []stage
	made := map[string]string{} // name of an output by its path
	for _, item := range file.Stages {
		s, why := readStage(fmt.Sprint(item.Key), fields(item.Value))
		if why != "" {
			l.add(Note, "", dvcFile+" is left out: stage "+s.name+" has "+why)
			return
		}
		for _, out := range s.outs {
			made[out] = l.outputName(out, made)
		}
		stages = append(stages, s)
	}
	for _, s := range stages {
		l.takeStage(s, made)
	}
}

func readStage(name string, of map[string]any) (s stage, why string) {
	s.name = name
	for _, key := range []string{"foreach", "matrix", "wdir"} {
		if of[key] != nil {
			return s, "`" + key + "`, which is not read"
		}
	}
	s.commands, s.deps = paths(of["cmd"]), paths(of["deps"])
	for _, key := range []string{"outs", "metrics", "plots"} {
		s.outs = append(s.outs, paths(of[key])...)
	}
	for _, p := range slices.Concat(s.deps, s.outs) {
		if !plainPath.MatchString(p) || strings.Contains(p, "..") {
			return s, "the path " + p + ", which is not read"
		}
	}
	return s, ""
}

// paths reads a text, or a list of texts and of mappings whose keys are texts.
func paths(value any) (list []string) {
	switch v := value.(type) {
	case string:
		return []string{v}
	case []any:
		for _, item := range v {
			if text, ok := item.(string); ok {
				list = append(list, strings.TrimSuffix(text, "/"))
			}
			for key := range fields(item) {
				list = append(list, strings.TrimSuffix(key, "/"))
			}
		}
	}
	return list
}

// outputName names what is made at a path. The name model stands for a model in MLflow's
// format, which this need not be.
func (l *folder) outputName(file string, made map[string]string) string {
	name := nameOf(strings.ReplaceAll(file, "/", "-"))
	if name == "model" {
		name = "model-file"
	}
	for n, try := 2, name; ; n++ {
		taken := false
		for _, other := range made {
			taken = taken || strings.ReplaceAll(other, "-", "_") == strings.ReplaceAll(try, "-", "_")
		}
		if !taken {
			return try
		}
		try = fmt.Sprintf("%s-%d", shorten(name, 58), n)
	}
}

func (l *folder) takeStage(s stage, made map[string]string) {
	name := nameOf(s.name)
	if name == "evaluate" { // that is the gate's, which judges models in MLflow's format
		name = "evaluation"
	}
	step := stepEntry{name: l.freeStep(name)}
	lines := []string{"set -e"}
	for _, p := range slices.Concat(s.deps, s.outs) {
		dir := "mkdir -p " + path.Dir(p)
		if made[p] != "" && path.Dir(p) != "." && !slices.Contains(lines, dir) {
			lines = append(lines, dir)
		}
	}
	for _, dep := range s.deps {
		switch out := made[dep]; {
		case out != "":
			step.in = append(step.in, out)
			lines = append(lines, fmt.Sprintf(`cp -r "$FAIRLEAD_IN_%s" %s`, variable(out), dep))
		case l.holds(dep):
			step.reads = append(step.reads, dep)
		default:
			l.add(Note, "", fmt.Sprintf("step %s needs %s, which the commit does not have: add it, or "+
				"let the step fetch it", step.name, dep))
		}
	}
	for _, c := range s.commands {
		lines, step.scripts = append(lines, c), append(step.scripts, l.namedIn(c)...)
	}
	for _, out := range s.outs {
		step.out = append(step.out, made[out])
		lines = append(lines, fmt.Sprintf(`cp -r %s "$FAIRLEAD_OUT_%s"`, out, variable(made[out])))
	}
	step.run = strings.Join(lines, "\n")
	l.steps = append(l.steps, step)
}

// holds reports whether there is such a file, or a folder with files.
func (l *folder) holds(name string) bool {
	return slices.ContainsFunc(l.names, func(file string) bool { return within(file, name) })
}

// within reports whether a file is that of the path, or lies below it.
func within(file, name string) bool { return file == name || strings.HasPrefix(file, name+"/") }

// variable is the form of a name in an environment variable's name.
func variable(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
