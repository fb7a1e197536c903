package connections_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/fairlead/fairlead/connections"
	"github.com/fairlead/fairlead/framework"
)

var codec = connections.NewCodec("main", "orders")

// full returns an event with every attribute and an extension of every type.
func full() event.Event {
	e := event.New()
	e.SetID("id 1")
	e.SetSource("/shop/1?x=ä")
	e.SetType("order")
	e.SetSubject("sub")
	e.SetTime(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	e.SetDataSchema("http://example.com/schema")
	e.SetExtension("astring", "s")
	e.SetExtension("empty", "")
	e.SetExtension("abool", true)
	e.SetExtension("anint", int32(-7))
	e.SetExtension("abinary", []byte{0, 255})
	e.SetExtension("auri", types.ParseURI("http://example.com/"))
	e.SetExtension("atime", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	e.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if err := e.SetData("application/json", map[string]int{"n": 1}); err != nil {
		panic(err)
	}
	return e
}

// texts returns the attributes in their text form: types are not kept on every wire.
func texts(t *testing.T, e event.Event) map[string]string {
	t.Helper()
	m := map[string]string{"id": e.ID(), "source": e.Source(), "type": e.Type(), "subject": e.Subject(), "time": types.FormatTime(e.Time()),
		"dataschema": e.DataSchema(), "datacontenttype": e.DataContentType(), "data": string(e.Data())}
	for name, v := range e.Extensions() {
		s, err := types.Format(v)
		if err != nil {
			t.Fatal(err)
		}
		m[name] = s
	}
	return m
}

func TestRoundTrips(t *testing.T) {
	want := full()
	binary, err := connections.Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	structured, err := connections.EncodeStructured(want)
	if err != nil {
		t.Fatal(err)
	}
	batch := connections.Message{ContentType: "application/cloudevents-batch+json; charset=utf-8", Body: []byte("[" + string(structured.Body) + "]")}
	colon := binary
	colon.Header = make(map[string]any)
	for name, v := range binary.Header {
		colon.Header[strings.Replace(name, "cloudEvents_", "cloudEvents:", 1)] = v
	}
	stringly := binary
	stringly.Header = make(map[string]any)
	for name, v := range binary.Header {
		s, err := types.Format(v)
		if err != nil {
			t.Fatal(err)
		}
		stringly.Header[name] = s
	}
	for name, m := range map[string]connections.Message{"binary": binary, "structured": structured, "batch": batch, "colon": colon, "strings": stringly} {
		t.Run(name, func(t *testing.T) {
			events, unstable, err := codec.Decode(&m)
			if err != nil || unstable || len(events) != 1 {
				t.Fatalf("got %d events, unstable %v, %v", len(events), unstable, err)
			}
			if diff := cmp.Diff(texts(t, want), texts(t, events[0])); diff != "" {
				t.Errorf("not the same event (-sent +received):\n%s", diff)
			}
		})
	}
}

func TestPlainMessages(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := connections.Message{Body: []byte("x"), ContentType: "text/plain", Identity: "ID:1", Time: at,
		Header: map[string]any{"traceparent": "00-a-b-01", "color": "red"}}
	events, unstable, err := codec.Decode(&m)
	if err != nil || unstable {
		t.Fatal(unstable, err)
	}
	e := events[0]
	if e.ID() != "ID:1" || e.Source() != "/main/orders" || e.Type() != connections.PlainType || !e.Time().Equal(at) || e.DataContentType() != "text/plain" {
		t.Errorf("got %v", e)
	}
	if diff := cmp.Diff(map[string]any{"traceparent": "00-a-b-01"}, e.Extensions()); diff != "" {
		t.Errorf("extensions: %s", diff)
	}
	if err := e.Validate(); err != nil {
		t.Errorf("not a valid CloudEvent: %v", err)
	}
	m.Identity = ""
	first, unstable, _ := codec.Decode(&m)
	second, _, _ := codec.Decode(&m)
	if !unstable || first[0].ID() == "" || first[0].ID() == second[0].ID() {
		t.Errorf("without an identity: unstable %v, ids %q and %q; want random ones", unstable, first[0].ID(), second[0].ID())
	}
}

func TestBrokenCloudEvents(t *testing.T) {
	binary := func(attributes ...string) connections.Message {
		m := connections.Message{Header: map[string]any{"cloudEvents_specversion": "1.0", "cloudEvents_id": "1", "cloudEvents_source": "/s", "cloudEvents_type": "t"}}
		for i := 0; i < len(attributes); i += 2 {
			if attributes[i+1] == "-" {
				delete(m.Header, "cloudEvents_"+attributes[i])
			} else {
				m.Header["cloudEvents_"+attributes[i]] = attributes[i+1]
			}
		}
		return m
	}
	body := func(contentType, body string) connections.Message {
		return connections.Message{ContentType: contentType, Body: []byte(body)}
	}
	for name, tt := range map[string]struct {
		m    connections.Message
		want string
	}{
		"no id":               {binary("id", "-"), "id"},
		"empty type":          {binary("type", ""), "type"},
		"no source":           {binary("source", "-"), "source"},
		"old version":         {binary("specversion", "0.3"), `found specversion "0.3"`},
		"bad time":            {binary("time", "yesterday"), "RFC 3339"},
		"bad source":          {binary("source", "http://[::1"), "source"},
		"bad name":            {binary("bad_name", "x"), "bad_name"},
		"structured no JSON":  {body("application/cloudevents+json", "{"), "structured CloudEvent"},
		"structured missing":  {body("application/cloudevents+json", `{"specversion":"1.0","id":"1"}`), "source"},
		"structured other":    {body("application/cloudevents+avro", "x"), "structured CloudEvent"},
		"batch no array":      {body("application/cloudevents-batch+json", `{}`), "batch of CloudEvents"},
		"batch null":          {body("application/cloudevents-batch+json", `null`), "expected an array"},
		"batch with a broken": {body("application/cloudevents-batch+json", `[{"specversion":"1.0","id":"1","source":"/s","type":"t"},{}]`), "event 2 of 2"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := codec.Decode(&tt.m); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error that names %q", err, tt.want)
			}
		})
	}
}

