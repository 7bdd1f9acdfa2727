package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/spec"
)

// keyFormat changes when the meaning of a key does, which empties the cache.
const keyFormat = 2

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
	Code     string            `json:"code"`   // digest of codeFiles
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

// codeFiles returns the files of a commit that steps see, and that their keys
// depend on: all but fairlead.yaml, of which each key holds the parts that
// concern its step, and the files that `data` names. Steps read those as inputs
// only: a file that is in no key, and out of which the holdout is cut, is not to
// be seen beside it.
func codeFiles(sp *spec.Spec, all []blob.Entry) []blob.Entry {
	return slices.DeleteFunc(slices.Clone(all), func(e blob.Entry) bool {
		return withheld(sp, e.Path)
	})
}

func withheld(sp *spec.Spec, file string) bool {
	if file == spec.FileName {
		return true
	}
	return slices.ContainsFunc(sp.Data, func(d spec.NamedData) bool {
		return d.From != spec.FromRequests && matches(d.From, file)
	})
}

// matches reports whether a glob names the file. `**` stands for any directories.
func matches(glob, file string) bool {
	return matchParts(strings.Split(path.Clean(glob), "/"), strings.Split(file, "/"))
}

func matchParts(glob, file []string) bool {
	if len(glob) == 0 {
		return len(file) == 0
	}
	if glob[0] == "**" {
		for i := range len(file) + 1 {
			if matchParts(glob[1:], file[i:]) {
				return true
			}
		}
		return false
	}
	if len(file) == 0 {
		return false
	}
	ok, err := path.Match(glob[0], file[0])
	if err != nil {
		ok = glob[0] == file[0]
	}
	return ok && matchParts(glob[1:], file[1:])
}

// treeDigest is the digest of files by path and content, which are in path order.
func treeDigest(files []blob.Entry) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.Path + "\x00" + f.Digest + "\n")
	}
	return digest([]byte(b.String()))
}

// dirDigest is treeDigest of a local directory's files.
func dirDigest(dir string) (string, error) {
	var list []blob.Entry
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		sum, err := fileDigest(name)
		list = append(list, blob.Entry{Path: filepath.ToSlash(rel), Object: blob.Object{Digest: sum}})
		return err
	})
	slices.SortFunc(list, func(a, b blob.Entry) int { return strings.Compare(a.Path, b.Path) })
	return treeDigest(list), err
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
