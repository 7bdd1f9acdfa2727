package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/stream"
)

func (c *cli) replayCommand() *cobra.Command {
	r := replay{}
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Send a table's rows to an endpoint in lockstep with stream time, and their labels later",
		Long: `Replay reads a CSV file, orders it by --time, and drives the endpoint's stream
time: at each tick it delivers the labels that are due, waits until everything that
time has caused has settled (windows, incidents, trainings, rollouts), and then sends
the rows of the tick. The same file gives the same result on any machine. A replay
that was interrupted continues where stream time stands.`,
		Example: `  fairlead replay traffic.csv --endpoint flight-delays --time sched_dep --id flight_id --label delayed --label-delay 24h
  fairlead replay traffic.csv --time sched_dep --id flight_id --label delayed --with dep_delay,air_time`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.endpoint == "" {
				var err error
				if r.endpoint, err = modelName(); err != nil {
					return err
				}
			}
			if r.time == "" || r.id == "" || r.endpoint == "" {
				return usage("--endpoint, --time and --id are needed; see `fairlead replay --help`")
			}
			if err := r.read(args[0]); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(cl *client) error {
				r.client = cl
				told := c.newProgress()
				defer told.end()
				r.often = told.terminal
				r.progress = func(done, total int, at time.Time) {
					told.status(fmt.Sprintf("%s  %d of %d rows", at.Format("2006-01-02"), done, total))
				}
				if err := r.run(cmd.Context()); err != nil {
					return err
				}
				told.end()
				out := map[string]any{"rows": len(r.rows), "labels": r.labelled, "watermark": r.clock.Watermark}
				return c.print(out, func(w io.Writer) {
					fmt.Fprintf(w, "%d rows and %d labels sent; stream time is %s\n", len(r.rows), r.labelled, r.clock.Watermark.Format(time.RFC3339))
				})
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.endpoint, "endpoint", "", "the model's name, or model@environment; default: the model of ./fairlead.yaml")
	f.StringVar(&r.time, "time", "", "column with the event time (required)")
	f.StringVar(&r.id, "id", "", "column that identifies a row (required)")
	f.StringVar(&r.label, "label", "", "column with the truth; without it no labels are sent")
	f.StringSliceVar(&r.with, "with", nil, "further columns that become known with the label, and are not sent before")
	f.StringSliceVar(&r.drop, "drop", nil, "columns that are not sent at all")
	f.DurationVar(&r.delay, "label-delay", 24*time.Hour, "how long after its event time a label is known (stream time)")
	f.DurationVar(&r.every, "label-every", 24*time.Hour, "how often labels are delivered (stream time)")
	f.DurationVar(&r.tick, "tick", time.Hour, "step of stream time")
	return cmd
}

// sample is one row of the table.
type sample struct {
	at       time.Time
	id       string
	truth    *float64
	features map[string]any // number, text, or nil for missing
	more     map[string]any
}

// replay plays a table against an endpoint.
type replay struct {
	endpoint, time, id, label string
	with, drop                []string
	delay, every, tick        time.Duration

	rows     []sample
	client   *client
	progress func(done, total int, at time.Time)
	often    bool // progress at each delivery of labels, not only each month
	// before runs at a tick, after its labels and before its rows, once what was
	// due has settled; what it causes is waited for too.
	before func(ctx context.Context, at time.Time) error

	clock    stream.State
	labelled int
}

// read loads the table.
func (r *replay) read(file string) error {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return fairlead.Errorf(fairlead.NotFound, "there is no file %s", file)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	table := csv.NewReader(f)
	header, err := table.Read()
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "%s has no header line: %w", file, err)
	}
	for _, name := range append([]string{r.time, r.id}, append(r.with, r.label)...) {
		if name != "" && !slices.Contains(header, name) {
			return fairlead.Errorf(fairlead.Invalid, "%s has no column %q; it has %s", file, name, strings.Join(header, ", "))
		}
	}
	for line := 2; ; line++ {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fairlead.Errorf(fairlead.Invalid, "%s: %w", file, err)
		}
		s, err := r.sample(header, record)
		if err != nil {
			return fairlead.Errorf(fairlead.Invalid, "%s, line %d: %w", file, line, err)
		}
		r.rows = append(r.rows, s)
	}
	if len(r.rows) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "%s has no rows", file)
	}
	slices.SortStableFunc(r.rows, func(a, b sample) int { return a.at.Compare(b.at) })
	return nil
}

func (r *replay) sample(header, record []string) (s sample, err error) {
	s.features, s.more = map[string]any{}, map[string]any{}
	for i, name := range header {
		text := record[i]
		switch {
		case name == r.time:
			if s.at, err = parseTime(text); err != nil {
				return s, err
			}
		case name == r.id:
			s.id = text
		case name == r.label:
			if text == "" {
				continue
			}
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return s, fmt.Errorf("the label %q is not a number", text)
			}
			s.truth = &v
		case slices.Contains(r.with, name):
			s.more[name] = cell(text)
		case !slices.Contains(r.drop, name):
			s.features[name] = cell(text)
		}
	}
	return s, nil
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time; write it as 2011-03-01T05:00:00Z", text)
}

