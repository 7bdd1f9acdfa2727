package draft

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// stepEntry is a step of the pipeline.
type stepEntry struct {
	name    string
	run     string
	scripts []string // files of its own
	reads   []string // files and folders that it opens by their own names
	in, out []string
}

// declares reports whether the step's script reads its inputs and outputs from the
// environment.
func (s stepEntry) declares() bool { return len(s.in)+len(s.out) > 0 }

// stages are the usual names of scripts, in the order in which they run.
var stages = [][]string{
	{"prepare", "prep", "preprocess", "preprocessing", "clean", "make_dataset", "make_data"},
	{"features", "featurize", "featurization", "build_features"},
	{"train", "training", "train_model", "fit"},
	{"evaluate", "evaluation", "eval", "score"},
}

const trainStage = 2 // in stages

// lookForSteps finds the scripts that make a model.
func (l *folder) lookForSteps() {
	if l.lookAtOthers() {
		return
	}
	scripts := make([]string, len(stages))
	var mains []string
	for _, name := range l.names {
		if path.Ext(name) != ".py" || !plainPath.MatchString(name) {
			continue
		}
		stage := slices.IndexFunc(stages, func(names []string) bool {
			return slices.Contains(names, strings.ToLower(stem(name)))
		})
		switch {
		case stage >= 0 && scripts[stage] == "":
			scripts[stage] = name
		case stage < 0 && mainGuard.MatchString(l.read(name)):
			mains = append(mains, name)
		}
	}
	if scripts[trainStage] == "" && len(mains) == 1 {
		scripts[trainStage] = mains[0]
	}
	if scripts[trainStage] != "" {
		l.takeScripts(slices.DeleteFunc(scripts, func(s string) bool { return s == "" }))
		return
	}
	for _, name := range mains[:min(len(mains), maxEntries)] {
		l.suggest(name, l.python()+" "+name)
	}
	l.lookForNotebooks()
	if len(l.comments) > 0 {
		l.add(Note, "", "which of the scripts makes the model is not known, so each stands in "+
			"fairlead.yaml as a comment: choose")
	}
}

var (
	// plainPath is what a shell and a YAML text take as it is.
	plainPath  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./-]*$`)
	mainGuard  = regexp.MustCompile(`(?m)^if\s+__name__\s*==\s*["']__main__["']`)
	stepInputs = regexp.MustCompile(`FAIRLEAD_(IN|OUT)_([A-Z0-9_]+)`)
)

// python is how a script is started: an environment of its own has the short name.
func (l *folder) python() string {
	if l.requirements == "" {
		return "python3"
	}
	return "python"
}

func (l *folder) suggest(name, command string) {
	l.comments = append(l.comments,
		fmt.Sprintf("%s: {run: %s}", Scalar(nameOf(stem(name))), Scalar(command)))
}

// takeScripts makes steps of scripts, in their order. Those that read their inputs and
// outputs from the environment are steps of their own; the others hand files to each other
// in the folder, which two steps do not share, so that they are one.
func (l *folder) takeScripts(scripts []string) {
	var together, commands []string
	for _, name := range scripts {
		s := stepEntry{name: l.freeStep(nameOf(stem(name))), run: l.python() + " " + name,
			scripts: []string{name}}
		for _, m := range stepInputs.FindAllStringSubmatch(l.read(name), -1) {
			s.declare(m[1], strings.ToLower(m[2]))
		}
		if s.declares() {
			l.steps = append(l.steps, s)
			continue
		}
		together, commands = append(together, name), append(commands, s.run)
	}
	if len(together) > 0 {
		l.steps = append(l.steps, stepEntry{name: l.freeStep("train"),
			run: strings.Join(commands, " && "), scripts: together})
	}
}

func (s *stepEntry) declare(direction, name string) {
	to := &s.in
	if direction == "OUT" {
		to = &s.out
	}
	if !slices.Contains(*to, name) {
		*to = append(*to, name)
	}
}

// freeStep returns a name that no step has.
func (l *folder) freeStep(name string) string {
	for n, try := 2, name; ; n++ {
		if !slices.ContainsFunc(l.steps, func(s stepEntry) bool { return s.name == try }) {
			return try
		}
		try = fmt.Sprintf("%s-%d", shorten(name, 58), n)
	}
}

// lookForNotebooks offers notebooks as steps: what runs them is a package of its own.
func (l *folder) lookForNotebooks() {
	for _, name := range l.names {
		if path.Ext(name) == ".ipynb" && plainPath.MatchString(name) && len(l.comments) < maxEntries {
			l.suggest(name, "jupyter nbconvert --to notebook --execute --stdout "+name+" > run.ipynb")
		}
	}
}
