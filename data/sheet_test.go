package data_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
)

// sheets reads all pages of a file.
func sheets(t *testing.T, path string, limit int) (all []*data.Sheet) {
	t.Helper()
	db := open(t)
	var at data.SheetPlace
	for {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		s, err := db.ReadSheet(t.Context(), f, data.SheetFormat(path), at, limit)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
		if at = s.Next; !s.More {
			return all
		}
	}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadSheet_PagesThroughText(t *testing.T) {
	for name, c := range map[string]struct{ file, text string }{
		"plain":     {"a.csv", "a,b\n1,x\n2,\"y\n,z\"\n3,w\n4,v\n5,u\n"},
		"semicolon": {"a.csv", "a;b\n1;x\n2;\"y\n,z\"\n3;w\n4;v\n5;u"},
		"mark":      {"a.csv", "\xEF\xBB\xBFa,b\r\n1,x\r\n2,\"y\n,z\"\r\n3,w\r\n4,v\r\n5,u\r\n"},
		"tabs":      {"A.TSV", "a\tb\n1\tx\n2\t\"y\n,z\"\n3\tw\n4\tv\n5\tu\n"},
	} {
		for limit := 1; limit <= 6; limit++ {
			var rows []string
			for _, s := range sheets(t, file(t, c.file, c.text), limit) {
				if len(s.Columns) != 2 || s.Columns[0].Name != "a" || s.First != int64(len(rows)) {
					t.Errorf("%s: columns %v, first %d after %d", name, s.Columns, s.First, len(rows))
				}
				for _, r := range s.Rows {
					rows = append(rows, fmt.Sprint(r...))
				}
			}
			if got := strings.Join(rows, "|"); got != "1x|2y\n,z|3w|4v|5u" {
				t.Errorf("%s in pages of %d: %q", name, limit, got)
			}
		}
	}
}

func TestReadSheet_ShowsWhatIsOdd(t *testing.T) {
	s := sheets(t, file(t, "a.csv", "a,b\nshort\n1,2,3\n\xff,"+strings.Repeat("ä", 5000)+"\n"), 10)[0]
	if len(s.Rows) != 3 || s.Rows[0][1] != nil || len(s.Rows[1]) != 2 || s.Rows[2][0] != "\uFFFD" ||
		len([]rune(s.Rows[2][1].(string))) != 1001 {
		t.Errorf("%q", s.Rows)
	}
	for name, text := range map[string]string{"empty.csv": "", "endless.csv": "a,b\n1,\"" +
		strings.Repeat("x", 2<<20), "text.parquet": "no parquet", "cut.parquet": "PAR1\x00\x00\x00\x00PAR1"} {
		path := file(t, name, text)
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, err = open(t).ReadSheet(t.Context(), f, data.SheetFormat(name), data.SheetPlace{}, 10)
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadSheet_SaysHowWideItIs(t *testing.T) {
	wide := strings.Repeat("a,", 2999) + "a\n"
	s := sheets(t, file(t, "a.csv", wide+wide), 10)[0]
	if s.Width != 3000 || len(s.Columns) != 300 || len(s.Rows[0]) != 300 {
		t.Errorf("%d columns of %d, %d cells", len(s.Columns), s.Width, len(s.Rows[0]))
	}
}

func TestReadSheet_PagesThroughParquet(t *testing.T) {
	type row struct {
		N     int64     `parquet:"n"`
		V     *float64  `parquet:"v,optional"`
		F     float32   `parquet:"f"`
		Text  string    `parquet:"text"`
		Raw   []byte    `parquet:"raw"`
		Big   int64     `parquet:"big"`
		At    time.Time `parquet:"at,timestamp(millisecond)"`
		List  []int32   `parquet:"list,list"`
		Money int64     `parquet:"money,decimal(2:10)"`
		Yes   bool      `parquet:"yes"`
	}
	path := filepath.Join(t.TempDir(), "t.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[row](f)
	for i := range 250 {
		v := float64(i) / 4
		r := row{N: int64(i), V: &v, F: 0.1, Text: "t", Raw: []byte{0xff, 0}, Big: math.MaxInt64, Money: -5,
			At: time.Date(2026, 3, 1, 12, 0, 0, 5e6, time.UTC), List: []int32{1, 2}, Yes: i%2 == 0}
		switch i {
		case 1:
			r.V = nil
		case 2:
			*r.V = math.NaN()
		}
		if _, err := w.Write([]row{r}); err != nil {
			t.Fatal(err)
		}
		if i == 99 {
			if err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range sheets(t, path, 70) {
		if c := s.Columns; len(c) != 10 || c[0].Type != "BIGINT" || c[9].Name != "yes" {
			t.Errorf("columns %v", c)
		}
		if *s.Total != 250 || s.First != int64(n) {
			t.Errorf("%d rows, first %d after %d", *s.Total, s.First, n)
		}
		for _, r := range s.Rows {
			if fmt.Sprintf("%s", r[0]) != fmt.Sprint(n) {
				t.Fatalf("row %d is %v", n, r)
			}
			n++
		}
	}
	if n != 250 {
		t.Errorf("%d rows", n)
	}
	rows, err := json.Marshal(sheets(t, path, 3)[0].Rows)
	if err != nil {
		t.Fatal(err)
	}
	const rest = `,0.1,"t","\\xff00","9223372036854775807","2026-03-01T12:00:00.005Z","[1,2]","-0.05",`
	if want := `[[0,0` + rest + `true],[1,null` + rest + `false],[2,"NaN"` + rest + `true]]`; string(rows) != want {
		t.Errorf("got  %s\nwant %s", rows, want)
	}
}

// A small file that is large in memory is not large in this process.
func TestReadSheet_HoldsNoParquet(t *testing.T) {
	type row struct{ A string }
	path := filepath.Join(t.TempDir(), "large.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := parquet.NewGenericWriter[row](f, parquet.Compression(&parquet.Zstd), parquet.PageBufferSize(1<<27),
		parquet.DataPageStatistics(false))
	for range 64 {
		if _, err := w.Write([]row{{strings.Repeat("a", 1<<20)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	all := sheets(t, path, 100)
	runtime.ReadMemStats(&after)
	if n := len(all[0].Rows); n != 64 || len(all[0].Rows[0][0].(string)) > 1100 {
		t.Errorf("%d rows", n)
	}
	if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 32 {
		t.Errorf("it took %d MB", used)
	}
}
