package monitor

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

// mostCounted is how many requests of a window are counted again to answer one request.
const mostCounted = 20_000

// Distribution is one feature in one window, beside the reference of the window's version.
type Distribution struct {
	Feature string    `json:"feature"`
	Version int64     `json:"version"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	PSI     float64   `json:"psi"`
	Limit   float64   `json:"limit"` // above it the feature is red
	Red     bool      `json:"red"`
	// Usual is the part of Limit that windows of the reference itself reach; 0 when there
	// were too few of them to tell. Threshold is the file's.
	Usual     float64 `json:"usual,omitempty"`
	Threshold float64 `json:"threshold,omitempty"`
	// Datasets are what the reference was counted on.
	Datasets      []data.Ref `json:"datasets"`
	ReferenceRows int        `json:"reference_rows"`
	Rows          int        `json:"rows"` // of the window that the feature was counted on
	Bins          []Bin      `json:"bins"`
}

// Bin is what of a feature was counted together. Bins that neither side has seen are left
// out, unless they are among the reference's own.
type Bin struct {
	Kind      string   `json:"kind" enum:"range,name,missing,below,above,other"`
	Low       *float64 `json:"low,omitempty"`  // of a range, and of above
	High      *float64 `json:"high,omitempty"` // of a range, and of below
	Name      string   `json:"name,omitempty"`
	Reference uint64   `json:"reference"` // rows
	Window    uint64   `json:"window"`    // rows
	PSI       float64  `json:"psi"`       // what the bin adds to the whole
}

// DistributionQuery names one feature of the windows of an endpoint and version that begin
// in [From, To); of several, it is the one in which the feature exceeds its limit most.
type DistributionQuery struct {
	Endpoint string
	Feature  string
	Version  int64
	From, To time.Time
}

// Distribution compares a feature with the reference. Windows from before their bins were
// kept, or that are too old for it, are counted again from the request log, unless they
// have too many requests: Precondition.
func (s *Service) Distribution(ctx context.Context, p fairlead.Project, q DistributionQuery) (
	out *Distribution, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w, err := s.worstOf(tx, p, q)
		if err != nil {
			return err
		}
		ref, err := readReference(tx, p, w.Model, w.Version)
		if err != nil {
			return err
		}
		i := -1
		if ref != nil {
			i = slices.IndexFunc(ref.Features, func(f *Feature) bool { return f.Name == q.Feature })
		}
		if i < 0 {
			return fairlead.Errorf(fairlead.NotFound, "the reference of version %d has no feature %q",
				w.Version, q.Feature)
		}
		current, err := s.countsOf(tx, p, w, ref, i)
		if err != nil {
			return err
		}
		out, err = ref.distribution(w, i, current)
		return err
	})
	return out, err
}

// worstOf returns the window of the query.
func (s *Service) worstOf(tx *store.Tx, p fairlead.Project, q DistributionQuery) (*Window, error) {
	f := WindowFilter{Endpoint: q.Endpoint, Kind: Drift, From: q.From, To: q.To}
	var worst cell
	var k int64
	err := eachDrift(tx, p, f, windowCursor{FromMS: maxMS}, mostRead, func(r driftRow) bool {
		i := slices.Index(r.names, q.Feature)
		if i < 0 || q.Version != 0 && r.Version != q.Version {
			return true
		}
		before := worst
		if worst.take(r.drifts[i]); worst.drifted != before.drifted || !before.judged {
			k = r.k
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	if k == 0 {
		return nil, fairlead.Errorf(fairlead.NotFound,
			"no window of %s there was judged on the feature %q", q.Endpoint, q.Feature)
	}
	return windowOf(tx, p, k)
}

// countsOf returns what was counted of the i-th feature in the window.
func (s *Service) countsOf(tx *store.Tx, p fairlead.Project, w *Window, ref *Reference, i int) (
	*Feature, error) {
	kept, ok, err := readCounts(tx, w.k, ref.Features[i].Name)
	if err != nil {
		return nil, err
	}
	if ok {
		f, err := ref.Features[i].empty()
		if err != nil || f.setCounts(kept) {
			return f, err
		}
	}
	if w.Rows > mostCounted {
		return nil, fairlead.Errorf(fairlead.Precondition,
			"the bins of this window are not kept, and its %d requests are too many to count again "+
				"(at most %d)", w.Rows, mostCounted)
	}
	again := Window{Endpoint: w.Endpoint, Version: w.Version, From: w.From, To: w.To}
	all, err := s.counted(tx, p, &again, ref)
	if err != nil {
		return nil, err
	}
	return all[i], nil
}

func (r *Reference) distribution(w *Window, i int, current *Feature) (*Distribution, error) {
	f := r.Features[i]
	out := &Distribution{Feature: f.Name, Version: w.Version, From: w.From, To: w.To,
		Datasets: r.Datasets, ReferenceRows: int(f.total()), Rows: int(current.total())}
	for _, d := range w.Features {
		if d.Name == f.Name {
			out.PSI, out.Limit, out.Red = d.PSI, d.Limit, d.Red
		}
	}
	if r.Usual != nil {
		out.Usual, out.Threshold = r.Usual.Limits[f.Name], r.Usual.Threshold
	}
	cells, err := f.compared(current)
	for _, c := range cells {
		out.add(f, c)
	}
	return out, err
}

// compared returns the addends of the PSI of current.
func (f *Feature) compared(current *Feature) ([]stat.Cell, error) {
	if f.Categories != nil {
		return f.Categories.Cells(current.Categories)
	}
	return f.Histogram.Cells(current.Histogram)
}

func (d *Distribution) add(f *Feature, c stat.Cell) {
	b := Bin{Kind: c.Kind, Name: c.Name, Reference: c.Reference, Window: c.Current, PSI: c.PSI}
	var edges []float64
	if f.Histogram != nil {
		edges = f.Histogram.Edges
	}
	switch {
	case c.Kind == "range":
		b.Low, b.High = &c.Low, &c.High
	case c.Kind != "name" && c.Reference+c.Current == 0:
		return
	case c.Kind == "below" && len(edges) > 0:
		b.High = &edges[0]
	case c.Kind == "above" && len(edges) > 0:
		b.Low = &edges[len(edges)-1]
	}
	d.Bins = append(d.Bins, b)
}
