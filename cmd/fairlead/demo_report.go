package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/release"
)

// demoReport is the proof at the end: computed from what the server has served,
// judged and released.
type demoReport struct {
	Months  []demoMonth `json:"months"`
	Summary demoSummary `json:"summary"`
}

type demoMonth struct {
	Month       int      `json:"month"`
	LiveVersion string   `json:"live_version"` // at the month's end
	WAPEFrozen  float64  `json:"wape_frozen"`  // of the first version, as a shadow
	WAPELive    float64  `json:"wape_live"`    // of the answers
	Rows        int      `json:"rows"`
	Drift       float64  `json:"drift"`     // the largest PSI of a feature in the month's windows
	DriftRed    int      `json:"drift_red"` // of the month's windows
	DriftAll    int      `json:"drift_all"` //
	Incidents   []string `json:"incidents"` // opened in the month
	Releases    []string `json:"releases"`  // ended in the month
}

type demoSummary struct {
	WAPEFrozen         float64 `json:"wape_frozen"` // means of the monthly values
	WAPELive           float64 `json:"wape_live"`
	RetrainsPromoted   int     `json:"retrains_promoted"`
	StoppedByGate      int     `json:"stopped_by_gate"`
	RolledBackByCanary int     `json:"rolled_back_by_canary"`
	Audit              string  `json:"audit"`
	Seconds            float64 `json:"seconds"`

	Colleagues []demoCandidate `json:"colleagues"`
}

// demoCandidate is a version that a colleague brought in, and what became of it.
type demoCandidate struct {
	Name    string `json:"name"`
	Version int64  `json:"version"`
	Outcome string `json:"outcome"` // empty: its case is not closed
}

func readReport(b []byte) (*demoReport, error) {
	var r demoReport
	return &r, json.Unmarshal(b, &r)
}

// report verifies the ledger, computes the table, keeps it, and prints it.
func (d *demo) report(ctx context.Context) error {
	r := &demoReport{}
	var audit ledger.Report
	if err := d.client.do(ctx, http.MethodPost, "//api/v1/audit/verify", struct{}{},
		&audit); err != nil {
		return err
	}
	r.Summary.Audit = "verified"
	if err := d.realised(ctx, r); err != nil {
		return err
	}
	if err := d.happenings(ctx, r); err != nil {
		return err
	}
	if err := d.count(ctx, r); err != nil {
		return err
	}
	r.Summary.Seconds = math.Round(d.seconds()*10) / 10
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(d.dir, doneFile), b); err != nil {
		return err
	}
	d.say.line("the ledger is verified: %d events, root %s", audit.Events, audit.Root)
	if d.keep {
		d.sayKept()
	}
	d.say.now("")
	return d.print(r, func(w io.Writer) { r.table(w) })
}

// realised asks for the realised error of each month.
func (d *demo) realised(ctx context.Context, r *demoReport) error {
	var page fairlead.Page[monitor.Period]
	q := url.Values{"metric": {"wape"}, "by": {"month"},
		"from": {trafficFrom.Format(time.RFC3339)}, "to": {d.trafficTo().Format(time.RFC3339)}}
	path := "/endpoints/" + url.PathEscape(demoEndpoint) + "/realised?" + q.Encode()
	if err := d.client.do(ctx, http.MethodGet, path, nil, &page); err != nil {
		return err
	}
	for _, p := range page.Items {
		m := demoMonth{Month: int(p.From.Month()), Rows: p.Labelled, WAPEFrozen: p.Versions[1],
			Incidents: []string{}, Releases: []string{}}
		if p.Served != nil {
			m.WAPELive = *p.Served
		}
		r.Months = append(r.Months, m)
		r.Summary.WAPEFrozen += m.WAPEFrozen / float64(len(page.Items))
		r.Summary.WAPELive += m.WAPELive / float64(len(page.Items))
	}
	return nil
}

// happenings fills in drift, incidents and releases of each month.
func (d *demo) happenings(ctx context.Context, r *demoReport) error {
	var windows fairlead.Page[*monitor.Window]
	if err := d.client.do(ctx, http.MethodGet, "/endpoints/"+url.PathEscape(demoEndpoint)+"/windows?kind=drift", nil, &windows); err != nil {
		return err
	}
	for _, w := range windows.Items {
		if m := r.month(w.From); m != nil {
			m.DriftAll++
			m.Drift = max(m.Drift, w.Value)
			if w.State == monitor.Red {
				m.DriftRed++
			}
		}
	}
	var incidents fairlead.Page[*monitor.Incident]
	if err := d.client.do(ctx, http.MethodGet, "/incidents?endpoint="+url.QueryEscape(demoEndpoint),
		nil, &incidents); err != nil {
		return err
	}
	for i := len(incidents.Items) - 1; i >= 0; i-- {
		in := incidents.Items[i]
		if m := r.month(in.OpenedAt); m != nil {
			m.Incidents = append(m.Incidents, fmt.Sprintf("%s on the %s", in.Kind,
				ordinal(in.OpenedAt.Day())))
		}
	}
	return d.releases(ctx, r)
}

