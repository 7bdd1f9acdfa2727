package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/cmd/fairlead/draft"
)

// git runs Git in a directory, whatever repository the environment names, and returns
// what it prints.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		for _, own := range []string{"GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG"} {
			if strings.HasPrefix(v, own) {
				return false
			}
		}
		return strings.HasPrefix(v, "GIT_")
	}), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", fairlead.Errorf(fairlead.Precondition,
			"git is not installed, or not on PATH; a project is a Git repository, so install git")
	case err != nil:
		for len(args) > 2 && args[0] == "-c" {
			args = args[2:]
		}
		return "", fairlead.Errorf(fairlead.Precondition, "git %s failed: %s", args[0],
			cmp.Or(strings.TrimSpace(stderr.String()), err.Error())).Because(err)
	}
	return string(out), nil
}

// gitState says whether the folder is a repository. One that lies within another's is
// refused, unless it is to become one of its own: a project is a whole repository.
func gitState(ctx context.Context, dir string, own bool) (string, error) {
	at := dir
	for absent(at, ".") && filepath.Dir(at) != at {
		at = filepath.Dir(at) // the folder itself is still to be made
	}
	top, err := git(ctx, at, "rev-parse", "--show-toplevel")
	if err != nil {
		if _, missing := exec.LookPath("git"); missing != nil && own {
			return "", err
		}
		return gitNone, nil
	}
	top = strings.TrimSuffix(top, "\n")
	if same(dir, top) {
		return gitThere, nil
	}
	if own {
		return gitNone, nil
	}
	return "", fairlead.Errorf(fairlead.Precondition, "%s lies in the Git repository %s, and a "+
		"project is a whole repository: `fairlead init %s`, or add --git to make one of its own here",
		dir, top, shellWord(top))
}

// same reports whether two paths are the same directory.
func same(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// commit commits what was written: to the repository that is there, or to a new one with
// all else that is in the folder. Who has not told Git a name commits by that of the
// account.
func (out *initial) commit(ctx context.Context) error {
	dir, state, paths := out.Directory, gitCommitted, append([]string{"--"}, out.Written...)
	if out.Git == gitNone {
		if _, err := git(ctx, dir, "init", "-q", "-b", "main"); err != nil {
			return err
		}
		state, paths = gitMade, []string{"--", "."}
	}
	if _, err := git(ctx, dir, append([]string{"add"}, paths...)...); err != nil {
		return err
	}
	args := append([]string{"commit", "-q", "-m", "begin with fairlead.yaml"}, paths...)
	if _, err := git(ctx, dir, "var", "GIT_COMMITTER_IDENT"); err != nil {
		name, email := account()
		args = append([]string{"-c", "user.name=" + name, "-c", "user.email=" + email}, args...)
		out.Found = append(out.Found, draft.Found{Kind: draft.Note, Text: "Git does not know your " +
			"name, so the commit is by " + name + " <" + email + ">: git config --global user.name NAME, " +
			"and user.email"})
	}
	_, err := git(ctx, dir, args...)
	out.Git = state
	return err
}

// account is who uses this machine.
func account() (name, email string) {
	name = "fairlead"
	if u, err := user.Current(); err == nil {
		name = cmp.Or(u.Username, name)
	}
	return name, name + "@localhost"
}

// filesOf names the files of a folder that a commit has or can have.
func filesOf(ctx context.Context, dir string) (names []string, err error) {
	if absent(dir, ".") {
		return nil, nil
	}
	out, err := git(ctx, dir, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return draft.Walk(dir)
	}
	for name := range strings.SplitSeq(out, "\x00") {
		if name != "" && !absent(dir, name) {
			names = append(names, name)
		}
	}
	return names, nil
}
