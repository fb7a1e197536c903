package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fairlead/fairlead/admin/access"
)

// A TopicStore is the part of a [Backend] that publishes and answers for what was
// published and is not done. Its errors wrap [ErrNotFound], [ErrBadRequest],
// [ErrConflict], [ErrUnavailable] or [ErrNoStore] where that is what they say.
//
// A topic is named by what is published to: "FUNCTION" or "topic:NAME". Where
// one is looked up, the plain name of a topic does as well, if no function has it.
type TopicStore interface {
	// Publish stores an event for a function, or for every subscriber of
	// "topic:NAME", and returns its id.
	Publish(ctx context.Context, target string, p Publication) (id string, err error)

	// Topics returns all that was ever published or subscribed to, functions first.
	Topics(ctx context.Context) ([]Topic, error)

	// Topic returns one of them.
	Topic(ctx context.Context, name string) (Topic, error)

	// Browse returns up to limit events of a topic after the first skip ones,
	// without taking them.
	Browse(ctx context.Context, topic string, skip, limit int) ([]StoredEvent, error)

	// Purge removes all events of a topic but those in flight, for good, and
	// returns how many it removed. It may return both a number and an error.
	Purge(ctx context.Context, topic string) (int, error)

	// DeleteSubscription removes a subscription that nobody serves any more, with
	// the events it still has to do, and returns how many these were. The error of
	// one that is served wraps [ErrConflict].
	DeleteSubscription(ctx context.Context, topic, subscription string) (int, error)
}

// A Publication is an event to publish. Of the Message it takes the ID, the
// media type, the headers and the data.
type Publication struct {
	Message
	Key      string     `json:"key,omitempty"`      // events of one key are delivered in order
	Priority *int       `json:"priority,omitempty"` // 0 to 9, higher first; 4 if absent
	TTL      Duration   `json:"ttl,omitempty"`      // it expires after that; never if absent
	After    Duration   `json:"after,omitempty"`    // it is delivered after that
	At       *time.Time `json:"at,omitempty"`       // or at that time; at most one of both
}

// Check says what is wrong with p, whatever it is published to. The error wraps
// [ErrBadRequest].
func (p *Publication) Check() error {
	switch {
	case p.After != 0 && p.At != nil:
		return fmt.Errorf("%w: found both after and at, expected one of them", ErrBadRequest)
	case p.After < 0:
		return fmt.Errorf("%w: after: found %v, expected a duration above 0", ErrBadRequest, p.After)
	case p.TTL < 0:
		return fmt.Errorf("%w: ttl: found %v, expected a duration above 0", ErrBadRequest, p.TTL)
	case p.ReplyTo != "" || p.CorrelationID != "":
		return fmt.Errorf("%w: found replyTo or correlationId, which an event does not have", ErrBadRequest)
	}
	return nil
}

// A Duration is a time.Duration that JSON has in words, as in "1h30m".
type Duration time.Duration

// String returns d as time.Duration does.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration as [time.ParseDuration] does.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("found %q, expected a duration such as 90s or 1h30m", text)
	}
	*d = Duration(v)
	return nil
}

// Kinds of a [Topic].
const (
	KindFunction = "function"
	KindTopic    = "topic"
)

// A Topic is all that was published to one function or topic and is not done.
type Topic struct {
	Name          string         `json:"name"`             // without "topic:"
	Target        string         `json:"target"`           // what to publish to: "FUNCTION" or "topic:NAME"
	Kind          string         `json:"kind"`             // KindFunction or KindTopic
	Depth         int            `json:"depth"`            // events not done yet, of the subscription that has the most
	Delayed       int            `json:"delayed"`          // of these, not due yet
	Oldest        *time.Time     `json:"oldest"`           // when the oldest of them was published; null: there is none
	Last          *time.Time     `json:"last"`             // when the last one was published; null: never
	LastID        string         `json:"lastId,omitempty"` // its id
	Subscriptions []Subscription `json:"subscriptions"`
}

