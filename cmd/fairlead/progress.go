package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress tells on stderr what happens: on a terminal in one line that changes,
// elsewhere in a line for each change.
type progress struct {
	w        io.Writer
	terminal bool
	width    int // of the terminal, in columns
	last     string
	began    time.Time
}

func (c *cli) newProgress() *progress {
	p := &progress{w: c.err, began: time.Now()}
	f, ok := c.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	width, _, err := term.GetSize(int(f.Fd()))
	p.terminal, p.width = err == nil && width > 20, width
	return p
}

// status says what is being done now.
func (p *progress) status(text string) {
	switch {
	case p.terminal:
		line := []rune(fmt.Sprintf("%4.0fs  %s", time.Since(p.began).Seconds(), text))
		fmt.Fprintf(p.w, "\r\x1b[K%s", string(line[:min(len(line), p.width-1)]))
	case text != p.last:
		fmt.Fprintf(p.w, "%s  %s\n", time.Now().Format(time.TimeOnly), text)
	}
	p.last = text
}

// end leaves the last status standing, and the cursor below it.
func (p *progress) end() {
	if p.terminal && p.last != "" {
		fmt.Fprintln(p.w)
	}
	p.last = ""
}
