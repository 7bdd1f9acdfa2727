package monitor

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

var hourly = time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)

// year is a service with n hourly windows of as many features.
func year(t testing.TB, n, features int) (*Service, fairlead.Project) {
	t.Helper()
	p := fairlead.Project{K: 1, Name: "bikes"}
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")}, Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for from := 0; from < n; from += 500 {
		err := db.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
			for i := from; i < min(n, from+500); i++ {
				if err := insertWindow(tx, p, hourlyWindow(i, features)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return &Service{Deps{DB: db}}, p
}

// hourlyWindow drifts in its i-th feature once every 97 hours.
func hourlyWindow(i, features int) *Window {
	w := &Window{Endpoint: "bikes@production", Model: "bikes", Version: 1 + int64(i/3000), Kind: Drift,
		From: hourly.Add(time.Duration(i) * time.Hour), To: hourly.Add(time.Duration(i+1) * time.Hour),
		State: Green, Rows: 100, Value: 0.1, Limit: 1}
	for f := range features {
		d := FeatureDrift{Name: fmt.Sprintf("feature_%d", f), PSI: 0.1, Limit: 1}
		if i%97 == f {
			d.PSI, d.Red = 2+float64(i)/10_000, true
			w.State, w.Value = Red, d.PSI
		}
		w.Features = append(w.Features, d)
		counts := []uint64{10, 10, 10, 10, 10, 10, 10, 10, 10, 10}
		w.counted = append(w.counted, &Feature{Name: d.Name,
			Histogram: &stat.Histogram{Edges: []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, Counts: counts}})
	}
	return w
}

// No red window is lost however few stretches there are, and none mixes two versions.
func TestDrifts_OfManyWindowsLoseNoRedOne(t *testing.T) {
	s, p := year(t, 4000, 3)
	for _, most := range []int{1, 50, 400, 1000} {
		got, err := s.Drifts(t.Context(), p, History{Endpoint: "bikes@production", Stretches: most}, "")
		if err != nil || len(got.Stretches) > most+1 || got.Next != "" || got.Windows != 4000 {
			t.Fatalf("%d: %d stretches of %d windows, next %q, %v", most, len(got.Stretches), got.Windows, got.Next, err)
		}
		windows, reds, last := 0, 0, hourly
		for i, x := range got.Stretches {
			windows, reds = windows+x.Windows, reds+x.Reds
			if !x.From.Equal(last) || x.Reds > 0 != (x.Worst.State == Red) {
				t.Fatalf("%d: stretch %d is %+v, after %v", most, i, x, last)
			}
			last = x.To
			any := false
			for _, f := range got.Features {
				any = any || f.Red[i]
			}
			if any != (x.Reds > 0) {
				t.Fatalf("%d: stretch %d has %d red windows and no red feature", most, i, x.Reds)
			}
		}
		if windows != 4000 || reds != 3*41+2 && reds != 3*41+1 && reds != 3*41+3 {
			t.Errorf("%d: %d windows, %d red", most, windows, reds)
		}
	}
}

func TestDrifts_PageBackThroughMoreThanAreRead(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 10,010 windows")
	}
	s, p := year(t, mostRead+10, 1)
	h := History{Endpoint: "bikes@production"}
	first, err := s.Drifts(t.Context(), p, h, "")
	if err != nil || first.Windows != mostRead || first.Next == "" {
		t.Fatalf("%d windows, next %q, %v", first.Windows, first.Next, err)
	}
	rest, err := s.Drifts(t.Context(), p, h, first.Next)
	if err != nil || rest.Windows != 10 || rest.Next != "" ||
		!rest.Stretches[len(rest.Stretches)-1].To.Equal(first.Stretches[0].From) {
		t.Errorf("%d windows, next %q, %v", rest.Windows, rest.Next, err)
	}
	// The bins of the oldest are gone, and what was found of them is not.
	var kept int
	err = s.DB.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("select count(*) from win_bins").Scan(&kept)
	})
	if err != nil || kept != keptBins || rest.Features[0].PSI[0] == nil {
		t.Errorf("%d bins are kept, %v; %+v", kept, err, rest.Features)
	}
}

// Windows of many features fill an answer sooner, and none is lost between its pages.
func TestDrifts_PageBackThroughWideWindows(t *testing.T) {
	const wide, n, cells = 100, 50, 3000
	s, p := year(t, n, wide)
	pages, windows, page, last := 0, 0, "", hourly.Add(n*time.Hour)
	for more := true; more; more = page != "" {
		got, err := s.drifts(t.Context(), p, History{Endpoint: "bikes@production"}, page, cells)
		if err != nil || len(got.Features) != wide {
			t.Fatalf("%d features, %v", len(got.Features), err)
		}
		if to := got.Stretches[len(got.Stretches)-1].To; !to.Equal(last) || got.Windows > cells/wide {
			t.Errorf("page %d has %d windows until %v, want %v", pages, got.Windows, to, last)
		}
		pages, windows, page, last = pages+1, windows+got.Windows, got.Next, got.Stretches[0].From
	}
	if pages != 2 || windows != n {
		t.Errorf("%d windows on %d pages", windows, pages)
	}
}

func BenchmarkDrifts_OfAYear(b *testing.B) {
	s, p := year(b, 8760, 50)
	for b.Loop() {
		if _, err := s.Drifts(b.Context(), p, History{Endpoint: "bikes@production"}, ""); err != nil {
			b.Fatal(err)
		}
	}
}
