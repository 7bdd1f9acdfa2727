package monitor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

const (
	driftAlpha     = 0.01 // chance that any feature is red on independent rows
	usualMargin    = 1.25
	usualWindows   = 8 // fewer windows of the reference say nothing about a usual one
	namedInReasons = 3
)

// FeatureDrift is how far one input of a window is from the reference.
type FeatureDrift struct {
	Name    string  `json:"name"`
	PSI     float64 `json:"psi"`
	Limit   float64 `json:"limit"` // above it the feature is red
	Red     bool    `json:"red"`
	Missing float64 `json:"missing"` // share of the rows without a value
	Before  float64 `json:"missing_before"`
	Outside float64 `json:"outside"` // share beyond the reference's range or names
}

// Usual is how far windows of the reference itself are from the rest of it. A short
// window never looks like months: three days have no Monday to Sunday, and their
// weather hangs together. So a fixed threshold, or one for independent rows, would
// call every window red. The reference is cut into windows of the same length, and
// the largest PSI that one of them has against the others, and a quarter more for
// what a finite reference has not shown, is what a feature may reach. A new window
// that is exchangeable with those n exceeds the largest with probability at most
// 1/(n+1), for each feature, and N of M red windows make that rare.
type Usual struct {
	WindowMS  int64              `json:"window_ms"`
	Threshold float64            `json:"threshold"`
	Windows   int                `json:"windows"` // n; 0: too few to tell
	Limits    map[string]float64 `json:"limits,omitempty"`
}

// learn computes what is usual, from the sample that the reference was counted on.
func (r *Reference) learn(sm *sample, length time.Duration, threshold float64) (*Usual, error) {
	u := &Usual{WindowMS: length.Milliseconds(), Threshold: threshold}
	cuts := sm.cut(length)
	if len(cuts) < usualWindows {
		return u, nil
	}
	u.Windows, u.Limits = len(cuts), map[string]float64{}
	for i, f := range r.Features {
		psi, err := f.leaveOneOut(&sm.columns[i], cuts)
		if err != nil {
			return nil, err
		}
		u.Limits[f.Name] = usualMargin * slices.Max(psi)
	}
	return u, nil
}

// cut returns the rows of each window of the sample, in the order of time; windows
// with few rows for their kind are left out, as are rows without a time.
func (s *sample) cut(length time.Duration) [][]int {
	byStart := map[int64][]int{}
	var first time.Time
	for _, at := range s.times {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for row, at := range s.times {
		if !at.IsZero() {
			n := int64(at.Sub(first) / length)
			byStart[n] = append(byStart[n], row)
		}
	}
	var sizes []float64
	for _, rows := range byStart {
		sizes = append(sizes, float64(len(rows)))
	}
	slices.Sort(sizes)
	var starts []int64
	for n, rows := range byStart {
		if len(rows) >= minRows && float64(len(rows)) >= stat.Quantile(sizes, 0.5)/2 {
			starts = append(starts, n)
		}
	}
	slices.Sort(starts)
	var out [][]int
	for _, n := range starts {
		out = append(out, byStart[n])
	}
	return out
}

// leaveOneOut returns the PSI of each window against the rest of the reference.
func (f *Feature) leaveOneOut(c *column, windows [][]int) ([]float64, error) {
	out := make([]float64, len(windows))
	for i, rows := range windows {
		part, err := f.empty()
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			part.addRow(c, row)
		}
		rest, err := f.without(part)
		if err != nil {
			return nil, err
		}
		if out[i], err = rest.psi(part); err != nil {
			return nil, fmt.Errorf("usual drift of %s: %w", f.Name, err)
		}
	}
	return out, nil
}

// drift compares each feature's distribution with the reference.
func (s *Service) drift(tx *store.Tx, p fairlead.Project, w *Window, ref *Reference,
	cfg *spec.Drift) error {
	w.Limit = cfg.Threshold
	current, err := s.counted(tx, p, w, ref)
	if err != nil {
		return err
	}
	switch {
	case len(ref.Features) == 0:
		w.Reason = "the reference has no inputs to compare with"
		return nil
	case w.Rows < minRows:
		w.Reason = fmt.Sprintf("%d rows are too few", w.Rows)
		return nil
	}
	for i, f := range ref.Features {
		if current[i].total() == 0 {
			continue // no prediction of this version in the window
		}
		w.counted = append(w.counted, current[i])
		d, err := f.compare(current[i], cfg.Threshold, driftAlpha/float64(len(ref.Features)), ref.Usual)
		if err != nil {
			return fmt.Errorf("drift of %s: %w", f.Name, err)
		}
		w.Features = append(w.Features, d)
	}
	w.judgeDrift()
	return nil
}

