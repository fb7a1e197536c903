package framework

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"reflect"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
)

// decode turns the data of in into an In, as [Sink] documents.
func decode[In any](ctx context.Context, in event.Event) (In, error) {
	var v In
	switch p := any(&v).(type) {
	case *event.Event:
		*p = in
	case *[]byte:
		*p = bytes.Clone(in.Data()) // a function may change it, and be called again with the data as it came
	case *string:
		*p = string(in.Data())
	default:
		if err := unmarshal(format(ctx, in), in.Data(), &v); err != nil {
			return v, undecoded(in.ID(), &v, err)
		}
	}
	return v, nil
}

// undecoded is the error of an event whose data is not what v points to.
func undecoded(id string, v any, err error) error {
	return Terminal(&DecodeError{ID: id, Type: reflect.TypeOf(v).Elem().String(), Err: err})
}

// format says how the data of in is to be read: "json", "xml", or the media
// type that is neither.
func format(ctx context.Context, in event.Event) string {
	if inv := FromContext(ctx); inv != nil && inv.Format != "" {
		return inv.Format
	}
	return formatOf(in.DataContentType())
}

func formatOf(contentType string) string {
	switch contentType {
	case "", "application/json", "text/plain", "application/octet-stream": // the usual ones, without parsing
		return "json"
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return contentType
	}
	_, subtype, _ := strings.Cut(media, "/")
	switch {
	case subtype == "xml" || strings.HasSuffix(subtype, "+xml"):
		return "xml"
	case subtype == "json" || strings.HasSuffix(subtype, "+json"), media == "text/plain", media == "application/octet-stream":
		return "json"
	}
	return media
}

func unmarshal(format string, data []byte, v any) error {
	switch format {
	case "json":
		return unmarshalJSON(data, v)
	case "xml":
		return xml.Unmarshal(data, v)
	}
	return fmt.Errorf("media type %q is neither JSON nor XML; take the data as []byte, or set the trigger's format", format)
}

func unmarshalJSON(data []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		if errors.Is(err, io.EOF) {
			return errors.New("no data, expected JSON")
		}
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("more data after the JSON value, at byte %d", dec.InputOffset())
	}
	return nil
}

// reply turns what a Func returned into the event that goes back, or nil.
func reply(out any) (*event.Event, error) {
	switch out := out.(type) {
	case nil:
		return nil, nil
	case *event.Event:
		return out, nil
	}
	switch v := reflect.ValueOf(out); v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		if v.IsNil() {
			return nil, nil
		}
	}
	ev, err := Data(out)
	if err != nil {
		return nil, err
	}
	return &ev, nil
}

// Data makes an event of what a function hands to Send, Publish or Invoke, or
// returns. An event.Event stays as it is. Anything else becomes data without an
// id, source or type ([Plain]): a string is text/plain, []byte has no media
// type, and any other value is JSON. A value that JSON cannot hold is a
// [Terminal] error.
func Data(v any) (event.Event, error) {
	switch v := v.(type) {
	case event.Event:
		return v, nil
	case *event.Event:
		if v == nil {
			return event.Event{}, Terminal(errors.New("data is a nil *event.Event"))
		}
		return *v, nil
	case []byte:
		return plain("", v), nil
	case string:
		return plain(event.TextPlain, []byte(v)), nil
	case json.RawMessage:
		return plain(event.ApplicationJSON, v), nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return event.Event{}, Terminal(fmt.Errorf("encode %T as JSON: %w", v, err))
	}
	return plain(event.ApplicationJSON, data), nil
}

func plain(contentType string, data []byte) event.Event {
	ec := &event.EventContextV1{}
	if contentType != "" {
		ec.DataContentType = &contentType
	}
	return event.Event{Context: ec, DataEncoded: data}
}

// Plain reports whether ev is data alone: it has no type, so it goes out as
// plain data and not as a CloudEvent.
func Plain(ev event.Event) bool { return ev.Context == nil || ev.Type() == "" }
