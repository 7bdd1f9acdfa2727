package draft

import (
	"cmp"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/fairlead-ml/fairlead/engine/pyenv"
)

// Draft is a first fairlead.yaml, and what it came from.
type Draft struct {
	File  []byte
	More  []File  // files that it needs and that are not there yet
	Found []Found // in the order data, steps, python, notes
	Runs  bool    // it has a pipeline
}

// File is a file that is to be written, by its path below the folder, with /.
type File struct {
	Path string
	Text []byte
}

// Found is one thing that a folder holds, and what became of it.
type Found struct {
	Kind string `json:"kind"` // data, step, python or note
	Name string `json:"name,omitempty"`
	Text string `json:"text"`
}

// The kinds of what is found. A note is what a user should know or do.
const (
	Table  = "data"
	Step   = "step"
	Python = "python"
	Note   = "note"
)

// folder is what there is, as far as a fairlead.yaml can use it.
type folder struct {
	dir          string
	names        []string // of the files, with /, the shallowest first
	data         []dataEntry
	steps        []stepEntry
	comments     []string // of the pipeline
	requirements string   // file; empty: none that can be used
	more         []File
	found        []Found
}

// Look reads a folder and writes the file of a project. Of the folder's files it looks at
// those that are named, with / and below it: the ones that a commit has or can have.
func Look(dir, project string, names []string) *Draft {
	l := &folder{dir: dir, names: slices.Clone(names)}
	slices.SortFunc(l.names, func(a, b string) int {
		return cmp.Or(strings.Count(a, "/")-strings.Count(b, "/"), strings.Compare(a, b))
	})
	l.names = slices.Compact(l.names) // Git names a file in conflict more than once
	l.lookForPython()
	l.lookForSteps()
	l.lookForData()
	d := &Draft{File: l.file(project), More: l.more, Found: l.found, Runs: len(l.steps) > 0}
	kinds := []string{Table, Step, Python, Note}
	slices.SortStableFunc(d.Found, func(a, b Found) int {
		return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind)
	})
	return d
}

// maxFiles bounds the files of a folder that are looked at.
const maxFiles = 20_000

// leftAlone are folders that hold nothing of a project's own.
var leftAlone = []string{"node_modules", "__pycache__", "site-packages", "venv", "env", "mlruns",
	"build", "dist"}

// Walk names the files of a folder that is no Git repository, without those that are
// hidden or made by tools.
func Walk(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			if e != nil && e.IsDir() && file != dir {
				return fs.SkipDir // of another user, say
			}
			return err
		}
		name := e.Name()
		hidden := strings.HasPrefix(name, ".") || slices.Contains(leftAlone, name)
		if e.IsDir() && file != dir && hidden {
			return fs.SkipDir
		}
		if len(names) >= maxFiles {
			return fs.SkipAll
		}
		rel, err := filepath.Rel(dir, file)
		if err == nil && e.Type().IsRegular() {
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	return names, err
}

func (l *folder) has(name string) bool { return slices.Contains(l.names, name) }

// maxText bounds the scripts and settings that are read, in bytes.
const maxText = 1 << 20

// read returns a file's text; empty when there is none, or too much of it.
func (l *folder) read(name string) string {
	file := filepath.Join(l.dir, filepath.FromSlash(name))
	if info, err := os.Stat(file); err != nil || info.Size() > maxText {
		return ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text)
}

func (l *folder) add(kind, name, text string) { l.found = append(l.found, Found{kind, name, text}) }

// requirementsFile is what pip and uv read.
const requirementsFile = "requirements.txt"

// ownPython says what is to be done where no requirements were found.
const ownPython = "steps run with this machine's python3: write the packages that they need to " +
	requirementsFile + ", and add `python: {requirements: " + requirementsFile + "}` to the pipeline"

// otherPackages name what scripts need, too, in forms that are not read.
var otherPackages = []string{"environment.yml", "environment.yaml", "conda.yaml", "python_env.yaml",
	"Pipfile", "poetry.lock"}