// cell is a number, text, or nil for an empty cell.
func cell(text string) any {
	if text == "" {
		return nil
	}
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		return v
	}
	return text
}

// run plays the rows, from where the endpoint's stream time stands.
func (r *replay) run(ctx context.Context) error {
	start := r.rows[0].at.Truncate(r.tick)
	if err := r.client.do(ctx, http.MethodGet, r.path(""), nil, &struct {
		Clock *stream.State `json:"clock"`
	}{&r.clock}); err != nil {
		return err
	}
	if r.clock.Driven && r.clock.Watermark.After(start) {
		start = r.clock.Watermark.Truncate(r.tick)
	}
	end := r.rows[len(r.rows)-1].at.Add(r.delay).Truncate(r.every).Add(r.every)
	next, _ := slices.BinarySearchFunc(r.rows, start, func(s sample, t time.Time) int { return s.at.Compare(t) })
	r.clock = stream.State{} // the first tick always advances
	for at := start; !at.After(end); at = at.Add(r.tick) {
		if err := r.step(ctx, at, &next); err != nil {
			return err
		}
	}
	return nil
}

// step plays one tick: labels, then time, then rows.
func (r *replay) step(ctx context.Context, at time.Time, next *int) error {
	delivery := at.Truncate(r.every).Equal(at)
	if delivery {
		if err := r.deliver(ctx, at); err != nil {
			return err
		}
	}
	due := !r.clock.Next.IsZero() && !r.clock.Next.After(at)
	if delivery || due || r.clock.Watermark.IsZero() {
		if err := r.advance(ctx, at); err != nil {
			return err
		}
		if r.before != nil {
			if err := r.before(ctx, at); err != nil {
				return err
			}
		}
		if r.progress != nil && delivery && (r.often || at.Day() == 1) {
			r.progress(*next, len(r.rows), at)
		}
	}
	for ; *next < len(r.rows) && r.rows[*next].at.Before(at.Add(r.tick)); *next++ {
		if err := r.send(ctx, &r.rows[*next]); err != nil {
			return err
		}
	}
	return nil
}

func (r *replay) path(rest string) string { return "/endpoints/" + url.PathEscape(r.endpoint) + rest }

// advance moves stream time, and returns once all that it causes has settled.
func (r *replay) advance(ctx context.Context, at time.Time) error {
	return r.client.do(ctx, http.MethodPut, r.path("/clock"), map[string]time.Time{"to": at}, &r.clock)
}

// deliver sends the labels that became known since the delivery before.
func (r *replay) deliver(ctx context.Context, at time.Time) error {
	var batch []label.Truth
	sent := at.Add(-r.every - r.delay) // up to here, with the delivery before
	first, _ := slices.BinarySearchFunc(r.rows, sent.Add(1), func(s sample, t time.Time) int { return s.at.Compare(t) })
	for _, s := range r.rows[first:] {
		known := s.at.Add(r.delay)
		if known.After(at) {
			break
		}
		if s.truth != nil && r.label != "" {
			batch = append(batch, label.Truth{RequestID: s.id, Value: *s.truth, ObservedAt: known, Columns: s.more})
		}
	}
	if len(batch) == 0 {
		return nil
	}
	r.labelled += len(batch)
	return r.client.do(ctx, http.MethodPost, r.path("/labels"), map[string]any{"labels": batch, "source": "replay"}, nil)
}

// tensor is one input of the Open Inference Protocol.
type tensor struct {
	Name     string `json:"name"`
	Shape    []int  `json:"shape"`
	Datatype string `json:"datatype"`
	Data     []any  `json:"data"`
}

// send calls the endpoint as any client of the Open Inference Protocol would.
func (r *replay) send(ctx context.Context, s *sample) error {
	body := struct {
		ID         string         `json:"id"`
		Parameters map[string]any `json:"parameters"`
		Inputs     []tensor       `json:"inputs"`
	}{ID: s.id, Parameters: map[string]any{"event_time": s.at.Format(time.RFC3339)}}
	for name, v := range s.features {
		t := tensor{Name: name, Shape: []int{1}, Datatype: "FP64", Data: []any{v}}
		if _, ok := v.(string); ok {
			t.Datatype = "BYTES"
		}
		body.Inputs = append(body.Inputs, t)
	}
	slices.SortFunc(body.Inputs, func(a, b tensor) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	path := "//p/" + url.PathEscape(r.client.project) + "/v2/models/" + url.PathEscape(r.endpoint) + "/infer"
	if err := r.client.send(ctx, http.MethodPost, path, "application/json", b, nil); err != nil {
		return fmt.Errorf("row %s: %w", s.id, err)
	}
	return nil
}
