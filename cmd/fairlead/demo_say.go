package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// narrator tells on stderr what happens, each line with the seconds that have
// passed. On a terminal the last line is the status: what is being done, and for how
// long.
type narrator struct {
	began time.Time

	mu       sync.Mutex
	w        io.Writer
	terminal bool
	width    int
	doing    string
	since    time.Time // of doing
	quit     chan struct{}
	wait     sync.WaitGroup
}

func newNarrator(c *cli) *narrator {
	p := c.newProgress()
	n := &narrator{began: p.began, w: p.w, terminal: p.terminal, width: p.width,
		quit: make(chan struct{})}
	if n.terminal {
		n.wait.Go(n.live)
	}
	return n
}

// live draws the status anew each second.
func (n *narrator) live() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-n.quit:
			return
		case <-tick.C:
			n.mu.Lock()
			n.draw()
			n.mu.Unlock()
		}
	}
}

// line tells of something that has happened.
func (n *narrator) line(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clear()
	fmt.Fprintf(n.w, "%5.1fs  %s\n", time.Since(n.began).Seconds(), fmt.Sprintf(format, args...))
	n.draw()
}

// now says what is being done, on a terminal; nothing when it is empty.
func (n *narrator) now(doing string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if doing == n.doing {
		return
	}
	n.doing, n.since = doing, time.Now()
	n.clear()
	n.draw()
}

// draw writes the status in the place of the one before.
func (n *narrator) draw() {
	if !n.terminal || n.doing == "" {
		return
	}
	line := fmt.Sprintf("%5.1fs  … %s", time.Since(n.began).Seconds(), n.doing)
	if took := time.Since(n.since); took >= 2*time.Second {
		line += fmt.Sprintf(" (for %.0f s)", took.Seconds())
	}
	n.clear()
	fmt.Fprintf(n.w, "%.*s", n.width-1, line)
}

func (n *narrator) clear() {
	if n.terminal {
		io.WriteString(n.w, "\r\x1b[K")
	}
}

// end takes the status away.
func (n *narrator) end() {
	close(n.quit)
	n.wait.Wait()
	n.now("")
}