// A Subscription is one who gets what is published to a topic: the function
// itself, or a trigger on the topic.
type Subscription struct {
	Name     string     `json:"name"`   // empty: nobody has subscribed yet; the first one who does gets it all
	Served   bool       `json:"served"` // a process that lives serves it
	Depth    int        `json:"depth"`
	Retrying int        `json:"retrying"` // of these, failed before, or waiting behind one that did
	InFlight int        `json:"inFlight"` // of these, being worked on
	Oldest   *time.Time `json:"oldest"`
	Created  time.Time  `json:"created"`
	Error    string     `json:"error,omitempty"` // why it is not worked on, or the last error of an event to be retried
}

// A StoredEvent is an event as it lies in the store.
type StoredEvent struct {
	Message
	Source       string     `json:"source"`
	Type         string     `json:"type"`
	Subscription string     `json:"subscription,omitempty"` // whose copy it is
	Key          string     `json:"key,omitempty"`
	Place        string     `json:"place"` // queued, inflight, retrying, behind (a failed one of its key) or delayed
	Published    time.Time  `json:"published"`
	Due          *time.Time `json:"due,omitempty"` // of what is retrying or delayed
	Expires      *time.Time `json:"expires,omitempty"`
	Attempts     int        `json:"attempts"`
	Error        string     `json:"error,omitempty"` // of the last attempt, or why it cannot be read
}

// Answers about topics.
type (
	// A TopicList is the answer to GET topics.
	TopicList struct {
		Topics []Topic `json:"topics"`
	}
	// An EventList is the answer to GET events of a topic.
	EventList struct {
		Events []StoredEvent `json:"events"`
	}
	// A Removal is the answer to a DELETE.
	Removal struct {
		Removed int `json:"removed"`
	}
)

// Limits of what a page holds.
const (
	DefaultLimit = 100
	MaxEvents    = 100  // with their data
	MaxLetters   = 1000 // without
)

// storeTimeout is how long a request waits for a store that does not answer.
const storeTimeout = 10 * time.Second

func (s *server) topicRoutes() []route {
	return []route{
		{
			method: "GET", path: "/api/v1/topics", role: access.Viewer, summary: "All functions and topics that were published or subscribed to",
			out: typeOf[TopicList](), serve: s.topics,
		}, {
			method: "GET", path: "/api/v1/topics/{name}", role: access.Viewer, summary: "One function or topic",
			out: typeOf[Topic](), serve: s.topic,
		}, {
			method: "GET", path: "/api/v1/topics/{name}/events", role: access.Viewer, summary: "Events that wait, without taking them",
			query: []parameter{{name: "skip", kind: typeOf[uint](), doc: "leave out the first ones"}, limitParameter(MaxEvents)},
			out:   typeOf[EventList](), serve: s.browse,
		}, {
			method: "POST", path: "/api/v1/topics/{name}/events", role: access.Operator, summary: "Publish an event",
			in: typeOf[Publication](), out: typeOf[SendResult](), serve: s.publish,
		}, {
			method: "DELETE", path: "/api/v1/topics/{name}/events", role: access.Operator, summary: "Remove all events but those in flight, for good",
			out: typeOf[Removal](), serve: s.purge,
		}, {
			method: "DELETE", path: "/api/v1/topics/{name}/subscriptions/{subscription}", role: access.Operator, summary: "Remove a subscription that nobody serves, with its events",
			out: typeOf[Removal](), serve: s.deleteSubscription,
		},
	}
}

// answer asks the store for something that takes no longer than storeTimeout,
// and writes it.
func answer[T any](w http.ResponseWriter, r *http.Request, ask func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	v, err := ask(ctx)
	if err != nil {
		fail(w, err)
		return
	}
	write(w, v)
}

func (s *server) publish(w http.ResponseWriter, r *http.Request) {
	p, err := read[Publication](r)
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, r, func(ctx context.Context) (SendResult, error) {
		id, err := s.backend.Publish(ctx, r.PathValue("name"), p)
		return SendResult{id}, err
	})
}

