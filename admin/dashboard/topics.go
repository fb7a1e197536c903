package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/fairlead/fairlead/admin"
	"github.com/fairlead/fairlead/admin/access"
)

func (d *Dashboard) routeTopics() {
	d.page("GET /topics", "topics", d.topics, "topics-list")
	d.page("GET /topics/{name}", "topic", d.topic, "topic-state")
	d.action("POST /topics/{name}/publish", access.Operator, d.publish)
	d.pageFor(access.Operator, "GET /topics/{name}/purge", "topic-purge", d.topicAlone)
	d.action("POST /topics/{name}/purge", access.Operator, d.purge)
	d.pageFor(access.Operator, "GET /topics/{name}/subscriptions/{subscription}/delete", "subscription-delete", d.subscription)
	d.action("POST /topics/{name}/subscriptions/{subscription}/delete", access.Operator, d.deleteSubscription)
}

func (d *Dashboard) topics(r *http.Request) (any, error) { return d.backend.Topics(r.Context()) }

// A topicPage is a topic with some of what lies in it.
type topicPage struct {
	admin.Topic
	Events     []event
	Skip       int
	Next, Back int  // what to skip for the pages beside this one
	More       bool // there is a next page
}

// An event is one of a topic, with its body as it is shown.
type event struct {
	admin.StoredEvent
	Content *content
}

// eventsShown is how many events of a topic a page shows.
const eventsShown = 25

func (d *Dashboard) topic(r *http.Request) (any, error) {
	t, err := d.backend.Topic(r.Context(), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	skip, err := whole(r, "skip")
	if err != nil {
		return nil, err
	}
	p := topicPage{Topic: t, Skip: skip, Next: skip + eventsShown, Back: max(0, skip-eventsShown)}
	events, err := d.backend.Browse(r.Context(), r.PathValue("name"), skip, eventsShown+1)
	if err != nil {
		return nil, err
	}
	if p.More = len(events) > eventsShown; p.More {
		events = events[:eventsShown]
	}
	for _, e := range events {
		p.Events = append(p.Events, event{e, show(&e.Message, "auto")})
	}
	return p, nil
}

// whole reads a number from 0 of a query; 0 if it is not there.
func whole(r *http.Request, name string) (int, error) {
	text := r.FormValue(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: %s: found %q, expected a number from 0", admin.ErrBadRequest, name, text)
	}
	return n, nil
}

func (d *Dashboard) topicAlone(r *http.Request) (any, error) {
	return d.backend.Topic(r.Context(), r.PathValue("name"))
}

func (d *Dashboard) publish(r *http.Request) (outcome, error) {
	m, err := message(r)
	if err != nil {
		return outcome{}, err
	}
	p := admin.Publication{Message: m, Key: r.PostFormValue("key")}
	if text := r.PostFormValue("after"); text != "" {
		if err := p.After.UnmarshalText([]byte(text)); err != nil {
			return outcome{}, fmt.Errorf("%w: after: %w", admin.ErrBadRequest, err)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
	defer cancel()
	id, err := d.backend.Publish(ctx, r.PathValue("name"), p)
	if err != nil {
		return outcome{}, err
	}
	return outcome{result: result{Title: "Published", Detail: "The event is in the store.", ID: id, Form: kept(r.PostForm)}}, nil
}

// confirmed is an error unless the box of a form is ticked that says that
// something shall be gone for good.
func confirmed(r *http.Request) error {
	if r.PostFormValue("sure") == "" {
		return fmt.Errorf("%w: the box that confirms it is not ticked", admin.ErrBadRequest)
	}
	return nil
}

func (d *Dashboard) purge(r *http.Request) (outcome, error) {
	name := r.PathValue("name")
	if err := confirmed(r); err != nil {
		return outcome{to: pathOf("/topics", name, "purge")}, err
	}
	o := outcome{to: pathOf("/topics", name)}
	n, err := d.backend.Purge(r.Context(), name)
	if err != nil {
		return o, fmt.Errorf("%d were removed, and then: %w", n, err)
	}
	o.result.Title = fmt.Sprintf("%s of %s", removed(n, "event"), name)
	return o, nil
}

// removed says how many there were.
func removed(n int, what string) string {
	if n == 1 {
		return "Removed 1 " + what
	}
	return fmt.Sprintf("Removed %d %ss", n, what)
}

// A subscriptionPage asks whether a subscription shall be deleted.
type subscriptionPage struct {
	Topic admin.Topic
	admin.Subscription
}

func (d *Dashboard) subscription(r *http.Request) (any, error) {
	t, err := d.backend.Topic(r.Context(), r.PathValue("name"))
	if err != nil {
		return nil, err
	}
	for _, s := range t.Subscriptions {
		if s.Name == r.PathValue("subscription") {
			return subscriptionPage{t, s}, nil
		}
	}
	return nil, fmt.Errorf("%w: %s has no subscription %q", admin.ErrNotFound, t.Name, r.PathValue("subscription"))
}

func (d *Dashboard) deleteSubscription(r *http.Request) (outcome, error) {
	topic, name := r.PathValue("name"), r.PathValue("subscription")
	if err := confirmed(r); err != nil {
		return outcome{to: pathOf("/topics", topic, "subscriptions", name, "delete")}, err
	}
	o := outcome{to: pathOf("/topics", topic)}
	n, err := d.backend.DeleteSubscription(r.Context(), topic, name)
	if err != nil {
		return o, err
	}
	o.result = result{Title: fmt.Sprintf("Subscription %s is deleted", name), Detail: removed(n, "event") + " that it had to do."}
	return o, nil
}
