package tracking

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

// MaxParts is the most parts that one upload has, as with S3, and MaxPartBytes the most
// bytes of one part.
const (
	MaxParts     = 10_000
	MaxPartBytes = 1 << 30
)

// Part is one part of an upload: its number, from 1, and its content.
type Part struct {
	N      int    `json:"part"`
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest"` // SHA-256, hex
	at     int64  // in the partial file
}

// Upload is a file that comes in parts, in any order. All have the same length, but for
// the last, which may be shorter.
type Upload struct {
	ID        string `json:"upload"`
	Kind      string `json:"kind"` // what it is for: run | logged_model | experiment
	Owner     string `json:"owner"`
	Path      string `json:"path"` // below its owner
	Parts     int    `json:"parts"`
	PartBytes int64  `json:"part_bytes"` // 0 until a part has come
	Bytes     int64  `json:"bytes"`      // of the file; 0 where its sender has not said
	Received  []Part `json:"received,omitempty"`
	Done      bool   `json:"done"`
	TouchedMS int64  `json:"touched_ms"` // wall time
	at        Place
	secret    string
}

// NewUpload says what a file in parts will be: its number of parts, or its bytes and
// those of a part. Zero is what is not known yet.
type NewUpload struct {
	Parts     int
	PartBytes int64
	Bytes     int64
}

func (n *NewUpload) check() error {
	if n.Bytes > 0 {
		if n.PartBytes < 1 || n.PartBytes > MaxPartBytes {
			return fairlead.Errorf(fairlead.Invalid, "parts of %d bytes: they have 1 to %d", n.PartBytes,
				MaxPartBytes)
		}
		if parts := (n.Bytes + n.PartBytes - 1) / n.PartBytes; parts <= MaxParts {
			n.Parts = int(parts)
		}
	}
	if n.Parts < 1 || n.Parts > MaxParts {
		return fairlead.Errorf(fairlead.Invalid,
			"an upload has 1 to %d parts; choose larger parts", MaxParts)
	}
	return nil
}

// StartUpload begins to receive a file in parts. NotFound when the owner is not an active
// one of this project; Precondition when the place is sealed.
func (s *Service) StartUpload(ctx context.Context, p fairlead.Project, at Place, n NewUpload) (
	u *Upload, err error) {
	if at.Path, err = blob.CleanPath(at.Path); err != nil {
		return nil, err
	}
	if err := n.check(); err != nil {
		return nil, err
	}
	secret := make([]byte, sha256.Size)
	rand.Read(secret)
	id := fairlead.NewHexID()
	err = s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if err := s.requireWritable(tx, p, at); err != nil {
			return err
		}
		u = &Upload{ID: id, Parts: n.Parts, PartBytes: n.PartBytes, Bytes: n.Bytes, at: at,
			secret: hex.EncodeToString(secret)}
		if err := insertUpload(tx, p, u, s.nowMS()); err != nil {
			return err
		}
		u, err = uploadByID(tx, p, id)
		return err
	})
	return u, err
}

// Sign returns what admits who puts part n, until a time, without credentials.
func (u *Upload) Sign(p fairlead.Project, n int, until time.Time) string {
	mac := hmac.New(sha256.New, []byte(u.secret))
	fmt.Fprintf(mac, "%d %s %d %d", p.K, u.ID, n, until.Unix())
	return hex.EncodeToString(mac.Sum(nil))
}

// AdmitPart is Denied unless a signature is what Sign gave for the part, and its time has
// not passed.
func (s *Service) AdmitPart(ctx context.Context, p fairlead.Project, id string, n int,
	until time.Time, signature string) error {
	var u *Upload
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		u, err = uploadByID(tx, p, id)
		return err
	})
	switch {
	case err != nil:
		return err
	case !hmac.Equal([]byte(signature), []byte(u.Sign(p, n, until))):
		return fairlead.Errorf(fairlead.Denied, "the signature is not that of part %d", n)
	case s.clock.Now().After(until):
		return fairlead.Errorf(fairlead.Denied,
			"the address of the part has expired; begin the upload anew")
	}
	return nil
}

// Upload returns an upload of the project with the parts that have come.
func (s *Service) Upload(ctx context.Context, p fairlead.Project, id string) (u *Upload,
	err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		if u, err = uploadByID(tx, p, id); err != nil {
			return err
		}
		u.Received, err = partsOf(tx, id)
		return err
	})
	return u, err
}

// Uploads returns the project's next uploads that are under way, by id, without their
// parts.
func (s *Service) Uploads(ctx context.Context, p fairlead.Project, after string, limit int) (
	out []*Upload, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		out, err = uploadsAfter(tx, p, after, limit)
		return err
	})
	return out, err
}

