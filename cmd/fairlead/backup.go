package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/backup"
	"github.com/fairlead-ml/fairlead/blob"
)

func (c *cli) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIRECTORY",
		Short: "Back up the whole data directory, also while the server runs",
		Long: `Back up the whole data directory into a directory of the server's machine: the
database as it is at one moment, all files that it refers to, and the keys. Another
backup into the same directory copies only files that are new.`,
		Example: "  fairlead backup /mnt/backup/fairlead",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(cl *client) error {
				var made rest.Backup
				if err := cl.do(cmd.Context(), http.MethodPost, "//api/v1/backups", map[string]string{"to": to},
					&made); err != nil {
					return err
				}
				if err := c.print(made, func(w io.Writer) { writeBackup(w, &made) }); err != nil {
					return err
				}
				return lost(made.Blobs.Damaged, "the backup was made without them")
			})
		},
	}
}

func writeBackup(w io.Writer, made *rest.Backup) {
	fmt.Fprintf(w, "backed up to %s: %d files, of which %d (%d bytes) were not there yet\n",
		made.Path, made.Blobs.Files, made.Blobs.NewFiles, made.Blobs.NewBytes)
	if made.Pruned.Files > 0 {
		fmt.Fprintf(w, "removed %d files (%d bytes) that no backup there needs any more\n",
			made.Pruned.Files, made.Pruned.Bytes)
	}
	if made.Pruned.Kept != "" {
		fmt.Fprintf(w, "what no backup there needs any more was not removed: %s\n", made.Pruned.Kept)
	}
	writeLost(w, made.Blobs.Damaged)
}

func writeLost(w io.Writer, all []blob.Lost) {
	for _, l := range all {
		fmt.Fprintf(w, "not in it: %s: %s\n", strings.Join(l.Of, ", "), l.Why)
	}
}

// lost is the error of a command that did without damaged files; nil when there are none.
func lost(all []blob.Lost, so string) error {
	if len(all) == 0 {
		return nil
	}
	return &statusError{fairlead.ExitError,
		fmt.Sprintf("%d files are damaged or missing, see above; %s", len(all), so)}
}

func (c *cli) restoreCommand() *cobra.Command {
	var check bool
	var work string
	cmd := &cobra.Command{
		Use:   "restore DIRECTORY",
		Short: "Make a data directory of a backup, or check a backup",
		Long: `Make the data directory (--data), which must be empty or absent, of a backup: of the
newest one in the directory, or of the one that it is. Everything is checked on the
way: digests of all files, the database, and the ledger.`,
		Example: "  fairlead restore /mnt/backup/fairlead --data /var/lib/fairlead\n" +
			"  fairlead restore /mnt/backup/fairlead/20261121-154500.123 --check",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			did := "restored to " + c.data
			run := func() (*backup.Report, error) {
				return backup.Restore(cmd.Context(), args[0], c.data, app.Schemas())
			}
			if check {
				did = "whole"
				run = func() (*backup.Report, error) {
					return backup.Check(cmd.Context(), args[0], work, app.Schemas())
				}
			}
			rep, err := run()
			if err != nil {
				return err
			}
			if check && len(rep.Blobs.Damaged) > 0 {
				did = "not whole"
			}
			err = c.print(rep, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s of %s, by fairlead %s: %d files (%d bytes), %d events verified\n", did,
					rep.Backup, time.UnixMilli(rep.CreatedMS).UTC().Format(time.RFC3339), rep.Fairlead,
					rep.Blobs.Files, rep.Blobs.Bytes, rep.Ledger.Events)
				writeLost(w, rep.Blobs.Damaged)
			})
			if err != nil || !check {
				return err
			}
			return lost(rep.Blobs.Damaged, "they were when the backup was made")
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "only check the backup, in a copy of its database")
	cmd.Flags().StringVar(&work, "work", "",
		"directory for the copy that --check works in; default: the one with the backups")
	return cmd
}
