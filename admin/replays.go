package admin

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// replays are those that run, by id, and what stops them.
type replays struct {
	mu      sync.Mutex
	running map[string]context.CancelFunc
}

// begin returns the ctx and the id of a new replay, and what ends it.
func (r *replays) begin(ctx context.Context) (_ context.Context, id string, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	id = rand.Text()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running == nil {
		r.running = make(map[string]context.CancelFunc)
	}
	r.running[id] = cancel
	return ctx, id, func() {
		cancel()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, id)
	}
}

// stop stops a replay, and reports whether there is one of that id.
func (r *replays) stop(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	cancel, ok := r.running[id]
	if ok {
		cancel()
	}
	return ok
}

// stopTimeout is how long a client waits for the last word of a replay that it
// has stopped.
const stopTimeout = 10 * time.Second

// Replay is [LetterStore.Replay]. When ctx ends it asks the server to stop, and
// waits for it to say how many were replayed.
func (c *Client) Replay(ctx context.Context, f LetterFilter, o ReplayOptions, progress func(n int)) (int, error) {
	stream, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	begun := make(chan string, 1) // the replay's id
	defer context.AfterFunc(ctx, func() {
		defer hangUp() // which stops it, too
		c.stopReplay(stream, begun)
	})()
	resp, err := c.do(stream, http.MethodPost, lettersPath+"/replay?"+o.query(f).Encode(), nil)
	if err != nil {
		return 0, errors.Join(ctx.Err(), err)
	}
	defer resp.Body.Close()
	return readReplay(ctx, json.NewDecoder(resp.Body), begun, progress)
}

// stopReplay asks the server to stop a replay, once it has said its id, and waits
// until its stream has ended.
func (c *Client) stopReplay(stream context.Context, begun <-chan string) {
	ctx, cancel := context.WithTimeout(stream, stopTimeout)
	defer cancel()
	select {
	case id := <-begun:
		resp, err := c.do(ctx, http.MethodDelete, "/api/v1/replays/"+id, nil)
		if err != nil {
			return
		}
		resp.Body.Close()
		<-ctx.Done()
	case <-ctx.Done():
	}
}

// readReplay follows a replay to its end.
func readReplay(ctx context.Context, lines *json.Decoder, begun chan<- string, progress func(n int)) (n int, err error) {
	for {
		var line ReplayProgress
		if err := lines.Decode(&line); err != nil {
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			return n, fmt.Errorf("replay: the server ended the stream: %w", err)
		}
		select {
		case begun <- line.ID:
		default:
		}
		n = line.Replayed
		switch line.State {
		case ReplayRunning:
			progress(n)
		case ReplayDone:
			return n, nil
		case ReplayStopped:
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			return n, errors.New("replay: somebody stopped it")
		default:
			return n, errors.New(line.Error)
		}
	}
}

func (o ReplayOptions) query(f LetterFilter) url.Values {
	q := f.selected()
	if o.PerSecond != 0 {
		q.Set("perSecond", strconv.FormatFloat(o.PerSecond, 'g', -1, 64))
	}
	if o.BypassInbox {
		q.Set("bypassInbox", "true")
	}
	return q
}
