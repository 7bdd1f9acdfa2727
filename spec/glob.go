package spec

import (
	"path"
	"strings"
)

// MatchFile reports whether a glob of the file names a path of the repository. `**`
// stands for any directories, also none; what is no pattern stands for itself.
func MatchFile(glob, file string) bool {
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
