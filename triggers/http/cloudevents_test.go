package http_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	sdk "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/go-cmp/cmp"
)

// sample is an event with every attribute, and values that a header cannot hold
// as they are.
func sample(t *testing.T) event.Event {
	t.Helper()
	ev := event.New()
	ev.SetID("a b%\"c")
	ev.SetSource("/s")
	ev.SetType("t")
	ev.SetSubject("Grüße 😀")
	ev.SetDataSchema("https://example.com/schema")
	ev.SetTime(time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC))
	ev.SetExtension("note", "100 %")
	ev.SetExtension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if err := ev.SetData("application/json", map[string]int{"n": 1}); err != nil {
		t.Fatal(err)
	}
	return ev
}

// binaryHeaders is sample on the wire, written by hand from section 3.1.3.2 of the binding.
var binaryHeaders = map[string]string{
	"Ce-Specversion": "1.0",
	"Ce-Id":          "a%20b%25%22c",
	"Ce-Source":      "/s",
	"Ce-Type":        "t",
	"Ce-Subject":     "Gr%C3%BC%C3%9Fe%20%F0%9F%98%80",
	"Ce-Dataschema":  "https://example.com/schema",
	"Ce-Time":        "2026-01-02T03:04:05.000000006Z",
	"Ce-Note":        "100%20%25",
	"Ce-Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	"Content-Type":   "application/json",
}