// counted counts the window's rows, and their values on the bins of the reference. It
// holds one row at a time.
func (s *Service) counted(tx *store.Tx, p fairlead.Project, w *Window, ref *Reference) (
	[]*Feature, error) {
	out := make([]*Feature, len(ref.Features))
	for i, f := range ref.Features {
		var err error
		if out[i], err = f.empty(); err != nil {
			return nil, err
		}
	}
	values := map[string]any{}
	err := s.Serving.EachRequest(tx, p, w.Endpoint, serving.Query{From: w.From, To: w.To},
		func(q serving.LoggedRequest) error {
			clear(values)
			if err := json.Unmarshal([]byte(q.Features), &values); err != nil {
				return fmt.Errorf("features of request %s: %w", q.ID, err)
			}
			w.Rows++
			for _, f := range out {
				if f.Name != PredictionFeature {
					f.addValue(values[f.Name])
				}
			}
			return nil
		})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(out, func(f *Feature) bool { return f.Name == PredictionFeature })
	if i < 0 {
		return out, nil
	}
	return out, s.Serving.EachPrediction(tx, p, w.Endpoint,
		serving.Query{From: w.From, To: w.To, Versions: []int64{w.Version}},
		func(sc serving.Prediction) {
			if sc.Failed {
				sc.Value = math.NaN()
			}
			out[i].addValue(sc.Value)
		})
}

// compare is one feature of a window. Its limit is what is usual for the reference,
// and never less than the threshold, nor than what chance exceeds with probability alpha
// on so few rows. Each of n features gets alpha/n (Bonferroni), since one red feature
// makes the window red. A feature that has vanished from the requests is red whatever its
// PSI.
func (f *Feature) compare(cur *Feature, threshold, alpha float64, usual *Usual) (d FeatureDrift,
	err error) {
	d = FeatureDrift{Name: f.Name, Missing: cur.missing(), Before: f.missing(),
		Outside: cur.outside(), Limit: max(threshold, f.chance(cur, alpha))}
	if usual != nil {
		d.Limit = max(d.Limit, usual.Limits[f.Name])
	}
	d.PSI, err = f.psi(cur)
	d.Red = d.PSI > d.Limit || d.Missing == 1 && d.Before < 0.5
	return d, err
}

// judgeDrift takes the value of the feature that exceeds its limit most.
func (w *Window) judgeDrift() {
	slices.SortStableFunc(w.Features, func(a, b FeatureDrift) int {
		if a.Red != b.Red && (a.Red || b.Red) {
			return cmp.Compare(btoi(b.Red), btoi(a.Red))
		}
		return cmp.Compare(b.PSI/b.Limit, a.PSI/a.Limit)
	})
	w.State = Green
	if len(w.Features) == 0 {
		return
	}
	w.Value, w.Limit = w.Features[0].PSI, w.Features[0].Limit
	if w.Features[0].Red {
		w.State, w.Reason = Red, redFeatures(w.Features)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// redFeatures names the worst ones: "temp 3.1 (limit 0.9), hum 1.2 (limit 1)".
func redFeatures(all []FeatureDrift) string {
	var parts []string
	reds := 0
	for _, d := range all {
		if !d.Red {
			continue
		}
		if reds++; reds > namedInReasons {
			continue
		}
		text := fmt.Sprintf("%s %.2g (limit %.2g)", d.Name, d.PSI, d.Limit)
		if d.Missing == 1 && d.Before < 1 {
			text = d.Name + " is missing"
		}
		parts = append(parts, text)
	}
	if reds > namedInReasons {
		parts = append(parts, fmt.Sprintf("%d more", reds-namedInReasons))
	}
	return strings.Join(parts, ", ")
}
