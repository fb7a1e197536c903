package http

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/connections"
)

// A mode is the form of a request, and so of its answer.
type mode int

const (
	plainMode mode = iota
	binaryMode
	structuredMode
	batchMode
)

type request struct {
	mode   mode
	events []event.Event
}

// errSlow says that the body did not come in time.
var errSlow = errors.New("the body did not come in time")

// A badRequest says why a request cannot be understood.
type badRequest struct{ err error }

func (e *badRequest) Error() string { return e.err.Error() }
func (e *badRequest) Unwrap() error { return e.err }

func (h *Handler) read(w http.ResponseWriter, r *http.Request) (request, error) {
	if r.ContentLength > h.MaxBody {
		return request{}, &http.MaxBytesError{Limit: h.MaxBody}
	}
	limited := r.Body
	if r.ContentLength < 0 {
		limited = http.MaxBytesReader(w, limited, h.MaxBody)
	}
	body, err := readBody(limited, r.ContentLength)
	if err != nil {
		return request{}, err
	}
	contentType := r.Header.Get("Content-Type")
	m, err := modeOf(r.Header, contentType)
	if err != nil {
		return request{}, err
	}
	var events []event.Event
	switch m {
	case structuredMode, batchMode:
		events, _, err = connections.Codec{}.Decode(&connections.Message{Body: body, ContentType: contentType})
	case binaryMode:
		events = data(body, contentType)
		err = readBinary(events[0], r.Header)
	default:
		events = data(body, contentType)
		readPlain(events[0], r)
	}
	if err != nil {
		return request{}, &badRequest{err}
	}
	return request{m, events}, nil
}

// data returns one event without attributes but the media type. All of it is one
// piece of memory, since it is made for each request.
func data(body []byte, contentType string) []event.Event {
	d := new(struct {
		events      [1]event.Event
		context     event.EventContextV1
		contentType string
	})
	if d.contentType = contentType; contentType != "" {
		d.context.DataContentType = &d.contentType
	}
	d.events[0] = event.Event{Context: &d.context, DataEncoded: body}
	return d.events[:]
}

// readAhead is the longest body that is believed before it is there.
const readAhead = 64 << 10

// readBody reads all of a body whose length may be known.
func readBody(body io.Reader, length int64) (data []byte, err error) {
	if length > 0 && length <= readAhead {
		data = make([]byte, length)
		_, err = io.ReadFull(body, data)
	} else {
		data, err = io.ReadAll(body)
	}
	var large *http.MaxBytesError
	switch {
	case err == nil || errors.As(err, &large):
		return data, err
	case length > 0 && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)):
		return nil, &badRequest{fmt.Errorf("the body ends before its Content-Length of %d bytes", length)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errSlow
	}
	return nil, &badRequest{fmt.Errorf("read the body: %w", err)}
}

func modeOf(h http.Header, contentType string) (mode, error) {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	switch {
	case media == event.ApplicationCloudEventsBatchJSON:
		return batchMode, nil
	case media == event.ApplicationCloudEventsJSON:
		return structuredMode, nil
	case strings.HasPrefix(media, "application/cloudevents"):
		return 0, &badRequest{fmt.Errorf("found media type %s, expected %s or %s", media, event.ApplicationCloudEventsJSON, event.ApplicationCloudEventsBatchJSON)}
	case h["Ce-Specversion"] != nil:
		return binaryMode, nil
	}
	return plainMode, nil
}

// ReadEvent returns the event in an answer, in binary or structured mode, or nil
// if the answer does not claim to be one.
func ReadEvent(h http.Header, body []byte) (*event.Event, error) {
	contentType := h.Get("Content-Type")
	m, err := modeOf(h, contentType)
	switch {
	case err != nil:
		return nil, err
	case m == plainMode:
		return nil, nil
	case m == binaryMode:
		events := data(body, contentType)
		return &events[0], readBinary(events[0], h)
	}
	events, _, err := connections.Codec{}.Decode(&connections.Message{Body: body, ContentType: contentType})
	switch {
	case err != nil:
		return nil, err
	case len(events) != 1:
		return nil, fmt.Errorf("found a batch of %d events, expected one event", len(events))
	}
	return &events[0], nil
}

// validate checks an event against the specification.
func validate(ev event.Event) error {
	if err := ev.Validate(); err != nil {
		return fmt.Errorf("CloudEvent: %s", strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "; "))
	}
	return nil
}

const headerPrefix = "Ce-" // as net/http spells it

