// Package admin is the management API of a running host, by HTTP and JSON below
// /api/v1, and the client of it that the CLI uses. Every request carries a token
// as "Authorization: Bearer TOKEN", or the cookie of a browser that has signed in;
// package access says whose it is, and each route (routes.go) which role it needs.
// Errors are problem documents (RFC 9457). /openapi.json, which is made of the
// routes, is for everybody.
//
//	GET    session                                 Session
//	POST   session/link                            Link
//	PUT    session/password                        PasswordChange -> 204
//	GET    accounts                                AccountList
//	POST   accounts                                NewAccount -> 204
//	DELETE accounts/NAME                           204
//	PUT    accounts/NAME/password                  NewPassword -> 204
//	PUT    accounts/NAME/role                      NewRole -> 204
//	GET    tokens                                  TokenList
//	POST   tokens                                  NewToken -> TokenSecret
//	DELETE tokens/NAME                             204
//	GET    status                                  Status
//	POST   connections/NAME/ping                   Pong
//	POST   connections/NAME/receive                lines of Message; destination, count
//	GET    connections/NAME/queues/QUEUE           QueueDepth; 501 where the broker does not tell
//	GET    connections/NAME/queues/QUEUE/messages  MessageList; skip, limit
//	POST   bindings/NAME/send                      Message -> SendResult
//	POST   functions/NAME/invoke                   Message -> Message, or 204
//	POST   triggers/NAME/pause                     204
//	POST   triggers/NAME/resume                    204
//	GET    config                                  Document
//	POST   config/plan                             Document -> Plan
//	GET    config/KIND                             ObjectList
//	GET    config/KIND/NAME                        Object, with its version as the ETag
//	PUT    config/KIND/NAME                        its part of a document in YAML or JSON -> Object; If-Match, If-None-Match
//	DELETE config/KIND/NAME                        204; If-Match
//	POST   config/apply                            Application -> Applied
//	POST   connections/NAME/password               SecretValue -> 204
//	GET    secrets                                 SecretList
//	PUT    secrets/NAME                            SecretValue -> 204
//	DELETE secrets/NAME                            204
//	POST   secrets/rotate                          Rotation
//	GET    audit                                   AuditPage; kind, name, action, actor, since, until, before, limit
//	GET    topics                                  TopicList
//	GET    topics/NAME                             Topic
//	GET    topics/NAME/events                      EventList; skip, limit
//	POST   topics/NAME/events                      Publication -> SendResult
//	DELETE topics/NAME/events                      Removal
//	DELETE topics/NAME/subscriptions/NAME          Removal; 409 while it is served
//	GET    deadletters                             LetterPage; the filter, before, limit
//	GET    deadletters/ID                          Letter
//	POST   deadletters/replay                      lines of ReplayProgress; the filter or all=true, perSecond, bypassInbox
//	DELETE replays/ID                              204: it stops
//	DELETE deadletters/ID                          Removal
//	DELETE deadletters                             Removal; the filter or all=true
//
// The filter is id (any number of times), trigger, function, source, event,
// cause, since and until: see [LetterFilter]. Where there is no store, what
// needs one answers 501; where it is out of reach, 503 within ten seconds.
package admin

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"
)

// A Backend does what the API asks for. Package host implements it.
type Backend interface {
	// Status says how everything is doing.
	Status() Status

	// Ping connects to a connection's broker under an identity of its own and
	// returns how long a round trip took.
	Ping(ctx context.Context, connection string) (time.Duration, error)

	// Send sends through a binding, as framework.Send does, and returns the
	// message's id.
	Send(ctx context.Context, binding string, m Message) (id string, err error)

	// Receive takes messages from a destination on a connection and hands each
	// to f, until count were taken (0: no limit) or ctx ends. What f returned
	// nil for is settled.
	Receive(ctx context.Context, connection, destination string, count int, f func(Message) error) error

	// Invoke calls a function and returns its reply, or nil.
	Invoke(ctx context.Context, function string, m Message) (*Message, error)

	QueueViewer
	ConfigOperator
	ConfigEditor
	TopicStore
	LetterStore
}

// ErrNotFound is wrapped by errors about something that does not exist.
var ErrNotFound = errors.New("not found")

// ErrBadRequest is wrapped by errors about what the caller asked for.
var ErrBadRequest = errors.New("bad request")

// ErrConflict is wrapped by errors about what cannot be done now, because it is
// in use.
var ErrConflict = errors.New("in use")

// ErrUnavailable is wrapped by errors about the store being out of reach.
var ErrUnavailable = errors.New("the store is out of reach")

