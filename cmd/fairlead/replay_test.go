package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/stream"
)

// streamed is an endpoint that remembers what a replay sends, and whose clock goes
// where it is driven.
type streamed struct {
	*httptest.Server
	mu       sync.Mutex
	clock    stream.State
	failAt   time.Time // the first advance to here or later is refused
	requests []inferred
	labels   []labelled
	batches  []int // of labels, how many each had
	released int
}

// inferred is one request, labelled one label with the stream time of its delivery.
type inferred struct {
	ID     string
	Inputs []struct {
		Name, Datatype string
		Data           json.RawMessage
	}
}

type labelled struct {
	label.Truth
	after time.Time // the watermark when it came
}

func newStreamed(t *testing.T) *streamed {
	s := &streamed{clock: stream.State{Stream: "m@production"}}
	mux := http.NewServeMux()
	const endpoint = "/api/v1/projects/x/endpoints/m"
	for pattern, serve := range map[string]func(body []byte) (any, int){
		"GET " + endpoint: func([]byte) (any, int) {
			return map[string]any{"clock": s.clock}, 200
		}, "PUT " + endpoint + "/clock": s.drive,
		"DELETE " + endpoint + "/clock": func([]byte) (any, int) {
			s.released++
			s.clock.Driven = false
			return nil, 200
		},
		"POST " + endpoint + "/labels": s.label,
		"GET /p/x/v2/models/m": func([]byte) (any, int) {
			return map[string]any{"inputs": []tensor{{Name: "code", Datatype: "BYTES"},
				{Name: "n", Datatype: "INT64"},
				{Name: "yes", Datatype: "BOOL"}, {Name: "v", Datatype: "FP64"}}}, 200
		},
		"POST /p/x/v2/models/m/infer": s.infer,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			body, _ := io.ReadAll(r.Body)
			out, status := serve(body)
			w.WriteHeader(status)
			json.NewEncoder(w).Encode(out)
		})
	}
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *streamed) drive(body []byte) (any, int) {
	var in struct{ To time.Time }
	json.Unmarshal(body, &in)
	if !s.failAt.IsZero() && !in.To.Before(s.failAt) {
		s.failAt = time.Time{}
		return map[string]string{"detail": "a step has failed", "code": "internal"}, 500
	}
	if in.To.After(s.clock.Watermark) {
		s.clock.Watermark = in.To
	}
	s.clock.Driven = true
	return s.clock, 200
}

func (s *streamed) label(body []byte) (any, int) {
	var in struct{ Labels []label.Truth }
	json.Unmarshal(body, &in)
	s.batches = append(s.batches, len(in.Labels))
	for _, l := range in.Labels {
		s.labels = append(s.labels, labelled{l, s.clock.Watermark})
	}
	return nil, 200
}

func (s *streamed) infer(body []byte) (any, int) {
	var in inferred
	json.Unmarshal(body, &in)
	s.requests = append(s.requests, in)
	return nil, 200
}

func (s *streamed) replay(t *testing.T, args ...string) ran {
	t.Helper()
	return command(t, append([]string{"replay", "t.csv", "--endpoint", "m", "-p", "x", "--server",
		s.URL, "--time", "at", "--id", "id", "--label", "y"}, args...)...)
}

var dayOne = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// writeHourly writes a table with one row each hour.
func writeHourly(t *testing.T, rows int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("id,at,v,y\n")
	for i := range rows {
		fmt.Fprintf(&b, "r%d,%s,1,%d\n", i, dayOne.Add(time.Duration(i)*time.Hour).Format(time.RFC3339),
			i)
	}
	write(t, "t.csv", b.String())
}

func TestReplay_DeliversEachLabelOnceWhateverTheStepsAre(t *testing.T) {
	elsewhere(t)
	writeHourly(t, 100)
	for _, tt := range []struct{ tick, every, delay string }{
		{"1h", "24h", "24h"}, {"7h", "24h", "24h"}, {"1h", "90m", "24h"}, {"5h", "7h", "0s"},
		{"48h", "24h", "3h"}, {"24h", "1h", "36h"}, {"11h", "13h", "100ms"},
	} {
		t.Run(tt.tick+" "+tt.every+" "+tt.delay, func(t *testing.T) {
			s := newStreamed(t)
			got := s.replay(t, "--tick", tt.tick, "--label-every", tt.every, "--label-delay", tt.delay, "-o",
				"json")
			if got.status != 0 || !strings.Contains(got.out, `"labels":100`) ||
				!strings.Contains(got.out, `"rows":100`) {
				t.Fatalf("%+v", got)
			}
			seen := map[string]int{}
			for _, l := range s.labels {
				seen[l.RequestID]++
				if l.ObservedAt.After(s.clock.Watermark) {
					t.Errorf("the label of %s came before it was known", l.RequestID)
				}
			}
			if len(seen) != 100 || len(s.labels) != 100 || len(s.requests) != 100 {
				t.Errorf("%d labels of %d rows, %d requests; want 100 each", len(s.labels), len(seen),
					len(s.requests))
			}
		})
	}
}

