package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/tracking"
)

func (c *cli) uploadCommand() *cobra.Command {
	in := rest.UploadRequest{}
	var to string
	cmd := &cobra.Command{
		Use:   "upload FILE",
		Short: "Store a large file as an artifact; again goes on where it broke off",
		Example: `  fairlead upload weights.bin --run 0d3c4a… --to model
  fairlead upload weights.bin --run 0d3c4a… --to model   # sends only parts that have not come`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer file.Close()
			info, err := file.Stat()
			if err != nil {
				return err
			}
			if !info.Mode().IsRegular() || info.Size() == 0 {
				return usage("%s is not a file with something in it", args[0])
			}
			in.Path, in.Bytes = path.Join(to, filepath.Base(args[0])), info.Size()
			return c.with(cmd.Context(), func(cl *client) error {
				u := &uploading{cl: cl, file: file, progress: c.newProgress()}
				defer u.progress.end()
				if err := u.run(cmd.Context(), in); err != nil {
					return err
				}
				return c.print(u.Upload, func(w io.Writer) {
					fmt.Fprintf(w, "%s is stored: %s, of which %s were sent now\n", u.Path, size(u.Bytes),
						size(u.sent))
				})
			})
		},
	}
	cmd.Flags().StringVar(&in.Run, "run", "", "run that the file is for; this or --logged-model")
	cmd.Flags().StringVar(&in.LoggedModel, "logged-model", "", "logged model that the file is for")
	cmd.Flags().StringVar(&to, "to", "", "directory below the run or logged model")
	cmd.Flags().Int64Var(&in.PartBytes, "part-bytes", 64<<20, "length of the parts")
	return cmd
}

// uploading is a file on its way to the server.
type uploading struct {
	*tracking.Upload
	cl       *client
	file     *os.File
	progress *progress
	sent     int64
}

// run sends the parts that the server does not have yet, and completes the upload.
func (u *uploading) run(ctx context.Context, in rest.UploadRequest) (err error) {
	if u.Upload, err = u.cl.findUpload(ctx, in); err != nil {
		return err
	}
	there := map[int]string{}
	for _, part := range u.Received {
		there[part.N] = part.Digest
	}
	whole := sha256.New()
	for n := 1; n <= u.Parts; n++ {
		from := int64(n-1) * u.PartBytes
		part := io.NewSectionReader(u.file, from, min(u.PartBytes, u.Bytes-from))
		sum := sha256.New()
		if _, err := io.Copy(io.MultiWriter(whole, sum), part); err != nil {
			return err
		}
		if there[n] == hex.EncodeToString(sum.Sum(nil)) {
			continue
		}
		u.progress.status(fmt.Sprintf("part %d of %d", n, u.Parts))
		if _, err := part.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err := u.cl.putPart(ctx, u.at(fmt.Sprintf("/parts/%d", n)), part); err != nil {
			return err
		}
		u.sent += part.Size()
	}
	return u.cl.do(ctx, http.MethodPost, u.at("/complete"),
		map[string]string{"digest": hex.EncodeToString(whole.Sum(nil))}, u.Upload)
}

func (u *uploading) at(path string) string { return "/uploads/" + u.ID + path }

// findUpload returns the upload of such a file that is under way, or begins one.
func (cl *client) findUpload(ctx context.Context, in rest.UploadRequest) (*tracking.Upload, error) {
	all, err := every[*tracking.Upload](ctx, cl, "/uploads", url.Values{})
	if err != nil {
		return nil, err
	}
	for _, u := range all {
		if u.Owner == in.Run+in.LoggedModel && u.Path == in.Path && u.Bytes == in.Bytes &&
			u.PartBytes == in.PartBytes {
			return u, cl.do(ctx, http.MethodGet, "/uploads/"+u.ID, nil, u)
		}
	}
	u := &tracking.Upload{}
	return u, cl.do(ctx, http.MethodPost, "/uploads", in, u)
}

// putPart streams a part.
func (cl *client) putPart(ctx context.Context, path string, part *io.SectionReader) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, cl.url(path), part)
	if err != nil {
		return err
	}
	req.ContentLength = part.Size()
	req.Header.Set("Content-Type", "application/octet-stream")
	return cl.exchange(req, nil)
}