func (d *demo) releases(ctx context.Context, r *demoReport) error {
	var rollouts fairlead.Page[*release.Rollout]
	if err := d.client.do(ctx, http.MethodGet, "/endpoints/"+url.PathEscape(demoEndpoint)+"/rollouts",
		nil, &rollouts); err != nil {
		return err
	}
	live, promoted := "", map[int]int64{}
	for i := len(rollouts.Items) - 1; i >= 0; i-- {
		ro := rollouts.Items[i]
		m := r.month(ro.Ended)
		switch {
		case live == "" && ro.Outcome == release.Promoted:
			live = fmt.Sprint(ro.To) // released before the stream began
		case m == nil || ro.Ended.Before(trafficFrom):
		default:
			m.Releases = append(m.Releases, fmt.Sprintf("%d %s on the %s", ro.To, inWords(ro.Outcome),
				ordinal(ro.Ended.Day())))
			if ro.Outcome == release.Promoted {
				promoted[m.Month] = ro.To
			}
		}
	}
	for i := range r.Months {
		if n, ok := promoted[r.Months[i].Month]; ok {
			live = fmt.Sprint(n)
		}
		r.Months[i].LiveVersion = live
	}
	return nil
}

func (r *demoReport) month(at time.Time) *demoMonth {
	for i := range r.Months {
		if at.Year() == dataYear && r.Months[i].Month == int(at.Month()) {
			return &r.Months[i]
		}
	}
	return nil
}

// count reads the outcomes of all cases, and those of the colleagues' candidates.
func (d *demo) count(ctx context.Context, r *demoReport) error {
	cases, err := d.cases(ctx)
	if err != nil {
		return err
	}
	outcomes := map[int64]string{} // of versions that the loop did not ask for
	for _, c := range cases {
		switch {
		case c.Outcome == loop.Promoted && c.Cause == loop.ByIncident:
			r.Summary.RetrainsPromoted++
		case c.Outcome == loop.Stopped:
			r.Summary.StoppedByGate++
		case c.Outcome == loop.RolledBack:
			r.Summary.RolledBackByCanary++
		}
		if c.Cause == loop.ByCandidate {
			outcomes[c.Version] = c.Outcome
		}
	}
	r.Summary.Colleagues = []demoCandidate{}
	for _, c := range colleagues {
		n, err := d.versionOf(ctx, c)
		if err != nil {
			return err
		}
		if n != 0 {
			r.Summary.Colleagues = append(r.Summary.Colleagues, demoCandidate{c.script, n, outcomes[n]})
		}
	}
	return nil
}

func ordinal(day int) string {
	switch {
	case day%10 == 1 && day != 11:
		return fmt.Sprintf("%dst", day)
	case day%10 == 2 && day != 12:
		return fmt.Sprintf("%dnd", day)
	case day%10 == 3 && day != 13:
		return fmt.Sprintf("%drd", day)
	}
	return fmt.Sprintf("%dth", day)
}

// table prints the report for people.
func (r *demoReport) table(w io.Writer) {
	tw := table(w, "MONTH", "LIVE", "FROZEN WAPE", "LIVE WAPE", "HOURS", "DRIFT (PSI)", "INCIDENTS",
		"RELEASES")
	for _, m := range r.Months {
		tw.row(time.Month(m.Month).String(), m.LiveVersion, fmt.Sprintf("%.3f", m.WAPEFrozen),
			fmt.Sprintf("%.3f", m.WAPELive),
			m.Rows, fmt.Sprintf("%.2f, %d of %d red", m.Drift, m.DriftRed, m.DriftAll), joined(m.Incidents),
			joined(m.Releases))
	}
	tw.flush()
	s := r.Summary
	fmt.Fprintf(w, "\nmean WAPE: %.3f frozen, %.3f live (%.2f of frozen)\n", s.WAPEFrozen, s.WAPELive,
		s.WAPELive/s.WAPEFrozen)
	fmt.Fprintf(w, "%d retrainings promoted, %d candidates stopped by the gate, %d rolled back by the canary; audit %s; %.0f s\n",
		s.RetrainsPromoted, s.StoppedByGate, s.RolledBackByCanary, s.Audit, s.Seconds)
	for _, c := range s.Colleagues {
		fmt.Fprintf(w, "the colleague's %s candidate, version %d: %s\n", c.Name, c.Version,
			inWords(c.Outcome))
	}
}

func joined(all []string) string {
	out := ""
	for i, s := range all {
		if i > 0 {
			out += "; "
		}
		out += s
	}
	return out
}

// inWords says how a case or a rollout ended.
func inWords(outcome string) string {
	if outcome == loop.RolledBack {
		return "rolled back"
	}
	return outcome
}
