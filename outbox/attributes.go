package outbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

// attributes is the "header" column: everything of an event but its id and data.
// What an event has that was published as data alone is left out, and filled in by
// complete: it would be half of the row.
type attributes struct {
	Source     string         `json:"source,omitempty"`
	Type       string         `json:"type,omitempty"`
	Subject    string         `json:"subject,omitempty"`
	Time       string         `json:"time,omitempty"`
	Schema     string         `json:"schema,omitempty"`
	Content    string         `json:"content,omitempty"`
	Extensions map[string]any `json:"ext,omitempty"`
	Header     map[string]any `json:"header,omitempty"`
	Message    *message       `json:"message,omitempty"`
}

// noAttributes is the column of an event that was published as data alone.
const noAttributes = "{}"

// plainEvent is what such an event becomes.
func (r *row) plainEvent(source *url.URL) event.Event {
	return event.Event{DataEncoded: r.data, Context: &event.EventContextV1{
		ID: r.id, Type: connections.PlainType, Source: types.URIRef{URL: *source}, Time: &types.Timestamp{Time: r.created.UTC()},
	}}
}

// attributesOf takes the attributes from ev. What PostgreSQL cannot hold as text is an error.
func attributesOf(ev event.Event) (attributes, error) {
	if ev.Context == nil {
		return attributes{}, nil
	}
	a := attributes{
		Source: ev.Source(), Type: ev.Type(), Subject: ev.Subject(),
		Schema: ev.DataSchema(), Content: ev.DataContentType(),
		Extensions: storeValues(ev.Extensions()),
	}
	if t := ev.Time().UTC(); !t.IsZero() {
		if !writable(t) {
			return a, framework.Terminal(fmt.Errorf("time of the event is %v, expected a year from 0 to 9999", t))
		}
		a.Time = t.Format(time.RFC3339Nano)
	}
	for _, f := range [...]struct {
		what, text string
		longest    int
	}{
		{"source of the event", a.Source, MaxSource},
		{"type of the event", a.Type, MaxHeader},
		{"subject of the event", a.Subject, MaxHeader},
		{"dataschema of the event", a.Schema, MaxHeader},
		{"datacontenttype of the event", a.Content, MaxHeader},
	} {
		if err := checkText(f.what, f.text, f.longest); err != nil {
			return a, err
		}
	}
	return a, nil
}

// complete fills in what an event has that says nothing else: the type of plain
// data, what it was published to as its source, and when.
func (a *attributes) complete(t target, created time.Time) {
	a.Type = orDefault(a.Type, connections.PlainType)
	a.Source = orDefault(a.Source, t.source())
	if a.Time == "" {
		a.Time = created.UTC().Format(time.RFC3339Nano)
	}
}

// completed is complete in SQL, for the header of a row d that becomes a dead
// letter; $8 is the kind and $9 the topic.
const completed = `case when d.header ? 'message' then d.header else jsonb_build_object(
	'type', '` + connections.PlainType + `', 'source', '/fairlead/' || $8::text || '/' || $9::text,
	'time', to_char(d.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) || d.header end`

// event is the inverse of attributesOf. The result is a valid CloudEvent as
// long as id, source and type are there.
func (a *attributes) event(id string, data []byte) (event.Event, error) {
	ec := &event.EventContextV1{ID: id, Type: a.Type}
	ev := event.Event{Context: ec, DataEncoded: data}
	source, err := url.Parse(a.Source)
	if err != nil {
		return ev, fmt.Errorf("source: %w", err)
	}
	ec.Source = types.URIRef{URL: *source}
	if a.Subject != "" {
		ec.Subject = &a.Subject
	}
	if a.Content != "" {
		ec.DataContentType = &a.Content
	}
	if a.Schema != "" {
		schema, err := url.Parse(a.Schema)
		if err != nil {
			return ev, fmt.Errorf("dataschema: %w", err)
		}
		ec.DataSchema = &types.URI{URL: *schema}
	}
	if a.Time != "" {
		t, err := time.Parse(time.RFC3339Nano, a.Time)
		if err != nil {
			return ev, fmt.Errorf("time: %w", err)
		}
		ec.Time = &types.Timestamp{Time: t}
	}
	ec.Extensions, err = loadValues(a.Extensions)
	if err != nil {
		return ev, fmt.Errorf("extensions: %w", err)
	}
	for name, v := range ec.Extensions {
		if t, ok := v.(time.Time); ok {
			ec.Extensions[name] = types.Timestamp{Time: t}
		}
	}
	return ev, nil
}

