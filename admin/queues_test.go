package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
)

// queues answers with what it was asked, in words.
type queues struct {
	messages []admin.Message
	asked    string
	err      error
}

func (q *queues) Depth(_ context.Context, connection, queue string) (admin.QueueDepth, error) {
	q.asked = fmt.Sprint("depth ", connection, " ", queue)
	return admin.QueueDepth{Connection: connection, Queue: queue, Depth: 7}, q.err
}

func (q *queues) BrowseQueue(_ context.Context, connection, queue string, skip, limit int) ([]admin.Message, error) {
	q.asked = fmt.Sprint("browse ", connection, " ", queue, " ", skip, " ", limit)
	return q.messages, q.err
}

func TestQueues(t *testing.T) {
	q := &queues{messages: []admin.Message{whole}}
	c := serve(t, &fake{QueueViewer: q})
	depth, err := c.Depth(t.Context(), "a/b c", "ADDRESS::QUEUE/1?")
	if want := (admin.QueueDepth{Connection: "a/b c", Queue: "ADDRESS::QUEUE/1?", Depth: 7}); err != nil || depth != want || q.asked != "depth a/b c ADDRESS::QUEUE/1?" {
		t.Errorf("got %+v, %v after %q; want %+v", depth, err, q.asked, want)
	}
	messages, err := c.BrowseQueue(t.Context(), "c", "q", 3, 4)
	if diff := cmp.Diff(q.messages, messages); diff != "" || err != nil || q.asked != "browse c q 3 4" {
		t.Errorf("asked %q, error %v (-want +got):\n%s", q.asked, err, diff)
	}
	q.messages = nil
	if messages, err := c.BrowseQueue(t.Context(), "c", "q", 0, 1); err != nil || messages == nil || len(messages) != 0 {
		t.Errorf("an empty queue: got %#v, %v; want an empty list", messages, err)
	}
	for _, limit := range []int{-1, 0, admin.MaxEvents + 1} {
		_, err := c.BrowseQueue(t.Context(), "c", "q", 0, limit)
		if p, ok := errors.AsType[*admin.Problem](err); !ok || p.Status != http.StatusBadRequest {
			t.Errorf("limit %d: got %v, want 400", limit, err)
		}
	}
	if _, err := c.BrowseQueue(t.Context(), "c", "q", -1, 1); err == nil {
		t.Error("skip -1: got no error, want 400")
	}
}

// What a broker cannot do is told apart from what went wrong.
func TestQueueErrors(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
	}{
		{fmt.Errorf("%w: the broker does not tell", errors.ErrUnsupported), http.StatusNotImplemented},
		{fmt.Errorf("%w: there is no connection", admin.ErrNotFound), http.StatusNotFound},
		{fmt.Errorf("%w: queue: expected a queue", admin.ErrBadRequest), http.StatusBadRequest},
		{errors.New("connection refused"), http.StatusBadGateway},
	} {
		c := serve(t, &fake{QueueViewer: &queues{err: tt.err}})
		_, depth := c.Depth(t.Context(), "c", "q")
		_, browse := c.BrowseQueue(t.Context(), "c", "q", 0, 1)
		for _, err := range []error{depth, browse} {
			if p, ok := errors.AsType[*admin.Problem](err); !ok || p.Status != tt.status || p.Detail != tt.err.Error() {
				t.Errorf("got %v, want status %d and %q", err, tt.status, tt.err)
			}
		}
	}
}
