package connections

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/framework"
)

// CloudEvents attributes travel as headers or application properties with a
// prefix. Both are read; the one that JMS selectors can name is written (AMQP
// Protocol Binding for CloudEvents 1.0, section 3.1.3.1).
const (
	Prefix    = "cloudEvents_"
	altPrefix = "cloudEvents:"
)

// PlainType is the type of the event made of a message that is not a CloudEvent.
const PlainType = "fairlead.message"

const (
	structuredType = "application/cloudevents"
	batchType      = "application/cloudevents-batch"
)

// A Codec turns the messages of one destination into CloudEvents.
type Codec struct {
	source types.URIRef
	text   string // of source
}

// NewCodec returns a Codec for messages from destination on connection, which
// become the source of events that bring none: "/CONNECTION/DESTINATION".
func NewCodec(connection, destination string) Codec {
	source := types.URIRef{URL: url.URL{Path: "/" + connection + "/" + strings.TrimPrefix(destination, "/")}}
	return Codec{source, source.String()}
}

// Source is ev.Source() for an event that c has decoded. Where the source is c's
// own, its text is not composed again.
func (c Codec) Source(ev event.Event) string {
	if ec, ok := ev.Context.(*event.EventContextV1); ok && ec.Source == c.source {
		return c.text
	}
	return ev.Source()
}

// Decode returns the events in m: one in binary mode (attributes as headers) and
// structured mode (application/cloudevents+json), any number in batch mode
// (application/cloudevents-batch+json). A message that is not a CloudEvent
// becomes one of type [PlainType] whose id is its Identity; where it has none,
// the id is random, and unstable is true. What claims to be a CloudEvent and
// breaks a rule of the specification is an error.
func (c Codec) Decode(m *Message) (events []event.Event, unstable bool, err error) {
	return c.AppendDecode(nil, m)
}

// AppendDecode is Decode that appends to events.
func (c Codec) AppendDecode(events []event.Event, m *Message) (all []event.Event, unstable bool, err error) {
	switch mode(m.ContentType) {
	case batchType:
		batch, err := decodeBatch(m.Body)
		return append(events, batch...), false, err
	case structuredType:
		ev, err := decodeStructured(m.Body)
		return append(events, ev), false, err
	}
	if version, ok := attribute(m, "specversion"); ok {
		ev, err := decodeBinary(m, version)
		return append(events, ev), false, err
	}
	return append(events, c.plain(m)), m.Identity == "", nil
}

// mode returns structuredType or batchType for the media types of those modes,
// whatever their format, and "" for all others.
func mode(contentType string) string {
	if len(contentType) < len(structuredType) || !strings.EqualFold(contentType[:len(structuredType)], structuredType) {
		return ""
	}
	if len(contentType) >= len(batchType) && strings.EqualFold(contentType[:len(batchType)], batchType) {
		return batchType
	}
	return structuredType
}

func decodeStructured(body []byte) (event.Event, error) {
	var ev event.Event
	if err := json.Unmarshal(body, &ev); err != nil {
		return ev, fmt.Errorf("structured CloudEvent: %w", err)
	}
	return ev, validate(ev)
}

func decodeBatch(body []byte) ([]event.Event, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, fmt.Errorf("batch of CloudEvents: %w", err)
	}
	if raw == nil {
		return nil, errors.New("batch of CloudEvents: found null, expected an array")
	}
	events := make([]event.Event, len(raw))
	for i, r := range raw {
		ev, err := decodeStructured(r)
		if err != nil {
			return nil, fmt.Errorf("batch of CloudEvents, event %d of %d: %w", i+1, len(raw), err)
		}
		events[i] = ev
	}
	return events, nil
}

func validate(ev event.Event) error {
	if err := ev.Validate(); err != nil {
		return fmt.Errorf("CloudEvent: %w", err)
	}
	if v := ev.SpecVersion(); v != event.CloudEventsVersionV1 {
		return fmt.Errorf("CloudEvent: found specversion %q, expected 1.0", v)
	}
	return nil
}

// attribute returns the CloudEvents attribute of a message in binary mode.
func attribute(m *Message, name string) (any, bool) {
	v, ok := m.Header[Prefix+name]
	if !ok {
		v, ok = m.Header[altPrefix+name]
	}
	return v, ok
}

// IsAttribute reports whether a header or property of that name is a CloudEvents attribute.
func IsAttribute(name string) bool { _, ok := attributeName(name); return ok }

func attributeName(header string) (string, bool) {
	if name, ok := strings.CutPrefix(header, Prefix); ok {
		return name, true
	}
	return strings.CutPrefix(header, altPrefix)
}