// However many labels a delivery has, no call is too large for the server.
func TestReplay_DeliversManyLabelsInParts(t *testing.T) {
	elsewhere(t)
	const rows = 2*labelsMax + 1
	var b strings.Builder
	b.WriteString("id,at,y\n")
	for i := range rows {
		at := dayOne.Add(time.Duration(i+1) * time.Second)
		fmt.Fprintf(&b, "r%d,%s,%d\n", i, at.Format(time.RFC3339), i)
	}
	write(t, "t.csv", b.String())
	s := newStreamed(t)
	if got := s.replay(t, "--tick", "24h"); got.status != 0 {
		t.Fatalf("%+v", got)
	}
	if want := []int{labelsMax, labelsMax, 1}; !slices.Equal(s.batches, want) {
		t.Errorf("batches of %v labels, want %v", s.batches, want)
	}
	for i, l := range s.labels {
		if l.Value != float64(i) {
			t.Fatalf("label %d is %v: not in order", i, l)
		}
	}
}

func TestReplay_GoesOnWhereStreamTimeStands(t *testing.T) {
	elsewhere(t)
	writeHourly(t, 100)
	for _, tick := range []string{"1h", "7h"} {
		s := newStreamed(t)
		s.failAt = dayOne.Add(72 * time.Hour)
		if got := s.replay(t, "--tick", tick); got.status != 1 ||
			!strings.Contains(got.stderr, "a step has failed") {
			t.Fatalf("%+v", got)
		}
		if s.released != 0 {
			t.Error("a replay that was interrupted has let the clock go")
		}
		before := len(s.requests)
		got := s.replay(t, "--tick", tick)
		sent := len(s.requests) - before
		if got.status != 0 || sent >= 100 || !strings.Contains(got.out,
			fmt.Sprintf("%d rows and ", sent)) ||
			!strings.Contains(got.out, fmt.Sprintf("%d rows are from before", 100-sent)) {
			t.Errorf("tick %s: %d rows sent, says %+v", tick, sent, got)
		}
		requests, labels := map[string]bool{}, map[string]bool{}
		for _, r := range s.requests {
			requests[r.ID] = true
		}
		for _, l := range s.labels {
			labels[l.RequestID] = true
		}
		if len(requests) != 100 || len(labels) != 100 || s.released != 1 {
			t.Errorf("tick %s: %d rows, %d labels, released %d times", tick, len(requests), len(labels),
				s.released)
		}
	}
}

func TestReplay_LetsTheClockGoAtItsEnd(t *testing.T) {
	elsewhere(t)
	writeHourly(t, 3)
	for _, tt := range []struct {
		flags    []string
		released int
		says     string
	}{
		{nil, 1, "follows the endpoint's requests again"},
		{[]string{"--keep-clock"}, 0, "waits for the next replay"},
	} {
		s := newStreamed(t)
		got := s.replay(t, tt.flags...)
		if got.status != 0 || s.released != tt.released || !strings.Contains(got.out, tt.says) {
			t.Errorf("%v: released %d times, %+v", tt.flags, s.released, got)
		}
	}
}

func TestReplay_RefusesAStreamThatIsLaterThanTheRows(t *testing.T) {
	elsewhere(t)
	writeHourly(t, 30)
	now := dayOne.AddDate(2, 0, 0)
	for name, clock := range map[string]stream.State{
		"begun by a request":         {Stream: "m@production", Watermark: now},
		"begun amid the rows":        {Stream: "m@production", Watermark: dayOne.Add(5 * time.Hour)},
		"driven by another's replay": {Stream: "m@production", Watermark: now, Driven: true},
	} {
		s := newStreamed(t)
		s.clock = clock
		got := s.replay(t)
		if got.status != 1 || len(s.requests) != 0 ||
			!strings.Contains(got.stderr, clock.Watermark.Format(time.RFC3339)) ||
			!strings.Contains(got.stderr, "never goes back") {
			t.Errorf("%s: %d rows sent, %+v", name, len(s.requests), got)
		}
	}
	s := newStreamed(t)
	s.clock = stream.State{Watermark: dayOne}
	if got := s.replay(t); got.status != 0 || len(s.requests) != 30 {
		t.Errorf("a stream that began at the first row: %+v", got)
	}
}