// ErrNoStore is wrapped by errors about what needs a store, where there is none.
var ErrNoStore = errors.New("there is no store")

// A Message is data with its headers. On sending, Destination is where it goes;
// on receiving, where it comes from.
type Message struct {
	Destination   string         `json:"destination,omitempty"`
	ID            string         `json:"id,omitempty"`
	ContentType   string         `json:"contentType,omitempty"`
	CorrelationID string         `json:"correlationId,omitempty"`
	ReplyTo       string         `json:"replyTo,omitempty"`
	Header        map[string]any `json:"header,omitempty"`
	Text          *string        `json:"text,omitempty"` // the data, if it is UTF-8
	Data          []byte         `json:"data,omitempty"` // else, in base64

	// For Invoke alone: the kind of broker that the message shall seem to come
	// from (mq, stomp or amqp), and how often that has delivered it before.
	As          string `json:"as,omitempty"`
	Redelivered int    `json:"redelivered,omitempty"`
}

// SetBody stores data as text if it is UTF-8.
func (m *Message) SetBody(data []byte) {
	if utf8.Valid(data) {
		s := string(data)
		m.Text, m.Data = &s, nil
	} else {
		m.Text, m.Data = nil, data
	}
}

// Body returns the data.
func (m *Message) Body() []byte {
	if m.Text != nil {
		return []byte(*m.Text)
	}
	return m.Data
}

// A Status says how a host is doing.
type Status struct {
	Version     string             `json:"version"`
	Started     time.Time          `json:"started"`
	Ready       bool               `json:"ready"`
	Missing     []string           `json:"missing,omitempty"` // what readiness waits for
	Functions   []string           `json:"functions"`
	Triggers    []TriggerStatus    `json:"triggers"`
	Connections []ConnectionStatus `json:"connections"`
	Calls       []CallStatus       `json:"calls"`
	Config      ConfigStatus       `json:"config"`
}

// A TriggerStatus says how one trigger is doing.
type TriggerStatus struct {
	Name        string     `json:"name"`
	Connection  string     `json:"connection"`
	Destination string     `json:"destination"`
	Function    string     `json:"function"`
	State       string     `json:"state"` // connecting, running, paused, standby, down, stopped or waiting
	Since       time.Time  `json:"since"`
	Error       string     `json:"error,omitempty"`
	NextTry     *time.Time `json:"nextTry,omitempty"`
	InFlight    int        `json:"inFlight"`
	Waiting     int        `json:"waiting"`
	Received    uint64     `json:"received"`
	Succeeded   uint64     `json:"succeeded"`
	Failed      uint64     `json:"failed"`
	Retried     uint64     `json:"retried"`
	Dead        uint64     `json:"dead"`
	Reconnects  uint64     `json:"reconnects"`
	Refused     string     `json:"refused,omitempty"` // why a newer configuration of it does not run
}

// A ConnectionStatus says how the sending side of a connection is doing.
type ConnectionStatus struct {
	Name      string     `json:"name"`
	Type      string     `json:"type"`
	Connected bool       `json:"connected"` // false also when nothing was sent yet
	Error     string     `json:"error,omitempty"`
	NextTry   *time.Time `json:"nextTry,omitempty"`
	Refused   string     `json:"refused,omitempty"` // why a newer configuration of it does not run
}

// A CallStatus counts the calls of one function, whatever started them, or the
// sends through one binding, since the program started.
type CallStatus struct {
	Kind        string `json:"kind"` // KindFunction or KindBinding
	Name        string `json:"name"`
	InFlight    int    `json:"inFlight"`
	Succeeded   uint64 `json:"succeeded"`
	Failed      uint64 `json:"failed"`
	Unavailable uint64 `json:"unavailable"` // because something was out of reach; no attempt was used up
	Panicked    uint64 `json:"panicked"`
}

// KindBinding is the Kind of a [CallStatus] about the sends through a binding.
const KindBinding = "binding"

// A Pong is the answer to a ping.
type Pong struct {
	Milliseconds float64 `json:"milliseconds"`
}

// A SendResult is the answer to a send or a publish.
type SendResult struct {
	ID string `json:"id"`
}

// A Problem is an RFC 9457 problem document.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`

	// Of 412 alone: the version that is there, 0 if there is none, and how what is
	// there differs from what was to be, line by line.
	Version    int64  `json:"version,omitempty"`
	Difference string `json:"difference,omitempty"`
}

// Error makes a Problem the error that a client returns.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.Title
}
