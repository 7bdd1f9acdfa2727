package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/tracking"
)

// UploadRequest says what file will come in parts, and for whom.
type UploadRequest struct {
	Run         string `json:"run,omitempty" doc:"the run that it is for; this or logged_model"`
	LoggedModel string `json:"logged_model,omitempty"`
	Path        string `json:"path" doc:"of the file, below its owner"`
	Bytes       int64  `json:"bytes" minimum:"1" doc:"of the file"`
	PartBytes   int64  `json:"part_bytes,omitempty" doc:"of each part but the last; default 64 MiB"`
}

// defaultPart is the length of parts of which nobody says one, in bytes.
const defaultPart = 64 << 20

func (r *UploadRequest) owner() (blob.Owner, error) {
	switch {
	case (r.Run == "") == (r.LoggedModel == ""):
		return blob.Owner{}, fairlead.Errorf(fairlead.Invalid, "name either a run or a logged model")
	case r.Run != "":
		return tracking.RunOwner(r.Run), nil
	}
	return tracking.LoggedModelOwner(r.LoggedModel), nil
}

// UploadInput names an upload.
type UploadInput struct {
	InProject
	Upload string `path:"upload"`
}

func (a *API) partOperations() {
	register(a, op{id: "start-upload", method: "POST", path: "/uploads",
		summary: "Begin a file that comes in parts", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Body UploadRequest
		}) (*tracking.Upload, error) {
			owner, err := in.Body.owner()
			if err != nil {
				return nil, err
			}
			if in.Body.PartBytes == 0 {
				in.Body.PartBytes = defaultPart
			}
			return a.Tracking.StartUpload(ctx, p, tracking.Place{Owner: owner, Path: in.Body.Path},
				tracking.NewUpload{Bytes: in.Body.Bytes, PartBytes: in.Body.PartBytes})
		})
	register(a, op{id: "list-uploads", method: "GET", path: "/uploads",
		summary: "List the uploads in parts that are under way, also those of MLflow's client",
		may:     auth.Track},
		func(ctx context.Context, p fairlead.Project, in *ListInput) (
			out fairlead.Page[*tracking.Upload], err error) {
			filter, after := list(p, "uploads"), ""
			if err := fairlead.DecodeCursor(in.Page, filter, &after); err != nil {
				return out, err
			}
			out.Items, err = a.Tracking.Uploads(ctx, p, after, in.Limit+1)
			if len(out.Items) > in.Limit {
				out.Items = out.Items[:in.Limit]
				out.Next = fairlead.EncodeCursor(filter, out.Items[in.Limit-1].ID)
			}
			return filled(out, err)
		})
	register(a, op{id: "get-upload", method: "GET", path: "/uploads/{upload}",
		summary: "An upload, and which of its parts have come", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *UploadInput) (*tracking.Upload, error) {
			return a.Tracking.Upload(ctx, p, in.Upload)
		})
	register(a, op{id: "complete-upload", method: "POST", path: "/uploads/{upload}/complete",
		summary: "Make the file of its parts; again changes nothing", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *struct {
			UploadInput
			Body struct {
				Digest string `json:"digest,omitempty" doc:"SHA-256 of the file, hex, if it is to be checked"`
			}
		}) (*tracking.Upload, error) {
			err := a.Tracking.CompleteUpload(ctx, p, in.Upload, nil, nil, in.Body.Digest)
			if err != nil {
				return nil, err
			}
			return a.Tracking.Upload(ctx, p, in.Upload)
		})
	register(a, op{id: "abort-upload", method: "DELETE", path: "/uploads/{upload}",
		summary: "Forget an upload with its parts; one that is complete stays", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *UploadInput) (Done, error) {
			return done(a.Tracking.AbortUpload(ctx, p, in.Upload, nil))
		})
	a.documentPart()
}

const partPath = project + "/uploads/{upload}/parts/{part}"

// partRoute is outside the operations because it streams its body.
func (a *API) partRoute() auth.Route {
	return auth.Route{Method: http.MethodPut, Path: partPath, Permission: auth.Track,
		BodyLimit: tracking.MaxPartBytes, Streams: true, Handle: a.putPart, Fail: Fail}
}

// putPart receives one part.
func (a *API) putPart(w http.ResponseWriter, r *http.Request) error {
	n, err := strconv.Atoi(r.PathValue("part"))
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "%q is no number of a part", r.PathValue("part"))
	}
	body := &upload{ReadCloser: r.Body}
	part, err := a.Tracking.PutPart(r.Context(), fairlead.ProjectFrom(r.Context()),
		r.PathValue("upload"), n, r.ContentLength, body)
	if err != nil {
		return body.problemOr(err)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(part)
}

// documentPart describes the route in the document.
func (a *API) documentPart() {
	a.document(rawOp{
		op: op{id: "put-part", method: http.MethodPut, path: partPath,
			summary: "Send a part; the same part again replaces it", may: auth.Track},
		params: []*huma.Param{{Name: "upload", In: "path", Required: true, Schema: textSchema},
			{Name: "part", In: "path", Required: true, Schema: integerSchema}},
		body:   contentOf("application/octet-stream", binarySchema),
		answer: jsonOf[tracking.Part](a, "Part"),
	})
}