func decodeBinary(m *Message, version any) (event.Event, error) {
	if version != event.CloudEventsVersionV1 {
		return event.Event{}, fmt.Errorf("CloudEvent: found specversion %q, expected 1.0", version)
	}
	ec := new(event.EventContextV1)
	if m.ContentType != "" {
		ec.DataContentType = &m.ContentType
	}
	var errs []error
	for header, v := range m.Header {
		if name, ok := attributeName(header); ok {
			if err := setAttribute(ec, name, v); err != nil {
				errs = append(errs, fmt.Errorf("CloudEvent attribute %s: %w", name, err))
			}
		}
	}
	if len(errs) > 0 {
		return event.Event{}, errors.Join(errs...)
	}
	ev := event.Event{Context: ec, DataEncoded: m.Body}
	return ev, validate(ev)
}

func setAttribute(ec *event.EventContextV1, name string, v any) error {
	switch name {
	case "specversion":
		return nil
	case "time":
		t, err := types.ToTime(v)
		if err != nil {
			return fmt.Errorf("found %v, expected an RFC 3339 time", v)
		}
		ec.Time = &types.Timestamp{Time: t}
		return nil
	case "id", "source", "type", "subject", "dataschema", "datacontenttype":
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("found %T, expected a string", v)
		}
		return setString(ec, name, s)
	}
	v, err := types.Validate(v)
	if err != nil {
		return err
	}
	return ec.SetExtension(name, v)
}

func setString(ec *event.EventContextV1, name, s string) error {
	switch name {
	case "id":
		ec.ID = s
	case "type":
		ec.Type = s
	case "subject":
		ec.Subject = &s
	case "datacontenttype":
		if ec.DataContentType == nil {
			ec.DataContentType = &s
		}
	default: // source, dataschema
		u, err := url.Parse(s)
		if err != nil {
			return err
		}
		if name == "source" {
			ec.Source = types.URIRef{URL: *u}
		} else {
			ec.DataSchema = &types.URI{URL: *u}
		}
	}
	return nil
}

// traceHeaders are the headers of W3C Trace Context, kept as extensions.
var traceHeaders = [...]string{"traceparent", "tracestate"}

func (c Codec) plain(m *Message) event.Event {
	room := &struct { // at once, because it is made for each message
		event.EventContextV1
		sent types.Timestamp
	}{EventContextV1: event.EventContextV1{ID: m.Identity, Source: c.source, Type: PlainType}}
	ec := &room.EventContextV1
	if ec.ID == "" {
		ec.ID = rand.Text()
	}
	if m.ContentType != "" {
		ec.DataContentType = &m.ContentType
	}
	if !m.Time.IsZero() {
		room.sent.Time = m.Time
		ec.Time = &room.sent
	}
	for _, name := range traceHeaders {
		if v, ok := m.Header[name].(string); ok && v != "" {
			ec.Extensions = maps.Clone(ec.Extensions)
			if ec.Extensions == nil {
				ec.Extensions = make(map[string]any, 1)
			}
			ec.Extensions[name] = v
		}
	}
	return event.Event{Context: ec, DataEncoded: m.Body}
}

// Encode returns the message that carries ev: in binary mode if it is a
// CloudEvent, as plain data if it is only that ([framework.Plain]). An event
// with some but not all required attributes is a [framework.Terminal] error.
func Encode(ev event.Event) (Message, error) {
	m := Message{Body: ev.Data(), ContentType: ev.DataContentType()}
	m.Text = isText(m.ContentType)
	if framework.Plain(ev) {
		return m, nil
	}
	if err := validate(ev); err != nil {
		return m, framework.Terminal(err)
	}
	m.Header = map[string]any{Prefix + "specversion": event.CloudEventsVersionV1}
	set := func(name, v string) {
		if v != "" {
			m.Header[Prefix+name] = v
		}
	}
	set("id", ev.ID())
	set("source", ev.Source())
	set("type", ev.Type())
	set("subject", ev.Subject())
	set("dataschema", ev.DataSchema())
	if t := ev.Time(); !t.IsZero() {
		m.Header[Prefix+"time"] = types.FormatTime(t)
	}
	for name, v := range ev.Extensions() {
		m.Header[Prefix+name] = v
	}
	return m, nil
}

// EncodeStructured returns the message that carries ev in structured mode.
func EncodeStructured(ev event.Event) (Message, error) {
	if err := validate(ev); err != nil {
		return Message{}, framework.Terminal(err)
	}
	body, err := json.Marshal(ev)
	if err != nil {
		return Message{}, framework.Terminal(fmt.Errorf("structured CloudEvent: %w", err))
	}
	return Message{Body: body, ContentType: event.ApplicationCloudEventsJSON, Text: true}, nil
}

var textTypes = []string{"application/json", "application/xml", "application/cloudevents+json", "application/cloudevents-batch+json"}

// isText reports whether data of that media type is text to a JMS client.
func isText(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.TrimSpace(media)
	return strings.HasPrefix(media, "text/") || slices.Contains(textTypes, media) ||
		strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+xml")
}