// lookForPython finds what the scripts' environment is made of.
func (l *folder) lookForPython() {
	switch {
	case l.has(requirementsFile):
		err := pyenv.Requirements{Text: l.read(requirementsFile)}.Check()
		if err != nil {
			l.add(Note, "", requirementsFile+" is not used: "+err.Error())
			return
		}
		l.requirements = requirementsFile
		l.add(Python, "", requirementsFile)
	case l.has("pyproject.toml"):
		l.lookAtPyproject()
	case slices.ContainsFunc(otherPackages, l.has):
		l.add(Note, "", ownPython)
	}
}

// lookAtPyproject writes the dependencies of a pyproject.toml as requirements.
func (l *folder) lookAtPyproject() {
	packages := dependencies(l.read("pyproject.toml"))
	text := "# The dependencies of pyproject.toml, by fairlead init.\n" +
		strings.Join(packages, "\n") + "\n"
	exact := ""
	if l.has("uv.lock") {
		exact = "; the versions of uv.lock: uv export --no-hashes --no-emit-project -o " +
			requirementsFile
	}
	err := pyenv.Requirements{Text: text}.Check()
	if len(packages) == 0 || err != nil {
		l.add(Note, "", ownPython+exact)
		return
	}
	l.requirements = requirementsFile
	l.more = append(l.more, File{requirementsFile, []byte(text)})
	l.add(Python, "", requirementsFile+", which has the dependencies of pyproject.toml"+exact)
}

var (
	tomlTable  = regexp.MustCompile(`(?m)^\s*\[+\s*([^\]]+?)\s*\]+\s*(?:#.*)?$`)
	tomlList   = regexp.MustCompile(`(?m)^\s*dependencies\s*=\s*\[`)
	tomlString = regexp.MustCompile(`^"((?:[^"\\]|\\.)*)"|^'([^']*)'`)
)

// dependencies returns the list `dependencies` of the table `project` of a TOML text.
func dependencies(text string) (list []string) {
	for _, m := range tomlTable.FindAllStringSubmatchIndex(text, -1) {
		if text[m[2]:m[3]] != "project" {
			continue
		}
		rest := text[m[1]:]
		begin := tomlList.FindStringIndex(rest)
		if begin == nil {
			return nil
		}
		if other := tomlTable.FindStringIndex(rest); other != nil && other[0] < begin[0] {
			return nil
		}
		return tomlStrings(rest[begin[1]:])
	}
	return nil
}

// tomlStrings reads the texts of a list up to its bracket.
func tomlStrings(text string) (list []string) {
	for text != "" && text[0] != ']' {
		if m := tomlString.FindStringSubmatch(text); m != nil {
			list = append(list, strings.ReplaceAll(m[1]+m[2], `\"`, `"`))
			text = text[len(m[0]):]
			continue
		}
		if text[0] == '#' {
			_, text, _ = strings.Cut(text, "\n")
			continue
		}
		text = text[1:]
	}
	return list
}

// ProjectOf makes a project's name of a folder's.
func ProjectOf(folder string) string {
	name := strings.Trim(shorten(tokens(folder, '-', ""), 63), "-")
	if name == "" {
		return "project"
	}
	return name
}

// nameOf makes a name of the file, of data or of a step, of a text.
func nameOf(text string) string {
	name := strings.Trim(shorten(tokens(text, '-', "_"), 63), "-_")
	switch {
	case name == "":
		return "rows"
	case name[0] < 'a' || name[0] > 'z':
		return shorten("data-"+name, 63)
	}
	return name
}

func shorten(s string, n int) string { return s[:min(len(s), n)] }

// tokens writes what is no lower-case letter, digit or kept sign as one separator.
func tokens(text string, separator rune, keep string) string {
	var b strings.Builder
	last := separator
	for _, r := range text {
		r = unicode.ToLower(r)
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(keep, r) {
			r = separator
		}
		if r != separator || last != separator {
			b.WriteRune(r)
		}
		last = r
	}
	return b.String()
}

// stem is a file's name without folders and endings.
func stem(name string) string {
	base, _, _ := strings.Cut(path.Base(name), ".")
	return base
}
