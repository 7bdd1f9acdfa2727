package auth

import (
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode"

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
	case strings.Contains(strings.ToLower(password), name) && len(name) > 3, easy(password):
		return fairlead.Errorf(fairlead.Invalid, "the password is easily guessed; it should not hold "+
			"the user's name, nor be made of a common password, digits or a few characters")
	}
	return nil
}

// commonWords are those that the commonest passwords are made of, the longest first.
var commonWords = func() []string {
	words := strings.Fields(commonText)
	slices.SortStableFunc(words, func(a, b string) int { return len(b) - len(a) })
	return words
}()

//go:embed common.txt
var commonText string

// asLetters undoes what is written in place of letters.
var asLetters = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t",
	"@", "a", "$", "s", "!", "i")

// easy reports whether a password is what guesses begin with: a common one, drawn out by
// digits and signs until it is long enough, or few characters.
func easy(password string) bool {
	seen := map[rune]bool{}
	for _, r := range password {
		seen[r] = true
	}
	lower := strings.ToLower(password)
	return len(seen) < 5 || common(lower) || common(asLetters.Replace(lower))
}

// common reports whether besides common words next to no letters are in a text.
func common(text string) bool {
	letters := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return r
		}
		return -1
	}, text)
	rest := letters
	for _, word := range commonWords {
		rest = strings.ReplaceAll(rest, word, "")
	}
	return letters == "" || rest != letters && len(rest) < 4
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
