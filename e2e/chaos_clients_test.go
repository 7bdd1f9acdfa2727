package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// As many connections as many clients hold at once, each of which sends writes of every
// kind without a pause: none is refused, none is hung up on, and all of it is there.
func TestClients_256ConnectionsMeetNoError(t *testing.T) {
	const connections = 256
	s := serve(t, t.TempDir())
	var dialled atomic.Int64
	all := make([]*writer, connections)
	var begun, ended sync.WaitGroup
	begun.Add(connections)
	for i := range all {
		own := *s
		own.http = &http.Client{Timeout: time.Minute, Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				dialled.Add(1)
				return new(net.Dialer).DialContext(ctx, network, address)
			}}}
		t.Cleanup(own.http.CloseIdleConnections)
		all[i] = &writer{s: &own, first: i, name: fmt.Sprint("c", i)}
		ended.Go(func() {
			func() { defer begun.Done(); all[i].begin(t) }()
			begun.Wait()
			all[i].write(t, 3*kindsOfWrites)
		})
	}
	ended.Wait()
	for _, w := range all {
		if w.acked != 3*kindsOfWrites {
			t.Errorf("%s: %d requests were answered", w.name, w.acked)
		}
	}
	if n := dialled.Load(); n != connections {
		t.Errorf("%d connections were made for %d clients", n, connections)
	}
	checkWriters(t, s, all)
}
