package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// figure is one line of the report. Ours and Peer are in Unit; Ratio says how many
// times better ours is.
type figure struct {
	Measurement string  `json:"measurement"`
	Name        string  `json:"name"`
	Unit        string  `json:"unit"`
	Ours        float64 `json:"ours"`
	Peer        float64 `json:"peer,omitempty"`
	PeerName    string  `json:"peer_name,omitempty"`
	Ratio       float64 `json:"ratio,omitempty"`
	Wanted      string  `json:"wanted,omitempty"`
	Met         *bool   `json:"met,omitempty"`

	more     bool // more is better
	atMost   float64
	minRatio float64
}

// limit wants at most v.
func (f figure) limit(v float64) figure {
	f.atMost = v
	return f
}

// times wants to be at least n times better than the peer.
func (f figure) times(n float64) figure {
	f.minRatio = n
	return f
}

// beside adds the peer's figure; 0 stands for none.
func (f figure) beside(name string, peer float64) figure {
	if peer == 0 {
		return f
	}
	f.Peer, f.PeerName, f.Ratio = peer, name, peer/f.Ours
	if f.more {
		f.Ratio = f.Ours / peer
	}
	return f
}

// judged fills in what was wanted, and whether it was met.
func (f figure) judged() figure {
	var wanted []string
	met := true
	if f.atMost > 0 {
		wanted = append(wanted, fmt.Sprintf("≤ %g %s", f.atMost, f.Unit))
		met = f.Ours <= f.atMost
	}
	if f.minRatio > 0 && f.Ratio > 0 {
		wanted = append(wanted, fmt.Sprintf("≥ %g×", f.minRatio))
		met = met && f.Ratio >= f.minRatio
	}
	if len(wanted) > 0 {
		f.Wanted, f.Met = strings.Join(wanted, ", "), &met
	}
	return f
}

// report is all that a run prints.
type report struct {
	Machine  machine  `json:"machine"`
	Warnings []string `json:"warnings"`
	Figures  []figure `json:"figures"`
}

// quiet is the load average above which figures are provisional.
const quiet = 1.0

func (r *report) warnOfLoad() {
	r.Warnings = []string{}
	if r.Machine.Load > quiet {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the load average was %.2f when the run began: "+
			"others use this machine, so trust the ratios and not the figures", r.Machine.Load))
	}
}

func (r *report) add(figures ...figure) {
	for _, f := range figures {
		r.Figures = append(r.Figures, f.judged())
	}
}

func (r *report) print(w io.Writer, format string) error {
	if format == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	}
	m := r.Machine
	fmt.Fprintf(w, "%d cores (%s), Linux %s, %s, load average %.2f\n", m.Cores, m.CPU, m.Kernel, m.Go,
		m.Load)
	for _, warning := range r.Warnings {
		fmt.Fprintln(w, "warning: "+warning)
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WHAT\tFIGURE\tFAIRLEAD\tPEER\tRATIO\tWANTED\tMET")
	for _, f := range r.Figures {
		fmt.Fprintf(tw, "%s\t%s\t%s %s\t%s\t%s\t%s\t%s\n",
			f.Measurement, f.Name, number(f.Ours), f.Unit, f.peer(), f.ratio(), f.Wanted, f.met())
	}
	return tw.Flush()
}

func (f figure) peer() string {
	if f.Peer == 0 {
		return ""
	}
	return number(f.Peer) + " (" + f.PeerName + ")"
}

func (f figure) ratio() string {
	if f.Ratio == 0 {
		return ""
	}
	return number(f.Ratio) + "×"
}

func (f figure) met() string {
	switch {
	case f.Met == nil:
		return ""
	case *f.Met:
		return "yes"
	}
	return "NO"
}

func number(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

// quantile returns the value below which the share q of the times lie, in
// milliseconds; it sorts them.
func quantile(times []time.Duration, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	i := min(int(q*float64(len(times))), len(times)-1)
	return float64(times[i]) / float64(time.Millisecond)
}

func median(times []time.Duration) float64 { return quantile(times, 0.5) }
