package tracking

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

// MaxParts is the most parts that one upload has, as with S3.
const MaxParts = 10_000

// Part is one part of an upload: its number, from 1, and its content's SHA-256 in hex.
type Part struct {
	N      int
	Digest string
}

// uploadOwner owns the parts of an upload, which nobody sees before it is complete.
func uploadOwner(id string) blob.Owner { return blob.Owner{Kind: "upload", ID: id} }

// upload is a file that comes in parts.
type upload struct {
	id string
	at Place
}

// StartUpload begins to receive a file in parts and returns the upload's id, which is
// a secret: who knows it may send parts. NotFound when the owner is not an active one of
// this project; Precondition when the place is sealed.
func (s *Service) StartUpload(ctx context.Context, p fairlead.Project, at Place) (string, error) {
	var err error
	if at.Path, err = blob.CleanPath(at.Path); err != nil {
		return "", err
	}
	id := fairlead.NewHexID()
	return id, s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if err := s.requireOwner(tx, p, at.Owner); err != nil {
			return err
		}
		if err := requireUnsealed(tx, p, at); err != nil {
			return err
		}
		return insertUpload(tx, p, upload{id, at}, s.nowMS())
	})
}

// PutPart streams r into part n of an upload and returns its SHA-256 in hex. A part that
// is sent again replaces the earlier one; one that breaks off leaves nothing.
func (s *Service) PutPart(ctx context.Context, p fairlead.Project, id string, n int,
	r io.Reader) (string, error) {
	if n < 1 || n > MaxParts {
		return "", fairlead.Errorf(fairlead.Invalid, "part %d: parts are numbered from 1 to %d", n,
			MaxParts)
	}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		_, err := uploadByID(tx, p, id)
		return err
	})
	if err != nil {
		return "", err
	}
	obj, err := s.blobs.Put(ctx, r)
	if err != nil {
		return "", err
	}
	return obj.Digest, s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if _, err := uploadByID(tx, p, id); err != nil {
			return err
		}
		if err := touchUpload(tx, id, s.nowMS()); err != nil {
			return err
		}
		return s.blobs.Link(tx, p, uploadOwner(id), strconv.Itoa(n), obj)
	})
}

// CompleteUpload joins the parts, in their order, to the file that the upload is for,
// and forgets them. Invalid when a part is not what was received.
func (s *Service) CompleteUpload(ctx context.Context, p fairlead.Project, id string, at Place,
	parts []Part) error {
	up, err := s.upload(ctx, p, id, at)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "an upload without parts cannot be completed")
	}
	for i, part := range parts {
		if part.N != i+1 {
			return fairlead.Errorf(fairlead.Invalid, "the parts must be numbered from 1 without gaps; "+
				"number %d comes in place %d", part.N, i+1)
		}
		obj, err := s.blobs.Stat(ctx, p, uploadOwner(id), strconv.Itoa(part.N))
		if fairlead.Is(err, fairlead.NotFound) || err == nil && obj.Digest != part.Digest {
			return fairlead.Errorf(fairlead.Invalid,
				"part %d is not what was received; send it again", part.N)
		}
		if err != nil {
			return err
		}
	}
	all := &joined{n: len(parts), open: func(i int) (io.ReadCloser, error) {
		f, _, err := s.blobs.Open(ctx, p, uploadOwner(id), strconv.Itoa(i+1))
		return f, err
	}}
	defer all.Close()
	if err := s.PutArtifact(ctx, p, up.at, all); err != nil {
		return err
	}
	return s.forgetUpload(ctx, p, id)
}

// AbortUpload forgets an upload with its parts.
func (s *Service) AbortUpload(ctx context.Context, p fairlead.Project, id string, at Place) error {
	if _, err := s.upload(ctx, p, id, at); err != nil {
		return err
	}
	return s.forgetUpload(ctx, p, id)
}

// ExpireUploads forgets the uploads of all projects that got no part for olderThan
// (wall time): whoever sent them is gone.
func (s *Service) ExpireUploads(ctx context.Context, olderThan time.Duration) error {
	var idle []idleUpload
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		idle, err = idleUploads(tx, fairlead.MS(s.clock.Now().Add(-olderThan)))
		return err
	})
	for _, u := range idle {
		err = errors.Join(err, s.forgetUpload(ctx, u.project, u.id))
	}
	return err
}

// upload returns the upload, which must be for that place.
func (s *Service) upload(ctx context.Context, p fairlead.Project, id string, at Place) (up upload,
	err error) {
	if at.Path, err = blob.CleanPath(at.Path); err != nil {
		return up, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		up, err = uploadByID(tx, p, id)
		return err
	})
	if err == nil && up.at != at {
		err = fairlead.Errorf(fairlead.Invalid, "the upload %s is for another path", id)
	}
	return up, err
}

func (s *Service) forgetUpload(ctx context.Context, p fairlead.Project, id string) error {
	return s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		if err := s.blobs.UnlinkAll(tx, p, uploadOwner(id)); err != nil {
			return err
		}
		return deleteUpload(tx, id)
	})
}

// joined reads n files one after another, one open at a time.
type joined struct {
	n, next int
	open    func(i int) (io.ReadCloser, error)
	file    io.ReadCloser
}

// Read implements io.Reader.
func (j *joined) Read(b []byte) (int, error) {
	for {
		if j.file == nil {
			if j.next == j.n {
				return 0, io.EOF
			}
			f, err := j.open(j.next)
			if err != nil {
				return 0, err
			}
			j.file = f
			j.next++
		}
		n, err := j.file.Read(b)
		if err != io.EOF {
			return n, err
		}
		if err := j.Close(); n > 0 || err != nil {
			return n, err
		}
	}
}

// Close closes the file that is open.
func (j *joined) Close() error {
	if j.file == nil {
		return nil
	}
	err := j.file.Close()
	j.file = nil
	return err
}
