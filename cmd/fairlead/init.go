package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/cmd/fairlead/draft"
	"github.com/fairlead-ml/fairlead/examples"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/spec"
)

// initial is what `fairlead init` did, and what it saw.
type initial struct {
	Directory string        `json:"directory"`
	Project   string        `json:"project"`
	Template  string        `json:"template,omitempty"`
	Written   []string      `json:"written"` // below the directory, sorted
	Found     []draft.Found `json:"found"`
	Git       string        `json:"git"`  // repository, made, committed or none
	Next      []string      `json:"next"` // commands
	runs      bool
}

// The values of initial.Git.
const (
	gitThere     = "repository"
	gitMade      = "made"      // with a first commit
	gitCommitted = "committed" // what was written, to the repository that is there
	gitNone      = "none"
)

func (c *cli) initCommand() *cobra.Command {
	var template string
	var git bool
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a first fairlead.yaml for what a folder holds, or a whole example",
		Long: `Init looks at a folder and writes the smallest fairlead.yaml that runs what is there:
tables become data, scripts become steps, and requirements their environment. What it
cannot know it leaves as comments. With --template it writes a whole example instead,
which runs as it is: ` + strings.Join(templates(), ", ") + `. Nothing that exists is overwritten.`,
		Example: `  fairlead init
  fairlead init ../flights --git
  fairlead init wine --template wine --git   # then: cd wine, and fairlead run`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			got, err := c.initialize(cmd.Context(), dir, template, git)
			if err != nil {
				return err
			}
			return c.print(got, func(w io.Writer) { got.tell(w) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&template, "template", "", "write this example: "+strings.Join(templates(), ", "))
	f.BoolVar(&git, "git", false, "make it a Git repository if it is none, and commit")
	return cmd
}

// templates lists the examples that bring their data, and so run as they are.
func templates() (names []string) {
	dirs, err := fs.Glob(examples.FS, "*/data")
	if err != nil {
		panic(err) // the pattern is wrong
	}
	for _, dir := range dirs {
		names = append(names, filepath.Dir(dir))
	}
	return names
}

// initialize writes the files of a template, or those that a look at the folder gives.
func (c *cli) initialize(ctx context.Context, dir, template string, git bool) (*initial, error) {
	if template != "" && !slices.Contains(templates(), template) {
		return nil, usage("there is no template %q; there is: %s", template,
			strings.Join(templates(), ", "))
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, usage("%s is a file; name the folder of the project", dir)
	}
	if err := vacant(dir, spec.FileName); err != nil {
		return nil, err
	}
	state, err := gitState(ctx, dir, git)
	if err != nil {
		return nil, err
	}
	out := &initial{Directory: dir, Template: template, Git: state}
	files, err := c.firstFiles(ctx, out)
	if err != nil {
		return nil, err
	}
	if git && state == gitNone && !slices.ContainsFunc(files, isIgnore) && absent(dir, ignoreFile) {
		files = append(files, draft.File{Path: ignoreFile, Text: []byte(ignored)})
	}
	if err := out.write(files); err != nil {
		return nil, err
	}
	if git {
		if err := out.commit(ctx); err != nil {
			return nil, err
		}
	}
	out.Next = out.next()
	return out, nil
}

// ignoreFile and ignored are what a new repository leaves out.
const (
	ignoreFile = ".gitignore"
	ignored    = ".env\n.venv/\n__pycache__/\n.ipynb_checkpoints/\nmlruns/\n"
)

func isIgnore(f draft.File) bool { return f.Path == ignoreFile }

// firstFiles returns what is to be written, and fills in what was found.
func (c *cli) firstFiles(ctx context.Context, out *initial) ([]draft.File, error) {
	if out.Template != "" {
		return c.templateFiles(out)
	}
	names, err := filesOf(ctx, out.Directory)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(out.Directory)
	if err != nil {
		return nil, err
	}
	out.Project = cmp.Or(c.project, draft.ProjectOf(filepath.Base(abs)))
	d := draft.Look(out.Directory, out.Project, names)
	out.Found, out.runs = d.Found, d.Runs
	first := draft.File{Path: spec.FileName, Text: d.File}
	return append([]draft.File{first}, d.More...), checkFirst(first)
}

// checkFirst makes sure that what is written is right: a name from --project may not be.
func checkFirst(f draft.File) error {
	_, err := gate.Parse(f.Path, f.Text)
	return err
}

// templateFiles returns the files of an example, whose project can have another name.
func (c *cli) templateFiles(out *initial) (files []draft.File, err error) {
	err = fs.WalkDir(examples.FS, out.Template, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := examples.FS.ReadFile(path)
		files = append(files, draft.File{Path: strings.TrimPrefix(path, out.Template+"/"), Text: text})
		return err
	})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(files, func(f draft.File) bool { return f.Path == spec.FileName })
	out.Project = cmp.Or(c.project, out.Template)
	files[i].Text = []byte(strings.Replace(string(files[i].Text), "\nproject: "+out.Template+"\n",
		"\nproject: "+draft.Scalar(out.Project)+"\n", 1))
	return files, checkFirst(files[i])
}

