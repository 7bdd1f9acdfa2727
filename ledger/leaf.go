package ledger

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// leaf is the data of one Merkle leaf: canonical JSON (RFC 8785: keys sorted, no
// spaces; all numbers are integers below 2^53). Its fields, their order and
// their spelling are part of every proof ever issued and must not change.
type leaf struct {
	Actor   string `json:"actor"`
	At      int64  `json:"at"`     // stream time, Unix milliseconds
	Digest  string `json:"digest"` // HMAC-SHA-256(salt, body), hex
	Format  string `json:"format"`
	ID      string `json:"id"`
	Project string `json:"project"`
	Seq     int64  `json:"seq"`
	Subject string `json:"subject"`
	Time    int64  `json:"time"` // wall time, Unix milliseconds
	Type    string `json:"type"`
	Version int    `json:"version"`
}

const leafFormat = "fairlead-event/1"

// leafData returns the bytes that the Merkle leaf of r hashes.
func leafData(r *Record) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(leaf{
		Actor: r.Actor, At: r.AtMS, Digest: hex.EncodeToString(r.Digest), Format: leafFormat,
		ID: r.ID, Project: r.Project, Seq: r.Seq, Subject: r.Subject, Time: r.TimeMS,
		Type: r.Type, Version: r.Version,
	})
	if err != nil {
		panic("ledger: a leaf is always JSON: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// newSalt returns 16 random bytes; without them a short body could be guessed
// from its digest after it was erased.
func newSalt() []byte {
	salt := make([]byte, 16)
	rand.Read(salt)
	return salt
}

func bodyDigest(salt, body []byte) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write(body)
	return mac.Sum(nil)
}
