package http

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/framework"
	"github.com/fairlead/fairlead/triggers"
)

// ReplyType is the type of the CloudEvent that a reply becomes which is none itself.
const ReplyType = "fairlead.reply"

// write answers with the replies in the form of the request.
func (m mode) write(w http.ResponseWriter, function string, replies []event.Event) {
	if len(replies) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if m == plainMode {
		writeData(w, replies[0])
		return
	}
	for i := range replies {
		complete(&replies[i], function)
		if err := validate(replies[i]); err != nil {
			problem(w, http.StatusInternalServerError, "the reply is not valid: "+err.Error())
			return
		}
	}
	if m == binaryMode {
		writeBinary(w, replies[0])
		return
	}
	body, err := structured(replies, m == batchMode)
	if err != nil {
		problem(w, http.StatusInternalServerError, "the reply is not valid: "+err.Error())
		return
	}
	contentType := event.ApplicationCloudEventsJSON
	if m == batchMode {
		contentType = event.ApplicationCloudEventsBatchJSON
	}
	w.Header().Set("Content-Type", contentType)
	respond(w, body)
}

// complete makes a CloudEvent of a reply that is data alone.
func complete(ev *event.Event, function string) {
	if !framework.Plain(*ev) {
		return
	}
	ec := &event.EventContextV1{
		ID: rand.Text(), Type: ReplyType,
		Source: types.URIRef{URL: url.URL{Path: "/functions/" + function}},
	}
	ct := cmp.Or(ev.DataContentType(), octetStream) // without one it would be taken for JSON
	ec.DataContentType = &ct
	ev.Context = ec
}

const octetStream = "application/octet-stream"

func writeData(w http.ResponseWriter, ev event.Event) {
	w.Header().Set("Content-Type", cmp.Or(ev.DataContentType(), octetStream))
	respond(w, ev.Data())
}

func writeBinary(w http.ResponseWriter, ev event.Event) {
	h := w.Header()
	SetEvent(h, ev)
	if ev.DataContentType() == "" {
		h["Content-Type"] = nil // the event says none: keep the server from guessing
	}
	respond(w, ev.Data())
}

// SetEvent sets the headers of a request or an answer whose body is the data of
// ev (HTTP Protocol Binding for CloudEvents 1.0, binary mode).
func SetEvent(h http.Header, ev event.Event) {
	set := func(name, v string) {
		if v != "" {
			h[headerPrefix+name] = []string{escape(v)}
		}
	}
	set("Specversion", event.CloudEventsVersionV1)
	set("Id", ev.ID())
	set("Source", ev.Source())
	set("Type", ev.Type())
	set("Subject", ev.Subject())
	set("Dataschema", ev.DataSchema())
	if t := ev.Time(); !t.IsZero() {
		set("Time", types.FormatTime(t))
	}
	for name, v := range ev.Extensions() {
		if s, err := types.Format(v); err == nil { // any other type was refused when it was set
			set(strings.ToUpper(name[:1])+name[1:], s)
		}
	}
	if ct := ev.DataContentType(); ct != "" {
		h.Set("Content-Type", ct)
	}
}

// escape percent-encodes what a header may not hold (section 3.1.3.2).
func escape(v string) string {
	plain := func(c byte) bool { return c > ' ' && c < 0x7f && c != '"' && c != '%' }
	for i := range len(v) {
		if !plain(v[i]) {
			return escapeAll(v, plain)
		}
	}
	return v
}

func escapeAll(v string, plain func(byte) bool) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(v) {
		if c := v[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

func respond(w http.ResponseWriter, body []byte) { write(w, http.StatusOK, body) }

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		slog.Debug("the client did not wait for its answer", "err", err)
	}
}

// fail answers with the status that err deserves.
func (h *Handler) fail(w http.ResponseWriter, err error) {
	status, detail := http.StatusInternalServerError, err.Error()
	var bad *badRequest
	var large *http.MaxBytesError
	var undecoded *framework.DecodeError
	var panicked *triggers.PanicError
	after, retry := framework.Delay(err)
	switch {
	case errors.As(err, &large):
		status, detail = http.StatusRequestEntityTooLarge, "the body is longer than "+strconv.FormatInt(h.MaxBody, 10)+" bytes"
	case errors.Is(err, errSlow):
		status = http.StatusRequestTimeout
	case errors.As(err, &bad), errors.As(err, &undecoded):
		status = http.StatusBadRequest
	case errors.As(err, &panicked):
		detail = "the function panicked"
	case framework.IsTerminal(err):
		status = http.StatusUnprocessableEntity
	case retry:
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", seconds(after))
	case errors.Is(err, context.DeadlineExceeded):
		status = http.StatusGatewayTimeout
	case errors.Is(err, framework.ErrUnavailable):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	problem(w, status, detail)
}

// seconds rounds up: Retry-After knows no fractions.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}

// problem writes an RFC 9457 problem document.
func problem(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, detail})
	if err != nil {
		panic(err) // strings and an int
	}
	w.Header().Set("Content-Type", "application/problem+json")
	write(w, status, body)
}
