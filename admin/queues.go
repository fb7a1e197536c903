package admin

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/admin/access"
)

// A QueueViewer is the part of a [Backend] that looks at what waits in the queues
// of brokers, without taking it. Not every broker lets itself be looked at: then the
// error wraps [errors.ErrUnsupported].
type QueueViewer interface {
	// Depth says how many messages wait in a queue, as the broker of a connection
	// counts them.
	Depth(ctx context.Context, connection, queue string) (QueueDepth, error)

	// BrowseQueue returns up to limit messages after the first skip ones, in the
	// order in which they would be received. Nothing is taken or counted as
	// delivered; what others hold may be shown.
	BrowseQueue(ctx context.Context, connection, queue string, skip, limit int) ([]Message, error)
}

// A QueueDepth says how much waits in a queue of a broker. It is the answer to GET
// connections/NAME/queues/QUEUE.
type QueueDepth struct {
	Connection string `json:"connection"`
	Queue      string `json:"queue"`
	Depth      int    `json:"depth"` // messages that wait; on most brokers those that somebody holds are among them
}

// A MessageList is the answer to GET messages of a queue.
type MessageList struct {
	Messages []Message `json:"messages"`
}

// queueTimeout is how long a request waits for a broker: browsing ends when
// nothing has come for a while.
const queueTimeout = 30 * time.Second

func (s *server) queueRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/connections/{name}/queues/{queue}", role: access.Viewer, summary: "How much waits in a queue of a broker; 501 where the broker does not tell",
			out: typeOf[QueueDepth](), serve: s.depth,
		}, {
			method: "GET", path: "/api/v1/connections/{name}/queues/{queue}/messages", role: access.Viewer, summary: "Messages that wait in a queue of a broker, without taking them; 501 where the broker does not show them",
			query: []parameter{{name: "skip", kind: typeOf[uint](), doc: "leave out the first ones"}, limitParameter(MaxEvents)},
			out:   typeOf[MessageList](), serve: s.browseQueue,
		},
	}
}

func (s *server) depth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), queueTimeout)
	defer cancel()
	d, err := s.backend.Depth(ctx, r.PathValue("name"), r.PathValue("queue"))
	if err != nil {
		fail(w, err)
		return
	}
	write(w, d)
}

func (s *server) browseQueue(w http.ResponseWriter, r *http.Request) {
	q := parameters{values: r.URL.Query()}
	skip, limit := q.number("skip", 0), q.limit(MaxEvents)
	if err := q.end(); err != nil {
		fail(w, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), queueTimeout)
	defer cancel()
	messages, err := s.backend.BrowseQueue(ctx, r.PathValue("name"), r.PathValue("queue"), skip, limit)
	if err != nil {
		fail(w, err)
		return
	}
	write(w, MessageList{orEmpty(messages)})
}

func queuePath(connection, queue string) string {
	return "/api/v1/connections/" + url.PathEscape(connection) + "/queues/" + url.PathEscape(queue)
}

// Depth is [QueueViewer.Depth].
func (c *Client) Depth(ctx context.Context, connection, queue string) (QueueDepth, error) {
	var d QueueDepth
	_, err := c.call(ctx, http.MethodGet, queuePath(connection, queue), nil, &d)
	return d, err
}

// BrowseQueue is [QueueViewer.BrowseQueue], for up to [MaxEvents] messages.
func (c *Client) BrowseQueue(ctx context.Context, connection, queue string, skip, limit int) ([]Message, error) {
	var l MessageList
	query := url.Values{"skip": {strconv.Itoa(skip)}, "limit": {strconv.Itoa(limit)}}
	_, err := c.call(ctx, http.MethodGet, queuePath(connection, queue)+"/messages?"+query.Encode(), nil, &l)
	return l.Messages, err
}
