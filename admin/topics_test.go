package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/admin"
)

// topics answers with what it was asked, in words.
type topics struct {
	topic     admin.Topic
	event     admin.StoredEvent
	published admin.Publication
	asked     string
	err       error
}

func (t *topics) Publish(_ context.Context, target string, p admin.Publication) (string, error) {
	t.asked, t.published = "publish "+target, p
	return "id", t.err
}

func (t *topics) Topics(context.Context) ([]admin.Topic, error) {
	t.asked = "topics"
	if t.topic.Name == "" {
		return nil, t.err
	}
	return []admin.Topic{t.topic}, t.err
}

func (t *topics) Topic(_ context.Context, name string) (admin.Topic, error) {
	t.asked = "topic " + name
	return t.topic, t.err
}

func (t *topics) Browse(_ context.Context, topic string, skip, limit int) ([]admin.StoredEvent, error) {
	t.asked = fmt.Sprint("browse ", topic, " ", skip, " ", limit)
	return []admin.StoredEvent{t.event}, t.err
}

func (t *topics) Purge(_ context.Context, topic string) (int, error) {
	t.asked = "purge " + topic
	return 7, nil
}

func (t *topics) DeleteSubscription(_ context.Context, topic, subscription string) (int, error) {
	t.asked = "delete " + subscription + " of " + topic
	return 3, nil
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

func TestTopics(t *testing.T) {
	f := &topics{
		topic: admin.Topic{
			Name: "a/b?", Target: "topic:a/b?", Kind: admin.KindTopic, Depth: 2, Delayed: 1, Oldest: &at, Last: &at, LastID: "x",
			Subscriptions: []admin.Subscription{{Name: "s", Served: true, Depth: 1, Retrying: 1, InFlight: 1, Oldest: &at, Created: at}},
		},
		event: admin.StoredEvent{
			Message: whole, Source: "/s", Type: "t", Subscription: "s", Key: "k", Place: "retrying", Published: at, Due: &at, Expires: &at,
			Attempts: 2, Error: "boom",
		},
	}
	c := serve(t, &fake{TopicStore: f})
	check := func(asked string, want, got any, err error) {
		t.Helper()
		if err != nil || f.asked != asked {
			t.Errorf("asked for %q, error %v; want %q", f.asked, err, asked)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", asked, diff)
		}
	}
	all, err := c.Topics(t.Context())
	check("topics", []admin.Topic{f.topic}, all, err)
	one, err := c.Topic(t.Context(), "topic:a/b?")
	check("topic topic:a/b?", f.topic, one, err)
	events, err := c.Browse(t.Context(), "topic:a/b?", 3, 4)
	check("browse topic:a/b? 3 4", []admin.StoredEvent{f.event}, events, err)
	n, err := c.Purge(t.Context(), "topic:a/b?")
	check("purge topic:a/b?", 7, n, err)
	n, err = c.DeleteSubscription(t.Context(), "topic:a/b?", "s/1")
	check("delete s/1 of topic:a/b?", 3, n, err)

	f.topic = admin.Topic{}
	if status, body := request(t, c, http.MethodGet, "/api/v1/topics", ""); status != 200 || strings.TrimSpace(body) != `{"topics":[]}` {
		t.Errorf("got %d %s, want an empty list and not null", status, body)
	}
}

func TestTheFieldsOfATopic(t *testing.T) {
	c := serve(t, &fake{TopicStore: &topics{topic: admin.Topic{Name: "f", Target: "f", Kind: admin.KindFunction}}})
	_, body := request(t, c, http.MethodGet, "/api/v1/topics/f", "")
	want := `{"name":"f","target":"f","kind":"function","depth":0,"delayed":0,"oldest":null,"last":null,"subscriptions":null}`
	if strings.TrimSpace(body) != want {
		t.Errorf("got %s, want %s", body, want)
	}
}

func TestPublish(t *testing.T) {
	f := &topics{}
	c := serve(t, &fake{TopicStore: f})
	priority := 9
	want := admin.Publication{
		Message: admin.Message{ID: "1", ContentType: "text/plain", Header: map[string]any{"a": "b"}, Text: text("Grüße")},
		Key:     "k", Priority: &priority, TTL: admin.Duration(90 * time.Minute), After: admin.Duration(time.Second),
	}
	id, err := c.Publish(t.Context(), "topic:orders/new", want)
	if err != nil || id != "id" || f.asked != "publish topic:orders/new" {
		t.Errorf("got %q, %v for %q", id, err, f.asked)
	}
	if diff := cmp.Diff(want, f.published); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := c.Publish(t.Context(), "f", admin.Publication{At: &at}); err != nil || !f.published.At.Equal(at) {
		t.Errorf("got %+v, %v; want at", f.published, err)
	}
}

func TestBadPublications(t *testing.T) {
	c := serve(t, &fake{}) // which nothing may reach
	for body, says := range map[string]string{
		"":                      "body",
		`{"keys":"a"}`:          "keys",
		`{"ttl":"soon"}`:        "expected a duration such as 90s",
		`{"ttl":90}`:            "ttl",
		`{"ttl":"-1s"}`:         "ttl: found -1s",
		`{"after":"-1s"}`:       "after: found -1s",
		`{"at":"tomorrow"}`:     "tomorrow",
		`{"priority":"high"}`:   "priority",
		`{"replyTo":"q"}`:       "replyTo",
		`{"correlationId":"q"}`: "correlationId",
		`{"after":"1s","at":"2026-01-02T03:04:05Z"}`: "both after and at",
	} {
		status, answer := request(t, c, http.MethodPost, "/api/v1/topics/f/events", body)
		if status != 400 || !strings.Contains(answer, says) {
			t.Errorf("%s: got %d %s, want 400 and %q", body, status, answer, says)
		}
	}
}

func TestBadQuestionsAboutTopics(t *testing.T) {
	c := serve(t, &fake{})
	for _, tt := range []struct {
		path, says string
		want       int
	}{
		{"/api/v1/topics/f/events?skip=-1", "skip", 400},
		{"/api/v1/topics/f/events?skip=x", "skip", 400},
		{"/api/v1/topics/f/events?limit=0", "limit", 400},
		{"/api/v1/topics/f/events?limit=101", "1 to 100", 400},
		{"/api/v1/topics/f/events?limit=1&limit=2", "one value", 400},
		{"/api/v1/topics/f/events?form=1", "unknown parameter", 400},
		{"/api/v1/topics/f/other", "there is no GET", 404},
	} {
		status, body := request(t, c, http.MethodGet, tt.path, "")
		if status != tt.want || !strings.Contains(body, tt.says) {
			t.Errorf("%s: got %d %s, want %d and %q", tt.path, status, body, tt.want, tt.says)
		}
	}
}

func TestErrorsOfTheStoreBecomeStatuses(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{admin.ErrNotFound, 404},
		{admin.ErrBadRequest, 400},
		{admin.ErrConflict, 409},
		{admin.ErrNoStore, 501},
		{admin.ErrUnavailable, 503},
		{errors.New("broken"), 502},
	} {
		err := fmt.Errorf("topic x: %w", tt.err)
		c := serve(t, &fake{TopicStore: &topics{err: err}, LetterStore: &letters{err: err}})
		for _, r := range []struct{ method, path, body string }{
			{"GET", "/api/v1/topics", ""},
			{"GET", "/api/v1/topics/x", ""},
			{"GET", "/api/v1/topics/x/events", ""},
			{"POST", "/api/v1/topics/x/events", "{}"},
			{"DELETE", "/api/v1/topics/x/events", ""},
			{"DELETE", "/api/v1/topics/x/subscriptions/y", ""},
			{"GET", "/api/v1/deadletters", ""},
			{"GET", "/api/v1/deadletters/1", ""},
			{"DELETE", "/api/v1/deadletters/1", ""},
			{"DELETE", "/api/v1/deadletters?all=true", ""},
			{"POST", "/api/v1/deadletters/replay?all=true", ""},
		} {
			status, body := request(t, c, r.method, r.path, r.body)
			if status != tt.want || !strings.Contains(body, err.Error()) {
				t.Errorf("%v, %s %s: got %d %s, want %d", tt.err, r.method, r.path, status, body, tt.want)
			}
		}
	}
}
