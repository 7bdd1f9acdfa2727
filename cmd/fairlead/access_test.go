package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// typed makes a line what the next command reads from its standard input.
func typed(t *testing.T, line string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "stdin")
	if err := os.WriteFile(name, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = f
	t.Cleanup(func() {
		os.Stdin = before
		f.Close()
	})
}

func TestAccess_AsAnAdministratorTypesIt(t *testing.T) {
	elsewhere(t)
	const phrase = "a quiet harbour at dawn"
	for _, tt := range []struct {
		args, stdin string
		status      int
		says        string // on either output
	}{
		{"user list", "", 0, "USER"},
		{"user add ada", phrase, 1, "--role admin"},
		{"user add ada --role admin", "", 2, "no password"},
		{"user add ada --role admin", "short\n", 1, "12 to 256"},
		{"user add ada --role emperor", phrase, 1, "--role admin"},
		{"user add ada --role admin", phrase + "\r\n", 0, "ada has an account"},
		{"user add ada", phrase, 1, "already"},
		{"user add Bob", phrase, 1, "lower-case"},
		{"user add eve --role emperor", phrase, 1, "there is no role"},
		{"user add ci --no-password", "", 0, "ci has an account"},
		{"user password ada", "another long phrase\n", 0, "new password"},
		{"user password nobody", phrase, 5, "no user"},
		{"user password", phrase, 2, "say whose"},
		{"user password --as ada", "a wrong phrase\na third long phrase\n", 6, "password is wrong"},
		{"user password --as ada", "another long phrase\n", 2, "no password"},
		{"user password --as ada", "another long phrase\na third long phrase\n", 0, "ada has a new"},
		{"token create laptop --as ada", "a third long phrase\n", 0, "fl_user_"},
		{"token list --as ada", "a third long phrase\n", 0, "laptop"},
		{"token revoke tok_1 --as ada", "a third long phrase\n", 5, "no token"},
		{"role grant ci data-engineer --project default", "", 0, "done"},
		{"role grant ci viewer --all-projects", "", 0, "done"},
		{"role grant ci viewer --project nowhere", "", 5, "no project"},
		{"role grant ci emperor", "", 1, "there are viewer"},
		{"role grant nobody viewer", "", 5, "no user"},
		{"role list --project default", "", 0, "in default"},
		{"role list --all-projects", "", 0, "everywhere"},
		{"role revoke ci viewer --all-projects", "", 0, "done"},
		{"role revoke ci viewer --all-projects", "", 5, "does not have"},
		{"token create nightly", "", 1, "whose token"},
		{"token create nightly --user nobody", "", 5, "no user"},
		{"token create nightly --user ci --scope root", "", 1, "narrowed"},
		{"token create nightly --user ci --lasts 9000h", "", 1, "366 days"},
		{"token create nightly --user ci --only nowhere", "", 5, "nowhere"},
		{"token create nightly --user ci --scope read,track --only default", "", 0, "fl_user_"},
		{"token list --all", "", 0, "read,track"},
		{"token revoke tok_1", "", 5, "no token"},
		{"user", "", 2, "add | list"},
		{"user remove ci", "", 0, "no account any more"},
		{"user remove ci", "", 5, "no user"},
		{"audit list -p default --type access.changed", "", 0, `The account ci was removed`},
		{"audit list -p default --type access.changed", "", 0, `ci was granted the role viewer everywhere`},
		{"audit list -p default --type access.changed", "", 0, `A token of ci was made`},
		{"audit list -p default --type access.changed --subject nobody", "", 0, "SEQ"},
	} {
		typed(t, tt.stdin)
		got := command(t, strings.Fields(tt.args)...)
		if got.status != tt.status || !strings.Contains(got.out+got.stderr, tt.says) {
			t.Errorf("%s: status %d, want %d and %q\n%s%s", tt.args, got.status, tt.status, tt.says,
				got.out, got.stderr)
		}
	}
	if got := command(t, "token", "list", "--all"); strings.Contains(got.out, "nightly") {
		t.Errorf("a token of a removed user is left: %s", got.out)
	}
}

func TestServer_IsNamedWithoutItsPassword(t *testing.T) {
	elsewhere(t)
	got := command(t, "user", "list", "--server", "http://ada:sesame@127.0.0.1:1")
	if got.status == 0 || strings.Contains(got.out+got.stderr, "sesame") ||
		!strings.Contains(got.stderr, "ada:xxxxx@127.0.0.1:1") {
		t.Errorf("status %d: %s", got.status, got.stderr)
	}
}

func TestToken_IsAllThatGoesToTheOutput(t *testing.T) {
	elsewhere(t)
	if got := command(t, "user", "add", "ci", "--no-password", "--role", "admin"); got.status != 0 {
		t.Fatal(got.stderr)
	}
	got := command(t, "token", "create", "nightly", "--user", "ci")
	if n := len(strings.Fields(got.out)); n != 1 || !strings.HasPrefix(got.out, "fl_user_") {
		t.Errorf("output %q", got.out)
	}
	var made struct{ ID, Token string }
	got = command(t, "token", "create", "nightly", "--user", "ci", "-o", "json")
	if err := json.Unmarshal([]byte(got.out), &made); err != nil || made.ID == "" ||
		!strings.HasPrefix(made.Token, "fl_user_") {
		t.Errorf("JSON %q: %v", got.out, err)
	}
	if got := command(t, "token", "revoke", made.ID); got.status != 0 {
		t.Error(got.stderr)
	}
}
