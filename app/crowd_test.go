package app

import (
	"net"
	"net/http"
	"testing"
)

// conn is a connection that knows whether it was closed.
type conn struct {
	net.Conn
	closed bool
}

func (c *conn) Close() error {
	c.closed = true
	return nil
}

func TestCrowd_ClosesWhoHasWaitedTheLongest(t *testing.T) {
	c := newCrowd(3)
	all := map[string]*conn{}
	for _, step := range []struct {
		name   string
		state  http.ConnState
		closed string // by this step
	}{
		{"busy", http.StateNew, ""},
		{"idle", http.StateNew, ""},
		{"slow", http.StateNew, ""},
		{"busy", http.StateActive, ""},
		{"idle", http.StateActive, ""},
		{"idle", http.StateIdle, ""}, // later than slow
		{"a", http.StateNew, "slow"},
		{"b", http.StateNew, "idle"},
		{"slow", http.StateClosed, ""},
		{"idle", http.StateClosed, ""},
		{"a", http.StateActive, ""},
		{"b", http.StateActive, ""},
		{"c", http.StateNew, "c"}, // all others are being answered
		{"c", http.StateClosed, ""},
		{"busy", http.StateClosed, ""},
		{"d", http.StateNew, ""},
	} {
		if all[step.name] == nil {
			all[step.name] = &conn{}
		}
		var before []string
		for name, one := range all {
			if !one.closed {
				before = append(before, name)
			}
		}
		c.note(all[step.name], step.state)
		for _, name := range before {
			if all[name].closed != (name == step.closed) {
				t.Errorf("%s is %v: %s closed: %v", step.name, step.state, name, all[name].closed)
			}
		}
	}
	if c.waiting.Len() != 1 || len(c.place) != 1 || c.open != 3 {
		t.Errorf("%d wait, %d open", c.waiting.Len(), c.open)
	}
}
