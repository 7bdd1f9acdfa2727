package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

func (c *cli) userCommand() *cobra.Command {
	return group("user", "Make, list and remove accounts, and set their passwords",
		c.userAddCommand(), c.userListCommand(), c.userRemoveCommand(), c.userPasswordCommand())
}

func (c *cli) userAddCommand() *cobra.Command {
	var role string
	var bare bool
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Make an account; its password is asked for, or read from the standard input",
		Example: `  fairlead user add ada --role admin
  fairlead user add ci --no-password`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]string{"name": args[0], "role": role}
			if !bare {
				password, err := c.newPassword(args[0])
				if err != nil {
					return err
				}
				body["password"] = password
			}
			var made auth.Account
			return c.access(cmd.Context(), http.MethodPost, "//api/v1/users", body, &made,
				func(w io.Writer) {
					fmt.Fprintf(w, "%s has an account; what they may do: `fairlead role grant %s ROLE`\n",
						made.Name, made.Name)
				})
		},
	}
	cmd.Flags().StringVar(&role, "role", "", "role in all projects; the first account needs admin")
	cmd.Flags().BoolVar(&bare, "no-password", false, "no password: for programs, which have tokens")
	return cmd
}

func (c *cli) userListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the accounts and their roles",
		Example: "  fairlead user list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listed(c, cmd.Context(), "//api/v1/users", url.Values{}, func(w io.Writer,
				all []*auth.Account) {
				tw := table(w, "USER", "PASSWORD", "MADE", "ROLES")
				for _, a := range all {
					var roles []string
					for _, g := range a.Roles {
						roles = append(roles, string(g.Role)+" "+where(g.Project))
					}
					tw.row(a.Name, yes(a.Password), a.Created, strings.Join(roles, ", "))
				}
				tw.flush()
			})
		},
	}
}

func (c *cli) userRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "remove NAME",
		Short:   "Remove an account with its roles, tokens and sessions",
		Example: "  fairlead user remove ada",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.access(cmd.Context(), http.MethodDelete, "//api/v1/users/"+url.PathEscape(args[0]), nil,
				nil,
				func(w io.Writer) { fmt.Fprintf(w, "%s has no account any more\n", args[0]) })
		},
	}
}

func (c *cli) userPasswordCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "password [NAME]",
		Short: "Set the password of an account, or with --as one's own; its sessions end",
		Example: `  fairlead user password ada        # as the owner of the data directory
  fairlead user password --as ada   # as ada, who types the present one first`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, path := c.as, "//api/v1/me/password"
			switch {
			case len(args) == 0 && c.as == "":
				return usage("say whose: NAME, or with --as one's own")
			case len(args) > 0:
				name, path = args[0], "//api/v1/users/"+url.PathEscape(args[0])+"/password"
			}
			if err := c.signIn(); err != nil { // the present one comes first
				return err
			}
			password, err := c.newPassword(name)
			if err != nil {
				return err
			}
			return c.access(cmd.Context(), http.MethodPut, path, map[string]string{"password": password},
				nil, func(w io.Writer) { fmt.Fprintf(w, "%s has a new password\n", name) })
		},
	}
	c.asFlag(cmd)
	return cmd
}

// asFlag lets a command be somebody who has a password.
func (c *cli) asFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.as, "as", "",
		"user to sign in as; the password is asked for, or the first line of the standard input")
}

// signIn asks for the password of who --as says, once.
func (c *cli) signIn() (err error) {
	if c.as == "" || c.secret != "" {
		return nil
	}
	c.secret, err = c.typed("password", "password of "+c.as)
	return err
}

func (c *cli) tokenCommand() *cobra.Command {
	return group("token", "Make, list and revoke tokens of accounts",
		c.tokenCreateCommand(), c.tokenListCommand(), c.tokenRevokeCommand())
}

func (c *cli) tokenCreateCommand() *cobra.Command {
	var body struct {
		User    string   `json:"user,omitempty"`
		Name    string   `json:"name"`
		Scope   []string `json:"scope,omitempty"`
		Project string   `json:"project,omitempty"`
		Lasts   string   `json:"lasts,omitempty"`
	}
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token; NAME says what it is for. It is printed once",
		Example: `  fairlead token create laptop --user ada
  fairlead token create laptop --as ada     # ada's own, made with the password
  fairlead token create scoring --user ci --scope predict,label --only flights --lasts 720h`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body.Name, body.Lasts = args[0], lasts.String()
			var made struct {
				auth.Credential
				Token string `json:"token"`
			}
			return c.access(cmd.Context(), http.MethodPost, "//api/v1/tokens", &body, &made,
				func(w io.Writer) {
					fmt.Fprintln(w, made.Token)
					fmt.Fprintf(c.err, "%s of %s lasts until %s; it is not shown again\n", made.ID, made.User,
						made.Expires.UTC().Format(time.DateOnly))
				})
		},
	}
	f := cmd.Flags()
	f.StringVar(&body.User, "user", "", "whose; default: one's own")
	f.StringSliceVar(&body.Scope, "scope", nil,
		"permissions that it is narrowed to, such as read,track")
	f.StringVar(&body.Project, "only", "", "project that it is narrowed to")
	f.DurationVar(&lasts, "lasts", 90*24*time.Hour, "for how long; at most 8784h")
	c.asFlag(cmd)
	return cmd
}

