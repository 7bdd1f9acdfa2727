package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// keyFormat changes when the meaning of a key does, which empties the cache.
const keyFormat = 3

// keyParts are all that the outputs of a step may depend on. The key is the
// SHA-256 of their canonical JSON: struct fields in this order, map keys sorted.
type keyParts struct {
	Format   int               `json:"format"`
	Step     string            `json:"step"`
	Command  string            `json:"command"`
	Env      map[string]string `json:"env"`
	Outputs  []string          `json:"outputs"`
	Inputs   map[string]string `json:"inputs"` // content digest by name
	Params   map[string]any    `json:"params"` // the step's own
	Code     string            `json:"code"`   // digest of the files that it sees
	Lock     string            `json:"lock"`   // digest of the environment's lock
	Platform string            `json:"platform"`
}

func (k keyParts) key() (string, error) {
	b, err := json.Marshal(k)
	if err != nil {
		return "", err
	}
	return digest(b), nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func platform() string { return runtime.GOOS + "/" + runtime.GOARCH }

// dirDigest is the digest of a local directory's files by path and content.
func dirDigest(dir string) (string, error) {
	files := tree{}
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		sum, err := fileDigest(name)
		files.add(filepath.ToSlash(rel), sum, 0)
		return err
	})
	return files.digest(), err
}

func fileDigest(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}