// readBinary reads the attributes of ev from the headers.
func readBinary(ev event.Event, h http.Header) error {
	ec := ev.Context.(*event.EventContextV1)
	var errs []error
	for header, values := range h {
		if !strings.HasPrefix(header, headerPrefix) {
			continue
		}
		if err := setAttribute(ec, header, values); err != nil {
			errs = append(errs, fmt.Errorf("header %s: %w", header, err))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if usual(ec) {
		return nil
	}
	return validate(ev)
}

// usual reports whether an event is so plain that it is valid for certain.
func usual(ec *event.EventContextV1) bool {
	return ec.DataContentType != nil && *ec.DataContentType == event.ApplicationJSON && ec.Subject == nil && ec.DataSchema == nil &&
		word(ec.ID) && word(ec.Type) && ec.Source.Path != "" && len(ec.Extensions) == 0
}

// word reports whether s has a first character that is no space.
func word(s string) bool { return s != "" && s[0] > ' ' && s[0] < 0x7f }

// setAttribute sets the attribute that a header, spelled as by net/http, holds.
func setAttribute(ec *event.EventContextV1, header string, values []string) error {
	if len(values) != 1 {
		return fmt.Errorf("found %d values, expected one", len(values))
	}
	v, err := unescape(values[0])
	if err != nil {
		return err
	}
	switch header {
	case "Ce-Specversion":
		if v != event.CloudEventsVersionV1 {
			return fmt.Errorf("found %q, expected 1.0", v)
		}
	case "Ce-Id":
		ec.ID = v
	case "Ce-Type":
		ec.Type = v
	case "Ce-Subject":
		s := v // v itself stays off the heap
		ec.Subject = &s
	case "Ce-Source", "Ce-Dataschema":
		return setURI(ec, header, v)
	case "Ce-Time":
		t, err := types.ParseTime(v)
		if err != nil {
			return fmt.Errorf("found %q, expected an RFC 3339 time", v)
		}
		ec.Time = &types.Timestamp{Time: t}
	case "Ce-Datacontenttype": // Content-Type says it
	default:
		return ec.SetExtension(strings.ToLower(header[len(headerPrefix):]), v)
	}
	return nil
}

func setURI(ec *event.EventContextV1, header, v string) error {
	if header == "Ce-Source" && simplePath(v) {
		ec.Source = types.URIRef{URL: url.URL{Path: v}}
		return nil
	}
	u, err := url.Parse(v)
	if err != nil {
		return err
	}
	if header == "Ce-Source" {
		ec.Source = types.URIRef{URL: *u}
	} else {
		ec.DataSchema = &types.URI{URL: *u}
	}
	return nil
}

// simplePath reports whether url.Parse would make of v a URL with that path, and
// nothing more.
func simplePath(v string) bool {
	if len(v) < 2 || v[0] != '/' || v[1] == '/' {
		return false
	}
	for i := range len(v) {
		c := v[i]
		if c != '/' && c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// unescape undoes the encoding of a header's value (section 3.1.3.2): the quotes
// of older senders, then one round of percent-encoding.
func unescape(v string) (string, error) {
	v, err := unquote(v)
	if err != nil {
		return "", err
	}
	if strings.Contains(v, "%") {
		if v, err = url.PathUnescape(v); err != nil {
			return "", err
		}
	}
	if !utf8.ValidString(v) {
		return "", fmt.Errorf("found %q, expected UTF-8", v)
	}
	return v, nil
}

// unquote returns what is between double quotes, without its backslashes.
func unquote(v string) (string, error) {
	if !strings.HasPrefix(v, `"`) {
		return v, nil
	}
	var b strings.Builder
	for i := 1; i < len(v); i++ {
		switch c := v[i]; {
		case c == '"' && i == len(v)-1:
			return b.String(), nil
		case c == '"':
			return "", fmt.Errorf("found %q, expected nothing after the closing quote", v)
		case c == '\\' && i+1 < len(v):
			i++
		}
		b.WriteByte(v[i])
	}
	return "", fmt.Errorf("found %q, expected a closing quote", v)
}

// readPlain gives plain data the attributes of an event.
func readPlain(ev event.Event, r *http.Request) {
	ec := ev.Context.(*event.EventContextV1)
	ec.ID = rand.Text()
	ec.Type = connections.PlainType
	ec.Source = types.URIRef{URL: url.URL{Path: "/http" + r.URL.Path}}
	for _, name := range []string{"Traceparent", "Tracestate"} {
		if v := r.Header.Get(name); v != "" {
			ec.SetExtension(strings.ToLower(name), v) // a legal name and a string: cannot fail
		}
	}
}

// structured is the JSON of an event, or of several. Data that is no text goes
// in base64.
func structured(events []event.Event, batch bool) ([]byte, error) {
	for i := range events {
		events[i].DataBase64 = events[i].DataBase64 || !utf8.Valid(events[i].DataEncoded)
	}
	if batch {
		return json.Marshal(events)
	}
	return json.Marshal(events[0])
}