func (c *cli) tokenListCommand() *cobra.Command {
	var everybody bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List one's tokens, without their secrets; the owner of the data directory sees all",
		Example: "  fairlead token list --all",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			q := url.Values{}
			if everybody {
				q.Set("all", "true")
			}
			return listed(c, cmd.Context(), "//api/v1/tokens", q, func(w io.Writer, all []*auth.Credential) {
				tw := table(w, "TOKEN", "USER", "NAME", "SCOPE", "PROJECT", "MADE", "EXPIRES")
				for _, t := range all {
					tw.row(t.ID, t.User, t.Name, strings.Join(t.Scope, ","), t.Project, t.Created, t.Expires)
				}
				tw.flush()
			})
		},
	}
	cmd.Flags().BoolVar(&everybody, "all", false, "those of everybody; for administrators")
	c.asFlag(cmd)
	return cmd
}

func (c *cli) tokenRevokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "revoke TOKEN",
		Short:   "End a token, by its id",
		Example: "  fairlead token revoke tok_01h2x…",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.access(cmd.Context(), http.MethodDelete, "//api/v1/tokens/"+url.PathEscape(args[0]),
				nil, nil,
				func(w io.Writer) { fmt.Fprintf(w, "%s is revoked\n", args[0]) })
		},
	}
	c.asFlag(cmd)
	return cmd
}

func (c *cli) roleCommand() *cobra.Command {
	return group("role", "Grant, revoke and list roles in a project, or in all",
		c.roleChangeCommand("grant", "Give an account a role", http.MethodPut),
		c.roleChangeCommand("revoke", "Take a role from an account",
			http.MethodDelete), c.roleListCommand())
}

func (c *cli) roleChangeCommand(verb, short, method string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   verb + " USER ROLE",
		Short: short + ": " + strings.Join(roleNames(), ", "),
		Example: "  fairlead role " + verb + " ada data-scientist --project flights\n" +
			"  fairlead role " + verb + " eve viewer --all-projects",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := rolesPath(all) + "/" + url.PathEscape(args[1]) + "/users/" + url.PathEscape(args[0])
			return c.access(cmd.Context(), method, path, nil, nil, func(w io.Writer) {
				fmt.Fprintf(w, "done; see `fairlead role list`\n")
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all-projects", false, "in all projects, and for the server itself")
	return cmd
}

func (c *cli) roleListCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List who has which role in the project",
		Example: "  fairlead role list --project flights",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return listed(c, cmd.Context(), rolesPath(all), url.Values{}, func(w io.Writer,
				grants []auth.Grant) {
				tw := table(w, "USER", "ROLE", "WHERE")
				for _, g := range grants {
					tw.row(g.User, g.Role, where(g.Project))
				}
				tw.flush()
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all-projects", false, "only the roles that hold in all projects")
	return cmd
}

// rolesPath is below the project, or below the root when it is about all.
func rolesPath(all bool) string {
	if all {
		return "//api/v1/roles"
	}
	return "/roles"
}

func roleNames() (names []string) {
	for _, r := range auth.Roles {
		names = append(names, string(r))
	}
	return names
}

func where(project string) string {
	if project == "" {
		return "everywhere"
	}
	return "in " + project
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// access makes a change of accounts, and says what was done. It is not repeated: an
// answer that holds a secret is kept nowhere.
func (c *cli) access(ctx context.Context, method, path string, in, out any,
	text func(io.Writer)) error {
	if err := c.signIn(); err != nil {
		return err
	}
	return c.with(ctx, func(cl *client) error {
		cl.user, cl.secret = c.as, c.secret
		var done map[string]any
		if out == nil {
			out = &done
		}
		if err := cl.do(ctx, method, path, in, out); err != nil {
			return err
		}
		return c.print(out, text)
	})
}

// listed prints a whole list.
func listed[T any](c *cli, ctx context.Context, path string, q url.Values, text func(io.Writer,
	[]T)) error {
	if err := c.signIn(); err != nil {
		return err
	}
	return c.with(ctx, func(cl *client) error {
		cl.user, cl.secret = c.as, c.secret
		var page fairlead.Page[T]
		var err error
		if page.Items, err = every[T](ctx, cl, path, q); err != nil {
			return err
		}
		return c.print(page, func(w io.Writer) { text(w, page.Items) })
	})
}

// newPassword asks for a password twice on a terminal, or reads a line of the standard
// input: it is never an argument, which other users of the machine see.
func (c *cli) newPassword(name string) (string, error) {
	return c.newSecret("password", "password for "+name)
}

// newSecret is newPassword for any secret.
func (c *cli) newSecret(kind, prompt string) (string, error) {
	first, err := c.typed(kind, prompt)
	if err != nil || !term.IsTerminal(int(os.Stdin.Fd())) {
		return first, err
	}
	second, err := c.typed(kind, "once more")
	if err == nil && first != second {
		err = usage("the two %ss differ", kind)
	}
	return first, err
}

// typed asks on a terminal, or reads the next line of the standard input.
func (c *cli) typed(kind, prompt string) (string, error) {
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		fmt.Fprint(c.err, prompt+": ")
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(c.err)
		return string(b), err
	}
	var line []byte
	for one := make([]byte, 1); ; { // no more than the line: another may follow
		n, err := os.Stdin.Read(one)
		if err != nil && err != io.EOF {
			return "", err
		}
		if n == 0 || one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	text := strings.TrimRight(string(line), "\r")
	if text == "" {
		return "", usage("the standard input holds no %s", kind)
	}
	return text, nil
}