// absent reports whether a folder has no such file.
func absent(dir, path string) bool {
	_, err := os.Lstat(filepath.Join(dir, path))
	return errors.Is(err, os.ErrNotExist)
}

// vacant refuses to write a file that is there.
func vacant(dir string, paths ...string) error {
	there := slices.DeleteFunc(slices.Clone(paths), func(path string) bool {
		return absent(dir, path)
	})
	switch {
	case len(there) == 0:
		return nil
	case slices.Contains(there, spec.FileName):
		return fairlead.Errorf(fairlead.Conflict, "%s is there already, and nothing was written; "+
			"`fairlead check %s` reads it, `fairlead run %s` runs it", filepath.Join(dir, spec.FileName),
			dir, dir)
	}
	return fairlead.Errorf(fairlead.Conflict, "%s would be overwritten, and nothing was written; "+
		"name a new folder: fairlead init DIR", strings.Join(there, ", "))
}

// write writes all files, none of which may be there; or none.
func (out *initial) write(files []draft.File) (err error) {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	if err := vacant(out.Directory, paths...); err != nil {
		return err
	}
	var made []string
	defer func() {
		if err != nil {
			for _, path := range made {
				os.Remove(path) // else another try would refuse to overwrite it
			}
		}
	}()
	for _, f := range files {
		path := filepath.Join(out.Directory, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fairlead.Errorf(fairlead.Precondition, "%s cannot be made: %w", filepath.Dir(path), err)
		}
		if err := writeNew(path, f.Text); err != nil {
			return fairlead.Errorf(fairlead.Precondition, "%s cannot be written: %w", path, err)
		}
		made = append(made, path)
	}
	slices.Sort(paths)
	out.Written = paths
	return nil
}

// writeNew writes a file that must not be there, also when another makes it meanwhile.
func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		os.Remove(path)
		return err
	}
	return f.Close()
}

// next lists what to type now.
func (out *initial) next() (lines []string) {
	if out.Directory != "." {
		lines = append(lines, "cd "+shellWord(out.Directory))
	}
	switch out.Git {
	case gitNone:
		lines = append(lines, "git init && git add . && git commit -m \"first commit\"")
	case gitThere:
		lines = append(lines, "git add "+strings.Join(out.Written, " ")+
			" && git commit -m \"fairlead.yaml\"")
	}
	switch {
	case out.Template != "" || out.runs:
		return append(lines, "fairlead run")
	case len(out.Found) == 0:
		return []string{fmt.Sprintf("fairlead init %s --template %[1]s --git", templates()[0])}
	}
	return append(lines, "fairlead check")
}

// shellWord quotes a word for a shell, if it needs that.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("._-/", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// tell prints what was done, and what comes next.
func (out *initial) tell(w io.Writer) {
	if out.Template != "" {
		fmt.Fprintf(w, "wrote the example %s to %s: %d files, project %s\n", out.Template,
			out.Directory, len(out.Written), out.Project)
	} else {
		fmt.Fprintf(w, "wrote %s: project %s\n", strings.Join(out.Written, ", "), out.Project)
	}
	switch out.Git {
	case gitMade:
		fmt.Fprintln(w, "made a Git repository with a first commit")
	case gitCommitted:
		fmt.Fprintln(w, "committed that to the Git repository")
	}
	for _, f := range out.Found {
		if f.Kind != draft.Note {
			fmt.Fprintf(w, "  %-6s  %s\n", f.Kind, strings.TrimPrefix(f.Name+": "+f.Text, ": "))
		}
	}
	for _, f := range out.Found {
		if f.Kind == draft.Note {
			fmt.Fprintln(w, "note: "+f.Text)
		}
	}
	fmt.Fprintln(w, "next:")
	for _, line := range out.Next {
		fmt.Fprintln(w, "  "+line)
	}
}
