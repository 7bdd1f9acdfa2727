package draft

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// reference is where the keys of a fairlead.yaml are explained.
const reference = "https://github.com/fairlead-ml/fairlead/blob/main/docs/fairlead-yaml.md"

// head begins each file: editors complete and check it by the schema.
const head = `# yaml-language-server: $schema=https://raw.githubusercontent.com/fairlead-ml/fairlead/main/docs/fairlead.schema.json
# The life of one model. All keys, by the names in brackets:
# ` + reference + "\n"

// rest is what a file grows by, as comments: without the marks it is right, too.
const rest = `
# What success means, by a metric that the step evaluate prints: "::metric accuracy=0.91" (#goal)
# goal: {metric: accuracy, at_least: 0.9}

# What a candidate must prove before it is released (#gate)
# gates:
#   good-enough: {check: candidate.accuracy >= 0.9}

# Where it is released: at once, as a canary, or as a shadow (#environment)
# release:
#   production: {strategy: replace}

# What is watched there, and what follows (#monitor)
# monitor:
#   drift: {threshold: 0.25, window: 1d, red: 2 of 3}
#   then: {drift: alert}
`

// file returns the fairlead.yaml of what was found.
func (l *folder) file(project string) []byte {
	var b strings.Builder
	b.WriteString(head + "project: " + Scalar(project) + "\n")
	l.writeData(&b)
	l.writePipeline(&b)
	b.WriteString(rest)
	return []byte(b.String())
}

// writeData writes the section `data`: as comments what a script opens by itself.
func (l *folder) writeData(b *strings.Builder) {
	b.WriteString("\n# Tables of the commit: each change of one becomes a version " +
		"with a profile (#data)\n")
	opened := func(e dataEntry) bool { return e.reader != "" }
	if slices.ContainsFunc(l.data, opened) {
		b.WriteString("# What stands here a step sees only as an input: `in: [name]`, and the path " +
			"of a Parquet file in\n# FAIRLEAD_IN_NAME. A comment is a table that a script opens by its own " +
			"name.\n")
	}
	all := ""
	if !slices.ContainsFunc(l.data, func(e dataEntry) bool { return !opened(e) }) {
		all = "# "
	}
	b.WriteString(all + "data:\n")
	if len(l.data) == 0 {
		b.WriteString("#   history: {from: data/history.csv, time: at, key: id, label: target}\n")
	}
	for _, e := range l.data {
		mark := ""
		if opened(e) {
			mark = "# "
		}
		parts := append([]string{"from: " + Scalar(e.from)}, e.roles()...)
		fmt.Fprintf(b, "%s  %s: {%s}\n", mark, Scalar(e.name), strings.Join(parts, ", "))
	}
}

// writePipeline writes the section `pipeline`.
func (l *folder) writePipeline(b *strings.Builder) {
	b.WriteString("\n# How a candidate is made: steps are any commands, started in a copy of the " +
		"commit (#pipeline)\n")
	if !slices.ContainsFunc(l.steps, stepEntry.declares) {
		b.WriteString("# What a step saves in MLflow's format to the path in FAIRLEAD_OUT_MODEL becomes " +
			"a version, if `out`\n# says so; a step that prints metrics of it makes it one that can be " +
			"judged and released.\n")
	}
	all := ""
	if len(l.steps) == 0 {
		all = "# "
	}
	b.WriteString(all + "pipeline:\n")
	switch {
	case l.requirements != "":
		fmt.Fprintf(b, "%s  python: {requirements: %s}\n", all, l.requirements)
	case len(l.steps) == 0:
		b.WriteString("#   python: {requirements: requirements.txt}\n")
	}
	b.WriteString(all + "  steps:\n")
	for _, s := range l.steps {
		unknown := func(name string) bool { return !l.makes(name) }
		s.write(b, slices.DeleteFunc(slices.Clone(s.in), unknown))
		l.add(Step, s.name, s.shown())
	}
	for _, c := range l.comments {
		b.WriteString("#     " + c + "\n")
	}
	if !slices.ContainsFunc(l.steps, stepEntry.declares) && len(l.comments) == 0 {
		l.writeExample(b)
	}
}

// writeExample shows the steps that make a version, as comments.
func (l *folder) writeExample(b *strings.Builder) {
	command, in := l.python()+" train.py", "history"
	if len(l.steps) > 0 {
		command = l.steps[0].run
	}
	if len(l.data) > 0 {
		in = l.data[0].name
	}
	fmt.Fprintf(b, "#     train:    {run: %s, in: [%s], out: [model, validation]}\n",
		Scalar(command), in)
	fmt.Fprintf(b, "#     evaluate: {run: %s evaluate.py, in: [model, validation]}\n", l.python())
}

// write writes a step: on one line, if its command is.
func (s stepEntry) write(b *strings.Builder, in []string) {
	var lists []string
	if len(in) > 0 {
		lists = append(lists, "in: ["+strings.Join(in, ", ")+"]")
	}
	if len(s.out) > 0 {
		lists = append(lists, "out: ["+strings.Join(s.out, ", ")+"]")
	}
	if !strings.Contains(s.run, "\n") {
		fields := append([]string{"run: " + Scalar(s.run)}, lists...)
		fmt.Fprintf(b, "    %s: {%s}\n", Scalar(s.name), strings.Join(fields, ", "))
		return
	}
	fmt.Fprintf(b, "    %s:\n      run: |\n", Scalar(s.name))
	for line := range strings.SplitSeq(s.run, "\n") {
		b.WriteString("        " + line + "\n")
	}
	for _, list := range lists {
		b.WriteString("      " + list + "\n")
	}
}

// shown is the step's command, as one line tells it.
func (s stepEntry) shown() string {
	if lines := strings.Split(s.run, "\n"); len(lines) > 1 {
		return strings.Join(s.scripts, ", ")
	}
	return s.run
}

// makes reports whether the name is one of data or of an output.
func (l *folder) makes(name string) bool {
	isData := func(e dataEntry) bool { return e.name == name && e.reader == "" }
	isOutput := func(s stepEntry) bool { return slices.Contains(s.out, name) }
	return slices.ContainsFunc(l.data, isData) || slices.ContainsFunc(l.steps, isOutput)
}

// Scalar writes a text as YAML, within brackets too.
func Scalar(text string) string {
	if isPlain(text) {
		return text
	}
	b, err := yaml.MarshalWithOptions(text, yaml.JSON())
	if err != nil {
		panic(err) // a text can be written
	}
	return strings.TrimSuffix(string(b), "\n")
}

// isPlain reports whether YAML reads the text as this text without quotes.
func isPlain(text string) bool {
	var back any
	err := yaml.Unmarshal([]byte("{a: "+text+"}"), &back)
	m, ok := back.(map[string]any)
	return err == nil && ok && len(m) == 1 && m["a"] == text &&
		!strings.ContainsAny(text, "#:{}[],\"'\n\t")
}