// PutPart streams r, of length bytes (-1 when that is not known), into part n of an
// upload and returns what was received. A part that is sent again replaces the earlier
// one; one that breaks off, or has another length than it should, is not there.
func (s *Service) PutPart(ctx context.Context, p fairlead.Project, id string, n int,
	length int64, r io.Reader) (*Part, error) {
	u, err := s.expectPart(ctx, p, id, n, length)
	if err != nil {
		return nil, err
	}
	body, err := u.sized(n, length, r)
	if err != nil {
		return nil, err
	}
	part := Part{N: n, at: u.placeOf(n)}
	obj, err := s.blobs.PutPart(ctx, id, part.at, body)
	if err == nil {
		part.Bytes, part.Digest = obj.Bytes, obj.Digest
		err = s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
			u, err := uploadByID(tx, p, id)
			if err != nil {
				return err
			}
			if u.Done {
				return errDone(id)
			}
			return putUploadPart(tx, id, part, s.nowMS())
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.dropUnknown(context.WithoutCancel(ctx), []string{id}))
	}
	return &part, nil
}

func errDone(id string) error {
	return fairlead.Errorf(fairlead.Precondition, "the upload %s is complete already", id)
}

// expectPart returns the upload, as it is when part n is about to come: the length of the
// parts is known then, unless only the last part can say.
func (s *Service) expectPart(ctx context.Context, p fairlead.Project, id string, n int,
	length int64) (u *Upload, err error) {
	var there, learn bool
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		if u, err = uploadByID(tx, p, id); err != nil {
			return err
		}
		if err := s.requireOwner(tx, p, u.at.Owner); err != nil {
			return err
		}
		there, err = hasPart(tx, id, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	learn = u.PartBytes == 0 && n < u.Parts
	switch {
	case u.Done:
		return nil, errDone(id)
	case n < 1 || n > u.Parts:
		return nil, fairlead.Errorf(fairlead.Invalid,
			"part %d: the parts of this upload are numbered from 1 to %d", n, u.Parts)
	case learn && (length < 1 || length > MaxPartBytes):
		return nil, fairlead.Errorf(fairlead.Invalid, "part %d needs a Content-Length, of 1 to %d "+
			"bytes; with MLflow's client, MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE says it", n, MaxPartBytes)
	case !learn && !there:
		return u, nil
	}
	err = s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if learn {
			if err := setPartBytes(tx, id, length); err != nil {
				return err
			}
		}
		if u, err = uploadByID(tx, p, id); err != nil {
			return err
		}
		if _, err := u.sized(n, length, nil); err != nil {
			return err
		}
		return deleteUploadPart(tx, id, n) // it is about to be written over
	})
	return u, err
}

// placeOf returns where part n lies in the partial file. The last part of several waits
// behind all, as long as the length of the others is not known.
func (u *Upload) placeOf(n int) int64 {
	if u.PartBytes == 0 && n > 1 {
		return int64(u.Parts) * MaxPartBytes
	}
	return int64(n-1) * u.PartBytes
}

// sized returns r, which fails unless it has the length of part n.
func (u *Upload) sized(n int, length int64, r io.Reader) (*sized, error) {
	out := &sized{r: r, least: u.PartBytes, most: u.PartBytes}
	if n == u.Parts {
		out.least, out.most = 0, MaxPartBytes
		if u.PartBytes > 0 {
			out.most = u.PartBytes
		}
		if u.Bytes > 0 {
			out.least = u.Bytes - int64(n-1)*u.PartBytes
			out.most = out.least
		}
	}
	if length >= 0 && (length < out.least || length > out.most) {
		return nil, out.refuse()
	}
	return out, nil
}

// sized is a part's content on its way.
type sized struct {
	r              io.Reader
	n, least, most int64
}

func (s *sized) refuse() error {
	if s.least == s.most {
		return fairlead.Errorf(fairlead.Invalid, "the part must have %d bytes", s.most)
	}
	return fairlead.Errorf(fairlead.Invalid, "the part must have %d to %d bytes", s.least, s.most)
}

// Read implements io.Reader.
func (s *sized) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.n += int64(n)
	if s.n > s.most || err == io.EOF && s.n < s.least {
		return 0, s.refuse()
	}
	return n, err
}

// CompleteUpload makes the file that the upload is for from its parts, which must be all
// that have come, in their order, and be what was received; no parts are all that have
// come. Where at is given, the upload must be for that place; where digest is, it must be
// the file's SHA-256 in hex. Completing again changes nothing.
func (s *Service) CompleteUpload(ctx context.Context, p fairlead.Project, id string, at *Place,
	parts []Part, digest string) error {
	ctx = context.WithoutCancel(ctx) // who asks again after a time-out must find it done
	if _, err := s.uploadFor(ctx, p, id, at); err != nil {
		return err // before the turns of those who write its parts are ended
	}
	file := s.blobs.Seize(id)
	defer file.Release()
	u, err := s.uploadFor(ctx, p, id, at)
	if err != nil || u.Done {
		return err
	}
	if err := u.complete(parts); err != nil {
		return err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error { return s.requireWritable(tx, p, u.at) })
	if err != nil {
		return err
	}
	pieces := make([]blob.Part, len(u.Received))
	for i, part := range u.Received {
		pieces[i] = blob.Part{At: part.at, Object: blob.Object{Digest: part.Digest, Bytes: part.Bytes}}
	}
	obj, err := file.Join(ctx, pieces, func(o blob.Object) error { return CheckDigest(o, digest) })
	var damaged blob.DamagedParts
	if errors.As(err, &damaged) {
		return s.loseParts(ctx, u, damaged)
	}
	if err != nil {
		return err
	}
	return s.link(ctx, p, u.at, obj, func(tx *store.Tx) error {
		return finishUpload(tx, id, s.nowMS())
	})
}

