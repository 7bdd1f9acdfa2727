package sink

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// keyFile holds the key of the webhooks' secrets in the data directory: a copy of the
// database alone tells none.
const keyFile = "webhook.key"

// vault encrypts secrets by AES-256-GCM (NIST SP 800-38D) with random nonces.
type vault struct{ aead cipher.AEAD }

// openVault reads the key in the directory, or makes it, readable by the owner.
func openVault(dir string) (*vault, error) {
	b, err := os.ReadFile(filepath.Join(dir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		b, err = makeKey(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("webhook key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(key) != 32 {
		return nil, fairlead.Errorf(fairlead.Precondition, "%s in the data directory is damaged; "+
			"restore it from a backup, or remove it and give the webhooks new secrets", keyFile)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &vault{aead}, err
}

// makeKey makes a key and writes its file: no secret may outlive the key that it is
// encrypted with.
func makeKey(dir string) ([]byte, error) {
	var key [32]byte
	rand.Read(key[:])
	b := []byte(base64.StdEncoding.EncodeToString(key[:]) + "\n")
	return b, fairlead.WriteFile(filepath.Join(dir, keyFile), b)
}

// seal encrypts the secret of a webhook; an empty one stays empty.
func (v *vault) seal(webhook, secret string) []byte {
	if secret == "" {
		return []byte{}
	}
	return v.aead.Seal(nil, nil, []byte(secret), []byte(webhook))
}

// open is the inverse of seal; Precondition when the key is not the one of then.
func (v *vault) open(webhook string, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	b, err := v.aead.Open(nil, nil, sealed, []byte(webhook))
	if err != nil {
		return "", fairlead.Errorf(fairlead.Precondition, "the webhook's secret was encrypted with "+
			"another %s; restore that file, or give the webhook a new secret", keyFile).Because(err)
	}
	return string(b), nil
}
