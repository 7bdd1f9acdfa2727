package loop

import (
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/stream"
)

func TestClockLine_SaysWhatMovesIt(t *testing.T) {
	at := time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)
	const now = "It is 2011-03-01 00:00 in the model's stream time (UTC)"
	for want, e := range map[string]Explanation{
		now + ".": {endpoint: "m@p", Clock: stream.State{Watermark: at, Mode: "wall_time"}},
		now + ", which follows the event times of requests: without them it stands still.": {
			endpoint: "m@p", Clock: stream.State{Watermark: at, Mode: "event_time"}},
		now + ". A replay drives it: it stands still until that goes on, or lets go of it.": {
			endpoint: "m@p", Clock: stream.State{Watermark: at, Driven: true}},
		"m@p has had no request yet: its stream time begins with the first one.": {endpoint: "m@p"},
	} {
		e.At = at
		if got := e.clockLine(); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
	}
}