// setHeader adds the headers that the caller gave. Those with the name and type
// of a CloudEvents extension become one, too.
func (a *attributes) setHeader(header map[string]any) {
	if len(header) == 0 {
		return
	}
	a.Header = storeValues(header)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if !isExtension(name) {
			continue
		}
		v, err := types.Validate(header[name])
		if err != nil {
			continue
		}
		if a.Extensions == nil {
			a.Extensions = make(map[string]any)
		}
		a.Extensions[name] = storeValue(v)
	}
}

// isExtension reports whether an extension may have that name.
func isExtension(name string) bool {
	switch name {
	case "", "specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype", "data", "data_base64":
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// A message is what a connections.Message has beside its body.
type message struct {
	ContentType   string         `json:"content,omitempty"`
	Text          bool           `json:"text,omitempty"`
	Header        map[string]any `json:"header,omitempty"`
	ID            any            `json:"id,omitempty"`
	Identity      any            `json:"identity,omitempty"`
	CorrelationID any            `json:"correlation,omitempty"`
	ReplyTo       any            `json:"replyTo,omitempty"`
	Correlate     any            `json:"correlate,omitempty"`
	Key           any            `json:"key,omitempty"`
	Priority      *int           `json:"priority,omitempty"`
	TTL           time.Duration  `json:"ttl,omitempty"`
	Time          time.Time      `json:"time,omitzero"`
	Packed        []byte         `json:"packed,omitempty"` // what the driver keeps; see connections.Packed

	// Of a staged send: where it goes.
	Destination string `json:"destination,omitempty"`
	Native      bool   `json:"native,omitempty"` // Destination is in the broker's own words

	// Of a received message: where it came from.
	Connection string `json:"connection,omitempty"`
	From       string `json:"from,omitempty"`
}

func storeMessage(m *connections.Message) *message {
	at := m.Time.UTC()
	if !writable(at) {
		at = time.Time{} // whatever the sender meant, nothing can be done with it
	}
	packed, _ := m.Native.(connections.Packed)
	return &message{
		ContentType: printable(m.ContentType, MaxHeader), Text: m.Text, Header: storeValues(m.Header),
		ID: storeValue(m.ID), Identity: optional(m.Identity), CorrelationID: storeValue(m.CorrelationID),
		ReplyTo: optional(m.ReplyTo), Correlate: storeValue(m.Correlate), Key: optional(m.Key),
		Priority: m.Priority, TTL: m.TTL, Time: at, Packed: packed,
	}
}

// optional is storeString, but leaves out an empty string.
func optional(s string) any {
	if s == "" {
		return nil
	}
	return storeString(s)
}

// load is the inverse of storeMessage.
func (m *message) load(body []byte) (connections.Message, error) {
	out := connections.Message{Body: body, ContentType: m.ContentType, Text: m.Text, Priority: m.Priority, TTL: m.TTL, Time: m.Time}
	if m.Packed != nil {
		out.Native = connections.Packed(m.Packed)
	}
	var err error
	if out.Header, err = loadValues(m.Header); err != nil {
		return out, fmt.Errorf("header: %w", err)
	}
	for _, f := range [...]struct {
		from any
		to   *any
	}{{m.ID, &out.ID}, {m.CorrelationID, &out.CorrelationID}, {m.Correlate, &out.Correlate}} {
		if *f.to, err = loadValue(f.from); err != nil {
			return out, err
		}
	}
	for _, f := range [...]struct {
		from any
		to   *string
	}{{m.Identity, &out.Identity}, {m.ReplyTo, &out.ReplyTo}, {m.Key, &out.Key}} {
		v, err := loadValue(f.from)
		if err != nil {
			return out, err
		}
		*f.to, _ = v.(string)
	}
	return out, nil
}

// encode returns the JSON of a.
func (a *attributes) encode() (string, error) {
	if reflect.ValueOf(a).Elem().IsZero() {
		return noAttributes, nil
	}
	b, err := json.Marshal(a)
	return string(b), err
}

// decodeAttributes is the inverse of encode.
func decodeAttributes(b []byte) (*attributes, error) {
	a := new(attributes)
	if err := json.Unmarshal(b, a); err != nil {
		return nil, fmt.Errorf("header of the row: %w", err)
	}
	return a, nil
}
