package engine

import (
	"os"
	"path/filepath"
	"syscall"
)

// Tools lists the directories called .tools in which engines look for what they
// need: above the executable, and above the working directory up to the root of its
// repository. What is there is run, so one that another user could fill is left out.
func Tools() []string {
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		for d := filepath.Dir(exe); ; d = filepath.Dir(d) {
			dirs = append(dirs, d)
			if d == filepath.Dir(d) {
				break
			}
		}
	}
	if wd, err := os.Getwd(); err == nil {
		dirs = append(dirs, upToRepository(wd)...)
	}
	var tools []string
	for _, d := range dirs {
		if t := filepath.Join(d, ".tools"); ours(t) {
			tools = append(tools, t)
		}
	}
	return tools
}

// upToRepository lists dir and those above it up to the root of its repository, and
// dir alone outside of one.
func upToRepository(dir string) []string {
	var dirs []string
	for d := dir; d != filepath.Dir(d); d = filepath.Dir(d) {
		dirs = append(dirs, d)
		if _, err := os.Stat(filepath.Join(d, ".git")); err == nil {
			return dirs
		}
	}
	return []string{dir}
}

// ours reports whether dir is a directory that only this user and root can fill.
func ours(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o002 != 0 {
		return false
	}
	link, err := os.Lstat(dir)
	return err == nil && ownedByUs(info) && ownedByUs(link)
}

func ownedByUs(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && (s.Uid == 0 || int(s.Uid) == os.Getuid())
}