func TestAnEmptyBatchIsNoEvent(t *testing.T) {
	m := connections.Message{ContentType: "application/cloudevents-batch+json", Body: []byte("[]")}
	if events, _, err := codec.Decode(&m); err != nil || len(events) != 0 {
		t.Errorf("got %v, %v", events, err)
	}
}

func TestEncodePlainData(t *testing.T) {
	for _, tt := range []struct {
		data        any
		contentType string
		text        bool
	}{
		{"s", "text/plain", true},
		{[]byte("b"), "", false},
		{map[string]int{}, "application/json", true},
	} {
		ev, err := framework.Data(tt.data)
		if err != nil {
			t.Fatal(err)
		}
		m, err := connections.Encode(ev)
		if err != nil || m.ContentType != tt.contentType || m.Text != tt.text || len(m.Header) != 0 {
			t.Errorf("%T: got %+v, %v", tt.data, m, err)
		}
	}
}

func TestEncodeRefusesHalfAnEvent(t *testing.T) {
	e := event.New()
	e.SetType("t")
	if _, err := connections.Encode(e); !framework.IsTerminal(err) {
		t.Errorf("got %v, want a terminal error", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("application/cloudevents+json", "id", "1", []byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t"}`))
	f.Add("application/cloudevents-batch+json", "time", "x", []byte(`[{"data_base64":"AA=="}]`))
	f.Add("text/plain", "anext", "v", []byte{0, 255})
	f.Fuzz(func(t *testing.T, contentType, name, value string, body []byte) {
		m := connections.Message{ContentType: contentType, Body: body, Header: map[string]any{
			"cloudEvents_specversion": "1.0", "cloudEvents_id": "1", "cloudEvents_source": "/s", "cloudEvents_type": "t", "cloudEvents_" + name: value}}
		events, _, err := codec.Decode(&m)
		if err != nil {
			return
		}
		for _, e := range events {
			if err := e.Validate(); err != nil {
				t.Fatalf("decoded an invalid event: %v", err)
			}
			again, err := connections.Encode(e)
			if err != nil {
				t.Fatalf("cannot encode what was decoded: %v", err)
			}
			back, _, err := codec.Decode(&again)
			if err != nil || len(back) != 1 {
				t.Fatalf("cannot decode what was encoded: %v", err)
			}
			if a, b := texts(t, e), texts(t, back[0]); fmt.Sprint(a) != fmt.Sprint(b) {
				t.Fatalf("round trip:\n%v\n%v", a, b)
			}
		}
	})
}

func TestReconnectWait(t *testing.T) {
	for try, want := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond, 8: 10 * time.Second, 1 << 30: 10 * time.Second} {
		for range 20 {
			if got := (connections.Reconnect{}).Wait(try); got > want || got < want*8/10 {
				t.Errorf("Wait(%d) = %v, want %v less up to a fifth", try, got, want)
			}
		}
	}
}
