package auth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/fairlead-ml/fairlead"
)

// The bounds of a password, in bytes.
const (
	minPassword = 12
	maxPassword = 256
)

// checkPassword refuses what is easily guessed, or would be taken for a token.
func checkPassword(name, password string) error {
	switch {
	case len(password) < minPassword || len(password) > maxPassword:
		return fairlead.Errorf(fairlead.Invalid,
			"a password has %d to %d characters; a sentence is a good one",
			minPassword, maxPassword)
	case strings.HasPrefix(password, tokenPrefix):
		return fairlead.Errorf(fairlead.Invalid, "a password does not begin with %q, as tokens do",
			tokenPrefix)
	case strings.Contains(strings.ToLower(password), name) && len(name) > 3,
		strings.Count(password, password[:1]) == len(password):
		return fairlead.Errorf(fairlead.Invalid,
			"the password is easily guessed; it should not hold the user's name, nor repeat one character")
	}
	return nil
}

// cost is what one guess of a password takes: Argon2id (RFC 9106) with the memory in
// KiB, passes and lanes that OWASP's password storage cheat sheet lists.
type cost struct {
	memory uint32
	passes uint32
	lanes  uint8
}

var presentCost = cost{memory: 19 << 10, passes: 2, lanes: 1}

const (
	saltBytes = 16
	hashBytes = 32
)

// hashPassword returns the PHC string that is stored for a password.
func hashPassword(password string) string {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	return presentCost.encode(salt, password)
}

func (c cost) encode(salt []byte, password string) string {
	sum := argon2.IDKey([]byte(password), salt, c.passes, c.memory, c.lanes, hashBytes)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.passes,
		c.lanes,
		b64.EncodeToString(salt), b64.EncodeToString(sum))
}

// verifyPassword reports whether a stored PHC string is of the password. One that
// cannot be read, as of an account without a password, takes as long and is not.
func verifyPassword(stored, password string) bool {
	c, salt, ok := presentCost, make([]byte, saltBytes), false
	if parts := strings.Split(stored, "$"); len(parts) == 6 {
		_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.passes, &c.lanes)
		read, err2 := base64.RawStdEncoding.DecodeString(parts[4])
		if ok = err == nil && err2 == nil && c.passes > 0 && c.lanes > 0; ok {
			salt = read
		} else {
			c = presentCost
		}
	}
	again := c.encode(salt, password)
	return ok && subtle.ConstantTimeCompare([]byte(again), []byte(stored)) == 1
}
