package scm

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// repository runs the user's git in one directory.
type repository struct {
	dir string
	env []string // beyond the process's own
}

// gitVariables would point git at another repository, as they do within a hook.
var gitVariables = []string{"GIT_DIR=", "GIT_WORK_TREE=", "GIT_INDEX_FILE=", "GIT_PREFIX=",
	"GIT_OBJECT_DIRECTORY=", "GIT_ALTERNATE_OBJECT_DIRECTORIES=", "GIT_COMMON_DIR=",
	"GIT_NAMESPACE=", "GIT_CEILING_DIRECTORIES="}

func (r *repository) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc(gitVariables, func(name string) bool {
			return strings.HasPrefix(v, name)
		})
	})
	cmd.Env = append(cmd.Env, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0")
	cmd.Env = append(cmd.Env, r.env...)
	return cmd
}

// run returns git's standard output.
func (r *repository) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := r.command(ctx, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, gitError(ctx, args[0], stderr.String(), err)
	}
	return out, nil
}

// line is run for output of one line.
func (r *repository) line(ctx context.Context, args ...string) (string, error) {
	out, err := r.run(ctx, args...)
	return strings.TrimSuffix(string(out), "\n"), err
}

func gitError(ctx context.Context, verb, stderr string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return fairlead.Errorf(fairlead.Precondition,
			"git is not installed, or not on PATH; a project is a Git repository, so install git")
	case strings.Contains(stderr, "not a git repository"):
		return fairlead.Errorf(fairlead.Precondition,
			"this directory is not in a Git repository; run `git init` and commit, or go to the project")
	}
	if stderr == "" {
		stderr = err.Error()
	}
	return fairlead.Errorf(fairlead.Precondition, "git %s failed: %s", verb,
		strings.TrimSpace(stderr)).Because(err)
}