func TestBinaryBothWays(t *testing.T) {
	r := post("/functions/echo", `{"n":1}`)
	for name, v := range binaryHeaders {
		r.Header.Set(name, v)
	}
	resp := serve(t, r)
	if resp.StatusCode != 200 || body(t, resp) != `{"n":1}` {
		t.Fatalf("got %s, want 200 with the same data", resp.Status)
	}
	got := make(map[string]string)
	for name := range resp.Header {
		if name != "Content-Length" {
			got[name] = resp.Header.Get(name)
		}
	}
	if diff := cmp.Diff(binaryHeaders, got); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestStructuredBothWays(t *testing.T) {
	want := sample(t)
	in, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	resp := serve(t, post("/functions/echo", string(in), "Content-Type", structuredType+"; charset=UTF-8"))
	if got := resp.Header.Get("Content-Type"); got != structuredType {
		t.Errorf("got Content-Type %q, want %s", got, structuredType)
	}
	var got event.Event
	if err := json.Unmarshal([]byte(body(t, resp)), &got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want.String() {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBatchBothWays(t *testing.T) {
	a, b := sample(t), sample(t)
	b.SetID("2")
	in, err := json.Marshal([]event.Event{a, b})
	if err != nil {
		t.Fatal(err)
	}
	resp := serve(t, post("/functions/echo", string(in), "Content-Type", batchType))
	if got := resp.Header.Get("Content-Type"); got != batchType {
		t.Errorf("got Content-Type %q, want %s", got, batchType)
	}
	var got []event.Event
	if err := json.Unmarshal([]byte(body(t, resp)), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].String() != a.String() || got[1].String() != b.String() {
		t.Errorf("got %v, want %v and %v", got, a, b)
	}
}

// TestRepliesOfDataAlone checks that what is no CloudEvent becomes one where one came in.
func TestRepliesOfDataAlone(t *testing.T) {
	const in = `{"specversion":"1.0","id":"1","source":"/s","type":"t","datacontenttype":"text/plain","data":"x"}`
	for _, tt := range []struct{ function, contentType, data string }{
		{"text", "text/plain", `got x`},
		{"bytes", "application/octet-stream", "\xff\x00"},
	} {
		for mode, request := range map[string]*http.Request{
			"binary":     post("/functions/"+tt.function, "x", binary()...),
			"structured": post("/functions/"+tt.function, in, "Content-Type", structuredType),
		} {
			t.Run(tt.function+" "+mode, func(t *testing.T) {
				resp := serve(t, request)
				ev, err := sdk.NewEventFromHTTPResponse(resp)
				if err != nil {
					t.Fatal(err)
				}
				if ev.Type() != "fairlead.reply" || ev.Source() != "/functions/"+tt.function || ev.DataContentType() != tt.contentType || string(ev.Data()) != tt.data {
					t.Errorf("got %s, want %q as %s", ev, tt.data, tt.contentType)
				}
			})
		}
	}
}

func TestBinaryReplyWithoutAMediaType(t *testing.T) {
	resp := serve(t, post("/functions/echo", "<html>", binary()...))
	if got, ok := resp.Header["Content-Type"]; ok && got != nil {
		t.Errorf("got Content-Type %q, want none, since the event has none", got)
	}
}

func TestQuotedHeaders(t *testing.T) {
	// What older senders wrote (section 3.1.3.2).
	r := post("/functions/echo", "x", binary("ce-subject", `"a \"b\" \\ c%20d"`)...)
	if got, want := serve(t, r).Header.Get("Ce-Subject"), "a%20%22b%22%20%5C%20c%20d"; got != strings.ReplaceAll(want, "%5C", `\`) {
		t.Errorf("got %q, want %s", got, want)
	}
}

// TestLikeTheSDK compares what is let in with what the CloudEvents SDK lets in,
// and names the cases where we are stricter.
func TestLikeTheSDK(t *testing.T) {
	for name, tt := range map[string]struct {
		header   []string
		body     string
		stricter bool // the SDK lets in what the specification forbids
	}{
		"binary":                     {header: binary()},
		"binary with everything":     {header: binary("ce-subject", "x", "ce-time", "2026-01-02T03:04:05Z", "ce-dataschema", "https://x/y", "ce-more", "1")},
		"binary, empty id":           {header: append(without("ce-id", binary()), "ce-id", "")},
		"binary, no id":              {header: without("ce-id", binary())},
		"binary, no source":          {header: without("ce-source", binary())},
		"binary, no type":            {header: without("ce-type", binary())},
		"binary, empty type":         {header: append(without("ce-type", binary()), "ce-type", "")},
		"binary, wrong media type":   {header: binary("Content-Type", "x y")},
		"binary, wrong time":         {header: binary("ce-time", "yesterday")},
		"binary, wrong dataschema":   {header: binary("ce-dataschema", ":")},
		"binary, wrong source":       {header: append(without("ce-source", binary()), "ce-source", ":")},
		"binary, extension with _":   {header: binary("ce-a_b", "x")},
		"binary, two ids":            {header: binary("ce-id", "2"), stricter: true},
		"binary, bad escape":         {header: binary("ce-subject", "%zz"), stricter: true},
		"structured":                 {header: []string{"Content-Type", structuredType}, body: `{"specversion":"1.0","id":"1","source":"/s","type":"t"}`},
		"structured, data":           {header: []string{"Content-Type", structuredType}, body: `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1}}`},
		"structured, base64":         {header: []string{"Content-Type", structuredType}, body: `{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"/w=="}`},
		"structured, bad base64":     {header: []string{"Content-Type", structuredType}, body: `{"specversion":"1.0","id":"1","source":"/s","type":"t","data_base64":"!"}`},
		"structured, no id":          {header: []string{"Content-Type", structuredType}, body: `{"specversion":"1.0","source":"/s","type":"t"}`},
		"structured, no version":     {header: []string{"Content-Type", structuredType}, body: `{"id":"1","source":"/s","type":"t"}`},
		"structured, id is a number": {header: []string{"Content-Type", structuredType}, body: `{"specversion":"1.0","id":1,"source":"/s","type":"t"}`},
		"structured, wrong time":     {header: []string{"Content-Type", structuredType}, body: `{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"x"}`},
		"structured, not JSON":       {header: []string{"Content-Type", structuredType}, body: `{`},
		"structured, empty":          {header: []string{"Content-Type", structuredType}},
	} {
		t.Run(name, func(t *testing.T) {
			theirs := sdkAccepts(post("/", tt.body, tt.header...))
			status := serve(t, post("/functions/sink", tt.body, tt.header...)).StatusCode
			if status != 204 && status != 400 {
				t.Fatalf("got %d, want 204 or 400", status)
			}
			if ours := status == 204; ours == theirs && tt.stricter || ours != (theirs && !tt.stricter) {
				t.Errorf("we accept: %t, the SDK accepts: %t, stricter: %t", ours, theirs, tt.stricter)
			}
		})
	}
}

func sdkAccepts(r *http.Request) bool {
	ev, err := sdk.NewEventFromHTTPRequest(r)
	return err == nil && ev.Validate() == nil
}

func FuzzRead(f *testing.F) {
	const one = `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"x"}`
	f.Add("text/plain", "ce-id", "1", []byte("x"))
	f.Add("application/json", "ce-subject", "%41%", []byte("{}"))
	f.Add("", "ce-a_b", `"x`, []byte(nil))
	f.Add("text/plain", "ce-time", "2026-01-02T03:04:05Z", []byte(one))
	f.Add(structuredType, "traceparent", "x", []byte(one))
	f.Add(structuredType, "x", "x", []byte(`{"specversion":"1.0","data_base64":"/w=="}`))
	f.Add(batchType, "x", "x", []byte("["+one+","+one+"]"))
	f.Fuzz(func(t *testing.T, contentType, name, value string, data []byte) {
		for _, header := range []http.Header{{}, {"Ce-Specversion": {"1.0"}, "Ce-Id": {"1"}, "Ce-Source": {"/s"}, "Ce-Type": {"t"}}} {
			r := httptest.NewRequest(http.MethodPost, "/functions/echo", bytes.NewReader(data))
			r.Header = header
			r.Header.Set("Content-Type", contentType)
			r.Header.Set(name, value)
			w := httptest.NewRecorder()
			newHandler(t).ServeHTTP(w, r)
			switch w.Code {
			case 200, 204, 400, 413:
			default:
				t.Errorf("got %d %s", w.Code, w.Body)
			}
			if _, ok := w.Header()["Ce-Specversion"]; ok && w.Code == 200 {
				resp := w.Result()
				if resp.Header["Content-Type"] == nil {
					resp.Header.Del("Content-Type") // as a server would
				}
				if ev, err := sdk.NewEventFromHTTPResponse(resp); err != nil || ev.Validate() != nil {
					t.Errorf("the answer is no valid CloudEvent: %v %v", err, ev)
				}
			}
		}
	})
}
