package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/stream"
)

func (c *cli) replayCommand() *cobra.Command {
	r := replay{}
	var keepClock bool
	cmd := &cobra.Command{
		Use:   "replay FILE",
		Short: "Send a table's rows to an endpoint in lockstep with stream time, and their labels later",
		Long: `Replay reads a CSV file, orders it by --time, and drives the endpoint's stream
time: at each tick it delivers the labels that are due, waits until everything that
time has caused has settled (windows, incidents, trainings, rollouts), and then sends
the rows of the tick. The same file gives the same result on any machine. A replay
that was interrupted continues where stream time stands. At the end stream time
follows the endpoint's requests again.`,
		Example: `  fairlead replay traffic.csv --endpoint flight-delays --time sched_dep --id flight_id --label delayed --label-delay 24h
  fairlead replay traffic.csv --time sched_dep --id flight_id --label delayed --with dep_delay,air_time`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			if r.endpoint == "" {
				var err error
				if r.endpoint, err = c.modelOf(nil); err != nil {
					return err
				}
			}
			return c.with(cmd.Context(), func(cl *client) error {
				r.client = cl
				return c.replay(cmd.Context(), &r, args[0], keepClock)
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
	f.DurationVar(&r.delay, "label-delay", 24*time.Hour,
		"how long after its event time a label is known (stream time)")
	f.DurationVar(&r.every, "label-every", 24*time.Hour,
		"how often labels are delivered (stream time)")
	f.DurationVar(&r.tick, "tick", time.Hour, "step of stream time")
	f.BoolVar(&keepClock, "keep-clock", false, "leave stream time where it is, so that another replay goes on from there")
	return cmd
}

// check refuses what cannot be played.
func (r *replay) check() error {
	switch {
	case r.time == "" || r.id == "":
		return usage("--time and --id are needed; see `fairlead replay --help`")
	case r.tick <= 0:
		return usage("--tick is %s; it is more than 0", r.tick)
	case r.every <= 0:
		return usage("--label-every is %s; it is more than 0", r.every)
	case r.delay < 0:
		return usage("--label-delay is %s; a label is not known before its request", r.delay)
	}
	return nil
}

// replay plays the file, and tells what was sent.
func (c *cli) replay(ctx context.Context, r *replay, file string, keepClock bool) error {
	if err := r.read(ctx, file); err != nil {
		return err
	}
	told := c.newProgress()
	defer told.end()
	r.often = told.terminal
	r.progress = func(done, total int, at time.Time) {
		told.status(fmt.Sprintf("%s  %d of %d rows", at.Format(time.DateOnly), done, total))
	}
	if err := r.run(ctx); err != nil {
		return err
	}
	told.end()
	if !keepClock {
		if err := r.release(ctx); err != nil {
			return err
		}
	}
	out := map[string]any{"rows": r.sent, "labels": r.labelled, "skipped": r.skipped,
		"watermark": r.clock.Watermark, "driven": r.clock.Driven}
	return c.print(out, func(w io.Writer) { r.tell(w) })
}

// tell says what was sent, and where the endpoint's clock stands.
func (r *replay) tell(w io.Writer) {
	fmt.Fprintf(w, "%d rows and %d labels sent", r.sent, r.labelled)
	if r.skipped > 0 {
		fmt.Fprintf(w, "; %d rows are from before stream time stood when this began, and were not sent",
			r.skipped)
	}
	follows := "follows the endpoint's requests again"
	if r.clock.Driven {
		follows = "waits for the next replay"
	}
	fmt.Fprintf(w, "; stream time is %s and %s\n", r.clock.Watermark.Format(time.RFC3339), follows)
}

// replay plays a table against an endpoint.
type replay struct {
	endpoint, time, id, label string
	with, drop                []string
	delay, every, tick        time.Duration

	rows      []sample
	datatypes map[string]string // of the model's inputs
	client    *client
	progress  func(done, total int, at time.Time)
	often     bool // progress at each delivery of labels, not only each month
	// before runs at a tick, after its labels and before its rows, once what was
	// due has settled; what it causes is waited for too.
	before func(ctx context.Context, at time.Time) error

	clock     stream.State
	next      int       // the first of rows that is still to be sent
	delivered time.Time // labels that were known by then have been sent
	sent      int       // rows, by this run
	labelled  int       // labels, by this run
	skipped   int       // rows, from before the time where this run began
}

// run plays the rows, from where the endpoint's stream time stands.
func (r *replay) run(ctx context.Context) error {
	if err := r.state(ctx); err != nil {
		return err
	}
	start, end, err := r.bounds()
	if err != nil {
		return err
	}
	r.next, _ = slices.BinarySearchFunc(r.rows, start, func(s sample, t time.Time) int {
		return s.at.Compare(t)
	})
	r.skipped = r.next
	r.clock = stream.State{} // the first tick always advances
	for at := start; !at.After(end); at = at.Add(r.tick) {
		if err := r.step(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// bounds returns the first and the last tick. A stream whose time no replay drives,
// or that is later than this replay can have brought it, would take none of the rows
// for what they are.
func (r *replay) bounds() (start, end time.Time, err error) {
	first, last := r.rows[0].at, r.rows[len(r.rows)-1].at
	start = first.Truncate(r.tick)
	end = last.Add(r.delay).Truncate(r.every).Add(r.every) // the delivery of the last label
	if late := end.Truncate(r.tick); late.Before(end) {
		end = late.Add(r.tick)
	}
	now := r.clock.Watermark
	if !now.After(start) {
		return start, end, nil
	}
	if !r.clock.Driven || now.After(end) {
		return start, end, fairlead.Errorf(fairlead.Precondition,
			"stream time of %s is %s, and the rows are from %s to %s: it never goes back. Send rows that are later, "+
				"or replay to an endpoint that had no request yet (another environment, or a new data directory)",
			r.clock.Stream, now.Format(time.RFC3339), first.Format(time.RFC3339), last.Format(time.RFC3339))
	}
	// What was due at the ticks until now has been delivered before time went on.
	start = now.Truncate(r.tick)
	r.delivered = start.Truncate(r.every)
	return start, end, nil
}

// step plays one tick: labels, then time, then rows.
func (r *replay) step(ctx context.Context, at time.Time) error {
	delivery := at.Truncate(r.every).After(r.delivered)
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
			r.progress(r.next, len(r.rows), at)
		}
	}
	for ; r.next < len(r.rows) && r.rows[r.next].at.Before(at.Add(r.tick)); r.next++ {
		if err := r.send(ctx, &r.rows[r.next]); err != nil {
			return err
		}
		r.sent++
	}
	return nil
}

func (r *replay) path(rest string) string { return "/endpoints/" + url.PathEscape(r.endpoint) + rest }

// state asks where the endpoint's clock stands.
func (r *replay) state(ctx context.Context) error {
	return r.client.do(ctx, http.MethodGet, r.path(""), nil, &struct {
		Clock *stream.State `json:"clock"`
	}{&r.clock})
}

// advance moves stream time, and returns once all that it causes has settled.
func (r *replay) advance(ctx context.Context, at time.Time) error {
	return r.client.do(ctx, http.MethodPut, r.path("/clock"), map[string]time.Time{"to": at}, &r.clock)
}

// release lets stream time follow the requests again.
func (r *replay) release(ctx context.Context) error {
	if err := r.client.do(ctx, http.MethodDelete, r.path("/clock"), nil, nil); err != nil {
		return err
	}
	return r.state(ctx)
}

// labelsMax bounds the labels of one call, well below the 64 MiB that it may have.
const labelsMax = 5000

// deliver sends the labels that became known since the delivery before.
func (r *replay) deliver(ctx context.Context, at time.Time) error {
	var batch []label.Truth
	first, _ := slices.BinarySearchFunc(r.rows, r.delivered, func(s sample, t time.Time) int {
		return cmp.Or(s.at.Add(r.delay).Compare(t), -1) // behind those that were known then
	})
	for _, s := range r.rows[first:] {
		known := s.at.Add(r.delay)
		if known.After(at) {
			break
		}
		if s.truth != nil {
			batch = append(batch, label.Truth{RequestID: s.id, Value: *s.truth, ObservedAt: known,
				Columns: s.more})
		}
	}
	for part := range slices.Chunk(batch, labelsMax) {
		in := map[string]any{"labels": part, "source": "replay"}
		if err := r.client.do(ctx, http.MethodPost, r.path("/labels"), in, nil); err != nil {
			return err
		}
	}
	r.delivered = at
	r.labelled += len(batch)
	return nil
}

// tensor is one input of the Open Inference Protocol.
type tensor struct {
	Name     string `json:"name"`
	Shape    []int  `json:"shape"`
	Datatype string `json:"datatype"`
	Data     []any  `json:"data"`
}

// model is the endpoint's path in the Open Inference Protocol.
func (r *replay) model() string {
	return "//p/" + url.PathEscape(r.client.project) + "/v2/models/" + url.PathEscape(r.endpoint)
}

// describe asks for the datatypes of the model's inputs.
func (r *replay) describe(ctx context.Context) error {
	var about struct{ Inputs []tensor }
	if err := r.client.do(ctx, http.MethodGet, r.model(), nil, &about); err != nil {
		return err
	}
	r.datatypes = map[string]string{}
	for _, in := range about.Inputs {
		r.datatypes[in.Name] = in.Datatype
	}
	return nil
}

// send calls the endpoint as any client of the Open Inference Protocol would.
func (r *replay) send(ctx context.Context, s *sample) error {
	body := struct {
		ID         string         `json:"id"`
		Parameters map[string]any `json:"parameters"`
		Inputs     []tensor       `json:"inputs"`
	}{ID: s.id, Parameters: map[string]any{"event_time": s.at.Format(time.RFC3339Nano)}}
	for name, v := range s.features {
		body.Inputs = append(body.Inputs, tensor{name, []int{1}, r.datatype(name, v), []any{v}})
	}
	slices.SortFunc(body.Inputs, func(a, b tensor) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	if err := r.client.send(ctx, http.MethodPost, r.model()+"/infer", "application/json", b,
		nil); err != nil {
		return fmt.Errorf("row %s: %w", s.id, err)
	}
	return nil
}

// datatype is the model's for its inputs, and the value's for other columns.
func (r *replay) datatype(name string, v any) string {
	if known := r.datatypes[name]; known != "" {
		return known
	}
	if _, text := v.(string); text {
		return "BYTES"
	}
	return "FP64"
}
