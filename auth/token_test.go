package auth_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/auth"
)

func TestNewTokens_KeepsTheTokenInAFileOfTheOwnerAlone(t *testing.T) {
	f := newFixture(t)
	info, err := os.Stat(filepath.Join(f.dir, auth.OwnerFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	if !strings.HasPrefix(f.owner, "fl_owner_") || len(f.owner) < 48 {
		t.Errorf("token %q", f.owner)
	}
	if again := f.renew(t); again != f.owner {
		t.Error("a good token was replaced")
	}
}

// renew opens the tokens again and returns the owner's.
func (f *fixture) renew(t *testing.T) string {
	if _, err := auth.NewTokens(t.Context(), f.db, f.clock, f.dir); err != nil {
		t.Fatal(err)
	}
	token, err := auth.ReadOwner(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestNewTokens_ReplacesATokenThatIsKnownOrBroken(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"readable by others": func(file string) error { return os.Chmod(file, 0o644) },
		"writable by group":  func(file string) error { return os.Chmod(file, 0o620) },
		"empty":              func(file string) error { return os.WriteFile(file, nil, 0o600) },
		"cut":                func(file string) error { return os.Truncate(file, 20) },
		"a word":             func(file string) error { return os.WriteFile(file, []byte("secret"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			file := filepath.Join(f.dir, auth.OwnerFile)
			if err := spoil(file); err != nil {
				t.Fatal(err)
			}
			if f.renew(t) == f.owner {
				t.Error("the token was kept")
			}
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if left, _ := filepath.Glob(filepath.Join(f.dir, ".token*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}
