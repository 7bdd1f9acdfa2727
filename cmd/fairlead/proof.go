package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/ledger"
)

func (c *cli) bundleCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "bundle MODEL VERSION",
		Short: "Export the proof of all that led to a version as JSON",
		Example: "  fairlead audit bundle flight-delays 3 > proof.json\n" +
			"  fairlead audit check proof.json",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := versionPath(args[0], args[1])
			if err != nil {
				return err
			}
			c.output = "json"
			return c.with(cmd.Context(), func(cl *client) error {
				var b ledger.Bundle
				if err := cl.do(cmd.Context(), http.MethodGet, path+"/proof", nil, &b); err != nil {
					return err
				}
				return c.print(b, nil)
			})
		},
	}
}

// maxProof bounds the file of a proof, in bytes.
const maxProof = 256 << 20

func (c *cli) checkBundleCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Check an exported proof; no server is asked",
		Long: "Check an exported proof, of a version or of one event; no server is asked.\n\nEach event " +
			"must be in the signed tree, each body and document must be what was\nrecorded, and none may be " +
			"missing of those that were signed. With --key the signature must be that server's: " +
			"`fairlead audit verify -o json`\nprints its public key.",
		Example: "  fairlead audit check proof.json --key fairlead.ledger+1a2b3c4d+AbC…",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := readProof(args[0])
			if err != nil {
				return err
			}
			checked, err := ledger.CheckProof(text, key)
			if err != nil {
				return err
			}
			return c.print(checked, func(w io.Writer) { printChecked(w, checked, key) })
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "the server's public key; without it the proof's own is taken")
	return cmd
}

func readProof(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fairlead.Errorf(fairlead.NotFound, "%s cannot be read: %v", name, err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxProof+1))
	if err == nil && len(text) > maxProof {
		err = fairlead.Errorf(fairlead.Invalid, "%s is longer than any proof", name)
	}
	return text, err
}

func printChecked(w io.Writer, checked *ledger.Checked, key string) {
	tw := table(w, "SEQ", "AT", "TYPE", "SUBJECT", "BY")
	for _, r := range checked.Events {
		tw.row(r.Seq, fairlead.FromMS(r.TimeMS), r.Type, r.Subject, r.Actor)
	}
	tw.flush()
	fmt.Fprintf(w, "\n%s is proven: %d of the %d events of a ledger, root %s\n", checked.Subject,
		len(checked.Events), checked.Size, checked.Root)
	for _, name := range checked.Documents {
		fmt.Fprintf(w, "  as recorded: %s\n", name)
	}
	if key == "" {
		fmt.Fprintf(w, "signed by %s; compare it with what `fairlead audit verify -o json` says there, "+
			"or give it as --key\n", checked.PublicKey)
		return
	}
	fmt.Fprintln(w, "signed by the key that you gave")
}
