package services

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells the user what happens, a line per step with the seconds since
// the beginning.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
}

func newProgress(out io.Writer) *progress { return &progress{out: out, began: time.Now()} }

func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%7.1f s  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}
