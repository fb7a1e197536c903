package connectiontest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"

	"github.com/fairlead/fairlead/connections"
)

func contentSaboteurs() []saboteur {
	return []saboteur{{
		name:   "cuts a body at NUL",
		breaks: []string{"round trip"},
		hooks:  sending(func(m *connections.Message) { m.Body, _, _ = bytes.Cut(m.Body, []byte{0}) }),
	}, {
		name:   "folds header names to lower case",
		breaks: []string{"round trip", "event, binary"},
		hooks:  sendingHeaders(func(name string, v any) (string, any) { return strings.ToLower(name), v }),
	}, {
		name:   "trims headers",
		breaks: []string{"round trip"},
		hooks:  sendingStrings(strings.TrimSpace),
	}, {
		name:   "escapes backslashes twice",
		breaks: []string{"UTF-8"},
		hooks:  sendingStrings(func(v string) string { return strings.ReplaceAll(v, `\`, `\\`) }),
	}, {
		name:   "sends null for nothing",
		breaks: []string{"empty body"},
		hooks: sending(func(m *connections.Message) {
			if len(m.Body) == 0 {
				m.Body = []byte("null")
			}
		}),
	}, {
		name:   "has room for 64 KiB",
		breaks: []string{"large body"},
		hooks:  sending(func(m *connections.Message) { m.Body = m.Body[:min(len(m.Body), 1<<16)] }),
	}, {
		name:   "sends text as bytes",
		breaks: []string{"text and bytes"},
		hooks:  sending(func(m *connections.Message) { m.Text = false }),
	}, {
		name:   "sends bytes as text",
		breaks: []string{"text and bytes"},
		hooks:  sending(func(m *connections.Message) { m.Text = true }),
	}, {
		name:   "has only strings and does not say so",
		breaks: []string{"typed headers"},
		hooks: sendingHeaders(func(name string, v any) (string, any) {
			switch v.(type) {
			case bool, int32, int64, float64:
				v = fmt.Sprint(v)
			}
			return name, v
		}),
	}, {
		name:   "has only strings and writes them its own way",
		breaks: []string{"typed headers", "event, binary"},
		hooks: func() hooks {
			h := sendingHeaders(func(name string, v any) (string, any) { return name, fmt.Sprint(v) })()
			h.subject = func(s *Subject) { s.Cannot.TypeHeaders = true }
			return h
		},
	}, {
		name:   "loses ids",
		breaks: []string{"message id"},
		hooks:  sending(func(m *connections.Message) { m.ID = nil }),
	}, {
		name:   "loses correlation ids",
		breaks: []string{"correlation id", "request and reply"},
		hooks:  sending(func(m *connections.Message) { m.CorrelationID = nil }),
	}, {
		name:   "does not say how to answer",
		breaks: []string{"request and reply"},
		hooks:  delivering(func(d *connections.Delivery) { d.Correlate = nil }),
	}, {
		name:   "does not say where to answer",
		breaks: []string{"request and reply"},
		hooks:  delivering(func(d *connections.Delivery) { d.ReplyTo = "" }),
	}, {
		name:   "loses keys",
		breaks: []string{"key"},
		hooks:  sending(func(m *connections.Message) { m.Key = "" }),
	}, {
		name:   "loses priorities",
		breaks: []string{"priority"},
		hooks:  sending(func(m *connections.Message) { m.Priority = nil }),
	}, {
		name:   "does not know the time",
		breaks: []string{"time"},
		hooks:  delivering(func(d *connections.Delivery) { d.Time = time.Time{} }),
	}, {
		name:   "delivers the same body again",
		breaks: []string{"no sharing"},
		hooks:  deliverSameBody,
	}, {
		name:   "sends on what belongs to one delivery",
		breaks: []string{"relay"},
		hooks:  relayAll,
	}, {
		name:   "loses headers of unusual types",
		breaks: []string{"event, binary"},
		hooks: sendingHeaders(func(name string, v any) (string, any) {
			switch v.(type) {
			case types.URI, types.URIRef, types.Timestamp:
				name = "lost"
			}
			return name, v
		}),
	}, {
		name:   "takes all JSON for JSON",
		breaks: []string{"event, structured", "event, batch"},
		hooks: sending(func(m *connections.Message) {
			if strings.HasSuffix(m.ContentType, "+json") {
				m.ContentType = event.ApplicationJSON
			}
		}),
	}, {
		name:   "takes a batch for an event",
		breaks: []string{"event, batch"},
		hooks: sending(func(m *connections.Message) {
			m.ContentType = strings.Replace(m.ContentType, "-batch", "", 1)
		}),
	}}
}

func sending(f func(m *connections.Message)) func() hooks {
	return func() hooks { return hooks{message: f} }
}

func sendingHeaders(f func(name string, v any) (string, any)) func() hooks {
	return sending(func(m *connections.Message) {
		header := make(map[string]any)
		for name, v := range m.Header {
			name, v = f(name, v)
			header[name] = v
		}
		m.Header = header
	})
}

func sendingStrings(f func(string) string) func() hooks {
	return sendingHeaders(func(name string, v any) (string, any) {
		if s, ok := v.(string); ok {
			v = f(s)
		}
		return name, v
	})
}

func delivering(f func(d *connections.Delivery)) func() hooks {
	return func() hooks {
		return hooks{delivery: func(_ *receiver, d *connections.Delivery) { f(d) }}
	}
}

func deliverSameBody() hooks {
	var bodies sync.Map
	return hooks{delivery: func(_ *receiver, d *connections.Delivery) {
		body, _ := bodies.LoadOrStore(d.Identity, d.Body)
		d.Body = body.([]byte)
	}}
}

func relayAll() hooks {
	return hooks{
		delivery: func(_ *receiver, d *connections.Delivery) { native := d.Message; d.Native = &native },
		message: func(m *connections.Message) {
			if native, ok := m.Native.(*connections.Message); ok {
				m.ID, m.ReplyTo = native.ID, native.ReplyTo
			}
		},
	}
}
