package outbox

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// A Letter is something that failed, and its story: a parked retry or a dead letter.
type Letter struct {
	ID int64 // of a dead letter

	Trigger     string // what started the function; the binding's name for a staged send
	Function    string
	Connection  string // empty for what was published
	Destination string // the queue or topic; for what was published, its target

	Message connections.Message // as it came: bytes, headers and ids. Of Native a connections.Packed is kept

	// Event is what the function was called with: the zero Event if the message
	// could not be read. Of a stored message of a broker it has the attributes only;
	// its data is in Message.
	Event event.Event
	Key   string // of a published event or a staged send

	// Unstable says that the event's id is random.
	Unstable bool

	Cause       string // the last error
	Stack       string // of the last panic
	Attempts    int    // calls of the function that failed
	First, Last time.Time
	Died        time.Time // when it became a dead letter

	// Replayed says that whoever replayed it wants it to run although the inbox may
	// remember it.
	Replayed bool
}

// Source returns where the letter came from: "/CONNECTION/DESTINATION" on a
// broker, else what it was published to, or the binding's name.
func (l *Letter) Source() string {
	if l.Connection == "" {
		return l.Destination
	}
	return "/" + l.Connection + "/" + strings.TrimPrefix(l.Destination, "/")
}

// Received is the letter's identity.
func (l *Letter) Received() Received {
	return Received{
		Trigger: l.Trigger, Source: l.Event.Source(), ID: l.Event.ID(), Data: l.Message.Body,
		Unstable: l.Unstable, Replayed: l.Replayed,
	}
}

// header returns the letter's "header" column.
func (l *Letter) header() (string, error) {
	a, err := attributesOf(l.Event)
	if err != nil { // what cannot be kept as an attribute is still in the message
		a = attributes{Source: keyText(l.Event.Source(), MaxSource), Type: printable(l.Event.Type(), MaxName)}
	}
	a.Message = storeMessage(&l.Message)
	a.Message.Connection, a.Message.From = printable(l.Connection, MaxName), printable(l.Destination, MaxHeader)
	return a.encode()
}

// open fills in what the "header" and data columns hold.
func (l *Letter) open(id string, header, data []byte) error {
	a, err := decodeAttributes(header)
	if err != nil {
		return err
	}
	if a.Message == nil { // it was published: the event is all there is
		if l.Event, err = a.event(id, data); err == nil {
			l.Message, err = a.plainMessage(l.Event)
		}
		return err
	}
	if a.Type != "" {
		if l.Event, err = a.event(id, nil); err != nil {
			return err
		}
	}
	if a.Message.Connection != "" {
		l.Connection, l.Destination = a.Message.Connection, a.Message.From
	}
	l.Message, err = a.Message.load(data)
	return err
}

// plainMessage is the published event with these attributes as a message.
func (a *attributes) plainMessage(ev event.Event) (connections.Message, error) {
	header, err := loadValues(a.Header)
	if err != nil {
		return connections.Message{}, err
	}
	return messageOf(ev, header)
}

// messageOf is a published event as a message; what its publisher gave as headers
// gives way to the event's own.
func messageOf(ev event.Event, header map[string]any) (connections.Message, error) {
	m, err := connections.Encode(ev)
	if err != nil {
		return m, err
	}
	for name, v := range header {
		if _, ok := m.Header[name]; !ok {
			m.Header[name] = v
		}
	}
	return m, nil
}

// check refuses a letter that could not be found again.
func (l *Letter) check() error {
	if err := checkName("trigger", l.Trigger); err != nil {
		return err
	}
	if len(l.Message.Body) > 1<<30-1<<20 {
		return framework.Terminal(fmt.Errorf("body has %d bytes: more than Postgres can hold", len(l.Message.Body)))
	}
	return nil
}

// ErrNotFound is wrapped by errors about what is not in the store.
var ErrNotFound = errors.New("not found")

// notFound turns the error of a query that found nothing into ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
