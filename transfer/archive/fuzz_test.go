package archive

import (
	"bytes"
	"os"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// FuzzEachLine holds that a file of lines is read, or refused with a line.
func FuzzEachLine(f *testing.F) {
	for _, text := range []string{"", "\n", `{"id":"a","points":1}` + "\n", `{"id":"a"}`, `{"id":NaN}`,
		`{"id":"a"} {}`, "null\n", "[]\n", `{"params":{"a":1}}`, "\xff\xfe", `{"more":1}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := eachLine(rootWith(t, b), "file", func(*tracking.RunRecord) error { return nil })
		if err != nil && !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q: %v", b, err)
		}
	})
}

// FuzzEachRow holds that a Parquet file is read, or refused.
func FuzzEachRow(f *testing.F) {
	root := rootWith(f, nil)
	w, err := createTable[tracking.PointRecord](root, ".", "x.parquet")
	if err != nil {
		f.Fatal(err)
	}
	for i := range int64(100) {
		row := tracking.PointRecord{RunID: "r", Key: "k", Step: i, Value: float64(i) / 3}
		if err := w.add(&row); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := w.close(); err != nil {
		f.Fatal(err)
	}
	whole, err := root.ReadFile("x.parquet")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(bytes.Repeat([]byte("PAR1"), 10))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := eachRow(rootWith(t, b), "file", func(*tracking.PointRecord) error { return nil })
		if err != nil && !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	})
}

// rootWith is a directory with a file of these bytes.
func rootWith(t testing.TB, b []byte) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err == nil {
		err = root.WriteFile("file", b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}
