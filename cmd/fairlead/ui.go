package main

import (
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

func (c *cli) uiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ui",
		Short: "Print a link that opens the web interface as the owner",
		Long: `Ui prints a link that lets one browser in as the owner of the data directory, who may
do everything: roll back, run, query. It works once, and for two minutes; the browser
stays in for seven days, or until it signs out. Without it, and without accounts,
browsers on this machine may look, track and predict.`,
		Example: "  fairlead ui\n  fairlead ui -p flights",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), c.printLink)
		},
	}
}

func (c *cli) printLink(cl *client) error {
	switch {
	case cl.own:
		return fairlead.Errorf(fairlead.Unavailable,
			"no server serves %s; start one with `fairlead serve`, and repeat this", c.data)
	case !auth.IsOwner(cl.token):
		return fairlead.Errorf(fairlead.Denied, "the link is made of the owner's token, which is in the "+
			"data directory of the server: run this there, or sign in at %s/signin", cl.base)
	}
	query := url.Values{"key": {auth.Link(cl.token, time.Now())}}
	if c.project != "" {
		query.Set("next", "/p/"+c.project)
	}
	link := cl.base + "/enter?" + query.Encode()
	return c.print(map[string]string{"url": link}, func(w io.Writer) { fmt.Fprintln(w, link) })
}
