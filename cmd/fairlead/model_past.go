package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/registry"
)

func (c *cli) modelCardCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "card MODEL VERSION",
		Short:   "Write the model card of a version, from all that is known about it, in Markdown",
		Example: "  fairlead model card flight-delays 3 > card.md",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := versionPath(args[0], args[1])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(cl *client) error {
				var card rest.Card
				if err := cl.do(cmd.Context(), http.MethodGet, path+"/card", nil, &card); err != nil {
					return err
				}
				return c.print(card, func(w io.Writer) { io.WriteString(w, card.Markdown) })
			})
		},
	}
}

func (c *cli) modelHistoryCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "history MODEL@ALIAS",
		Short:   "Say who moved an alias, when, and from which version to which",
		Example: "  fairlead model history flight-delays@live",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			model, alias, ok := strings.Cut(args[0], "@")
			if !ok || alias == "" {
				return usage("name the alias too: fairlead model history %s@%s", model, registry.LiveAlias)
			}
			return c.with(cmd.Context(), func(cl *client) error {
				all, err := every[registry.AliasMove](cmd.Context(), cl, "/models/"+url.PathEscape(model)+
					"/aliases/"+url.PathEscape(alias)+"/moves", url.Values{})
				if err != nil {
					return err
				}
				return c.print(fairlead.Page[registry.AliasMove]{Items: all}, func(w io.Writer) {
					tw := table(w, "AT", "FROM", "TO", "BY", "EVENT")
					for _, m := range all {
						tw.row(fairlead.FromMS(m.AtMS), numberOrNone(m.From), numberOrNone(m.To), m.Actor, m.Event)
					}
					tw.flush()
				})
			})
		},
	}
}

// numberOrNone prints a version's number, nothing for none.
func numberOrNone(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func (c *cli) modelShowCommand() *cobra.Command {
	var asOf string
	cmd := &cobra.Command{
		Use:   "show MODEL [VERSION] | MODEL@ALIAS",
		Short: "Show the versions of a model, or one of them, now or as of a time",
		Example: `  fairlead model show flight-delays --as-of 2026-03-01
  fairlead model show flight-delays@live --as-of 2026-03-01T12:00:00Z`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			model, alias, _ := strings.Cut(args[0], "@")
			if alias != "" && len(args) == 2 {
				return usage("name an alias or a version, and not both")
			}
			q := url.Values{}
			if asOf != "" {
				q.Set("as_of", asOf)
			}
			return c.with(cmd.Context(), func(cl *client) error {
				version := ""
				if len(args) == 2 {
					version = args[1]
				}
				if alias != "" {
					n, err := cl.aliased(cmd.Context(), model, alias, q)
					if err != nil {
						return err
					}
					version = strconv.FormatInt(n, 10)
				}
				if version == "" {
					return c.listVersions(cmd, cl, model, q)
				}
				return c.showVersion(cmd, cl, model, version, q)
			})
		},
	}
	cmd.Flags().StringVar(&asOf, "as-of", "",
		"a time (RFC 3339) or day (midnight UTC) of the wall clock; default: now")
	return cmd
}

// aliased returns the version that an alias named.
func (cl *client) aliased(ctx context.Context, model, alias string, q url.Values) (int64, error) {
	var m registry.Model
	err := cl.do(ctx, http.MethodGet, "/models/"+url.PathEscape(model)+"?"+q.Encode(), nil, &m)
	if err != nil {
		return 0, err
	}
	n, ok := m.Aliases[alias]
	if strings.EqualFold(alias, "latest") && len(m.Latest) > 0 {
		return newestOf(m.Latest), nil
	}
	if !ok {
		return 0, fairlead.Errorf(fairlead.NotFound, "no version of %q had the alias %q; see "+
			"`fairlead model history %s@%s`", model, alias, model, alias)
	}
	return n, nil
}

// newestOf returns the highest number of versions.
func newestOf(versions []*registry.Version) (n int64) {
	for _, v := range versions {
		n = max(n, v.N)
	}
	return n
}

// versionNumber reads the VERSION of a model that somebody typed.
func versionNumber(model, text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, usage("VERSION is %q; it is a number from 1: `fairlead model %s` lists them",
			text, model)
	}
	return n, nil
}

// versionPath is the path of a version of a model in the native API.
func versionPath(model, version string) (string, error) {
	n, err := versionNumber(model, version)
	return fmt.Sprintf("/models/%s/versions/%d", url.PathEscape(model), n), err
}

func (c *cli) showVersion(cmd *cobra.Command, cl *client, model, version string,
	q url.Values) error {
	var v rest.ModelVersion
	path, err := versionPath(model, version)
	if err != nil {
		return err
	}
	if err := cl.do(cmd.Context(), http.MethodGet, path+"?"+q.Encode(), nil, &v); err != nil {
		return err
	}
	return c.print(v, func(w io.Writer) { printVersion(w, &v) })
}
