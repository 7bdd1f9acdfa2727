package fairlead

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// crockford is the alphabet of public ids: lower case, without i, l, o and u.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// NewID returns prefix + "_" + 20 characters: 8 of time (milliseconds, so ids
// sort by creation) and 12 random (60 bits). It is safe in paths and host names.
func NewID(prefix string, now time.Time) string {
	var b [20]byte
	ms := uint64(now.UnixMilli())
	for i := 7; i >= 0; i-- {
		b[i] = crockford[ms&31]
		ms >>= 5
	}
	var r [12]byte
	rand.Read(r[:])
	for i, v := range r {
		b[8+i] = crockford[v&31]
	}
	return prefix + "_" + string(b[:])
}

// NewHexID returns 32 random hexadecimal digits, the form of MLflow's run ids.
func NewHexID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
