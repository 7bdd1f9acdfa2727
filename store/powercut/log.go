package powercut

import (
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sector is what a disk writes as one, in bytes.
const sector = 512

// kind is what an op does.
type kind int

const (
	write  kind = iota // data at off
	resize             // to the length off
	create             // path, a new file
	mkdir              // path
	rename             // from path to to
	remove             // path, a file
	sync               // the file or directory path
	say                // data is an acknowledgement
)

// op is one entry of the log. Paths are relative to the recorded directory; its own is ".".
type op struct {
	kind     kind
	path, to string
	off      int64
	data     []byte
	begun    int // of a sync: how many ops had ended when it began, and are covered
}

// Log is what a program did to the files below a directory.
type Log struct {
	ops   []op
	first int // ops that make what was there before; all of it is durable
}

// Len returns how many moments there are in which the power can be lost.
func (l *Log) Len() int { return len(l.ops) - l.first + 1 }

// Acks returns what was acknowledged before moment n, from 0.
func (l *Log) Acks(n int) (lines []string) {
	for _, o := range l.ops[:l.first+n] {
		if o.kind == say {
			lines = append(lines, strings.Split(strings.TrimSuffix(string(o.data), "\n"), "\n")...)
		}
	}
	return lines
}

// WithoutSyncsOf returns the log of a program that does not sync what lost says, by paths
// relative to the recorded directory.
func (l *Log) WithoutSyncsOf(lost func(path string) bool) *Log {
	done := slices.DeleteFunc(slices.Clone(l.ops[l.first:]), func(o op) bool {
		return o.kind == sync && lost(o.path)
	})
	return &Log{ops: slices.Concat(l.ops[:l.first], done), first: l.first}
}

// begin takes what is in a directory for the durable beginning of the log.
func (l *Log) begin(dir string) error {
	paths := []string{"."}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err != nil || !modelled(rel) || rel == "." {
			return err
		}
		if rel = filepath.ToSlash(rel); e.IsDir() {
			l.ops = append(l.ops, op{kind: mkdir, path: rel})
		} else {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			l.ops = append(l.ops, op{kind: create, path: rel}, op{kind: write, path: rel, data: b})
		}
		paths = append(paths, rel)
		return nil
	})
	for _, path := range paths {
		l.ops = append(l.ops, op{kind: sync, path: path, begun: len(l.ops)})
	}
	l.first = len(l.ops)
	return err
}

// Disk returns the disk as it was before the program's work.
func (l *Log) Disk() *Disk {
	d := &Disk{log: l, now: names{}, durable: names{}}
	d.Go(0)
	return d
}

// Disk is what the program sees at a moment, and what of it is durable.
type Disk struct {
	log     *Log
	done    int
	now     names
	durable names
	pending []renaming
}

// Go goes on to moment n, from 0, which is not before the present one.
func (d *Disk) Go(n int) {
	for ; d.done < d.log.first+n; d.done++ {
		d.do(d.done, d.log.ops[d.done])
	}
}

