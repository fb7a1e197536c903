//go:build mq && cgo

package mq

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead/fairlead/test/mqdouble/engine"
)

// TestExactlyOnce forwards numbered messages atomically, in batches, while the
// program is killed and its connections are cut: each is there once, and poison
// is where it belongs.
func TestExactlyOnce(t *testing.T) {
	const n, poisons = 300, 5
	d := start(t)
	d.Define(in, engine.Attributes{BackoutThreshold: 100, BackoutQueue: backout})
	for i := range n {
		put(t, d, fmt.Sprintf("m-%d;", i))
		if i%(n/poisons) == 0 {
			put(t, d, fmt.Sprintf("poison-%d;", i))
		}
	}
	p := newProgram(t, d, "forward", ", concurrency: 3, batch: 10, retry: {attempts: 3, first: 1ms}")
	p.start()
	for step := range 6 {
		await(t, "some are done", func() bool { return len(d.Messages(out)) >= (step+1)*n/8 })
		if step%2 == 0 {
			p.kill()
			p.start()
		} else {
			d.Break()
		}
	}
	await(t, "all are done", func() bool { return d.Depth(in) == 0 })
	p.stop()
	wantMessages(t, d, backout, poisons)
	seen := make(map[string]int)
	for _, m := range wantMessages(t, d, out, n) {
		text := string(m.Data)
		seen[text[max(0, strings.LastIndex(text, "m-")):]]++
	}
	for i := range n {
		if got := seen[fmt.Sprintf("m-%d;", i)]; got != 1 {
			t.Errorf("message %d is there %d times, want once", i, got)
		}
	}
}
