package onnx

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// A mark is what outlives this process of one model that is loaded: whether a call
// of it was under way. It is a cache line of a file that is mapped into memory, so
// that a call costs two atomic additions, and no input or output.
type mark struct {
	key   [sha256.Size]byte // of the model and of the library that ran it
	state atomic.Uint32
	calls atomic.Int32 // under way in this process
	_     [24]byte
}

// The states of a mark. A process that finds marks of another looks at them once:
// a model that was being called when the other died is a suspect, and one that was
// tried apart without a crash is as good as any other.
const (
	unused  = iota
	inside  // loaded in this process
	suspect // was being called when its process died
	apart   // a suspect that this process has loaded in a child
	crashed // ended such a child by a crash of its own
)

// marks are those of one data directory. Only one server uses it at a time.
type marks struct {
	mu  sync.Mutex
	all []mark
}

const (
	marksBytes = 64 << 10
	marksMagic = "fairlead models in process, 1\n" // at the place of the first mark
)

// openMarks maps the file, and finds the suspects of the process before.
func openMarks(path string) (*marks, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("marks of models: %w", err)
	}
	defer f.Close()
	if err := begin(f); err != nil {
		return nil, fmt.Errorf("marks of models: %w", err)
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, marksBytes, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("marks of models: %w", err)
	}
	first := (*mark)(unsafe.Pointer(&b[0]))
	m := &marks{all: unsafe.Slice(first, marksBytes/unsafe.Sizeof(*first))[1:]}
	for i := range m.all {
		m.all[i].inherit()
	}
	return m, nil
}

// begin fills a file that is not one of marks yet. The zeros are written, and not
// left to be a hole: memory over a hole is lost, with the process, on a full disk.
func begin(f *os.File) error {
	b := make([]byte, marksBytes)
	switch _, err := io.ReadFull(f, b); {
	case err == nil && string(b[:len(marksMagic)]) == marksMagic:
		return nil
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	clear(b)
	copy(b, marksMagic)
	_, err := f.WriteAt(b, 0)
	return err
}

// inherit turns what another process left into what it means for this one.
func (m *mark) inherit() {
	switch state := m.state.Load(); {
	case state == inside && m.calls.Load() > 0:
		m.state.Store(suspect)
	case state == inside, state == apart:
		m.state.Store(unused)
	}
	m.calls.Store(0)
}

// take returns the key's mark, and whether the model must be loaded apart from this
// process. A model that no mark is left for is loaded apart, without one.
func (m *marks) take(key [sha256.Size]byte) (mk *mark, mustBeApart bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var free *mark
	for i := range m.all {
		c := &m.all[i]
		switch state := c.state.Load(); {
		case state == unused:
			free = cmp.Or(free, c)
		case state >= suspect && c.key == key: // several, if it was loaded several times
			c.state.CompareAndSwap(suspect, apart)
			mk = cmp.Or(mk, c)
		}
	}
	if mk != nil {
		return mk, true
	}
	if free == nil {
		return new(mark), true
	}
	free.key = key
	free.state.Store(inside)
	return free, false
}

// apart counts the models that are not to run in this process.
func (m *marks) apart() (n int) {
	for i := range m.all {
		if m.all[i].state.Load() >= suspect {
			n++
		}
	}
	return n
}

// forget frees the mark of a model that this process had loaded.
func (m *mark) forget() { m.state.CompareAndSwap(inside, unused) }

// reason says why a model runs apart from this process.
func (m *mark) reason() string {
	switch m.state.Load() {
	case apart:
		return "it was being called when the server last died"
	case crashed:
		return "it has crashed before"
	}
	return "too many models are loaded in the server"
}
