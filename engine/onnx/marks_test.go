package onnx

import (
	"path/filepath"
	"testing"
)

func TestMarks_ClearAModelThatWasLoadedTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), marksName)
	key, other := [32]byte{1}, [32]byte{2}
	begin := func() *marks { // of the next process
		m, err := openMarks(path)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := begin()
	for range 2 {
		mk, apart := m.take(key)
		if apart {
			t.Fatal("a new model is loaded apart")
		}
		mk.calls.Add(1)
	}
	m.take(other)
	m = begin()
	for range 2 {
		if _, apart := m.take(key); !apart {
			t.Error("what was being called is loaded inside")
		}
	}
	if _, apart := m.take(other); apart {
		t.Error("what was not being called is loaded apart")
	}
	if _, apart := begin().take(key); apart {
		t.Error("what has not crashed apart is loaded so again")
	}
}
