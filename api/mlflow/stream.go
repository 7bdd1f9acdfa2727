package mlflow

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// stream is the body of an upload. What keeps it from coming whole is the client's or the
// network's, and not ours.
type stream struct{ r io.Reader }

// Read implements io.Reader.
func (s stream) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	var tooLong *http.MaxBytesError
	var network net.Error
	switch {
	case err == nil, err == io.EOF:
		return n, err
	case errors.As(err, &tooLong):
		return n, fairlead.Errorf(fairlead.Invalid, "the content is longer than %d bytes; send less at "+
			"once (MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE)", tooLong.Limit)
	case errors.As(err, &network) && network.Timeout():
		return n, fairlead.Errorf(fairlead.Unavailable,
			"the content did not come in time; send it again").Because(err)
	}
	return n, fairlead.Errorf(fairlead.Invalid,
		"the content did not arrive whole; send it again").Because(err)
}

// whole refuses content that is not the file as it is to be stored (RFC 9110, 8.4, 14.5).
func whole(h http.Header) error {
	for _, field := range []string{"Content-Range", "Content-Encoding"} {
		if v := h.Get(field); v != "" && v != "identity" {
			return fairlead.Errorf(fairlead.Invalid,
				"a file is stored as it is sent, so %s is not possible here; send all of it, without",
				field)
		}
	}
	return nil
}

// statedDigest returns the SHA-256, in hex, that a request states of its content or of
// the file that it is (RFC 9530; they are the same here); empty when it states none.
// Other algorithms are not looked at.
func statedDigest(h http.Header) (stated string, err error) {
	for _, field := range []string{"Content-Digest", "Repr-Digest"} {
		for member := range strings.SplitSeq(strings.Join(h.Values(field), ","), ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(member), "=")
			if name != "sha-256" {
				continue
			}
			inner, ok := strings.CutPrefix(value, ":")
			inner, closed := strings.CutSuffix(inner, ":")
			sum, err := base64.StdEncoding.DecodeString(inner)
			if !ok || !closed || err != nil || len(sum) != 32 {
				return "", fairlead.Errorf(fairlead.Invalid,
					"%s is %q; a SHA-256 is written sha-256=:<base64>: (RFC 9530)", field, value)
			}
			got := hex.EncodeToString(sum)
			if stated != "" && got != stated {
				return "", fairlead.Errorf(fairlead.Invalid, "the digests that the request states differ")
			}
			stated = got
		}
	}
	return stated, nil
}

// reprDigest is the field's form of a SHA-256 in hex.
func reprDigest(digest string) string {
	sum, _ := hex.DecodeString(digest)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum) + ":"
}
