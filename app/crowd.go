package app

import (
	"container/list"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
)

// maxConns bounds the connections, each of which holds a file descriptor and some tens
// of kilobytes.
const maxConns = 4096

// connsHere is how many connections the server takes on this machine: of the descriptors
// that it may have, half are for files and what else there is.
func connsHere(log *slog.Logger) int {
	var files syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	if err != nil || files.Cur/2 >= maxConns {
		return maxConns
	}
	log.Warn("few file descriptors, so few connections; raise `ulimit -n`", "descriptors", files.Cur,
		"connections", files.Cur/2)
	return int(files.Cur / 2)
}

// crowd bounds a server's connections. Where there are too many, the one goes that has
// waited the longest for a request: that of a client which says nothing, or is slow to
// say what it wants, keeps nobody out.
type crowd struct {
	max     int
	mu      sync.Mutex
	open    int
	waiting *list.List // net.Conn, by the time since which they have no request
	place   map[net.Conn]*list.Element
}

func newCrowd(max int) *crowd {
	return &crowd{max: max, waiting: list.New(), place: map[net.Conn]*list.Element{}}
}

// note follows the states of connections; see http.Server.ConnState.
func (c *crowd) note(conn net.Conn, state http.ConnState) {
	if victim := c.follow(conn, state); victim != nil {
		victim.Close()
	}
}

// follow returns the connection that has to go.
func (c *crowd) follow(conn net.Conn, state http.ConnState) (victim net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(conn)
	switch state {
	case http.StateClosed, http.StateHijacked:
		c.open--
		return nil
	case http.StateActive:
		return nil
	case http.StateNew:
		c.open++
	}
	c.place[conn] = c.waiting.PushBack(conn)
	if c.open <= c.max || state != http.StateNew {
		return nil
	}
	victim = c.waiting.Front().Value.(net.Conn)
	c.forget(victim)
	return victim
}

// forget says that a connection does not wait any more.
func (c *crowd) forget(conn net.Conn) {
	if at, ok := c.place[conn]; ok {
		c.waiting.Remove(at)
		delete(c.place, conn)
	}
}
