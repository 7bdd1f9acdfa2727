package scm

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
)

// file is one file of a snapshot, with the id that Git gives its content.
type file struct {
	path       string
	executable bool
	id         [sha1.Size]byte
}

// treeID returns the id of the Git tree that holds exactly the files, whose paths
// are unique, clean, and nowhere both a file and a directory.
func treeID(files []file) string {
	root := &directory{}
	for _, f := range files {
		root.add(strings.Split(f.path, "/"), f)
	}
	id := root.hash()
	return hex.EncodeToString(id[:])
}

// directory is a tree in the making.
type directory struct {
	files []file // path is the name within the directory
	dirs  map[string]*directory
}

func (d *directory) add(names []string, f file) {
	if len(names) == 1 {
		f.path = names[0]
		d.files = append(d.files, f)
		return
	}
	if d.dirs == nil {
		d.dirs = map[string]*directory{}
	}
	sub := d.dirs[names[0]]
	if sub == nil {
		sub = &directory{}
		d.dirs[names[0]] = sub
	}
	sub.add(names[1:], f)
}

// hash writes the tree object: entries "mode name\0id", sorted by name, where a
// directory's name counts as if it ended in a slash.
func (d *directory) hash() [sha1.Size]byte {
	type entry struct {
		order, mode, name string
		id                [sha1.Size]byte
	}
	var entries []entry
	for _, f := range d.files {
		mode := "100644"
		if f.executable {
			mode = "100755"
		}
		entries = append(entries, entry{f.path, mode, f.path, f.id})
	}
	for name, sub := range d.dirs {
		entries = append(entries, entry{name + "/", "40000", name, sub.hash()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.order, b.order) })
	var body []byte
	for _, e := range entries {
		body = append(body, e.mode+" "+e.name+"\x00"...)
		body = append(body, e.id[:]...)
	}
	h := sha1.New()
	h.Write(objectHeader("tree", int64(len(body))))
	h.Write(body)
	return [sha1.Size]byte(h.Sum(nil))
}