// CheckDigest is Invalid when a digest is given that is not the object's.
func CheckDigest(o blob.Object, digest string) error {
	if digest != "" && digest != o.Digest {
		return fairlead.Errorf(fairlead.Invalid, "the content has the SHA-256 %s, and not %s as was "+
			"said; send it again", o.Digest, digest)
	}
	return nil
}

// complete checks that the parts of an upload are there, and are those that are named.
func (u *Upload) complete(named []Part) error {
	if len(u.Received) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "an upload without parts cannot be completed")
	}
	if named == nil {
		named = u.Received
	}
	for i, part := range named {
		if part.N != i+1 {
			return fairlead.Errorf(fairlead.Invalid, "the parts must be numbered from 1 without gaps; "+
				"number %d comes in place %d", part.N, i+1)
		}
		if i >= len(u.Received) || u.Received[i].N != part.N || u.Received[i].Digest != part.Digest {
			return fairlead.Errorf(fairlead.Invalid,
				"part %d is not what was received; send it again", part.N)
		}
		if i < len(named)-1 && u.Received[i].Bytes != u.PartBytes {
			return fairlead.Errorf(fairlead.Invalid,
				"part %d is shorter than the others; only the last part may be", part.N)
		}
	}
	if len(named) < u.Parts {
		return fairlead.Errorf(fairlead.Invalid,
			"the upload has %d parts, of which %d have come and %d are named", u.Parts, len(u.Received),
			len(named))
	}
	return nil
}

// loseParts forgets parts that are not any more what was received, after a power cut or
// because the data directory came from a backup.
func (s *Service) loseParts(ctx context.Context, u *Upload, damaged blob.DamagedParts) error {
	err := s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		for _, i := range damaged {
			if err := deleteUploadPart(tx, u.ID, u.Received[i].N); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return fairlead.Errorf(fairlead.Invalid, "part %d, and %d others, are not what was received; "+
		"send again what is missing", u.Received[damaged[0]].N, len(damaged)-1)
}

// AbortUpload forgets an upload with its parts. One that is complete stays so.
func (s *Service) AbortUpload(ctx context.Context, p fairlead.Project, id string, at *Place) error {
	u, err := s.uploadFor(ctx, p, id, at)
	if err != nil || u.Done {
		return err
	}
	return s.forgetUpload(ctx, id)
}

// ExpireUploads forgets the uploads of all projects that got no part for olderThan
// (wall time): whoever sent them is gone. Those that were complete by then are known no
// more.
func (s *Service) ExpireUploads(ctx context.Context, olderThan time.Duration) error {
	var idle []string
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		idle, err = idleUploads(tx, fairlead.MS(s.clock.Now().Add(-olderThan)))
		return err
	})
	for _, id := range idle {
		err = errors.Join(err, s.forgetUpload(ctx, id))
	}
	names, e := s.blobs.Partials()
	return errors.Join(err, e, s.dropUnknown(ctx, names))
}

// dropUnknown removes those of the partial files that no upload under way has: what a
// crash has left, or a part that came when its upload had just ended.
func (s *Service) dropUnknown(ctx context.Context, names []string) error {
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		names, err = unknownUploads(tx, names)
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		file := s.blobs.Seize(name)
		err = errors.Join(err, file.Remove())
		file.Release()
	}
	return err
}

// uploadFor returns the upload, which must be for that place.
func (s *Service) uploadFor(ctx context.Context, p fairlead.Project, id string, at *Place) (*Upload,
	error) {
	u, err := s.Upload(ctx, p, id)
	if err != nil || at == nil {
		return u, err
	}
	path, err := blob.CleanPath(at.Path)
	if err == nil && u.at != (Place{at.Owner, path}) {
		err = fairlead.Errorf(fairlead.Invalid, "the upload %s is for another path", id)
	}
	return u, err
}

func (s *Service) forgetUpload(ctx context.Context, id string) error {
	file := s.blobs.Seize(id)
	defer file.Release()
	err := s.db.Write(ctx, store.Client, func(tx *store.Tx) error { return deleteUpload(tx, id) })
	if err != nil {
		return err
	}
	return file.Remove()
}