// AfterLoss writes to the directory dir what the disk may hold when the power is lost
// now. Chance decides what is lost of what was not synced.
func (d *Disk) AfterLoss(dir string, chance *rand.Rand) error {
	left := d.namesAfterLoss(chance)
	for _, path := range left.sorted() {
		if !left.reachable(path) {
			continue
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		var err error
		if f := left[path]; f == nil {
			err = os.Mkdir(to, 0o700)
		} else {
			err = os.WriteFile(to, f.afterLoss(chance), 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// compare reports an error unless a disk that loses nothing holds what dir does: the log
// is then complete.
func (l *Log) compare(dir string) error {
	d := l.Disk()
	d.Go(l.Len() - 1)
	seen := 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err != nil || !modelled(rel) || rel == "." {
			return err
		}
		f, ok := d.now[filepath.ToSlash(rel)]
		if seen++; !ok || (f == nil) != e.IsDir() {
			return errors.New("the log lacks " + rel)
		}
		if e.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		if err == nil && string(b) != string(f.content()) {
			err = errors.New("the log lacks writes to " + rel)
		}
		return err
	})
	if err == nil && seen != len(d.now) {
		err = errors.New("the log lacks what removed files")
	}
	return err
}

// names is a tree of files by their paths; a directory has no file.
type names map[string]*file

func (n names) sorted() (paths []string) {
	for path := range n {
		paths = append(paths, path)
	}
	slices.Sort(paths) // a directory is before what is in it
	return paths
}

// reachable reports whether the directories above a path are there.
func (n names) reachable(path string) bool {
	for dir := parent(path); dir != "."; dir = parent(dir) {
		if f, ok := n[dir]; !ok || f != nil {
			return false
		}
	}
	return true
}

func parent(path string) string { return filepath.ToSlash(filepath.Dir(path)) }

// renaming is a change of a directory that is not durable: a name that is made (from is
// empty), moved, or removed (to is empty).
type renaming struct {
	at       int // its op
	from, to string
	file     *file
}

// apply makes the change in a tree.
func (r renaming) apply(n names) {
	if r.from != "" && n[r.from] == r.file {
		delete(n, r.from)
	}
	if r.to != "" {
		n[r.to] = r.file
	}
}

// dir is the directory whose sync makes the change durable.
func (r renaming) dir() string {
	if r.to == "" {
		return parent(r.from)
	}
	return parent(r.to)
}

func (d *Disk) do(i int, o op) {
	switch o.kind {
	case write, resize:
		d.now[o.path].change(i, o)
	case create:
		d.rename(renaming{i, "", o.path, &file{}})
	case mkdir:
		d.rename(renaming{i, "", o.path, nil})
	case rename:
		d.rename(renaming{i, o.path, o.to, d.now[o.path]})
	case remove:
		d.rename(renaming{i, o.path, "", d.now[o.path]})
	case sync:
		if f := d.now[o.path]; f != nil {
			f.sync(o.begun)
		} else {
			d.syncDir(o.path, o.begun)
		}
	}
}

func (d *Disk) rename(r renaming) {
	r.apply(d.now)
	d.pending = append(d.pending, r)
}

// syncDir makes the changes of a directory durable that were made before an op. What
// is moved away for good has no older name left to appear under.
func (d *Disk) syncDir(dir string, before int) {
	var left []renaming
	for _, r := range d.pending {
		if r.dir() != dir || r.at >= before {
			left = append(left, r)
			continue
		}
		r.apply(d.durable)
		left = slices.DeleteFunc(left, func(old renaming) bool {
			return r.from != "" && old.to == r.from && old.file == r.file
		})
	}
	d.pending = left
}

// namesAfterLoss returns the names that are there after the power was lost.
func (d *Disk) namesAfterLoss(chance *rand.Rand) names {
	left, keep := names{}, keeping(chance)
	for path, f := range d.durable {
		left[path] = f
	}
	for _, r := range d.pending {
		if chance.Float64() < keep {
			r.apply(left)
		}
	}
	return left
}

// keeping is how likely a change that was not synced is kept: all, none, most or half.
func keeping(chance *rand.Rand) float64 { return []float64{1, 0, .95, .5}[chance.IntN(4)] }

// file is the content of a file: what was synced, and what has changed since.
type file struct {
	synced  []byte
	changes []change
}

type change struct {
	at   int // its op
	off  int64
	data []byte // nil: the file gets the length off
}

func (f *file) change(at int, o op) {
	f.changes = append(f.changes, change{at, o.off, o.data})
}

// sync makes the changes durable that were made before an op.
func (f *file) sync(before int) {
	for len(f.changes) > 0 && f.changes[0].at < before {
		f.synced, f.changes = f.changes[0].apply(f.synced), f.changes[1:]
	}
}

// content returns the file as it is now.
func (f *file) content() []byte {
	b := slices.Clone(f.synced)
	for _, c := range f.changes {
		b = c.apply(b)
	}
	return b
}

func (c change) apply(b []byte) []byte {
	b = resized(b, c.length(int64(len(b))))
	if c.data != nil {
		copy(b[c.off:], c.data)
	}
	return b
}

// length is that of the file after the change.
func (c change) length(before int64) int64 {
	if c.data == nil {
		return c.off
	}
	return max(before, c.off+int64(len(c.data)))
}

func resized(b []byte, n int64) []byte {
	if n <= int64(len(b)) {
		return b[:n:n]
	}
	return append(b, make([]byte, n-int64(len(b)))...)
}

// afterLoss returns the file as it may be after the power was lost. A moment is how
// many of its changes were made.
func (f *file) afterLoss(chance *rand.Rand) []byte {
	lengths, touching := f.touching()
	last, keep := len(f.changes), keeping(chance)
	if chance.IntN(3) == 0 { // all is as at one moment, and the rest lost
		last, keep = chance.IntN(len(lengths)), 1
	}
	moment := func() int {
		if chance.Float64() < keep {
			return last
		}
		return chance.IntN(len(lengths))
	}
	b := resized(slices.Clone(f.synced), lengths[moment()])
	for _, at := range slices.Sorted(maps.Keys(touching)) {
		if at >= int64(len(b)) {
			break
		}
		changes := touching[at]
		s := f.sectorAt(at, changes, moment())
		if chance.IntN(16) == 0 { // torn
			copy(s[:chance.IntN(sector)], f.sectorAt(at, changes, moment()))
		}
		copy(b[at:], s)
	}
	return b
}

// touching returns the file's length at each moment, and the changes of each sector, by
// the sector's offset.
func (f *file) touching() (lengths []int64, touching map[int64][]int) {
	longest := int64(len(f.synced))
	lengths, touching = []int64{longest}, map[int64][]int{}
	for i, c := range f.changes {
		from, to := c.off, c.off+int64(len(c.data))
		if c.data == nil {
			to = longest // what is cut off is zero when the file grows again
		}
		for at := from / sector * sector; at < to; at += sector {
			touching[at] = append(touching[at], i)
		}
		lengths = append(lengths, c.length(lengths[i]))
		longest = max(longest, lengths[i+1])
	}
	return lengths, touching
}

// sectorAt returns a sector at a moment.
func (f *file) sectorAt(at int64, changes []int, moment int) []byte {
	s := make([]byte, sector)
	if at < int64(len(f.synced)) {
		copy(s, f.synced[at:])
	}
	for _, i := range changes {
		switch c := f.changes[i]; {
		case i >= moment:
			return s
		case c.data == nil:
			clear(s[max(0, c.off-at):])
		case c.off >= at:
			copy(s[c.off-at:], c.data)
		default:
			copy(s, c.data[at-c.off:])
		}
	}
	return s
}
