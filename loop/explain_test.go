package loop_test

import (
	"testing"

	"github.com/fairlead-ml/fairlead/loop"
)

// Whatever state a case is in, the explanation says what has to happen next.
func TestExplain_SaysWhatACaseWaitsFor(t *testing.T) {
	w := newWorld(t, canary)
	w.close()
	w.lazy, w.next, w.slow = true, good, map[loop.State]chan struct{}{}
	for _, at := range []loop.State{loop.Training, loop.Packaging, loop.Gating, loop.Releasing} {
		w.slow[at] = make(chan struct{})
	}
	w.open()
	c, err := w.loop.Run(t.Context(), w.p)
	w.must(err)
	for _, s := range []struct {
		state loop.State
		says  string
	}{
		{loop.Collecting, "It waits for its data to be collected: `fairlead job`"},
		{loop.Training, "It waits for pipeline run pr_" + c.ID + " to end"},
		{loop.Packaging, "It waits for version 1 to be packaged"},
		{loop.Gating, "It waits for the gate to evaluate it"},
		{loop.Releasing, "It waits for bikes@production to serve it: `fairlead endpoint"},
	} {
		for changed := w.db.Changed(); w.get(c.ID).State != s.state; changed = w.db.Changed() {
			<-changed
		}
		w.wantLine(s.says)
		w.wantLine("bikes@production has had no request yet: its stream time begins with the first one.")
		if ch := w.slow[s.state]; ch != nil {
			close(ch)
		} else {
			w.must(w.jobs.Start(t.Context()))
		}
	}
	w.settle()
	w.wantStory("user 1 promoted")

	w.advance(day0)
	w.run(good)
	w.wantLine("It waits for the labels of live requests: this step has 0 of 24 labels since " +
		"2011-03-01T00:00:00Z, and asks a human at 2011-03-06T00:00:00Z")
	w.wantLine("It is 2011-03-01 00:00 in the model's stream time (UTC). A replay drives it: " +
		"it stands still until that goes on, or lets go of it.")
}
