package dashboard

import (
	"context"
	"net/http"
	"strings"
)

// A queuesPage is the form that asks for a queue of a broker, and what waits in it.
type queuesPage struct {
	Connections []string
	Known       []queueName // of triggers and bindings
	Connection  string
	Queue       string
	Asked       bool
	Depth       *int
	DepthErr    *problem
	Messages    []*content
	BrowseErr   *problem
	Skip        int
	Next, Back  int
	More        bool
}

type queueName struct{ Connection, Queue string }

const queueShown = 20

// queues looks into a queue without taking anything out of it. A broker is asked
// only when somebody asks for it here: the page is not live.
func (d *Dashboard) queues(r *http.Request) (any, error) {
	status := d.backend.Status()
	p := queuesPage{Connection: r.FormValue("connection"), Queue: strings.TrimSpace(r.FormValue("queue"))}
	for _, c := range status.Connections {
		p.Connections = append(p.Connections, c.Name)
	}
	for _, t := range status.Triggers {
		if t.Connection != "" && !strings.HasPrefix(t.Destination, "topic:") {
			p.Known = append(p.Known, queueName{t.Connection, t.Destination})
		}
	}
	skip, err := whole(r, "skip")
	if err != nil {
		return nil, err
	}
	p.Skip, p.Next, p.Back = skip, skip+queueShown, max(0, skip-queueShown)
	if p.Asked = p.Connection != "" && p.Queue != ""; p.Asked {
		ctx, cancel := context.WithTimeout(r.Context(), actionTimeout/2)
		defer cancel()
		d.look(ctx, &p)
	}
	return p, nil
}

func (d *Dashboard) look(ctx context.Context, p *queuesPage) {
	depth, err := d.backend.Depth(ctx, p.Connection, p.Queue)
	if err != nil {
		p.DepthErr = explain(err)
	} else {
		p.Depth = &depth.Depth
	}
	messages, err := d.backend.BrowseQueue(ctx, p.Connection, p.Queue, p.Skip, queueShown+1)
	if err != nil {
		p.BrowseErr = explain(err)
		return
	}
	if p.More = len(messages) > queueShown; p.More {
		messages = messages[:queueShown]
	}
	for i := range messages {
		p.Messages = append(p.Messages, show(&messages[i], "auto"))
	}
}
