package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
)

// statusError ends the command with a status that no error code stands for.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return e.message }

// outputs is the annotation of commands with what else -o may be.
const outputs = "outputs"

func usage(format string, args ...any) error {
	return &statusError{fairlead.ExitUsage, fmt.Sprintf(format, args...)}
}

// cli is what every command shares.
type cli struct {
	server  string
	data    string
	project string
	output  string
	as      string // who signs in with a password, of the commands that can
	secret  string // it
	out     io.Writer
	err     io.Writer
}

// newRoot returns the command line, which writes its results to out and everything
// else to err.
func newRoot(out, err io.Writer) *cobra.Command {
	c := &cli{out: out, err: err}
	root := &cobra.Command{
		Use:   "fairlead",
		Short: "The whole life of a model in one program",
		Long: `Fairlead runs the whole life of a model, and of the software around it: data,
pipelines, experiments, registry, gates, releases, serving, monitoring and
retraining. Without a command it starts the server with its defaults.`,
		Example: `  fairlead                        # start the server
  fairlead demo                   # watch the loop close on real data
  fairlead init --git             # write a first fairlead.yaml for this folder
  fairlead check && fairlead run  # in a repository with a fairlead.yaml`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			may := strings.Fields("text json " + cmd.Annotations[outputs])
			if !slices.Contains(may, c.output) {
				return usage("-o is %q; it is %s", c.output, strings.Join(may, " or "))
			}
			return nil
		},
	}
	flags := root.PersistentFlags()
	flags.StringVar(&c.server, "server", os.Getenv("FAIRLEAD_SERVER"),
		"URL of the server (FAIRLEAD_SERVER); default: who serves --data")
	flags.StringVar(&c.data, "data", defaultData(), "data directory (FAIRLEAD_DATA)")
	flags.StringVarP(&c.project, "project", "p", os.Getenv("FAIRLEAD_PROJECT"),
		"project (FAIRLEAD_PROJECT); default: the one of ./fairlead.yaml")
	flags.StringVarP(&c.output, "output", "o", "text", "text or json")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s; see `%s --help`", err, cmd.CommandPath())
	})
	serve := c.serveCommand()
	root.RunE = serve.RunE
	root.Flags().AddFlagSet(serve.Flags())
	root.AddCommand(serve, c.initCommand(), c.checkCommand(), c.applyCommand(), c.runCommand(), c.runsCommand(),
		c.caseCommand(), c.releaseCommand(),
		c.endpointCommand(), c.rolloutCommand(), c.rollbackCommand(), c.incidentCommand(),
		c.shadowCommand(), c.predictCommand(), c.replayCommand(), c.whyCommand(), c.logCommand(), c.rerunCommand(),
		c.jobCommand(), c.dataCommand(), c.modelCommand(), c.gateCommand(), c.loopCommand(),
		c.auditCommand(), c.webhookCommand(), c.userCommand(), c.roleCommand(), c.tokenCommand(),
		c.backupCommand(), c.restoreCommand(), c.gcCommand(), c.projectCommand(), c.uploadCommand(),
		c.importCommand(), c.exportCommand(), c.demoCommand(),
		c.uiCommand(), c.versionCommand())
	root.SetOut(out)
	root.SetErr(err)
	root.SetVersionTemplate("fairlead {{.Version}}\n")
	strict(root)
	return root
}

// group returns a command that only holds others.
func group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	var names, examples []string
	for _, sub := range subs {
		names = append(names, sub.Name())
		examples = append(examples, sub.Example)
	}
	cmd.Example = strings.Join(examples, "\n")
	cmd.RunE = func(*cobra.Command, []string) error {
		return usage("say which: fairlead %s %s", use, strings.Join(names, " | "))
	}
	cmd.AddCommand(subs...)
	return cmd
}

// strict makes cobra's own complaints about arguments usage errors.
func strict(cmd *cobra.Command) {
	if args := cmd.Args; args != nil {
		cmd.Args = func(cmd *cobra.Command, a []string) error {
			if err := args(cmd, a); err != nil {
				return usage("%s; see `%s --help`", err, cmd.CommandPath())
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		strict(sub)
	}
}

func defaultData() string {
	if dir := os.Getenv("FAIRLEAD_DATA"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "fairlead")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".fairlead"
	}
	return filepath.Join(home, ".local", "share", "fairlead")
}

// newestItems is how many items a list of what keeps coming shows without --all.
const newestItems = 50

// newest returns the newest items of a list, or all of them. When there are more it
// says so, and how to see them.
func newest[T any](ctx context.Context, c *cli, cl *client, path string, q url.Values, all bool) (
	page fairlead.Page[T], err error) {
	if all {
		page.Items, err = every[T](ctx, cl, path, q)
		return page, err
	}
	q.Set("limit", strconv.Itoa(newestItems))
	err = cl.do(ctx, http.MethodGet, path+"?"+q.Encode(), nil, &page)
	if page.Next != "" {
		fmt.Fprintf(c.err, "the newest %d; there are more: --all\n", newestItems)
	}
	return page, err
}

// print writes v as JSON, or as the text that the function makes.
func (c *cli) print(v any, text func(w io.Writer)) error {
	if c.output == "text" {
		var b bytes.Buffer
		text(&b)
		_, err := io.WriteString(c.out, plain(b.String(), "\n"))
		return err
	}
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Example: "  fairlead version -o json",
		RunE: func(*cobra.Command, []string) error {
			return c.print(map[string]string{"version": version},
				func(w io.Writer) { fmt.Fprintln(w, "fairlead "+version) })
		},
	}
}