func TestReplay_SendsWhatTheModelsInputsAre(t *testing.T) {
	elsewhere(t)
	for _, tt := range []struct{ column, cell, datatype, want string }{
		{"code", "007", "BYTES", `"007"`},
		{"code", "NaN", "BYTES", `"NaN"`},
		{"code", "", "BYTES", `null`},
		{"n", "9007199254740993", "INT64", `9007199254740993`},
		{"n", "3.0", "INT64", `3`},
		{"n", "nan", "INT64", `null`},
		{"yes", "True", "BOOL", `true`},
		{"yes", "0.0", "BOOL", `0`},
		{"v", "1e3", "FP64", `1000`},
		{"v", "NaN", "FP64", `null`},
		{"other", "1.5", "FP64", `1.5`},
		{"other", "red", "BYTES", `"red"`},
	} {
		write(t, "t.csv", "id,at,y,"+tt.column+"\nr1,2024-01-01,NaN,"+tt.cell+"\n")
		s := newStreamed(t)
		got := s.replay(t)
		if got.status != 0 || len(s.requests) != 1 || len(s.labels) != 0 {
			t.Errorf("%s %q: %+v, %d labels", tt.column, tt.cell, got, len(s.labels))
			continue
		}
		in := s.requests[0].Inputs
		if len(in) != 1 || in[0].Name != tt.column || in[0].Datatype != tt.datatype ||
			string(in[0].Data) != "["+tt.want+"]" {
			t.Errorf("%s %q is sent as %s", tt.column, tt.cell, in)
		}
	}
}

func TestReplay_SendsWhatComesWithALabelAsItIsWritten(t *testing.T) {
	elsewhere(t)
	write(t, "t.csv", "id,at,y,account,share,name\nr1,2024-01-01,1,9007199254740993,0.50,red\n")
	s := newStreamed(t)
	if got := s.replay(t, "--with", "account,share,name"); got.status != 0 || len(s.labels) != 1 {
		t.Fatalf("%+v, %d labels", got, len(s.labels))
	}
	want := `{"account":9007199254740993,"name":"red","share":0.5}`
	if got, err := json.Marshal(s.labels[0].Columns); err != nil || string(got) != want {
		t.Errorf("columns %s, %v; want %s", got, err, want)
	}
}

func TestReplay_RefusesBadCellsWithTheirLine(t *testing.T) {
	elsewhere(t)
	for _, tt := range []struct{ name, table, says string }{
		{"infinite", "id,at,y,v\nr1,2024-01-01,1,1\nr2,2024-01-02,1,Inf\n", "line 3: column v"},
		{"infinite label", "id,at,y\nr1,2024-01-01,-inf\n", "line 2: column y"},
		{"infinite, type unknown", "id,at,y,other\nr1,2024-01-01,1,1e999\n", "line 2: column other"},
		{"text for a number", "id,at,y,v\nr1,2024-01-01,1,red\n", `"red" is not a number`},
		{"a fraction", "id,at,y,n\nr1,2024-01-01,1,2.5\n", `"2.5" is not a whole number`},
		{"no time", "id,at,y\nr1,yesterday,1\n", "line 2: column at"},
		{"no id", "id,at,y\n,2024-01-01,1\n", "line 2: column id"},
		{"behind a cell of two lines", "id,at,y,code\nr1,2024-01-01,1,\"a\nb\"\nr2,2024-01-01,x,c\n",
			"line 4: column y"},
		{"no rows", "id,at,y\n", "no rows"},
		{"no column", "id,at\nr1,2024-01-01\n", `no column "y"`},
	} {
		write(t, "t.csv", tt.table)
		s := newStreamed(t)
		if got := s.replay(t); got.status != 1 || !strings.Contains(got.stderr, tt.says) ||
			len(s.requests) > 0 {
			t.Errorf("%s: %+v, want %s", tt.name, got, tt.says)
		}
	}
	os.Remove("t.csv")
	if got := newStreamed(t).replay(t); got.status != 5 {
		t.Errorf("no file: %+v", got)
	}
}

func TestReplay_RefusesStepsThatDoNotEnd(t *testing.T) {
	elsewhere(t)
	writeHourly(t, 2)
	for _, flags := range []string{"--tick 0", "--tick -1h", "--label-every 0s", "--label-every -24h",
		"--label-delay -1s"} {
		s := newStreamed(t)
		if got := s.replay(t, strings.Fields(flags)...); got.status != 2 ||
			!strings.Contains(got.stderr, strings.Fields(flags)[0]) {
			t.Errorf("%s: %+v", flags, got)
		}
	}
}
