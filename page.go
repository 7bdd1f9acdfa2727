package fairlead

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
)

// Page is one part of a list. Next is empty on the last page.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

type cursor struct {
	After  json.RawMessage `json:"a"`
	Filter string          `json:"f"`
}

// EncodeCursor returns an opaque cursor that continues after the given key of a
// list, bound to the list's filter so that it cannot be used with another one.
func EncodeCursor(filter string, after any) string {
	key, err := json.Marshal(after)
	if err != nil {
		panic("fairlead: cursor key is not JSON: " + err.Error())
	}
	b, _ := json.Marshal(cursor{After: key, Filter: filterDigest(filter)})
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeCursor puts the key of an encoded cursor into after. An empty token
// leaves after as it is. A foreign or damaged token is Invalid.
func DecodeCursor(token, filter string, after any) error {
	if token == "" {
		return nil
	}
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil || c.Filter != filterDigest(filter) || json.Unmarshal(c.After, after) != nil {
		return Errorf(Invalid, "the page token does not belong to this list and filter; start again without one")
	}
	return nil
}

func filterDigest(filter string) string {
	sum := sha256.Sum256([]byte(filter))
	return hex.EncodeToString(sum[:6])
}