func (s *server) topics(w http.ResponseWriter, r *http.Request) {
	answer(w, r, func(ctx context.Context) (TopicList, error) {
		topics, err := s.backend.Topics(ctx)
		return TopicList{orEmpty(topics)}, err
	})
}

func (s *server) topic(w http.ResponseWriter, r *http.Request) {
	answer(w, r, func(ctx context.Context) (Topic, error) { return s.backend.Topic(ctx, r.PathValue("name")) })
}

func (s *server) browse(w http.ResponseWriter, r *http.Request) {
	q := parameters{values: r.URL.Query()}
	skip, limit := q.number("skip", 0), q.limit(MaxEvents)
	if err := q.end(); err != nil {
		fail(w, err)
		return
	}
	answer(w, r, func(ctx context.Context) (EventList, error) {
		events, err := s.backend.Browse(ctx, r.PathValue("name"), skip, limit)
		return EventList{orEmpty(events)}, err
	})
}

// purge looks the topic up first: whether the store answers and has it shows
// within storeTimeout, but removing may take longer.
func (s *server) purge(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	if _, err := s.backend.Topic(ctx, r.PathValue("name")); err != nil {
		fail(w, err)
		return
	}
	n, err := s.backend.Purge(r.Context(), r.PathValue("name"))
	removed(w, n, err)
}

func (s *server) deleteSubscription(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	if _, err := s.backend.Topic(ctx, r.PathValue("name")); err != nil {
		fail(w, err)
		return
	}
	n, err := s.backend.DeleteSubscription(r.Context(), r.PathValue("name"), r.PathValue("subscription"))
	removed(w, n, err)
}

// removed answers to a request that removes in steps: what was removed before an
// error stays so.
func removed(w http.ResponseWriter, n int, err error) {
	switch {
	case err == nil:
		write(w, Removal{n})
	case n > 0:
		fail(w, fmt.Errorf("%d were removed, and then: %w", n, err))
	default:
		fail(w, err)
	}
}

// orEmpty makes JSON write a list that has nothing as [].
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func topicPath(name string) string { return "/api/v1/topics/" + url.PathEscape(name) }

// Publish is [TopicStore.Publish].
func (c *Client) Publish(ctx context.Context, target string, p Publication) (string, error) {
	var r SendResult
	_, err := c.call(ctx, http.MethodPost, topicPath(target)+"/events", p, &r)
	return r.ID, err
}

// Topics is [TopicStore.Topics].
func (c *Client) Topics(ctx context.Context) ([]Topic, error) {
	var r TopicList
	_, err := c.call(ctx, http.MethodGet, "/api/v1/topics", nil, &r)
	return r.Topics, err
}

// Topic is [TopicStore.Topic].
func (c *Client) Topic(ctx context.Context, name string) (Topic, error) {
	var t Topic
	_, err := c.call(ctx, http.MethodGet, topicPath(name), nil, &t)
	return t, err
}

// Browse is [TopicStore.Browse], for up to [MaxEvents] events.
func (c *Client) Browse(ctx context.Context, topic string, skip, limit int) ([]StoredEvent, error) {
	var r EventList
	query := url.Values{"skip": {strconv.Itoa(skip)}, "limit": {strconv.Itoa(limit)}}
	_, err := c.call(ctx, http.MethodGet, topicPath(topic)+"/events?"+query.Encode(), nil, &r)
	return r.Events, err
}

// Purge is [TopicStore.Purge].
func (c *Client) Purge(ctx context.Context, topic string) (int, error) {
	var r Removal
	_, err := c.call(ctx, http.MethodDelete, topicPath(topic)+"/events", nil, &r)
	return r.Removed, err
}

// DeleteSubscription is [TopicStore.DeleteSubscription].
func (c *Client) DeleteSubscription(ctx context.Context, topic, subscription string) (int, error) {
	var r Removal
	_, err := c.call(ctx, http.MethodDelete, topicPath(topic)+"/subscriptions/"+url.PathEscape(subscription), nil, &r)
	return r.Removed, err
}
